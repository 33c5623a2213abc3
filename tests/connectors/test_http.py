"""A server that is slow, huge, silent, lying or not allowed costs a bounded time and a plain sentence."""

import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from casemate.connectors.http import Answer, Http, checked_url, read_secret
from casemate.connectors.settings import Server
from casemate.core.errors import ConnectorFailed, RefusedByPolicy, WrongUsage
from casemate.policy import Limits, Policy

from .servers import Reply, Request, as_json, saying, served

QUICK = Policy(limits=Limits(connector_seconds=0.6, connector_answer_bytes=1000))
PATIENT = Policy(limits=Limits(connector_seconds=60, connector_answer_bytes=1000))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def http(url: str, policy: Policy = PATIENT, **more: str) -> Http:
    return Http(Server(url=url, **more), policy)


@pytest.mark.parametrize(
    ("pieces", "hang", "said"),
    [
        ((), True, "no whole answer in 0.6 s"),
        ((HEAD + b"Content-Length: 10\r\n\r\n12345",), True, "no whole answer"),
        ((HEAD + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000,), False, "limits.connector_answer_bytes"),
        (
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n",),
            True,
            "connector_answer_bytes",
        ),
        ((HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n123",), False, "packed"),
        ((b"SSH-2.0-OpenSSH_9.2\r\n",), False, "127.0.0.1"),
        ((HEAD + b"Content-Length: 10\r\n\r\n123",), False, "127.0.0.1"),
        ((b"",), False, "127.0.0.1"),
    ],
)
def test_what_is_no_whole_answer_is_a_failure(pieces: tuple[bytes, ...], hang: bool, said: str):
    policy = QUICK if said.startswith("no whole answer") else PATIENT
    with saying(*pieces, hang=hang) as url, pytest.raises(ConnectorFailed, match=said):
        http(url, policy).ask("GET", "/")


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nX-Slow: ", HEAD + b"Content-Length: 3000\r\n\r\n"])
def test_a_byte_now_and_then_does_not_hold_us(begin: bytes):
    began = time.monotonic()
    with saying(begin, *[b"x"] * 3000, pause=0.05) as url, pytest.raises(ConnectorFailed, match="no whole answer"):
        http(url, QUICK).ask("GET", "/")
    assert time.monotonic() - began < 100  # the whole answer takes 150 s


def test_a_server_that_is_not_there():
    with pytest.raises(ConnectorFailed, match=r"127\.0\.0\.1"):
        http("http://127.0.0.1:1").ask("GET", "/")


def test_redirects_are_not_followed_and_proxies_not_asked(monkeypatch: pytest.MonkeyPatch):
    with served(lambda _request: (302, {"Location": "http://192.0.2.1/"}, b"")) as local:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        one = http(local.url)
        answer = one.ask("GET", "/")
        assert answer.status == 302
        with pytest.raises(ConnectorFailed, match="HTTP 302"):
            one.expect(answer, 200)


def test_a_connection_is_used_again():
    with served(lambda request: as_json({"path": request.path})) as local:
        one = http(local.url)
        assert [one.ask("GET", f"/{n}").json()["path"] for n in range(3)] == ["/0", "/1", "/2"]
        one.close()
        assert one.ask("GET", "/again").status == 200


def test_the_secret_is_sent_and_never_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "key").write_text("hunter2secret\n")
    with served(lambda request: (500, {}, b"bad key \x1b[31m" + request.headers["Authorization"].encode())) as local:
        one = http(local.url, secret_file=str(tmp_path / "key"))
        answer = one.ask("GET", "/")
        assert local.asked[0].headers["Authorization"] == "Bearer hunter2secret"
        with pytest.raises(ConnectorFailed) as caught:
            one.expect(answer, 200)
        assert "hunter2" not in caught.value.message
        assert caught.value.message.isprintable()
        monkeypatch.setenv("CON_KEY", "pass")
        http(local.url, secret_env="CON_KEY", user="ada").ask("GET", "/")
        assert local.asked[1].headers["Authorization"] == "Basic YWRhOnBhc3M="


@pytest.mark.parametrize("before", [0, 190, 799])
@pytest.mark.parametrize("user", ["", "ada"])
def test_a_secret_that_a_server_says_back_is_hidden_wherever_it_stands(tmp_path: Path, before: int, user: str):
    secret = "".join(f"{number:04}" for number in range(250))  # a token of a thousand characters
    (tmp_path / "key").write_text(secret)

    def act(request: Request) -> Reply:
        return 500, {}, b"x" * before + request.headers["Authorization"].encode() + b" is wrong"

    with served(act) as local:
        one = http(local.url, Policy(), secret_file=str(tmp_path / "key"), user=user)
        answer = one.ask("GET", "/")
        with pytest.raises(ConnectorFailed) as caught:
            one.expect(answer, 200)
    sent = local.asked[0].headers["Authorization"].partition(" ")[2]
    for hidden in (secret, sent):
        assert not any(hidden[at : at + 8] in caught.value.message for at in range(0, len(hidden) - 8, 4))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"secret_env": "CON_NOT_THERE"}, r"\$CON_NOT_THERE"),
        ({"secret_file": "/nowhere/key"}, "/nowhere/key"),
        ({"secret_file": "BINARY"}, "ASCII"),
        ({"secret_file": "TWO"}, "one line"),
    ],
)
def test_a_secret_that_cannot_be_read_is_wrong_usage(tmp_path: Path, settings: dict[str, str], said: str):
    (tmp_path / "BINARY").write_bytes(b"\xff\xfe")
    (tmp_path / "TWO").write_text("a\nb")
    named = {
        key: str(tmp_path / value) if value.isupper() and key == "secret_file" else value
        for key, value in settings.items()
    }
    with pytest.raises(WrongUsage, match=said):
        read_secret(Server(url="https://a", **named))


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://evil.example", RefusedByPolicy),
        ("http://127.0.0.1.evil.example", RefusedByPolicy),
        ("https://127.0.0.1@evil.example", WrongUsage),
        ("https://user:pass@127.0.0.1", WrongUsage),
        ("http://misp.example", WrongUsage),
        ("ftp://127.0.0.1", WrongUsage),
        ("https://127.0.0.1/?x=1", WrongUsage),
        ("https://127.0.0.1/#x", WrongUsage),
        ("https://127.0.0.1:port", WrongUsage),
        ("https://[::1", WrongUsage),
        ("", WrongUsage),
    ],
)
def test_only_plain_addresses_of_allowed_hosts(url: str, fault: type[Exception]):
    policy = Policy(connector_hosts=("127.0.0.1", "misp.example"))
    with pytest.raises(fault):
        checked_url(url, policy)
    assert checked_url("https://misp.example:8443/base/", policy) == ("https://misp.example:8443/base", "misp.example")


def test_answers_that_are_no_json_objects():
    for body in (b"", b"<html>", b"[1]", b"\xff", b"[" * 100_000):
        with pytest.raises(ConnectorFailed, match="no JSON"):
            Answer("host", 200, {}, body).json()


def test_tls_is_verified_against_the_named_authority(certificates: Path):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_what: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    url = f"https://127.0.0.1:{server.server_port}"
    try:
        assert http(url, ca_file=str(certificates / "ca.pem")).ask("GET", "/").json() == {}
        with pytest.raises(ConnectorFailed, match=r"(?i)certificate"):
            http(url).ask("GET", "/")
        with pytest.raises(WrongUsage, match="ca_file"):
            http(url, ca_file=str(certificates / "ca.key")).ask("GET", "/")
    finally:
        server.shutdown()
        server.server_close()
