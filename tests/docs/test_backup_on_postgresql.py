"""The way there and back that docs/howto/backup.md tells of, on a server of its own, while somebody writes."""

import doctest
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from casemate.core.digest import digest_bytes
from casemate.store import Store
from tests.postgres import absent, own_cluster, programs, why_not
from tests.store.samples import case, saved

from .test_docs import BLOCK, ROOT, as_printed, page, steps

CASE = "C-3e9ae87df28f"


def run(command: str, environment: dict[str, str], folder: Path, given: str = "") -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        start_new_session=True,  # a password is asked for on the terminal, where there is one
    )
    return done.stdout + done.stderr


@contextmanager
def writing(url: str) -> Iterator[None]:
    """Save one case after the other."""
    over = threading.Event()

    def write() -> None:
        with Store.open(url) as store:
            number = 0
            while not over.wait(0.01):
                number += 1
                store.save_case(case(f"w{number}"), saved())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()


@pytest.mark.slow
def test_the_copy_that_the_page_makes_is_put_back_and_verifies(
    prepared_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if reason := why_not():
        absent(reason)
    monkeypatch.setenv("CASEMATE_HOME", str(prepared_home))
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    folder = programs()
    assert folder is not None
    with own_cluster() as cluster:
        host = str(cluster.url.query["host"])
        url = f"postgresql://casemate@/casemate?host={host}"
        environment = {**os.environ, "PGHOST": host, "PGUSER": "postgres", "CASEMATE_STORE": url}
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), str(folder), environment["PATH"]])
        for made in re.findall(r"^ +(create(?:user|db) .*)$", page("docs/howto/several-hosts.md"), re.MULTILINE):
            told = run(made, environment, tmp_path, "a-password\na-password\n")
            assert "rror" not in told, told
        copied, lost = [
            steps(block[2]) for block in BLOCK.finditer(page("docs/howto/backup.md")) if "monday/audit.tar" in block[2]
        ]
        assert [command.split()[0] for command, _ in copied[1:4]] == ["mkdir", "tar", "pg_dump"]

        def follow(told: list[tuple[str, str]]) -> None:
            for command, expected in told:
                printed, wanted = as_printed(run(command, environment, tmp_path)), as_printed(expected)
                fits = doctest.OutputChecker().check_output(wanted, printed, doctest.ELLIPSIS)
                assert fits, f"$ {command}\nexpected:\n{wanted}\nprinted:\n{printed}"

        follow(copied[:1])
        with writing(url):
            follow(copied[1:5])
        follow(copied[5:])
        evidence = (ROOT / "examples" / "auth.log").read_bytes()
        with Store.open(f"postgresql://postgres@/casemate_before?host={host}") as before, Store.open(url) as after:
            assert after.head()[0] < before.head()[0]
            assert after.case(CASE) == before.case(CASE)
            assert after.case(CASE) is not None
            assert after.blob(digest_bytes(evidence)) == evidence
            lines = after.texts_of(CASE).lines(digest_bytes(evidence), 1, 3, 1000)
            assert [line.text for line in lines] == evidence.decode().splitlines()[:3]
            assert 0 < after.count_cases() < before.count_cases()
            assert after.save_case(case("later"), saved()), "the tables are the user's own"
            assert after.verify_audit() == ()
        follow(lost)
