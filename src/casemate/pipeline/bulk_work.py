"""The work of a bulk run: some items the whole path, each to a case of its own, into one part."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from casemate.core.digest import Digest, digest_value
from casemate.core.errors import CasemateError, NotTrusted
from casemate.core.marking import Marking
from casemate.knowledge import Knowledge
from casemate.pipeline.bulk_parts import PartWriter, Row
from casemate.pipeline.reading import edition_of
from casemate.pipeline.specialists import Specialists
from casemate.pipeline.tools import Tools
from casemate.pipeline.triage import Order, triage
from casemate.policy import Policy
from casemate.stages.extract.scanner import Scanner
from casemate.stages.ingest import Source, source_of
from casemate.store import Store


@dataclass(frozen=True, slots=True)
class Item:
    """One input of a bulk run; `key` names its reading, as `pipeline.reading.key_of` does."""

    key: Digest
    path: str
    name: str
    sha256: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker needs to be told: the same on every host of a cluster.

    `folder` takes the parts and is reached by every worker under the same path; `scratch` takes what is gone
    afterwards, empty for wherever a worker's own host puts that.
    """

    policy: Policy
    knowledge: str
    cache: str
    folder: str
    scratch: str
    edition: Digest
    marking: Marking
    actor: str


def open_tools(setup: Setup) -> Tools:
    """Open what the path works with; `NotTrusted` when this worker would read otherwise than who sent the work."""
    tools = Tools(
        setup.policy,
        Knowledge.open(Path(setup.knowledge)),
        Scanner(cache=Path(setup.cache)),
        None,
        Specialists(setup.policy.specialists),
    )
    if edition_of(tools) != setup.edition:
        raise NotTrusted(
            "a worker has another casemate, policy or knowledge",
            way_out="install the same release and the same knowledge on every host of the cluster",
        )
    return tools


def name_part(items: Sequence[Item]) -> str:
    """Name the part that these items make."""
    return f"part-{digest_value([item.key for item in items])[:24]}"


def work(items: Sequence[Item], setup: Setup, tools: Tools) -> str:
    """Take every item the whole path in a store of its own that is thrown away, and name the part that came of it."""
    name = name_part(items)
    with (
        tempfile.TemporaryDirectory(dir=setup.scratch or None) as folder,
        Store.open(f"sqlite:///{folder}/casemate.sqlite", limits=setup.policy.limits) as store,
        PartWriter(Path(setup.folder), name) as part,
    ):
        for item in items:
            row = Row(item.key, item.name, item.sha256, item.size)
            problem = _take(item, row, setup, tools, store, part)
            if problem:
                part.add(Row(item.key, item.name, item.sha256, item.size, problem))
    return name


def _take(item: Item, row: Row, setup: Setup, tools: Tools, store: Store, part: PartWriter) -> str:
    """Write what came of one item; give the problem when nothing did."""
    found = source_of(item.path)
    source = Source(item.name, found.open, item.path)
    try:
        outcome = triage([source], Order(setup.marking, setup.actor), tools, store)
    except CasemateError as error:
        return error.message
    except Exception as error:  # noqa: BLE001 - the boundary of an item: the others go on
        return f"a fault of the program: {type(error).__name__}"  # not the message: it may quote evidence
    reading = store.reading(item.key)
    if reading is None:
        return "it was changed while it was read"
    texts = store.texts(setup.edition)
    for number, evidence in enumerate(outcome.case.evidence):
        for chunk in texts.chunks(evidence.id):
            part.add_text(item.key, number, evidence.id, chunk)
    part.add(Row(row.key, row.source, row.sha256, row.size, "", b"", reading, store.blob(item.sha256)), outcome.case)
    return ""
