"""The engine process: what happens when it dies, hangs, babbles or never comes up."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.core.errors import EngineFailed
from casemate.stages.generate import engine_child
from casemate.stages.generate.engine import EngineProcess, waiting_policy
from casemate.stages.generate.engine_child import FrameError, read_frame, write_frame

FAKE = """
import os, sys, time
sys.path.insert(0, {folder!r})
from engine_child import read_frame, write_frame
inlet, outlet = sys.stdin.buffer, sys.stdout.buffer
settings = read_frame(inlet)
mode = settings.get("mode", "")
if mode == "never": time.sleep(600)
if mode == "refuse": write_frame(outlet, {{"error": {{"message": "no such\\x1b[31m file"}}}}); sys.exit()
if mode == "die at start": print("out of memory", file=sys.stderr); sys.exit(3)
write_frame(outlet, {{"isolation": "pretended"}})
while (frame := read_frame(inlet)) is not None:
    what = frame["what"]
    if what == "die": os._exit(9)
    if "reached" in frame: open(frame["reached"], "x").close()
    if what == "hang": time.sleep(600)
    if what == "babble": outlet.write(b"\\xff\\xff\\xff\\xff garbage"); outlet.flush(); time.sleep(600)
    if what == "no json": outlet.write(b"\\0\\0\\0\\2{{x"); outlet.flush(); time.sleep(600)
    if what == "environment": frame["environment"] = dict(os.environ)
    if what == "foreign": write_frame(outlet, {{"id": 10**9, "text": "not yours"}})
    write_frame(outlet, frame)
"""
COMMAND = [sys.executable, "-c", FAKE.format(folder=str(Path(engine_child.__file__).parent))]


PATIENCE = 60.0


def engine(mode: str = "", start_seconds: float = PATIENCE) -> EngineProcess:
    return EngineProcess({"mode": mode}, start_seconds, COMMAND, grace=0.5)


def test_answers_and_names_its_isolation() -> None:
    process = engine()
    assert process.pid is None
    assert process.ask({"what": "echo"}, PATIENCE)["what"] == "echo"
    assert process.isolation == "pretended"
    process.close()
    assert process.pid is None


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("die", "the engine process ended"),
        ("hang", "no answer within 2 s"),
        ("babble", "no answer: a frame announced"),
        ("no json", "no JSON in a frame"),
    ],
)
def test_fault_is_named_and_the_next_request_gets_a_new_process(what: str, reason: str) -> None:
    process = engine()
    process.start()
    first = process.pid
    with pytest.raises(EngineFailed, match=reason) as caught:
        process.ask({"what": what}, 1.0 if what == "hang" else PATIENCE)
    assert caught.value.way_out
    assert process.pid is None
    assert process.ask({"what": "echo"}, PATIENCE)["what"] == "echo"
    assert process.pid not in (None, first)
    process.close()


def test_killed_in_the_middle_of_a_request(tmp_path: Path) -> None:
    process = engine()
    process.start()
    pid = process.pid
    assert pid is not None

    def kill() -> None:
        end = time.monotonic() + PATIENCE
        while not (tmp_path / "reached").exists() and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    with pytest.raises(EngineFailed, match="ended"):
        process.ask({"what": "hang", "reached": str(tmp_path / "reached")}, 2 * PATIENCE)
    assert process.ask({"what": "echo"}, PATIENCE)["what"] == "echo"
    process.close()


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("never", "no answer within 1 s"), ("refuse", "no such .31m file"), ("die at start", "last words: out of memory")],
)
def test_start_that_fails(mode: str, reason: str) -> None:
    process = engine(mode, PATIENCE if mode != "never" else 1.0)
    with pytest.raises(EngineFailed, match=reason) as caught:
        process.start()
    assert "\x1b" not in caught.value.message
    assert process.pid is None


def test_no_such_program() -> None:
    with pytest.raises(EngineFailed, match="did not start"):
        EngineProcess({}, 5, ["/nonexistent/engine"]).start()


def test_proxies_and_secrets_of_our_environment_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HF_TOKEN", "secret")
    process = engine()
    environment = process.ask({"what": "environment"}, PATIENCE)["environment"]
    process.close()
    assert "HTTPS_PROXY" not in environment
    assert "HF_TOKEN" not in environment


def test_threads_sleep_where_others_wait_for_a_cpu(tmp_path: Path) -> None:
    pressure = tmp_path / "cpu"
    assert waiting_policy(pressure) == {}
    for text, busy in (
        ("some avg10=63.18 avg60=81.78\nfull avg10=0.00", True),
        ("some avg10=0.40", False),
        ("x", False),
    ):
        pressure.write_text(text)
        assert waiting_policy(pressure) == ({"OMP_WAIT_POLICY": "passive"} if busy else {})


def test_each_thread_gets_its_own_answer() -> None:
    process = engine()
    process.start()
    answers: dict[int, object] = {}

    def ask(number: int) -> None:
        answers[number] = process.ask({"what": "foreign" if number % 2 else "echo", "n": number}, PATIENCE)["n"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    process.close()
    assert answers == {number: number for number in range(8)}


def test_child_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    code = (
        "import os\nfrom casemate.stages.generate.engine import EngineProcess, waiting_policy\n"
        f"engine = EngineProcess({{}}, 20, {COMMAND!r})\nengine.start()\nprint(engine.pid, flush=True)\nos._exit(0)"
    )
    pid = int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)
    end = time.monotonic() + PATIENCE
    while _runs(pid):
        assert time.monotonic() < end, "the engine outlived its parent"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


@given(st.binary(max_size=40))
def test_any_bytes_are_a_frame_or_a_frame_error(data: bytes) -> None:
    import io

    try:
        frame = read_frame(io.BytesIO(data))
    except FrameError:
        return
    assert frame is None or isinstance(frame, dict)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20)))
def test_a_frame_comes_back(value: dict[str, str]) -> None:
    import io

    pipe = io.BytesIO()
    write_frame(pipe, value)
    pipe.seek(0)
    assert read_frame(pipe) == value


SOCKETS = """
import ctypes, socket, sys
sys.path.insert(0, {folder!r})
import engine_child
assert engine_child._filter_sockets(ctypes.CDLL(None, use_errno=True))
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET):
    try: socket.socket(family, socket.SOCK_RAW if family == socket.AF_PACKET else socket.SOCK_DGRAM)
    except PermissionError: continue
    sys.exit(f"family {{family}} was allowed")
left, right = socket.socketpair()
left.send(b"x")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="seccomp is Linux's")
def test_socket_filter_leaves_local_sockets_only() -> None:
    code = SOCKETS.format(folder=str(Path(engine_child.__file__).parent))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Slowly:
    """An engine whose stream goes on for ever; only its last chunk would carry the usage."""

    def handle_completions(self, body: dict[str, Any], receive: Callable[[dict[str, Any]], bool]) -> None:
        assert body["timings_per_token"]
        for number in itertools.count(1):
            timings = {"cache_n": 30, "prompt_n": 12, "predicted_n": number}
            if receive({"choices": [{"text": "x", "finish_reason": None}], "timings": timings}):
                return


def test_an_answer_cut_at_its_time_is_counted_all_the_same():
    request = {"instruction": "i", "newline": None, "rest": "r", "seconds": 0.01}
    request |= {"max_tokens": 9, "temperature": 0.0, "seed": 0, "stop": []}
    answer = engine_child.Slot(Slowly(), 0).answer(request)
    assert answer["finish"] == "time"
    assert answer["usage"]["prompt_tokens"] == 42
    assert answer["usage"]["completion_tokens"] == len(answer["text"]) > 0


def test_slot_that_holds_the_instruction_is_chosen_then_an_empty_one_then_the_one_free_for_longest() -> None:
    slots = [engine_child.Slot(None, number) for number in range(3)]
    slots[0].primed, slots[1].primed = ("a", 1, None), ("b", 1, None)
    assert engine_child.choose_slot(slots, ("b", 1, None)) is slots[1]
    assert engine_child.choose_slot(slots, ("b", 1, 0)) is slots[2]
    assert engine_child.choose_slot(slots[:2], ("c", 1, None)) is slots[0]
