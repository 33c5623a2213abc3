"""Local servers on real sockets: `Local` answers as a function says, `Raw` says bytes and nothing else."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Reply = tuple[int, Mapping[str, str], bytes]
Act = Callable[[Request], Reply]


def as_json(value: object, status: int = 200, **headers: str) -> Reply:
    return status, {"Content-Type": "application/json", **headers}, json.dumps(value).encode()


@dataclass
class Local:
    """A server; what it was asked stands in `asked`. `act` can be changed at any time."""

    act: Act
    asked: list[Request] = field(default_factory=list)
    url: str = ""
    fault: Reply | None = None  # answered instead, as long as it is there


@contextmanager
def served(act: Act) -> Iterator[Local]:
    local = Local(act)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, parts.path, dict(parse_qsl(parts.query)), dict(self.headers), body)
            local.asked.append(request)
            status, headers, content = local.fault or local.act(request)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = answer  # noqa: N815 - the names the library asks for

        def log_message(self, *_what: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    local.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield local
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def saying(*pieces: bytes, pause: float = 0.0, hang: bool = False) -> Iterator[str]:
    """Accept connections, read a little, say the pieces with pauses between them, and close or hang."""
    over = threading.Event()
    door = socket.create_server(("127.0.0.1", 0))
    door.settimeout(0.1)

    def talk(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                for piece in pieces:
                    connection.sendall(piece)
                    if over.wait(pause):
                        return
                if hang:
                    over.wait(300)
            except OSError:
                return

    def work() -> None:
        while not over.is_set():
            try:
                connection, _ = door.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        over.set()
        thread.join(60)
        door.close()
