"""`casemate triage --engine ray --ray-address`: a cluster that an operator started, against a single process."""

import getpass
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from casemate.cli.home import cache_folder
from casemate.core.marking import Marking
from casemate.knowledge import Knowledge
from casemate.pipeline.bulk_ray import QUIET
from casemate.pipeline.specialists import Specialists
from casemate.pipeline.tools import Tools
from casemate.pipeline.triage import Order, triage
from casemate.policy import load_policy
from casemate.stages.extract.scanner import Scanner
from casemate.stages.ingest import find_sources
from casemate.store import Store
from tests.pipeline.bulk import OURS, contents

pytest.importorskip("ray")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SECONDS = 900  # Ray starts nine processes; on a busy machine with two cores that takes minutes
HEAD = "from ray.scripts.scripts import main; main()"
STARTS = 8  # Ray gives its agents 15 seconds to name their ports and then ends, whatever its settings: again, then
PATIENT = {"RAY_raylet_start_wait_time_s": "60", "RAY_agent_register_timeout_ms": "60000", "RAY_worker_niceness": "0"}
PORTS = (
    "--port", "--dashboard-agent-listen-port", "--dashboard-agent-grpc-port", "--runtime-env-agent-port",
    "--metrics-export-port",
)  # fmt: skip


@dataclass(frozen=True)
class Cluster:
    address: str
    token: Path
    policy: Path

    def triage(self, folder: Path, *paths: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, "-P", "-m", "casemate", "triage", "--engine", "ray", "--ray-address", self.address]
        command += ["--policy", str(self.policy), "--format", "json", "--parquet", str(folder / "parts")]
        command += ["--store", f"sqlite:///{folder}/ray/casemate.sqlite", *paths]
        full = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.token), **environment}
        return subprocess.run(command, cwd=folder, env=full, capture_output=True, timeout=SECONDS, check=False)


@pytest.fixture
def cluster(prepared_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Start a head as an operator does, closed by a token."""
    monkeypatch.setenv("CASEMATE_HOME", str(prepared_home))
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text(secrets.token_hex(32))
    with ExitStack() as stack:
        for attempt in range(STARTS):
            if address := stack.enter_context(started(tmp_path / f"head-{attempt}.log", token)):
                break
        else:
            pytest.fail((tmp_path / f"head-{STARTS - 1}.log").read_text("utf-8", "replace"))
        policy = tmp_path / "policy.toml"
        policy.write_text(f'engine_hosts = ["{address.rpartition(":")[0]}", "127.0.0.1"]\n', "utf-8")
        yield Cluster(address, token, policy)


@contextmanager
def started(log: Path, token: Path) -> Iterator[str]:
    """Start a head and give its address, empty when it did not come up: its ports may have been taken meanwhile."""
    environment = {**os.environ, **QUIET, **PATIENT, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    options = ["--head", "--block", "--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats"]
    with tempfile.TemporaryDirectory(prefix="cm-ray-") as short, log.open("ab") as out, ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("", 0))) for _ in PORTS]
        options += [f"{name}={one.getsockname()[1]}" for name, one in zip(PORTS, sockets, strict=True)]
        held.close()
        options += [f"--temp-dir={short}", "--object-store-memory=100000000"]
        head = subprocess.Popen(
            [sys.executable, "-P", "-c", HEAD, "start", *options],
            cwd=log.parent, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
        try:
            yield wait_for(head, log)
        finally:
            head.terminate()
            with suppress(subprocess.TimeoutExpired):
                head.wait(60)
            with suppress(ProcessLookupError):
                os.killpg(head.pid, signal.SIGKILL)
            head.wait(60)


def wait_for(head: "subprocess.Popen[bytes]", log: Path) -> str:
    """Wait until the head says its address; empty when it ended."""
    end = time.monotonic() + SECONDS
    while (found := re.search(r"--address='([0-9.]+:\d+)'", log.read_text("utf-8", "replace"))) is None:
        if head.poll() is not None or time.monotonic() > end:
            return ""
        time.sleep(0.2)
    return found[1]


@pytest.mark.slow
@pytest.mark.timeout(3 * SECONDS)
def test_what_comes_of_a_cluster_by_address_is_what_comes_of_one_process(cluster: Cluster, tmp_path: Path):
    paths = [str(EXAMPLES / name) for name in OURS]
    done = cluster.triage(tmp_path, *paths, str(tmp_path / "not-there.log"))
    assert done.returncode == 3, done.stderr.decode()
    assert done.stderr.splitlines()[0].startswith(f"casemate: {tmp_path}/not-there.log".encode())
    assert len(done.stderr.splitlines()) == 1, "Ray says nothing of its own"
    ids = [json.loads(line)["id"] for line in done.stdout.splitlines()]
    policy = load_policy(cluster.policy)
    with Knowledge.open(Path(os.environ["CASEMATE_HOME"]) / "knowledge.sqlite") as knowledge:
        tools = Tools(policy, knowledge, Scanner(cache=cache_folder()), None, Specialists(policy.specialists))
        order = Order(Marking(policy.default_marking), getpass.getuser())
        with (
            Store.open(f"sqlite:///{tmp_path}/ray/casemate.sqlite") as made,
            Store.open(f"sqlite:///{tmp_path}/single/casemate.sqlite") as store,
        ):
            single = [triage(find_sources([path]), order, tools, store).case.id for path in paths]
            assert ids == single
            assert contents(made, ids, tools) == contents(store, single, tools)
            assert made.verify_audit() == ()

    (tmp_path / "other").mkdir()
    (tmp_path / "wrong").write_text("0" * 64)
    refused = cluster.triage(tmp_path / "other", paths[0], RAY_AUTH_TOKEN_PATH=str(tmp_path / "wrong"))
    assert refused.returncode == 70
    told = refused.stderr.decode().splitlines()
    assert told[0].startswith(f"casemate: no Ray of ours at {cluster.address}")
    assert "token" in told[0]
    assert "RAY_AUTH" in told[1]
    assert len(told) == 2
    assert refused.stdout == b""


def test_an_address_where_nothing_listens_is_told_at_once(prepared_home: Path, tmp_path: Path):
    policy = tmp_path / "policy.toml"
    policy.write_text('engine_hosts = ["127.0.0.1"]\n', "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as door:
        address = f"127.0.0.1:{door.getsockname()[1]}"
    nobody = Cluster(address, tmp_path / "none", policy)
    began = time.monotonic()
    done = nobody.triage(tmp_path, str(EXAMPLES / "auth.log"), CASEMATE_HOME=str(prepared_home))
    assert done.returncode == 70
    assert f"no Ray of ours at {address} (ConnectionRefusedError)".encode() in done.stderr
    assert time.monotonic() - began < 200, "Ray itself would try for five minutes"
