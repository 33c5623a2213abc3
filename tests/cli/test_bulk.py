"""`casemate triage --engine ray`: a Ray of our own on this host, against a single process."""

import getpass
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from casemate.audit import NewAuditEvent
from casemate.cli.home import cache_folder
from casemate.core.marking import Marking
from casemate.knowledge import Knowledge
from casemate.pipeline.specialists import Specialists
from casemate.pipeline.tools import Tools
from casemate.pipeline.triage import Order, triage
from casemate.policy import Policy
from casemate.stages.extract.scanner import Scanner
from casemate.stages.ingest import find_sources
from casemate.store import Store
from tests.pipeline.bulk import contents, real_paths

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SECONDS = 900  # Ray starts seven processes; on a busy machine with two cores that takes minutes


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(2 * SECONDS)
def test_what_comes_of_ray_is_what_comes_of_one_process(
    prepared_home: Path, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CASEMATE_HOME", str(prepared_home))
    paths = real_paths(shared_data, tmp_path)
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    (evidence / "pyarrow.py").write_text("raise SystemExit('a module out of the evidence was imported')\n", "utf-8")
    ids = run_on_ray(paths, tmp_path, evidence)

    policy = Policy()
    with Knowledge.open(prepared_home / "knowledge.sqlite") as knowledge:
        tools = Tools(policy, knowledge, Scanner(cache=cache_folder()), None, Specialists(policy.specialists))
        order = Order(Marking(policy.default_marking), getpass.getuser())
        with (
            Store.open(f"sqlite:///{tmp_path}/ray/casemate.sqlite") as made,
            Store.open(f"sqlite:///{tmp_path}/single/casemate.sqlite") as store,
        ):
            known = [path for path in paths if Path(path).exists()]
            single = [triage(find_sources([path]), order, tools, store).case.id for path in known]
            assert ids == single
            assert contents(made, ids, tools) == contents(store, single, tools)
            assert [event.action for event in made.audit_events()] == [event.action for event in store.audit_events()]
            assert made.verify_audit() == ()
            made.record(NewAuditEvent("tester", "case.looked", ids[0], ()))  # the chain goes on


def run_on_ray(paths: list[str], folder: Path, where: Path) -> list[str]:
    command = [
        sys.executable,
        "-P",
        "-m",
        "casemate",
        "triage",
        "--engine",
        "ray",
        "--workers",
        "1",
        "--format",
        "json",
    ]
    command += ["--store", f"sqlite:///{folder}/ray/casemate.sqlite", "--parquet", str(folder / "parts"), *paths]
    temporary = Path("/tmp")
    before = set(temporary.glob("casemate-bulk-*"))
    environment = {**os.environ, "RAY_worker_niceness": "0"}  # Ray's workers give way to everybody: 15
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode == 3, done.stderr.decode()  # one input is not there
    assert b"not-there.log" in done.stderr
    assert all(line.startswith((b"casemate: ", b"  way out: ")) for line in done.stderr.splitlines()), done.stderr
    assert (folder / "parts" / "manifest.json").is_file()
    assert set(temporary.glob("casemate-bulk-*")) <= before  # nothing is left behind
    return [json.loads(line)["id"] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--workers", "2"], 2, "belongs to bulk runs"),
        (["--engine", "ray", "--format", "stix"], 2, "lines of JSON"),
        (["--engine", "ray", "--model", "some"], 2, "no language model"),
        (["--engine", "ray", "--ray-address", "ray.example:6379"], 2, "a folder that all its hosts share"),
        (["--engine", "ray", "--ray-address", "ray.example:6379", "--parquet", "parts"], 5, "does not allow"),
    ],
)
def test_options_that_do_not_go_together(casemate, options: list[str], code: int, message: str):
    done = casemate("triage", *options, EXAMPLES / "auth.log")
    assert done.returncode == code
    assert message in done.stderr.decode()
    assert b"way out" in done.stderr
