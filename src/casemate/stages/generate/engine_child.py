"""The engine's own process: it closes itself off, loads a model, and answers frames on its pipes.

Run as a script by `engine.py`, never imported by other rooms; standard library and xllamacpp only. A frame is a 32-bit
big-endian length and that many bytes of UTF-8 JSON. The first frame is the settings, its answer says how the process is
closed off; after that every frame is a request with an `id` and gets one answer with the same `id`.
"""

import contextlib
import ctypes
import json
import os
import platform
import queue
import secrets
import shutil
import socket
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

FRAME_BYTES = 32 * 1024 * 1024
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2


class FrameError(Exception):
    """What came over the pipe is no frame."""


def write_frame(pipe: BinaryIO, value: object) -> None:
    """Write one value as a frame."""
    data = json.dumps(value).encode("ascii")
    if len(data) > FRAME_BYTES:
        raise FrameError(f"a frame of {len(data)} bytes")
    pipe.write(struct.pack(">I", len(data)) + data)
    pipe.flush()


def read_frame(pipe: BinaryIO) -> dict[str, Any] | None:
    """Read one frame; None at the end of the pipe, `FrameError` for anything that is no JSON object."""
    head = pipe.read(4)
    if not head:
        return None
    length = struct.unpack(">I", head)[0] if len(head) == 4 else FRAME_BYTES + 1
    if length > FRAME_BYTES:
        raise FrameError(f"a frame announced with {length} bytes")
    data = pipe.read(length)
    if len(data) != length:
        raise FrameError("the pipe ended inside a frame")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"no JSON in a frame: {error}") from error
    if not isinstance(value, dict):
        raise FrameError("a frame that is no object")
    return value


def close_off() -> str:
    """Take the network away from this process and say how: `namespace`, `socket-filter` or `none`.

    A network namespace of its own (unshare(2), inside a user namespace where that needs no privilege) has no interface
    that is up. Where the kernel or a container forbids that, a seccomp filter refuses every socket but a local one.
    """
    if not sys.platform.startswith("linux"):
        return "none"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) == 0 or libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
        return "namespace"
    return "socket-filter" if _filter_sockets(libc) else "none"


def _filter_sockets(libc: ctypes.CDLL) -> bool:
    """Refuse socket(2) for every family but AF_UNIX, and io_uring, which could open one; see seccomp(2)."""
    known = {"x86_64": (0xC000003E, 41, 425), "aarch64": (0xC00000B7, 198, 425)}.get(platform.machine())
    if known is None:
        return False
    architecture, socket_call, io_uring_setup = known
    load, equal, at_least, leave = 0x20, 0x15, 0x35, 0x06
    refuse, allow = 0x00050000 | 13, 0x7FFF0000  # EACCES
    code = [
        (load, 0, 0, 4),  # seccomp_data.arch
        (equal, 0, 6, architecture),
        (load, 0, 0, 0),  # seccomp_data.nr
        (at_least, 4, 0, 0x40000000),  # x32 numbers
        (equal, 3, 0, io_uring_setup),
        (equal, 0, 3, socket_call),
        (load, 0, 0, 16),  # the first argument: the family
        (equal, 1, 0, socket.AF_UNIX),
        (leave, 0, 0, refuse),
        (leave, 0, 0, allow),
    ]
    packed = b"".join(struct.pack("=HBBI", *step) for step in code)
    steps = ctypes.create_string_buffer(packed, len(packed))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(steps)))
    quiet: int = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    filtered: int = libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0)
    return quiet == 0 and filtered == 0


def load(settings: dict[str, Any]) -> Any:
    """Load the model with every door of the HTTP part closed.

    xllamacpp opens an HTTP server with every model. Here it gets a Unix socket in a folder of its own, a random key,
    no pages, tools, MCP, slots, metrics or properties, and the folder is removed at once: nobody can connect.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    folder = Path(tempfile.mkdtemp(prefix="casemate-engine-"))
    params.hostnames = [str(folder / "closed.sock")]
    params.api_keys = [secrets.token_hex(32)]
    params.ui = params.ui_mcp_proxy = False
    params.endpoint_slots = params.endpoint_metrics = params.endpoint_props = False
    params.server_tools = []
    params.mcp_servers_config = params.mcp_servers_json = ""
    params.cors_origins, params.cors_credentials = "null", False
    params.n_threads_http, params.offline, params.verbosity = 1, True, 1
    # The model's own template is never evaluated; turns are written by chat_templates.py.
    params.use_jinja, params.chat_template, params.enable_chat_template = False, "chatml", False
    params.n_ctx = settings["context"] * settings["slots"]
    params.n_parallel = settings["slots"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.cache_ram_mib = 0  # states kept outside the slots would make an answer depend on what was asked before
    params.warmup = False
    # Every adapter is loaded and none applied; a request names the one that answers it.
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, 0.0) for path in settings.get("adapters", ())]
    params.lora_init_without_apply = True
    try:
        return xllamacpp.Server(params)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


Prefix = tuple[str, int | None, int | None]
"""What a slot can hold the state of: an instruction, the line feed after it, and the adapter that read it."""


def prefix_of(request: dict[str, Any]) -> Prefix:
    """Name the state that this request begins with."""
    return request["instruction"], request["newline"], request.get("adapter")


class Slot:
    """One slot of the engine, and the instruction whose state it holds.

    The state of the instruction is always made in the same two steps (all of it without the cache, then its last token
    alone), so an answer has the same bytes whether the instruction was cached or not: llama.cpp rounds differently for
    batches of different sizes, which showed as different text for a prompt that was cached further than another time.
    """

    def __init__(self, server: Any, number: int) -> None:
        self._server, self._number = server, number
        self.primed: Prefix | None = None
        self.inbox: queue.Queue[dict[str, Any]] = queue.Queue()

    def _ask(self, body: dict[str, Any], deadline: float) -> dict[str, Any]:
        text: list[str] = []
        last: dict[str, Any] = {}

        def receive(chunk: dict[str, Any]) -> bool:
            if "error" in chunk:
                last["error"] = chunk["error"]
                return True
            for choice in chunk.get("choices", ()):
                text.append(choice.get("text") or "")
                last["finish"] = choice.get("finish_reason") or last.get("finish")
            if text and "began" not in last:
                last["began"] = time.monotonic()
            last["usage"] = chunk.get("usage") or _counted(chunk.get("timings")) or last.get("usage")
            late = time.monotonic() > deadline
            if late:
                last["finish"] = "time"
            return late

        # An answer cut at its time never sees the last chunk, which has the usage; the timings come with every one.
        stream: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}, "timings_per_token": True}
        stream["id_slot"] = self._number
        self._server.handle_completions({**body, **stream}, receive)
        return {**last, "text": "".join(text)}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one request; `error` is in the answer when the engine refused it."""
        began = time.monotonic()
        deadline = began + request["seconds"]
        first, newline, adapter = prefix = prefix_of(request)
        lora = [] if adapter is None else [{"id": adapter, "scale": 1.0}]
        prompt: list[str | int] | str = first + "\n" + request["rest"]
        cached = 0
        if newline is not None:
            if self.primed != prefix:
                self.primed = None
                self._ask({"prompt": first, "max_tokens": 0, "cache_prompt": False, "lora": lora}, deadline)
            body = {"prompt": [first, newline], "max_tokens": 0, "cache_prompt": True, "lora": lora}
            primed = self._ask(body, deadline)
            if "error" in primed:
                return primed
            cached = 0 if self.primed is None else _cached(primed)
            self.primed = prefix
            prompt = [first, newline, request["rest"]]
        body = {
            "prompt": prompt,
            "max_tokens": request["max_tokens"],
            "temperature": request["temperature"],
            "seed": request["seed"],
            "stop": request["stop"],
            "cache_prompt": newline is not None,
            "lora": lora,
        }
        if request.get("schema") is not None:
            body["json_schema"] = request["schema"]
        mark = os.fstat(2).st_size
        answer = self._ask(body, deadline)
        if (complaint := _grammar_complaint(mark)) and "schema" in request:
            # llama.cpp answers without any constraint when it cannot use the schema, and says so in its log only.
            answer = {"error": {"message": f"the schema cannot be used: {complaint}"}}
        if "error" in answer or answer.get("finish") == "time":
            self.primed = None
        first_token = max(answer.pop("began", began) - began, 0.0)
        return {**answer, "cached": cached, "first_token": first_token, "seconds": time.monotonic() - began}


def _grammar_complaint(mark: int) -> str:
    """Find what the grammar engine wrote to the log (standard error, a file) since it was `mark` bytes long."""
    try:
        log = os.pread(2, 4096, mark).decode("utf-8", "replace")
    except OSError:
        return ""
    return log.partition("llg error:")[2].strip().partition("\n")[0]


def _counted(timings: dict[str, Any] | None) -> dict[str, Any] | None:
    """Count tokens by the timings of a chunk, as the usage would."""
    if not timings:
        return None
    cached = int(timings.get("cache_n") or 0)
    return {
        "prompt_tokens": cached + int(timings.get("prompt_n") or 0),
        "completion_tokens": int(timings.get("predicted_n") or 0),
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def _cached(answer: dict[str, Any]) -> int:
    return int(((answer.get("usage") or {}).get("prompt_tokens_details") or {}).get("cached_tokens") or 0)


def choose_slot(free: list[Slot], prefix: Prefix) -> Slot:
    """Choose among free slots: one that holds this instruction, else an empty one, else the one free for longest."""
    return min(free, key=lambda slot: 0 if slot.primed == prefix else 1 if slot.primed is None else 2)


def serve(server: Any, slots: int, inlet: BinaryIO, outlet: BinaryIO) -> None:
    """Answer frames until the pipe ends; each slot has its own thread."""
    free: list[Slot] = []
    changed = threading.Condition()
    writing = threading.Lock()

    def work(slot: Slot) -> None:
        while True:
            request = slot.inbox.get()
            try:
                answer = slot.answer(request)
            except (KeyError, TypeError, ValueError, RuntimeError) as error:
                answer = {"error": {"message": f"{type(error).__name__}: {error}"}}
            with changed:
                free.append(slot)
                changed.notify()
            with writing, contextlib.suppress(OSError):
                write_frame(outlet, {**answer, "id": request.get("id")})

    for number in range(slots):
        free.append(Slot(server, number))
        threading.Thread(target=work, args=(free[-1],), daemon=True).start()
    while (frame := read_frame(inlet)) is not None:
        with changed:
            changed.wait_for(lambda: free)
            slot = choose_slot(free, prefix_of(frame)) if "instruction" in frame else free[0]
            free.remove(slot)
        slot.inbox.put(frame)


def main() -> None:
    """Set the pipes aside, close off, load, serve."""
    inlet = os.fdopen(os.dup(0), "rb")
    outlet = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # whatever native code prints must not land between frames
    settings = read_frame(inlet)
    if settings is None:
        return
    isolation = close_off()
    try:
        server = load(settings)
    except (RuntimeError, ValueError, ImportError, OSError) as error:
        write_frame(outlet, {"error": {"message": f"{type(error).__name__}: {error}"}})
        return
    write_frame(outlet, {"isolation": isolation})
    with contextlib.suppress(FrameError):
        serve(server, settings["slots"], inlet, outlet)
    os._exit(0)  # the parent is gone or done; a slot may be deep in native code


if __name__ == "__main__":
    main()
