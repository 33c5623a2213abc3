"""Finding sources: files, directories, standard input, and what cannot be read."""

import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from casemate.core.evidence import Closed
from casemate.core.issue import Issue
from casemate.policy.limits import Limits
from casemate.stages.ingest import Source, find_sources, read, source_of


def names(*paths: Path | str, limits: Limits | None = None) -> list[str]:
    return [found.name for found in find_sources(map(str, paths), limits) if isinstance(found, Source)]


def codes(*paths: Path | str, limits: Limits | None = None) -> list[str]:
    return [found.code for found in find_sources(map(str, paths), limits) if isinstance(found, Issue)]


def test_a_directory_is_walked_in_order(tmp_path: Path) -> None:
    for name in ("b.log", "a/z.log", "a/b/y.log", "c.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("text")
    assert names(tmp_path) == [f"{tmp_path}/{name}" for name in ("a/b/y.log", "a/z.log", "b.log", "c.log")]


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "loop").symlink_to(tmp_path)
    (tmp_path / "in" / "file").symlink_to(tmp_path / "a.log")
    (tmp_path / "a.log").write_text("text")
    assert names(tmp_path) == [f"{tmp_path}/a.log", f"{tmp_path}/in/file"]


def test_what_is_missing_is_told_and_the_rest_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("text")
    paths = (tmp_path / "gone", tmp_path / "a.log", "with\0nul")
    assert codes(*paths) == ["unreadable", "unreadable"]
    assert names(*paths) == [f"{tmp_path}/a.log"]


def test_files_in_a_directory_are_bounded(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}").write_text("text")
    assert codes(tmp_path, limits=Limits(directory_files=10)) == ["directory-files"]
    assert len(names(tmp_path, limits=Limits(directory_files=10))) == 10


def test_a_file_that_may_not_be_read_is_told() -> None:
    def refuse() -> io.BytesIO:
        raise PermissionError(13, "Permission denied")

    (issue,) = read(Source("closed.log", refuse))
    assert isinstance(issue, Issue)
    assert (issue.code, issue.source, issue.message) == ("unreadable", "closed.log", "Permission denied")
    assert issue.way_out


def test_a_device_is_refused(tmp_path: Path) -> None:
    (source,) = find_sources(["/dev/zero"])
    assert isinstance(source, Source)
    (issue,) = read(source)
    assert isinstance(issue, Issue)
    assert issue.code == "unreadable"


@pytest.mark.parametrize("late", [0.0, 0.2])
@pytest.mark.parametrize("silent", [0.0, 0.2])
def test_a_pipe_waits_for_its_writer(tmp_path: Path, late: float, silent: float) -> None:
    os.mkfifo(tmp_path / "pipe")

    def write() -> None:
        time.sleep(late)
        with (tmp_path / "pipe").open("wb", buffering=0) as pipe:
            time.sleep(silent)
            pipe.write(b"first ")
            time.sleep(silent)
            pipe.write(b"second\n")

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    with source_of(str(tmp_path / "pipe"), wait=60).open() as pipe:
        assert b"".join(iter(lambda: pipe.read(4), b"")) == b"first second\n"
    writer.join(60)
    assert not writer.is_alive()


def test_a_pipe_that_nobody_writes_into_is_no_empty_input(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (issue,) = read(source_of(str(tmp_path / "pipe"), wait=0.05))
    assert isinstance(issue, Issue)
    assert (issue.code, issue.message) == ("unreadable", "nothing wrote into this pipe within 0.05 s")
    (source,) = find_sources([str(tmp_path)])  # in a folder there is no waiting
    assert isinstance(source, Source)
    assert [type(item) for item in read(source)] == [Issue]


def test_a_process_that_says_nothing_is_an_empty_input() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with source_of(f"/dev/fd/{reading}").open() as pipe:
        assert pipe.read(4) == b""
    os.close(reading)


def test_a_name_that_is_no_utf8_is_shown(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff.log"
    Path(os.fsdecode(raw)).write_text("text\n")
    (source,) = find_sources([str(tmp_path)])
    assert isinstance(source, Source)
    assert source.name == f"{tmp_path}/\ufffd.log"
    assert any(isinstance(item, Closed) for item in read(source))


def test_standard_input_is_read() -> None:
    program = (
        "from casemate.stages.ingest import find_sources, read\n"
        "print([item.text for item in read(next(find_sources(['-']))) if hasattr(item, 'pieces')])"
    )
    done = subprocess.run([sys.executable, "-c", program], input=b"piped\n", capture_output=True, check=True)
    assert done.stdout == b"['piped\\n']\n"
