"""Bulk runs without Ray: the same functions, called one part after the other in this process."""

import json
import threading
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from casemate.core.errors import EngineFailed, StoreFailed, WrongUsage
from casemate.core.issue import Issue
from casemate.core.marking import Marking
from casemate.pipeline.bulk import MANIFEST, Came, Engine, run_bulk
from casemate.pipeline.bulk_parts import PartWriter, files_of, parts_in, prepare_folder, was_begun
from casemate.pipeline.bulk_work import Item, Setup, work
from casemate.pipeline.reading import edition_of
from casemate.pipeline.tools import Tools
from casemate.pipeline.triage import Order, triage
from casemate.policy import Limits
from casemate.stages.ingest import find_sources
from casemate.store import Store
from tests.pipeline.bulk import EXAMPLES, OURS, contents, real_paths

ORDER = Order(Marking.GREEN, "tester")


class Here:
    """Works in this process; `dies_of` are the names of inputs that a worker does not survive."""

    def __init__(self, tools: Tools, dies_of: Sequence[str] = (), parts: int = 1_000) -> None:
        self.tools, self.dies_of, self.parts = tools, dies_of, parts
        self.taken: list[str] = []

    def __call__(self, batches: Sequence[Sequence[Item]], setup: Setup) -> Iterator[str]:
        for batch in batches:
            if any(item.name.endswith(name) for item in batch for name in self.dies_of):
                continue
            if self.parts == 0:
                raise EngineFailed("the cluster is gone")
            self.parts -= 1
            self.taken += [item.name for item in batch]
            yield work(batch, setup, self.tools)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/bulk/casemate.sqlite") as opened:
        yield opened


@pytest.fixture
def tools(tools_for) -> Tools:
    return tools_for(limits=Limits(bulk_items=2))


def setup_for(tools: Tools, folder: Path) -> Setup:
    return Setup(tools.policy, "", "", str(folder), "", edition_of(tools), ORDER.marking, ORDER.actor)


def run(paths: Sequence[str], folder: Path, tools: Tools, store: Store, engine: Engine) -> list[Came | Issue]:
    setup = setup_for(tools, prepare_folder(folder))
    return list(run_bulk(find_sources(paths, tools.policy.limits), setup, tools, store, engine))


def cases_of(came: Sequence[Came | Issue]) -> list[str]:
    return [one.case.id for one in came if isinstance(one, Came)]


def one_by_one(paths: Sequence[str], folder: Path, tools: Tools) -> tuple[list[object], list[object]]:
    """Give what a single process makes of these paths, a case each, and what it writes into the chain."""
    with Store.open(f"sqlite:///{folder}/single/casemate.sqlite") as store:
        ids = [triage(find_sources([path]), ORDER, tools, store).case.id for path in paths]
        return contents(store, ids, tools), chain_of(store)


def chain_of(store: Store) -> list[object]:
    """Give what the chain says, but for the digests of what was stored: there are times in that."""
    events = [(one.actor, one.action, one.subject, dict(one.body)) for one in store.audit_events()]
    for *_, body in events:
        for name in ("stored-sha256", "case-sha256"):
            body.pop(name, "")
    return list(events)


@pytest.mark.slow
@pytest.mark.data
def test_what_comes_of_every_input_is_what_a_single_process_makes_of_it(shared_data, tmp_path, tools, store):
    paths = real_paths(shared_data, tmp_path)
    came = run(paths, tmp_path / "parts", tools, store, Here(tools))

    assert [one.source for one in came] == paths
    missing = [one for one in came if isinstance(one, Issue)]
    assert [(one.source, one.code) for one in missing] == [(paths[-2], "unreadable")]
    assert [one.repeated for one in came if isinstance(one, Came)] == [False] * (len(paths) - 2) + [True]
    cases, chain = one_by_one([path for path in paths if path != paths[-2]], tmp_path, tools)
    assert contents(store, cases_of(came), tools) == cases
    assert chain_of(store) == chain
    assert store.verify_audit() == ()


def test_a_run_that_broke_off_goes_on_with_what_is_missing(tmp_path, tools, store):
    paths = [str(EXAMPLES / name) for name in OURS]
    folder = tmp_path / "parts"
    with pytest.raises(EngineFailed, match="gone"):
        run(paths, folder, tools, store, Here(tools, parts=2))
    assert len(parts_in(folder)) == 2
    assert not (folder / MANIFEST).exists()

    again = Here(tools)
    with Store.open(f"sqlite:///{tmp_path}/other/casemate.sqlite") as other:  # nothing but the parts is left
        came = run(paths, folder, tools, other, again)
        assert again.taken == paths[4:]
        assert contents(other, cases_of(came), tools) == one_by_one(paths, tmp_path, tools)[0]

    came = run(paths, folder, tools, store, again)
    assert [one.repeated for one in came if isinstance(one, Came)] == [True] * 4 + [False]
    assert again.taken == paths[4:]
    assert store.verify_audit() == ()


def test_the_manifest_names_every_file_with_its_digest(tmp_path, tools, store):
    folder = tmp_path / "parts"
    run([str(EXAMPLES / name) for name in OURS[:3]], folder, tools, store, Here(tools))
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    named = {one["name"]: one["sha256"] for one in manifest["files"]}
    assert named == {file.name: sha256(file.read_bytes()).hexdigest() for file in folder.glob("*.parquet")}
    assert len(named) == 4
    assert (manifest["items"], manifest["problems"]) == (3, [])


def test_an_input_that_kills_its_worker_takes_no_other_down(tmp_path, tools, store):
    paths = [str(EXAMPLES / name) for name in OURS]
    came = run(paths, tmp_path / "parts", tools, store, Here(tools, dies_of=["access.log"]))
    assert [type(one) for one in came] == [Came, Came, Issue, Came, Came]
    assert isinstance(came[2], Issue)
    assert (came[2].source, came[2].code) == (paths[2], "item-failed")


def test_an_input_that_is_not_what_it_was_is_an_issue(tmp_path, tools, store):
    victim = tmp_path / "a.log"
    victim.write_text("Nov 22 13:08:01 web01 sshd[1]: Failed password for root from 198.51.100.7 port 1 ssh2\n")
    here = Here(tools)

    def changing(batches: Sequence[Sequence[Item]], setup: Setup) -> Iterator[str]:
        victim.write_text("something else\n")
        yield from here(batches, setup)

    came = run([str(victim), str(EXAMPLES / "auth.log")], tmp_path / "parts", tools, store, changing)
    assert isinstance(came[0], Issue)
    assert "changed" in came[0].message
    assert isinstance(came[1], Came)


def test_what_can_be_read_only_once_is_an_issue(tmp_path, tools, store):
    import os

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"text\n",), daemon=True)
    writer.start()
    came = run([str(pipe)], tmp_path / "parts", tools, store, Here(tools))
    writer.join(60)
    assert not writer.is_alive()
    assert isinstance(came[0], Issue)
    assert "only once" in came[0].message


def test_a_part_that_was_altered_is_not_taken(tmp_path, tools, store):
    folder, path = tmp_path / "parts", str(EXAMPLES / "auth.log")
    with pytest.raises(EngineFailed):
        run(
            [path, str(EXAMPLES / "phish.eml"), str(EXAMPLES / "README.md")], folder, tools, store, Here(tools, parts=1)
        )
    file = files_of(folder, parts_in(folder)[0])[0]
    data = bytearray(file.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    file.write_bytes(data)
    with (
        Store.open(f"sqlite:///{tmp_path}/other/casemate.sqlite") as other,
        pytest.raises(StoreFailed, match=file.name) as caught,
    ):
        run([path], folder, tools, other, Here(tools))
    assert "makes it again" in caught.value.way_out


def test_the_folder_must_be_ones_own(tmp_path: Path):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(WrongUsage, match="others could put cases there"):
        prepare_folder(folder)


def test_a_part_is_there_whole_or_not_at_all(tmp_path: Path):
    def break_off() -> None:
        with PartWriter(tmp_path, "part-1"):
            assert was_begun(tmp_path, "part-1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert parts_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
