"""Who decides about cases, who confirms, who is asked before and who is told after: four eyes and the RACI table."""

from dataclasses import dataclass

from casemate.core.assessment import Disposition
from casemate.core.marking import Marking
from casemate.core.person import Right, Role
from casemate.policy.roles import RIGHTS


@dataclass(frozen=True, slots=True)
class Raci:
    """One row: for these dispositions and markings (none named: all of them) the roles that are in each part.

    The first row that fits counts. `responsible` may set the disposition, `accountable` may confirm it where a second
    person is demanded; none named stands for the policy's `deciding_roles`. With `consult_first` one of the roles in
    `consulted` must have left a note, since the disposition was last set, before it may be set. `informed` are told.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    dispositions: tuple[Disposition, ...] = ()
    markings: tuple[Marking, ...] = ()
    responsible: tuple[Role, ...] = ()
    accountable: tuple[Role, ...] = ()
    consulted: tuple[Role, ...] = ()
    consult_first: bool = False
    informed: tuple[Role, ...] = ()

    def fits(self, disposition: Disposition, marking: Marking) -> bool:
        """Tell whether the row speaks of such a decision."""
        return (not self.dispositions or disposition in self.dispositions) and (
            not self.markings or marking in self.markings
        )


@dataclass(frozen=True, slots=True)
class Reviewing:
    """When a second person must confirm a disposition, and the table of who does what."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    four_eyes_dispositions: tuple[Disposition, ...] = ()
    four_eyes_markings: tuple[Marking, ...] = ()
    raci: tuple[Raci, ...] = ()


@dataclass(frozen=True, slots=True)
class Duties:
    """Who does what for one disposition of one case, all settled; roles by name. `second`: somebody must confirm."""

    responsible: tuple[str, ...]
    accountable: tuple[str, ...]
    consulted: tuple[str, ...]
    consult_first: bool
    informed: tuple[str, ...]
    second: bool


def duties_of(reviewing: Reviewing, deciding: tuple[str, ...], disposition: Disposition, marking: Marking) -> Duties:
    """Settle who does what when a case of this marking is given this disposition."""
    row = next((one for one in reviewing.raci if one.fits(disposition, marking)), Raci())
    return Duties(
        responsible=_names(row.responsible) or deciding,
        accountable=_names(row.accountable) or deciding,
        consulted=_names(row.consulted),
        consult_first=row.consult_first,
        informed=_names(row.informed),
        second=disposition in reviewing.four_eyes_dispositions or marking in reviewing.four_eyes_markings,
    )


def fault_of_review(reviewing: Reviewing) -> str:
    """Tell what makes no sense in the table, empty when nothing does."""
    for number, row in enumerate(reviewing.raci, 1):
        for part in ("responsible", "accountable", "consulted"):
            unable = [role.value for role in getattr(row, part) if role not in RIGHTS[Right.REVIEW]]
            if unable:
                return f"review.raci row {number}: {part}: the role {unable[0]!r} may not review"
        if row.consult_first and not row.consulted:
            return f"review.raci row {number}: consult_first needs the roles in `consulted`"
    return ""


def _names(roles: tuple[Role, ...]) -> tuple[str, ...]:
    return tuple(role.value for role in roles)
