"""Run the application on an address until somebody asks the process to stop."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from casemate.core.errors import WrongUsage

DRAIN_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; `certificate` and `key` are files in PEM, both or neither.

    `proxies` are the addresses and networks of proxies in front that serve HTTPS: what they say of who asked is
    believed, and nobody else's word.
    """

    host: str
    port: int
    certificate: str = ""
    key: str = ""
    proxies: tuple[str, ...] = ()

    @property
    def secure(self) -> bool:
        """Whether people reach it by HTTPS, so that cookies must not travel any other way."""
        return bool(self.certificate or self.proxies)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def url(self, port: int) -> str:
        """Write the address as a person types it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{port}"


def listen(address: Address) -> socket.socket:
    """Open the listening socket; `WrongUsage` when the address is taken or is not this machine's."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((address.host, address.port))
    except OSError as error:
        opened.close()
        raise WrongUsage(
            f"cannot listen on {address.host}:{address.port}: {error.strerror or error}",
            way_out="choose another --port or --host, or stop what listens there",
        ) from error
    return opened


def serve(app: FastAPI, address: Address, opened: socket.socket, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is told the address once requests are answered."""
    port = int(opened.getsockname()[1])
    with _outliving_signals():
        _Server(configure(app, address), lambda: ready(address.url(port)), app.state.stopping.set).run(sockets=[opened])


def configure(app: FastAPI, address: Address) -> uvicorn.Config:
    """Say how the app is served."""
    return uvicorn.Config(
        app,
        http="httptools",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(address.proxies),
        forwarded_allow_ips=list(address.proxies),
        ssl_certfile=address.certificate or None,
        ssl_keyfile=address.key or None,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=64 * 1024,
        backlog=512,
    )


@contextmanager
def _outliving_signals() -> Iterator[None]:
    """Take the signal that uvicorn raises once more when it has stopped, so that workers and store are closed too."""
    held = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()  # answers that never end by themselves end now
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()
