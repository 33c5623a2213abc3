"""Which role has which right; the pages and the API ask this table and nothing else."""

from collections.abc import Iterable, Mapping

from casemate.core.person import Right, Role

RIGHTS: Mapping[Right, frozenset[Role]] = {
    Right.SELF: frozenset(Role),
    Right.READ: frozenset(Role),
    Right.SEND: frozenset({Role.ANALYST, Role.REVIEWER, Role.ADMIN}),
    Right.REVIEW: frozenset({Role.ANALYST, Role.REVIEWER, Role.ADMIN}),
    Right.OPERATE: frozenset({Role.REVIEWER, Role.ADMIN}),
    Right.METRICS: frozenset({Role.ADMIN}),
    Right.PEOPLE: frozenset({Role.ADMIN}),
}


def rights_of(role: Role, scopes: Iterable[str] | None = None) -> frozenset[Right]:
    """Give the rights of a role; with `scopes` (those of a token) only the ones named there too."""
    held = frozenset(right for right, roles in RIGHTS.items() if role in roles)
    return held if scopes is None else held & frozenset(Right(scope) for scope in scopes)
