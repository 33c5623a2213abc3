import multiprocessing
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.audit import Seal
from casemate.audit.checkpoint import read_checkpoint
from casemate.core.errors import NotTrusted, StoreFailed

from .chains import chain_of


def open_and_tell(folder: str) -> bytes:
    return Seal.open(Path(folder)).public_key


def test_first_use_makes_a_key_for_its_owner_only(tmp_path: Path) -> None:
    seal = Seal.open(tmp_path / "audit")
    assert stat.S_IMODE((tmp_path / "audit" / "key").stat().st_mode) == 0o600
    assert (tmp_path / "audit" / "key.pub").read_bytes() == seal.public_key
    assert Seal.open(tmp_path / "audit").public_key == seal.public_key


@pytest.mark.slow
def test_processes_that_open_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        keys = pool.map(open_and_tell, [str(tmp_path / "audit")] * 6)
    assert len(set(keys)) == 1
    assert sorted(path.name for path in (tmp_path / "audit").iterdir()) == ["key", "key.pub"]


def test_a_lost_key_is_not_quietly_replaced(tmp_path: Path) -> None:
    seal = Seal.open(tmp_path)
    seal.write(seal.sign("c", chain_of([("a", "b", "c", ())])[0]))
    (tmp_path / "key").unlink()
    with pytest.raises(NotTrusted, match="gone") as caught:
        Seal.open(tmp_path)
    assert caught.value.way_out


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("rubbish")
    with pytest.raises(NotTrusted):
        Seal.open(tmp_path)


def test_written_checkpoints_read_back_in_order(tmp_path: Path) -> None:
    seal = Seal.open(tmp_path)
    checkpoints = [seal.sign("c", event) for event in chain_of([("a", "b", "c", ()), ("d", "e", "f", ())])]
    for checkpoint in checkpoints:
        seal.write(checkpoint)
    assert [read_checkpoint(line) for line in seal.lines()] == checkpoints
    assert stat.S_IMODE(seal.file.stat().st_mode) == 0o600


def test_a_line_cut_short_by_a_crash_spoils_no_later_one(tmp_path: Path) -> None:
    seal = Seal.open(tmp_path)
    first, second = (seal.sign("c", event) for event in chain_of([("a", "b", "c", ()), ("d", "e", "f", ())]))
    seal.write(first)
    with seal.file.open("ab") as file:
        file.write(second.line().encode()[:40])
    assert seal.lines() == (first.line(),)
    seal.write(second)
    assert seal.lines()[-1] == second.line()


def test_catching_up_appends_what_is_missing_once_and_nothing_unsigned(tmp_path: Path) -> None:
    seal = Seal.open(tmp_path / "one")
    (event,) = chain_of([("a", "b", "c", ())])
    checkpoint = seal.sign("c", event)
    seal.catch_up(checkpoint)
    seal.catch_up(checkpoint)
    seal.catch_up(Seal.open(tmp_path / "other").sign("c", event))
    assert seal.lines() == (checkpoint.line(),)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreFailed, match=str(tmp_path)) as caught:
        Seal.open(tmp_path / "file" / "audit")
    assert caught.value.way_out


def test_a_file_that_cannot_be_appended_to_is_named(tmp_path: Path) -> None:
    seal = Seal.open(tmp_path)
    seal.file.mkdir()
    with pytest.raises(StoreFailed, match=r"checkpoints\.jsonl"):
        seal.write(seal.sign("c", chain_of([("a", "b", "c", ())])[0]))


@settings(max_examples=60)
@given(st.text(max_size=200))
def test_any_text_is_refused_as_a_checkpoint(text: str) -> None:
    with suppress(ValueError):
        assert read_checkpoint(text).line() == text
