"""Bulk runs: many inputs, a case each. Any engine works on parts; one process alone stores what comes of them."""

import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from casemate import __version__
from casemate.core.case import Case
from casemate.core.digest import Digest
from casemate.core.errors import StoreFailed
from casemate.core.evidence import Closed
from casemate.core.issue import Issue, Severity
from casemate.pipeline.bulk_parts import Row, files_of, keys_of, parts_in, rows_of, texts_of_item
from casemate.pipeline.bulk_work import Item, Setup
from casemate.pipeline.reading import Reading, edition_of, key_of, reading_from_json, was_read
from casemate.pipeline.receiving import Received, receive
from casemate.pipeline.tools import Tools
from casemate.pipeline.triage import Order, begun, features_of_case, is_same_run, name_run, proposed
from casemate.policy import Limits
from casemate.stages.ingest import Source, source_of
from casemate.stages.retrieve import find_related
from casemate.stages.validate import check_citations
from casemate.store import Store, case_from_json

Engine = Callable[[Sequence[Sequence[Item]], Setup], Iterator[str]]
"""Does the work of every list of items and yields the names of the parts as they are complete, in any order."""

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Came:
    """What came of one input: its case, and whether it was there already."""

    source: str
    case: Case
    repeated: bool


def run_bulk(
    sources: Iterable[Source | Issue], setup: Setup, tools: Tools, store: Store, engine: Engine
) -> Generator[Came | Issue, None, None]:
    """Make a case of every source by itself, and yield what came of each, in the order of the sources.

    Inputs whose case is stored already are not worked on again; parts that are complete in `setup.folder` are taken as
    they are. An input that fails is an `Issue`. A manifest is written last.
    """
    order = Order(setup.marking, setup.actor)
    places = list(_plan(sources, order, tools, store))
    items: dict[Digest, Item] = {}
    for place in places:
        if isinstance(place, Item):
            items.setdefault(place.key, place)
    folder = Path(setup.folder)
    at: dict[Digest, str] = {}  # item -> the part that holds what came of it
    for name in parts_in(folder):
        at.update((key, name) for key, problem in keys_of(folder, name).items() if key in items and not problem)
    missing = [item for key, item in items.items() if key not in at]
    adopt = _Adopting(order, tools, store, folder)
    problems: list[Issue] = []
    with closing(_work_on(missing, setup, engine)) as made:
        for place in places:
            while isinstance(place, Item) and place.key not in at and (part := next(made, None)):
                at.update(dict.fromkeys(keys_of(folder, part), part))
            if not isinstance(place, Item):
                came = place
            elif place.key in at:
                came = adopt.item(place, at[place.key])
            else:
                came = _failed(place, "the worker that took it died")
            problems += [came] if isinstance(came, Issue) else []
            yield came
    _write_manifest(setup, sorted(set(at.values())), len(places), problems)


def _work_on(items: Sequence[Item], setup: Setup, engine: Engine) -> Generator[str, None, None]:
    """Yield the parts of these items; what a worker did not finish is taken once more, each item alone."""
    left = {item.key: item for item in items}
    for batches in (_batches(items, setup.policy.limits), None):
        for part in engine(batches if batches is not None else [[item] for item in left.values()], setup):
            for key in keys_of(Path(setup.folder), part):
                left.pop(key, None)
            yield part


def _plan(sources: Iterable[Source | Issue], order: Order, tools: Tools, store: Store) -> Iterator[Came | Issue | Item]:
    edition = edition_of(tools)
    seen: dict[Digest, Digest] = {}
    for source in sources:
        spools: list[BinaryIO] = []
        received = source if isinstance(source, Issue) else receive(source, tools.policy.limits, spools)
        for spool in spools:
            spool.close()
        if isinstance(received, Issue):
            yield received
            continue
        if spools or not received.source.path:
            yield _unread(received.source.name, "it can be read only once, and another process has to read it")
            continue
        known = _known(received, order, tools, store)
        if known is not None:
            yield known
            continue
        path = os.path.abspath(received.source.path)  # noqa: PTH100 - links are left as they are
        key = seen.setdefault(received.digest, key_of(received, order.marking, edition))  # the same bytes: once
        yield Item(key, path, received.source.name, received.digest, received.size)


def _known(received: Received, order: Order, tools: Tools, store: Store) -> Came | None:
    case = store.case(name_run([received], order, tools, edition_of(tools))[1])
    if case is not None and (case.reviews or is_same_run(case, tools)):
        return Came(received.source.name, case, repeated=True)
    return None


def _batches(items: Sequence[Item], limits: Limits) -> list[list[Item]]:
    batches: list[list[Item]] = []
    size = 0
    for item in items:
        if not batches or len(batches[-1]) >= limits.bulk_items or size + item.size > limits.bulk_bytes:
            batches.append([])
            size = 0
        batches[-1].append(item)
        size += item.size
    return batches


@dataclass(slots=True)
class _Adopting:
    """Stores what came of items as triage would have, in the one process that writes the audit chain."""

    order: Order
    tools: Tools
    store: Store
    folder: Path
    _part: str = ""
    _rows: dict[Digest, Row] | None = None

    def item(self, item: Item, part: str) -> Came | Issue:
        if self._part != part or self._rows is None:
            self._part, self._rows = part, {row.key: row for row in rows_of(self.folder, part)}
        row = self._rows[item.key]
        if row.problem:
            return _failed(item, row.problem)
        received = Received(Source(item.name, source_of(item.path).open), item.sha256, item.size)
        known = _known(received, self.order, self.tools, self.store)
        if known is not None:
            return known
        run_key, case_id = name_run([received], self.order, self.tools, edition_of(self.tools))
        try:
            case, reading = case_from_json(row.case), reading_from_json(row.reading)
        except (ValidationError, ValueError, StoreFailed):
            return _failed(item, f"{files_of(self.folder, part)[0]} does not hold a case; remove it and run again")
        if (case.id, reading.key, case.reviews) != (case_id, item.key, ()):
            return _failed(item, f"{files_of(self.folder, part)[0]} holds another case; remove it and run again")
        self.store.begin_run(run_key, [str(item.sha256)], begun(case_id, 1, self.order))
        edition = edition_of(self.tools)
        if self.store.reading(item.key) is None:
            self._keep_reading(received, row, reading, run_key, edition)
        texts = self.store.texts(edition)
        cited = [citation for finding in case.findings for citation in finding.citations]
        if check_citations([*cited, *(one for said in case.assessment.summary for one in said.citations)], texts):
            return _failed(item, "its case cites what its text does not say; remove the part and run again")
        features = features_of_case(case.observables, case.findings, [reading])
        related = find_related(features, self.store.features(), self.tools.policy.limits, exclude=case.id)
        case = replace(case, related=related)
        event = proposed(case, self.order)
        self.store.save_case(case, event, features, run_key, edition, baseline=self.tools.policy.baseline)
        return Came(item.name, case, repeated=False)

    def _keep_reading(self, received: Received, row: Row, reading: Reading, run: str, edition: Digest) -> None:
        with self.store.write_texts(row.key, edition) as writer:
            open_part: tuple[int, Digest] | None = None
            for number, evidence, chunk in texts_of_item(self.folder, self._part, row.key):
                if open_part is not None and open_part[0] != number:
                    writer.close(Closed(*open_part, 0, 0, 0))
                open_part = (number, evidence)
                writer.write(chunk)
            if open_part is not None:
                writer.close(Closed(*open_part, 0, 0, 0))
        if row.original is not None:
            self.store.put_blob(row.original)
        self.store.save_reading(
            row.key, row.reading, was_read(received, reading, self.order.actor), run, str(received.digest)
        )


def _failed(item: Item, message: str) -> Issue:
    return _unread(item.name, message)


def _unread(name: str, message: str) -> Issue:
    return Issue("item-failed", Severity.ERROR, message, name, "", "run `casemate triage` on it alone to see more")


def _write_manifest(setup: Setup, parts: Sequence[str], items: int, problems: Sequence[Issue]) -> None:
    folder = Path(setup.folder)
    files = [file for name in parts for file in files_of(folder, name)]
    manifest = {
        "format": "casemate-bulk-1",
        "version": __version__,
        "edition": setup.edition,
        "policy": setup.policy.digest,
        "marking": setup.marking.value,
        "items": items,
        "problems": [{"source": issue.source, "message": issue.message} for issue in problems],
        "files": [{"name": file.name, "sha256": _digest_file(file)} for file in files],
    }
    target = folder / MANIFEST
    unfinished = target.with_name(MANIFEST + ".part")
    try:
        unfinished.write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
        unfinished.chmod(0o600)
        unfinished.replace(target)
    except OSError as error:
        raise StoreFailed(f"{target}: {error.strerror}", way_out="make room; the cases are stored") from error


def _digest_file(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
