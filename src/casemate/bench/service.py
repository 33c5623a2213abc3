"""The service under load: alerts accepted and triaged a second, and the server time of the inbox and of a case."""

import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from casemate.core.alert import Alert, Delivery, Job
from casemate.core.errors import StoreFailed, WrongUsage
from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.knowledge import Knowledge
from casemate.pipeline.tools import Tools
from casemate.pipeline.triage import Order, triage
from casemate.pipeline.worker import Worker
from casemate.policy import Policy
from casemate.policy.roles import RIGHTS
from casemate.stages.extract.scanner import Scanner
from casemate.stages.ingest import Source
from casemate.store import Store

ALERTS = "logs/ait_ads/aecid_raw_alerts_gpl3.tar.gz"
LINES = {"Content-Type": "application/x-ndjson"}
LONGEST_SECONDS = 1800
LOOKS = 20
DISTINCT = 300
LINES_A_MB = 9_600


@dataclass(frozen=True, slots=True)
class Load:
    """What the service is measured with: real alerts, repeated until there are `alerts`, streamed by `clients`.

    The inbox is measured with `groups` groups of ten alerts each, the case with a log of `big_mb` MB and 10,000
    observables.
    """

    alerts: int
    groups: int
    big_mb: int
    workers: int = 1
    clients: int = 1


def measure_service(data: Path, knowledge: Path, load: Load, store: str = "") -> dict[str, Any]:
    """Measure a service without a language model, in files of a temporary folder.

    `store` is the URL of an empty database to measure in instead; what is measured stays in it. `WrongUsage` when
    something is in it already.
    """
    source = data / ALERTS
    if not source.is_file():
        raise WrongUsage(f"{source} is missing", way_out="name the folder that holds `logs/`: --data FOLDER")
    lines = _real_alerts(source)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="casemate-bench-") as scratch:
        folder = Path(scratch)
        if store:
            _check_empty(store)
        results["stream"] = _measure_stream(
            folder, store or f"sqlite:///{folder}/stream.sqlite", knowledge, lines, load
        )
        results["distinct"] = _measure_distinct(f"sqlite:///{folder}/distinct.sqlite", knowledge, lines)
        results["inbox"] = _measure_inbox(store or f"sqlite:///{folder}/inbox.sqlite", load.groups)
        results["case"] = _measure_case(store or f"sqlite:///{folder}/case.sqlite", knowledge, load.big_mb)
    return results


def _check_empty(url: str) -> None:
    with Store.open(url) as store:
        if store.head()[0]:
            raise WrongUsage(f"{store.name} is not empty", way_out="make a database for this alone, and drop it after")


def _real_alerts(source: Path) -> list[bytes]:
    lines: list[bytes] = []
    with tarfile.open(source) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".json"):
                read = archive.extractfile(member)
                assert read is not None
                lines += [line for line in read.read().splitlines() if line.startswith(b"{")]
    return lines


def _measure_stream(folder: Path, url: str, knowledge: Path, lines: Sequence[bytes], load: Load) -> dict[str, Any]:
    with _served(url, load.workers) as client, ThreadPoolExecutor(load.clients) as threads:
        started = time.perf_counter()
        shares = [len(range(place, load.alerts, load.clients)) for place in range(load.clients)]
        answers = list(
            threads.map(
                lambda count: client.post("/api/v1/evidence", content=_body(lines, count), headers=LINES), shares
            )
        )
        accepted = time.perf_counter() - started
        _check_taken(answers)
        while (
            client.get("/api/v1/jobs", params={"state": "waiting", "limit": 1}).json()["items"]
            or (client.get("/api/v1/jobs", params={"state": "leased", "limit": 1}).json()["items"])
        ):
            if time.perf_counter() - started > LONGEST_SECONDS:
                raise StoreFailed("the jobs did not end", way_out="measure with fewer alerts")
            time.sleep(0.1)
        triaged = time.perf_counter() - started
    queue = f"sqlite:///{folder}/queue.sqlite"
    drained = _drain(queue, knowledge, lines, load.alerts)
    alone, _, _ = _triage_alone(folder / "queue-alone.sqlite", queue, knowledge)
    same, looked_at, opened = _triage_alone(folder / "stream-alone.sqlite", url, knowledge)
    return {
        "alerts": load.alerts,
        "clients": load.clients,
        "workers": load.workers,
        "groups": opened,
        "accepted_per_s": load.alerts / accepted,
        "triaged_per_s": load.alerts / triaged,
        "alerts_looked_at": looked_at,
        "queue_seconds": drained,
        "in_process_seconds": alone,
        "ratio_to_in_process": alone / drained,
        "ratio_with_receiving": same / triaged,
    }


def _body(lines: Sequence[bytes], count: int) -> Iterator[bytes]:
    sent = 0
    while sent < count:
        some = lines[: min(len(lines), count - sent)]
        yield b"\n".join(some) + b"\n"
        sent += len(some)


def _check_taken(answers: Sequence[httpx.Response]) -> None:
    wrong = [answer.status_code for answer in answers if answer.status_code != 202]
    if wrong:
        raise StoreFailed(f"the service answered {wrong[0]}", way_out="see what it logged")


def _drain(url: str, knowledge: Path, lines: Sequence[bytes], count: int) -> float:
    """Let the API take all alerts while no worker is there; then time one worker, in this process, until none waits."""
    with _served(url, 0) as client:
        _check_taken([client.post("/api/v1/evidence", content=_body(lines, count), headers=LINES)])
    with Store.open(url) as store:
        return _work_off(store, knowledge)


def _measure_distinct(url: str, knowledge: Path, lines: Sequence[bytes]) -> dict[str, Any]:
    """Time one worker, in this process, over real alerts that each open a group, so that each costs a case."""
    some = lines[:: max(len(lines) // DISTINCT, 1)][:DISTINCT]
    now = datetime.now(UTC)
    made = tuple(Alert(line, "rule", f"host-{place}", "template", "wazuh", 3, now) for place, line in enumerate(some))
    with Store.open(url) as store:
        store.queue().receive([Delivery("bench", Marking.AMBER, "alerts.json", separate=True, alerts=made)])
        processor = time.process_time()
        seconds = _work_off(store, knowledge)
        processor = time.process_time() - processor
    return {
        "cases": len(made),
        "cases_per_s": len(made) / seconds,
        "processor_ms_a_case": 1000 * processor / len(made),
    }


def _work_off(store: Store, knowledge: Path) -> float:
    with Knowledge.open(knowledge) as known:
        tools, left, ended = Tools(Policy(), known, Scanner()), store.queue().waiting(), threading.Event()
        came: list[str] = []

        def told(what: str, _job: Job) -> None:
            came.append(what)
            if len(came) == 2 * left:  # each is told when it is taken and when it has ended
                ended.set()

        started = time.perf_counter()
        Worker(store, tools, ended, told).run()
        seconds = time.perf_counter() - started
    if came.count("done") != left:
        raise StoreFailed(f"{left - came.count('done')} of {left} jobs failed", way_out="see what the worker logged")
    return seconds


def _triage_alone(file: Path, url: str, knowledge: Path) -> tuple[float, int, int]:
    """Triage the same groups in this process, one after the other, into a file, without queue or server."""
    with Store.open(url) as store, Store.open(f"sqlite:///{file}") as fresh:
        jobs = store.cleared(Marking.RED).jobs(None, 1_000).rows
        texts = [b"\n".join(data for _name, data, _separate in store.queue().evidence(job)) + b"\n" for job in jobs]
        with Knowledge.open(knowledge) as known:
            tools = Tools(Policy(), known, Scanner())
            started = time.perf_counter()
            for number, text in enumerate(texts):
                triage([_source(f"group-{number}.jsonl", text)], Order(Marking.AMBER, "bench"), tools, fresh)
            seconds = time.perf_counter() - started
    return seconds, sum(text.count(b"\n") for text in texts), len(jobs)


def _source(name: str, data: bytes) -> Source:
    return Source(name, lambda: io.BytesIO(data))


def _measure_inbox(url: str, groups: int) -> dict[str, Any]:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    with Store.open(url) as store:
        for start in range(0, groups, 500):
            made = [_made_up(group, began) for group in range(start, min(start + 500, groups)) for _ in range(10)]
            delivery = Delivery("bench", Marking.AMBER, "", separate=True, alerts=tuple(made))
            store.queue().receive([delivery])
    with _served(url, workers=0) as client:
        return {
            "groups": groups,
            "alerts": groups * 10,
            "page_ms": _look(lambda: client.get("/")),
            "list_ms": _look(lambda: client.get("/api/v1/groups")),
            "search_ms": _look(lambda: client.get("/api/v1/groups", params={"q": "host-77"})),
        }


def _made_up(group: int, began: datetime) -> Alert:
    time = began + timedelta(seconds=group)
    return Alert(b"{}", f"rule {group % 900}", f"host-{group}", "said", "bench", group % 6, time)


def _measure_case(url: str, knowledge: Path, big_mb: int) -> dict[str, Any]:
    text = b"".join(_log_line(number) for number in range(big_mb * LINES_A_MB))
    with Store.open(url) as store, Knowledge.open(knowledge) as known:
        tools = Tools(Policy(), known, Scanner())
        case = triage([_source("big.log", text)], Order(Marking.AMBER, "bench"), tools, store).case
    path = f"/api/v1/cases/{case.id}"
    lines = f"{path}/evidence/{case.evidence[0].id}"
    last = case.evidence[0].lines - 300
    with _served(url, workers=0) as client:
        return {
            "log_mb": len(text) / 1_000_000,
            "observables": len(case.observables),
            "first_ms": _look(lambda: client.get(path), 1),
            "api_ms": _look(lambda: client.get(path)),
            "page_ms": _look(lambda: client.get(f"/cases/{case.id}")),
            "lines_at_the_end_ms": _look(lambda: client.get(lines, params={"first": last, "count": 200})),
            "observables_ms": _look(lambda: client.get(f"{path}/observables")),
        }


def _log_line(number: int) -> bytes:
    kind = number % 10_000
    address = f"198.{18 + kind // 5000}.{kind // 250 % 20}.{kind % 250 + 1}"
    when = f"Mar {1 + number // 90_000 % 28:2d} {number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}"
    said = f"Failed password for root from {address} port {number % 60_000} ssh2, try {number}"
    return f"{when} web-1 sshd[{1000 + number % 9000}]: {said}\n".encode()


def _look(ask: Callable[[], httpx.Response], times: int = LOOKS) -> float:
    """Ask so many times and give the median of the milliseconds; what is not there gives NaN."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        answer = ask()
        taken.append((time.perf_counter() - started) * 1000)
        if answer.status_code != 200:
            return float("nan")
    return statistics.median(taken)


@contextlib.contextmanager
def _served(url: str, workers: int) -> Iterator[httpx.Client]:
    with Store.open(url) as store:
        name = f"bench-{len(store.people().accounts())}"
        store.people().add("bench", name, Role.ADMIN, Marking.RED, None)
        token = store.people().add_token("bench", name, "bench", RIGHTS)
    command = [sys.executable, "-m", "casemate", "serve", "--port", "0", "--workers", str(workers)]
    named = {**os.environ, "CASEMATE_STORE": url}  # a list of processes shows arguments, and a URL may hold a password
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=named)  # noqa: S603 - our own program
    assert process.stdout is not None
    assert process.stderr is not None
    ready = threading.Semaphore(0)
    threading.Thread(target=_listen_for_workers, args=(process.stderr, ready), daemon=True).start()
    try:
        address = process.stdout.readline().decode().strip().rpartition(" ")[2]
        if not address:
            raise StoreFailed("the service did not start", way_out="run `casemate serve` and read what it says")
        for _ in range(workers):
            ready.acquire(timeout=120)
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=600) as client:
            yield client
    finally:
        process.terminate()
        process.wait(120)


def _listen_for_workers(log: Any, ready: threading.Semaphore) -> None:
    for line in log:
        with contextlib.suppress(ValueError):
            if json.loads(line).get("is") == "ready":
                ready.release()
