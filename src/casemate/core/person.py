"""Persons: who asks, in which role, and up to which marking they may see."""

from dataclasses import dataclass
from enum import StrEnum

from casemate.core.marking import Marking


class Role(StrEnum):
    """What a person is here for; the order of the members is from the least to the most they may do."""

    READER = "reader"
    ANALYST = "analyst"
    REVIEWER = "reviewer"
    ADMIN = "admin"


class Right(StrEnum):
    """One thing that the service lets somebody do; which roles have it stands in `policy.roles`."""

    NOBODY = "nobody"  # asked of no one: signing in, being alive
    SELF = "self"  # anybody who is known: their own password
    READ = "read"  # look at cases, evidence, the queue; export
    SEND = "send"  # hand in evidence
    REVIEW = "review"  # accept, reject, reword findings; set a disposition
    OPERATE = "operate"  # dead letters, priorities
    METRICS = "metrics"  # all figures of the installation
    PEOPLE = "people"  # accounts and tokens


@dataclass(frozen=True, slots=True)
class Person:
    """Who is asking. `clearance` is the strictest marking they may see; `rights` what they may do this time.

    For a token `rights` are those of the role that the token's scopes name too. `must_change` is true until a first
    password was changed.
    """

    name: str
    role: Role
    clearance: Marking
    rights: frozenset[Right]
    must_change: bool = False
    token: str = ""

    def may(self, right: Right) -> bool:
        """Tell whether the person has a right."""
        return right in (Right.NOBODY, Right.SELF) or right in self.rights


def markings_up_to(clearance: Marking) -> tuple[Marking, ...]:
    """Give the markings that a clearance covers, the freest first."""
    order = list(Marking)
    return tuple(order[: order.index(clearance) + 1])
