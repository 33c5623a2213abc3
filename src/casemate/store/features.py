"""Which cases hold which features: the index behind related cases."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from sqlalchemy import ColumnElement, func, select

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


class StoredFeatures:
    """The features of all stored cases, or of those with one of `markings`, for `stages.retrieve`.

    With `proposed` only cases whose proposals are shown count: what others share with them may tell a finding.
    """

    def __init__(self, database: Database, markings: Sequence[str] = tuple(Marking), *, proposed: bool = False) -> None:
        self._database = database
        seen = cases.c.marking.in_(markings)
        self._seen: ColumnElement[bool] = seen & ~is_withheld() if proposed else seen

    def frequencies(self, wanted: Sequence[Feature], exclude: str = "") -> tuple[int, Mapping[Feature, int]]:
        """Count the cases, and for each feature that any of them holds, how many do; `exclude` is not counted."""
        named = {feature_key(feature): feature for feature in wanted}
        counts: dict[Feature, int] = {}
        with self._database.reading() as connection:
            total = connection.execute(
                select(func.count()).select_from(cases).where(cases.c.id != exclude, self._seen)
            ).scalar_one()
            own = connection.execute(select(cases.c.number).where(cases.c.id == exclude)).scalar()
            for keys in _batches(named):
                query = (
                    select(features.c.key, func.count())
                    .join(cases, cases.c.number == features.c.case)
                    .where(features.c.key.in_(keys), self._seen)
                    .group_by(features.c.key)
                )
                if own is not None:
                    query = query.where(features.c.case != own)
                counts.update((named[bytes(key)], count) for key, count in connection.execute(query))
        return int(total), counts

    def holders(self, wanted: Sequence[Feature], among: Sequence[str] = (), exclude: str = "") -> tuple[Holding, ...]:
        """Give the cases that hold any of the features (only those of `among`, unless empty), oldest first."""
        named = {feature_key(feature): feature for feature in wanted}
        held: dict[int, list[Feature]] = {}
        headings: dict[int, tuple[str, str, str]] = {}
        with self._database.reading() as connection:
            for keys in _batches(named):
                query = (
                    select(features.c.key, cases.c.number, cases.c.id, cases.c.title, cases.c.created)
                    .join(cases, cases.c.number == features.c.case)
                    .where(features.c.key.in_(keys), cases.c.id != exclude, self._seen)
                )
                if among:
                    query = query.where(cases.c.id.in_(among))
                for key, number, case_id, title, created in connection.execute(query):
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
