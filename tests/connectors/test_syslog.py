"""A syslog receiver on real sockets."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from casemate.connectors.feed import Feed
from casemate.connectors.settings import SyslogSettings
from casemate.connectors.syslog import Rates, SyslogSource
from casemate.core.errors import ConnectorFailed, StoreFailed
from casemate.policy import Limits
from casemate.store import Store

from .conftest import Taken

BSD = b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8"
NEW = b'<165>1 2026-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [x@32473 iut="3"] An event'


@contextmanager
def listening(feed: Feed, limits: Limits | None = None, **settings: object) -> Iterator[SyslogSource]:
    source = SyslogSource(SyslogSettings(name="test", **settings), limits or Limits())  # type: ignore[arg-type]
    thread = threading.Thread(target=source.round, args=(feed,), daemon=True)
    thread.start()
    until(lambda: bool(source.ports) or not thread.is_alive())
    try:
        yield source
    finally:
        feed.stopping.set()
        thread.join(60)
        assert not thread.is_alive()
        source.close()


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def stored(store: Store) -> int:
    return sum(int(dict(event.body)["alerts"]) for event in store.audit_events() if event.action == "evidence.received")


def test_udp_and_tcp_messages_become_alerts(make_feed: Callable[..., Feed], taken: Taken, store: Store):
    feed = make_feed(patient=True)
    with listening(feed, udp_port=0, tcp_port=0) as source:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for message in (BSD, NEW + b"\n", b"", b"no priority \xff\xfe"):
                sender.sendto(message, ("127.0.0.1", source.ports["udp"]))
        with socket.create_connection(("127.0.0.1", source.ports["tcp"]), 60) as sender:
            sender.sendall(b"%d %s" % (len(NEW), NEW) + BSD + b"\n<1>no end")
        until(lambda: stored(store) == 6)
    found = taken.alerts()
    assert sorted(data for _source, data in found) == sorted(
        [BSD, NEW, b"no priority \xff\xfe", NEW, BSD, b"<1>no end"]
    )
    assert {name for name, _data in found} == {"syslog from 127.0.0.1"}
    with store._database.reading() as connection:
        from sqlalchemy import select

        from casemate.store.tables import alert_groups

        entities = set(connection.execute(select(alert_groups.c.entity)).scalars())
    assert {"mymachine", "mymachine.example.com"} <= entities


def test_stopping_stores_what_came(make_feed: Callable[..., Feed], store: Store):
    feed = make_feed(patient=True)
    with listening(feed, tcp_port=0) as source:
        with socket.create_connection(("127.0.0.1", source.ports["tcp"]), 60) as sender:
            sender.sendall(b"".join(b"<1>message %d\n" % number for number in range(3000)))
            until(lambda: source._waiting.qsize() + stored(store) > 0)
        until(lambda: all("Thread-" not in thread.name or not thread.is_alive() for thread in source._threads))
    assert stored(store) == 3000


def test_what_has_arrived_when_it_is_stopped_is_stored_too(make_feed: Callable[..., Feed], store: Store):
    feed = make_feed(patient=True)
    with (
        listening(feed, Limits(syslog_per_second=100, batch_alerts=40), udp_port=0, tcp_port=0) as source,
        socket.create_connection(("127.0.0.1", source.ports["tcp"]), 60) as stream,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        store._database.writing(),  # so that nothing is taken from the sockets while they fill
    ):
        stream.sendall(b"<1>the first\n")
        until(lambda: any("Thread-" in thread.name for thread in source._threads))
        stream.sendall(b"".join(b"<1>message %d\n" % number for number in range(2_000)))
        for number in range(90):
            datagrams.sendto(b"<1>datagram %d" % number, ("127.0.0.1", source.ports["udp"]))
        feed.stopping.set()  # the connection stays open
    lost = [dict(event.body) for event in store.audit_events() if event.action == "connector.not-taken"]
    assert stored(store) + sum(int(one.get("too-many", 0)) for one in lost) == 2_091
    assert stored(store) >= 2_001


def test_a_message_after_a_quiet_moment_is_stored_at_once(make_feed: Callable[..., Feed], store: Store):
    source = SyslogSource(SyslogSettings(name="test", udp_port=0), Limits())
    waited: list[float | None] = []
    get = source._waiting.get

    def note(block: bool = True, timeout: float | None = None) -> tuple[str, bytes]:
        if source._held:
            waited.append(timeout if block else None)
        return get(block, timeout)

    source._waiting.get = note  # type: ignore[method-assign]
    source._waiting.put(("192.0.2.1", BSD))
    assert source._gather()
    assert waited == [None]
    source._store(make_feed())
    source._waiting.put(("192.0.2.1", BSD))
    assert source._gather()
    assert waited[1] is not None, "the next transaction is not begun right away"
    assert stored(store) == 1


def test_only_named_senders_may_send(make_feed: Callable[..., Feed], taken: Taken, store: Store):
    feed = make_feed(patient=True)
    with listening(feed, udp_port=0, tcp_port=0, senders=("192.0.2.0/24",)) as source:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(BSD, ("127.0.0.1", source.ports["udp"]))
        with socket.create_connection(("127.0.0.1", source.ports["tcp"]), 60) as sender:
            assert sender.recv(1) == b""
        until(lambda: "not-taken" in taken.codes())
    assert stored(store) == 0


def test_too_many_datagrams_are_dropped_counted_and_audited(make_feed: Callable[..., Feed], taken: Taken, store: Store):
    feed = make_feed(patient=True)
    with listening(feed, Limits(syslog_per_second=5), udp_port=0) as source:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(200):
                sender.sendto(b"<1>message %d" % number, ("127.0.0.1", source.ports["udp"]))
        until(lambda: "not-taken" in taken.codes() and stored(store) > 0)
    told = [event for event in store.audit_events() if event.action == "connector.not-taken"]
    assert sum(int(dict(event.body).get("too-many", 0)) for event in told) + stored(store) == 200


def test_a_tcp_sender_that_sends_too_much_waits_and_loses_nothing(make_feed: Callable[..., Feed], store: Store):
    feed = make_feed(patient=True)
    with listening(feed, Limits(syslog_per_second=40, syslog_waiting=5, batch_alerts=7), tcp_port=0) as source:
        with socket.create_connection(("127.0.0.1", source.ports["tcp"]), 60) as sender:
            sender.sendall(b"".join(b"<1>message %d\n" % number for number in range(100)))
        until(lambda: stored(store) == 100)


def test_a_store_that_fails_for_a_while_loses_nothing(make_feed: Callable[..., Feed], store: Store, tmp_path: Path):
    feed = make_feed(patient=True)
    source = SyslogSource(SyslogSettings(name="test", udp_port=0), Limits())
    source._waiting.put(("192.0.2.1", BSD))

    class Failing:
        def hand(self, _deliveries: object) -> None:
            raise StoreFailed("disk full")

        def __getattr__(self, name: str) -> object:
            return getattr(feed, name)

    with pytest.raises(StoreFailed):
        source.round(Failing())  # type: ignore[arg-type]
    feed.stopping.set()
    source.round(feed)
    assert stored(store) == 1


def test_connections_are_bounded_and_idle_ones_end(make_feed: Callable[..., Feed]):
    feed = make_feed(patient=True)
    with listening(feed, Limits(syslog_connections=1, syslog_idle_seconds=1.0), tcp_port=0) as source:
        where = ("127.0.0.1", source.ports["tcp"])
        with socket.create_connection(where, 60) as first, socket.create_connection(where, 60) as second:
            second.settimeout(60)
            assert second.recv(1) == b""
            first.settimeout(60)
            assert first.recv(1) == b""


def test_a_port_in_use_is_a_failure_with_a_way_out(make_feed: Callable[..., Feed]):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        source = SyslogSource(SyslogSettings(name="test", tcp_port=other.getsockname()[1]), Limits())
        with pytest.raises(ConnectorFailed, match="cannot listen"):
            source.round(make_feed(patient=True))


def test_once_does_not_listen(make_feed: Callable[..., Feed], taken: Taken):
    SyslogSource(SyslogSettings(name="test", udp_port=0), Limits()).round(make_feed())
    assert taken.codes() == ["not-now"]


def test_a_second_has_its_share():
    now = [0.0]
    rates = Rates(2, lambda: now[0])
    assert [rates.allow("a"), rates.allow("a"), rates.allow("a"), rates.allow("b")] == [True, True, False, True]
    now[0] = 1.0
    assert rates.allow("a")


def greet(where: tuple[str, int], context: ssl.SSLContext) -> None:
    with (
        socket.create_connection(where, 60) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as sender,
    ):
        sender.sendall(b"<1>nobody\n")
        while sender.recv(100):
            pass


def test_tls_asks_for_a_certificate(certificates: Path, make_feed: Callable[..., Feed], store: Store, taken: Taken):
    feed = make_feed(patient=True)
    tls = {
        "tls_port": 0,
        "tls_cert_file": str(certificates / "server.pem"),
        "tls_key_file": str(certificates / "server.key"),
        "tls_client_ca_file": str(certificates / "ca.pem"),
    }
    with listening(feed, **tls) as source:
        where = ("127.0.0.1", source.ports["tls"])
        context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            greet(where, context)  # without a certificate of its own
        with socket.create_connection(where, 60) as raw:  # no TLS at all
            raw.sendall(b"<1>plain\n")
            raw.settimeout(60)
            with suppress(ConnectionError):
                while raw.recv(100):
                    pass
        context.load_cert_chain(certificates / "client.pem", certificates / "client.key")
        with (
            socket.create_connection(where, 60) as raw,
            context.wrap_socket(raw, server_hostname="127.0.0.1") as sender,
        ):
            sender.sendall(b"%d %s" % (len(NEW), NEW))
        until(lambda: stored(store) == 1)
    assert [data for _source, data in taken.alerts()] == [NEW]


def test_util_linux_logger_is_understood(make_feed: Callable[..., Feed], store: Store, taken: Taken):
    feed = make_feed(patient=True)
    with listening(feed, udp_port=0, tcp_port=0) as source:
        for way in (["--tcp", "--octet-count", "--rfc5424"], ["--tcp", "--rfc3164"], ["--udp", "--rfc5424"]):
            port = source.ports["udp" if "--udp" in way else "tcp"]
            try:
                done = subprocess.run(
                    ["logger", "--server", "127.0.0.1", "--port", str(port), *way, "Failed password for root"],
                    check=False,
                    timeout=60,
                )
            except FileNotFoundError:
                pytest.skip("logger (util-linux) is not installed")
            assert done.returncode == 0
        until(lambda: stored(store) == 3)
    assert all(data.endswith(b"Failed password for root") for _source, data in taken.alerts())
