"""The records of a stored case, read again from the originals: what a question may count exactly."""

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

from casemate.core.case import Case
from casemate.core.digest import Digest
from casemate.core.event import Event
from casemate.core.evidence import Closed
from casemate.policy import Limits
from casemate.stages.ingest import Source, read
from casemate.store import Store
from casemate.tasks.case_question.inventory import Records

MOST_RECORDS = 500_000
"""Records of one case that are read again."""


def read_records(case: Case, store: Store, limits: Limits) -> Records:
    """Read the originals of a case again, as far as they were kept; not `whole` where one is missing or too long."""
    found: list[tuple[Event, Digest]] = []
    whole = True
    for item in case.evidence:
        if item.parent is not None:
            continue  # it comes out of the evidence that it stands in
        data = store.blob(item.id)
        if data is None:
            whole = False
            continue
        found += _events(item.source, data, limits)
        if len(found) >= MOST_RECORDS:
            return Records(found[:MOST_RECORDS], whole=False)
    return Records(found, whole=whole)


def _opener(data: bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(data)


def _events(name: str, data: bytes, limits: Limits) -> Iterator[tuple[Event, Digest]]:
    waiting: list[Event] = []
    ids: dict[int, Digest] = {}
    for item in read(Source(name, _opener(data)), limits):
        if isinstance(item, Event):
            waiting.append(item)
        elif isinstance(item, Closed):
            ids[item.part] = item.id
    for event in waiting:
        if event.part in ids:
            yield event, ids[event.part]
