"""Ray Data as the engine of bulk runs: a Ray of our own on this host, or a cluster by its address.

Through Ray go names and paths of inputs and the names of parts, no evidence: workers read inputs and write parts.
"""

import json
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, chdir, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from casemate.core.digest import Digest
from casemate.core.errors import CasemateError, EngineFailed, NotTrusted, WrongUsage
from casemate.core.plain import plain
from casemate.pipeline.bulk_parts import was_begun
from casemate.pipeline.bulk_work import Item, Setup, name_part, open_tools, work
from casemate.pipeline.tools import Tools
from casemate.policy import Limits
from casemate.store.processes import is_alive

PREFIX = "casemate-bulk-"
DRIVER_LOG = "driver.log"
LOOPBACK = "127.0.0.2"  # Ray turns 127.0.0.1 into the address that other hosts know this one by
STARTS = 3
STOP_SECONDS = 5.0  # Ray would take up to 30; nothing is in it that anybody needs
REACH_SECONDS = 20.0
SAID = 200
CLUSTER = (
    "name the address that `ray start --head` printed, with the cluster's own RAY_AUTH_* settings; see docs/bulk.md"
)
WAY_OUT = "run it again, with a short $TMPDIR and more limits.bulk_start_seconds on a busy host; see docs/bulk.md"

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_open_telemetry": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Nothing about a run is told to anybody; what its own processes say may quote paths and records."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder that only we can enter and that is gone afterwards; also those that killed runs have left."""
    top = Path(tempfile.gettempdir())
    for left in top.glob(f"{PREFIX}*"):
        process = left.name.removeprefix(PREFIX).partition("-")[0]
        with suppress(OSError):
            if left.lstat().st_uid == os.getuid() and process.isdecimal() and not is_alive(int(process)):
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=top))  # mode 0700
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def require_ray() -> None:
    """Raise `WrongUsage` where the extra `bulk` is not installed."""
    if not (find_spec("ray") and find_spec("pyarrow")):  # not imported yet: Ray reads its environment when it is
        raise WrongUsage("bulk runs need Ray and Parquet", way_out="pip install 'casemate[bulk]'")


@dataclass(frozen=True, slots=True)
class RayEngine:
    """Does the work of a bulk run on Ray; an empty `address` means a Ray of our own with `workers` processes."""

    workers: int
    address: str
    limits: Limits
    folder: Path

    def __call__(self, batches: Sequence[Sequence[Item]], setup: Setup) -> Iterator[str]:
        """Yield the names of the parts as they are complete; those whose worker died for good are left out."""
        if not batches:
            return
        with self._connected():
            import ray
            from ray.data import ActorPoolStrategy, DataContext

            for name in ("ray", "ray.data"):  # after the import, which sets them
                logging.getLogger(name).setLevel(logging.CRITICAL)
            context = DataContext.get_current()
            context.enable_progress_bars = False
            context.print_on_execution_start = False
            context.max_errored_blocks = -1  # what came of the others counts
            rows = [{"items": json.dumps([asdict(item) for item in batch])} for batch in batches]
            parts = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
                Worker,  # type: ignore[arg-type]  # Ray makes one a process and calls that; its types know functions only
                fn_constructor_args=(setup,),
                compute=ActorPoolStrategy(size=min(self.workers, len(rows))),
                num_cpus=1,
            )
            try:
                for row in parts.iter_rows():
                    if row["failed"]:
                        kind = NotTrusted if row["kind"] == NotTrusted.__name__ else EngineFailed
                        raise kind(f"a worker cannot go on: {row['failed']}", way_out=str(row["way_out"]))
                    if row["part"]:
                        yield str(row["part"])
            except ray.exceptions.RayError as error:
                raise EngineFailed(
                    f"Ray: {type(error).__name__}", way_out="run the same command again: what was finished is kept"
                ) from error

    @contextmanager
    def _connected(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(_environment(QUIET if self.address else {**QUIET, **_closed(self.limits)}))
            stack.enter_context(_own_words_apart(self.folder / DRIVER_LOG))
            import ray

            for attempt in range(1, STARTS + 1):
                with ExitStack() as tried:
                    try:
                        if self.address:
                            _reach(self.address)
                        address = self.address or tried.enter_context(_own_ray(self.workers, self.limits, self.folder))
                        tried.callback(ray.shutdown)
                        with chdir(self.folder):  # workers would import modules from the folder that we are in
                            ray.init(
                                address=address,
                                _node_ip_address=None if self.address else LOOPBACK,
                                logging_level=logging.CRITICAL,
                                log_to_driver=False,
                            )
                    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError, EngineFailed) as error:
                        if self.address:
                            reason = f"no Ray of ours at {self.address} ({type(error).__name__}){self._last_words()}"
                            raise EngineFailed(reason, way_out=CLUSTER) from error
                        if attempt == STARTS:
                            reason = f"Ray did not start ({type(error).__name__}){self._last_words()}"
                            raise EngineFailed(reason, way_out=WAY_OUT) from error
                        continue
                    stack.push(tried.pop_all())
                    break
            yield

    def _last_words(self) -> str:
        with suppress(OSError):
            words = (self.folder / DRIVER_LOG).read_bytes().decode("utf-8", "replace").strip().rpartition("\n")[2]
            return f": {plain(words.rpartition('] ')[2])[:SAID]}" if words else ""
        return ""


@contextmanager
def _own_words_apart(log: Path) -> Iterator[None]:
    """Let what Ray's own code writes past Python to standard error go to a log, which is gone with the run.

    No setting of Ray 2.60 keeps it from that. What Python writes goes where it went.
    """
    shown = sys.stderr
    shown.flush()
    person = os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    sys.stderr = os.fdopen(os.dup(person), "w", encoding=shown.encoding, errors=shown.errors, buffering=1)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(person, 2)
        os.close(person)
        sys.stderr = shown


@cache
def _token() -> str:
    return secrets.token_hex(32)  # one a process: Ray reads it once


def _closed(limits: Limits) -> dict[str, str]:
    """Give the settings of a Ray of our own: it answers nobody who does not have this process's token."""
    seconds = limits.bulk_start_seconds
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": _token(),
        "RAY_raylet_start_wait_time_s": str(int(seconds)),
        "RAY_agent_register_timeout_ms": str(int(seconds * 1000)),
    }


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def _own_ray(workers: int, limits: Limits, folder: Path) -> Iterator[str]:
    """Run a Ray on this host and give its address; it ends with this block, or with this process."""
    gcs, listen, grpc, environments, metrics = _free_ports(5)
    command = [sys.executable, "-P", "-m", "casemate.pipeline.ray_head", "start", "--head", "--block"]
    command += [
        f"--node-ip-address={LOOPBACK}",
        f"--port={gcs}",
        # a port that is named is not waited for: Ray gives its agents 15 seconds to name one, and then ends
        f"--dashboard-agent-listen-port={listen}",
        f"--dashboard-agent-grpc-port={grpc}",
        f"--runtime-env-agent-port={environments}",
        f"--metrics-export-port={metrics}",
        f"--num-cpus={workers}",
        "--num-gpus=0",
        f"--object-store-memory={limits.bulk_object_store_bytes}",
        f"--temp-dir={folder / 'ray'}",
        "--include-dashboard=false",
        "--include-log-monitor=false",
        "--no-monitor",
        "--disable-usage-stats",
    ]
    with (folder / "ray.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    try:
        _wait_for(process, gcs, limits.bulk_start_seconds)
        yield f"{LOOPBACK}:{gcs}"
    finally:
        if process.stdin is not None:
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # whatever is left of it
        process.wait()


def _reach(address: str) -> None:
    """Open a connection and close it: Ray would try for five minutes."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _wait_for(process: subprocess.Popen[bytes], port: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        with suppress(OSError), socket.create_connection((LOOPBACK, port), 1):
            return
        time.sleep(0.2)
    raise EngineFailed("Ray did not start", way_out=WAY_OUT)


class Worker:
    """What runs in a process of the cluster: opens its tools once and takes list after list of items."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._tools: Tools | None = None

    def __call__(self, row: Mapping[str, str]) -> dict[str, str]:
        """Do the work of one list of items and name the part that came of it, if one did."""
        items = [
            Item(Digest(one["key"]), one["path"], one["name"], Digest(one["sha256"]), one["size"])
            for one in json.loads(row["items"])
        ]
        done = {"part": "", "failed": "", "way_out": "", "kind": ""}
        if was_begun(Path(self._setup.folder), name_part(items)):
            return done  # the worker before this one died of it, and Ray would go on with it for ever
        try:
            self._tools = self._tools or open_tools(self._setup)
            return {**done, "part": work(items, self._setup, self._tools)}
        except CasemateError as error:
            return {**done, "failed": error.message, "way_out": error.way_out, "kind": type(error).__name__}
