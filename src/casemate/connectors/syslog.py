"""A syslog receiver: UDP (RFC 5426), TCP (RFC 6587), and TLS by certificate (RFC 5425)."""

import contextlib
import math
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network

from casemate.connectors.feed import Feed
from casemate.connectors.framing import Frames, one_line
from casemate.connectors.settings import SyslogSettings
from casemate.core.alert import Delivery
from casemate.core.errors import ConnectorFailed
from casemate.policy import Limits

GATHER_SECONDS = 0.2  # between two transactions, so that a stream does not cost one a message
TICK = 0.5
LAST_SECONDS = 5.0  # at most, for what had arrived when the receiver was told to stop
LAST_TICK = 0.02
HANDSHAKE_SECONDS = 10.0
TELL_SECONDS = 60.0
BLOCK = 64 * 1024
BUFFER = 4 * 1024 * 1024


class Rates:
    """Counts the messages of each sender in the second that runs."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._second = 0
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def allow(self, sender: str) -> bool:
        """Count one message; false when the sender has had its share of this second."""
        with self._lock:
            now = int(self._clock())
            if now != self._second:
                self._second, self._counts = now, {}
            self._counts[sender] = count = self._counts.get(sender, 0) + 1
        return count <= self._most


class SyslogSource:
    """Listens while its round lasts; whoever may send is named in the settings, loopback only by default."""

    def __init__(self, settings: SyslogSettings, limits: Limits) -> None:
        self._settings = settings
        self._limits = limits
        self._networks = [ip_network(text) for text in settings.senders]
        self._waiting: queue.Queue[tuple[str, bytes]] = queue.Queue(limits.syslog_waiting)
        self._rates = Rates(limits.syslog_per_second)
        self._held: list[tuple[str, bytes]] = []  # taken from `_waiting` and not stored yet
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._connections = threading.BoundedSemaphore(limits.syslog_connections)
        self._lost: dict[str, int] = {}
        self._lost_lock = threading.Lock()
        self._told = self._stored = self._last = -math.inf
        self.ports: dict[str, int] = {}  # of what listens by now

    def round(self, feed: Feed) -> None:
        """Listen until the feed is stopped; what was received by then is stored."""
        if not feed.patient:
            feed.tell(feed.name, "not-now", "syslog is listened to by `casemate connect run` only")
            return
        if not self._sockets:
            self._listen()
        while not feed.stopping.is_set():
            self._gather()
            if self._held and feed.room():
                self._store(feed)
            self._tell_lost(feed)
        self._take_the_last(feed)
        self._told = -math.inf
        self._tell_lost(feed)

    def close(self) -> None:
        """Listen no more."""
        self._close_doors()

    def _take_the_last(self, feed: Feed) -> None:
        """Store what had arrived by now, what the sockets hold of it too."""
        self._last = time.monotonic() + LAST_SECONDS
        self._over.set()
        more = True
        while more:
            more = any(thread.is_alive() for thread in self._threads)
            if self._gather():
                self._store(feed)
                more = True
        self._close_doors()

    # From the sockets

    def _listen(self) -> None:
        settings = self._settings
        self._over.clear()
        try:
            if settings.udp_port is not None:
                self._start("udp", self._open("udp", settings.udp_port), self._take_datagrams)
            if settings.tcp_port is not None:
                self._start("tcp", self._open("tcp", settings.tcp_port), self._accept)
            if settings.tls_port is not None:
                context = _context(settings)
                door = self._open("tls", settings.tls_port)
                self._start("tls", door, lambda one: self._accept(one, context))
            self.ports = {kind: one.getsockname()[1] for kind, one in zip(self._kinds(), self._sockets, strict=True)}
        except (OSError, ssl.SSLError) as error:
            self._close_doors()
            raise ConnectorFailed(
                f"syslog cannot listen on {settings.host}: {error.strerror or error}",
                way_out="choose a free port above 1023, and check host, certificate and key",
            ) from error

    def _kinds(self) -> list[str]:
        ports = {"udp": self._settings.udp_port, "tcp": self._settings.tcp_port, "tls": self._settings.tls_port}
        return [kind for kind, port in ports.items() if port is not None]

    def _open(self, kind: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        self._sockets.append(opened)
        if kind == "udp":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        else:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((self._settings.host, port))
        if kind != "udp":
            opened.listen(self._limits.syslog_connections)
        opened.settimeout(TICK)
        return opened

    def _start(self, kind: str, opened: socket.socket, work: Callable[[socket.socket], None]) -> None:
        thread = threading.Thread(target=work, args=(opened,), daemon=True, name=f"syslog {kind}")
        self._threads.append(thread)
        thread.start()

    def _close_doors(self) -> None:
        self._over.set()
        for opened in self._sockets:
            opened.close()
        for thread in self._threads:
            thread.join(2 * TICK + 1.0)
        self._sockets, self._threads, self.ports = [], [], {}

    def _allowed(self, host: str) -> str:
        """Give the sender's address, empty for one that nobody named."""
        address = ip_address(host.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        address = mapped or address
        named = any(address.version == one.version and address in one for one in self._networks)
        return str(address) if named else ""

    def _take_datagrams(self, opened: socket.socket) -> None:
        while self._goes_on(opened):
            try:
                data, source = opened.recvfrom(BLOCK + 1)
            except TimeoutError:
                continue
            except OSError:
                return  # closed, or over and nothing is left
            sender = self._allowed(source[0])
            if not sender:
                self._lose("not-allowed")
                continue
            message = one_line(data[: self._limits.syslog_message_bytes])
            if len(data) > self._limits.syslog_message_bytes:
                self._lose("cut")
            if not message:
                continue
            if not self._rates.allow(sender):
                self._lose("too-many")
                continue
            try:
                self._waiting.put_nowait((sender, message))
            except queue.Full:
                self._lose("no-room")

    def _accept(self, door: socket.socket, context: ssl.SSLContext | None = None) -> None:
        while not self._over.is_set():
            try:
                connection, source = door.accept()
            except TimeoutError:
                continue
            except OSError:
                return  # closed
            sender = self._allowed(source[0])
            if not sender or not self._connections.acquire(blocking=False):
                self._lose("no-connection" if sender else "not-allowed")
                connection.close()
                continue
            work = threading.Thread(target=self._serve, args=(connection, sender, context), daemon=True)
            self._threads = [one for one in self._threads if one.is_alive()]
            self._threads.append(work)
            work.start()

    def _serve(self, connection: socket.socket, sender: str, context: ssl.SSLContext | None) -> None:
        frames = Frames(self._limits.syslog_message_bytes)
        try:
            with contextlib.closing(self._secured(connection, context)) as secured:
                secured.settimeout(TICK)
                for data in self._received(secured):
                    self._put_all(sender, frames.feed(data))
        except OSError:  # a reset, a failed handshake (which is an OSError too): what came before it counts
            self._lose("broken-connection")
        finally:
            connection.close()
            self._put_all(sender, frames.end())
            for _ in range(frames.cut):
                self._lose("cut")
            self._connections.release()

    def _secured(self, connection: socket.socket, context: ssl.SSLContext | None) -> socket.socket:
        if context is None:
            return connection
        connection.settimeout(HANDSHAKE_SECONDS)
        return context.wrap_socket(connection, server_side=True)

    def _received(self, connection: socket.socket) -> Iterator[bytes]:
        quiet = time.monotonic()
        while self._goes_on(connection) and time.monotonic() - quiet < self._limits.syslog_idle_seconds:
            try:
                data = connection.recv(BLOCK)
            except TimeoutError:
                continue
            except (BlockingIOError, ssl.SSLWantReadError):
                return  # over, and nothing is left
            if not data:
                return
            quiet = time.monotonic()
            yield data

    def _goes_on(self, opened: socket.socket) -> bool:
        """Say whether to read on; once it is over, only what has arrived is read, and for `LAST_SECONDS` at most."""
        if not self._over.is_set():
            return True
        opened.settimeout(0.0)
        return time.monotonic() < self._last

    def _put_all(self, sender: str, messages: list[bytes]) -> None:
        """Let the sender wait where there is no room: what is not read from the socket is not acknowledged."""
        for number, raw in enumerate(messages):
            message = one_line(raw)
            if not message:
                continue
            while not self._rates.allow(sender) and not self._over.is_set():
                time.sleep(0.02)
            while True:
                try:
                    self._waiting.put((sender, message), timeout=TICK)
                    break
                except queue.Full:
                    if self._over.is_set() and time.monotonic() >= self._last:
                        self._lose("no-room", len(messages) - number)
                        return

    # Into the store

    def _gather(self) -> bool:
        """Hold what has come, up to one batch; true when there is something.

        After a quiet moment the first message is stored at once, what follows it `GATHER_SECONDS` later.
        """
        while len(self._held) < self._limits.batch_alerts:
            left = self._stored + GATHER_SECONDS - time.monotonic() if self._held else TICK
            left = min(left, LAST_TICK) if self._over.is_set() else left
            try:
                self._held.append(self._waiting.get(timeout=left) if left > 0 else self._waiting.get_nowait())
            except queue.Empty:
                break
        return bool(self._held)

    def _store(self, feed: Feed) -> None:
        senders: dict[str, list[bytes]] = {}
        for sender, message in self._held:
            senders.setdefault(sender, []).append(message)
        made: list[Delivery] = [feed.delivery(f"syslog from {sender}", lines) for sender, lines in senders.items()]
        feed.hand(made)
        self._stored = time.monotonic()
        self._held = []  # not before: a store that fails is tried again with the same messages

    def _lose(self, why: str, count: int = 1) -> None:
        with self._lost_lock:
            self._lost[why] = self._lost.get(why, 0) + count

    def _tell_lost(self, feed: Feed) -> None:
        if time.monotonic() - self._told < TELL_SECONDS:
            return
        with self._lost_lock:
            lost, self._lost = self._lost, {}
        if lost:
            self._told = time.monotonic()
            body = [(why, str(count)) for why, count in sorted(lost.items())]
            said = ", ".join(f"{count} {why}" for why, count in body)
            feed.record("not-taken", feed.name, f"messages or connections not taken whole: {said}", body)


def _context(settings: SyslogSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
    if settings.tls_client_ca_file:
        context.load_verify_locations(settings.tls_client_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
