"""Which cases hold which features: the index behind related cases."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from sqlalchemy import ColumnElement, bindparam, func, select

from casemate.core.feature import Feature, Holding
from casemate.core.marking import Marking
from casemate.store.database import Database
from casemate.store.tables import cases, features
from casemate.store.trials import is_withheld

BATCH = 500  # keys in one statement; databases bound the number of parameters


def feature_key(feature: Feature) -> bytes:
    """Name a feature in 16 bytes (half a SHA-256), so that a long URL costs no more than a short one."""
    named = f"{feature.kind}\0{feature.value}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(named).digest()[:16]


_KEYS = features.c.key.in_(bindparam("keys", expanding=True))
_COUNT_CASES = select(func.count()).select_from(cases)
_NUMBER = select(cases.c.number).where(cases.c.id == bindparam("named"))
_COUNT_HOLDERS = select(features.c.key, func.count()).where(_KEYS).group_by(features.c.key)
_HOLDERS = (
    select(features.c.key, cases.c.number, cases.c.id, cases.c.title, cases.c.created)
    .join(cases, cases.c.number == features.c.case)
    .where(_KEYS)
)


class StoredFeatures:
    """The features of all stored cases, or of those with one of `markings`, for `stages.retrieve`.

    With `proposed` only cases whose proposals are shown count: what others share with them may tell a finding.
    """

    def __init__(self, database: Database, markings: Sequence[str] = tuple(Marking), *, proposed: bool = False) -> None:
        self._database = database
        self._count_cases, self._count_holders, self._holders = _COUNT_CASES, _COUNT_HOLDERS, _HOLDERS
        if proposed or not set(Marking) <= set(markings):
            seen: ColumnElement[bool] = cases.c.marking.in_(markings)
            seen = seen & ~is_withheld() if proposed else seen
            self._count_cases = _COUNT_CASES.where(seen)
            self._count_holders = _COUNT_HOLDERS.join(cases, cases.c.number == features.c.case).where(seen)
            self._holders = _HOLDERS.where(seen)

    def frequencies(self, wanted: Sequence[Feature], exclude: str = "") -> tuple[int, Mapping[Feature, int]]:
        """Count the cases, and for each feature that any of them holds, how many do; `exclude` is not counted."""
        named = {feature_key(feature): feature for feature in wanted}
        counts: dict[Feature, int] = {}
        with self._database.reading() as connection:
            own = connection.execute(_NUMBER, {"named": exclude}).scalar()
            count_cases, count_holders = self._count_cases, self._count_holders
            if own is not None:
                count_cases = count_cases.where(cases.c.number != own)
                count_holders = count_holders.where(features.c.case != own)
            total = connection.execute(count_cases).scalar_one()
            for keys in _batches(named):
                found = connection.execute(count_holders, {"keys": keys})
                counts.update((named[bytes(key)], count) for key, count in found)
        return int(total), counts

    def holders(self, wanted: Sequence[Feature], among: Sequence[str] = (), exclude: str = "") -> tuple[Holding, ...]:
        """Give the cases that hold any of the features (only those of `among`, unless empty), oldest first."""
        named = {feature_key(feature): feature for feature in wanted}
        held: dict[int, list[Feature]] = {}
        headings: dict[int, tuple[str, str, str]] = {}
        query = self._holders.where(cases.c.id.in_(among)) if among else self._holders
        with self._database.reading() as connection:
            for keys in _batches(named):
                for key, number, case_id, title, created in connection.execute(query, {"keys": keys}):
                    if case_id != exclude:
                        held.setdefault(number, []).append(named[bytes(key)])
                        headings[number] = (case_id, title, created)
        return tuple(
            Holding(headings[number][0], headings[number][1], datetime.fromisoformat(headings[number][2]), tuple(found))
            for number, found in sorted(held.items())
        )


def _batches(keys: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(keys)
    while batch := list(islice(rest, BATCH)):
        yield batch
