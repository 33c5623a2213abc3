"""Asking another program over HTTP: allowed hosts only, bounded bytes and time, no proxy, no redirect, TLS verified."""

import base64
import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import orjson

from casemate.connectors.settings import Server
from casemate.core.errors import ConnectorFailed, RefusedByPolicy, WrongUsage
from casemate.core.plain import plain
from casemate.policy import Policy

if TYPE_CHECKING:
    import httpx

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SAID = 200
SECRET_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered, whole; `who` names it in faults."""

    who: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Read the body as a JSON object; `ConnectorFailed` when it is none."""
        try:
            found = orjson.loads(self.body)
        except ValueError as error:
            raise ConnectorFailed(f"{self.who}: the answer is no JSON", way_out="check the address") from error
        if not isinstance(found, dict):
            raise ConnectorFailed(f"{self.who}: the answer is no JSON object", way_out="check the address")
        return found


class Http:
    """One server; for one thread at a time. `scheme` stands before the secret in the header, `plain` for none.

    With a user the secret is a password; with an empty scheme it is not sent.
    """

    def __init__(self, server: Server, policy: Policy, scheme: str = "Bearer") -> None:
        self.url, self.host = checked_url(server.url, policy)
        self._limits = policy.limits
        self._secret = read_secret(server)
        self._scheme, self._user = scheme, server.user
        self._ca = server.ca_file
        self._client: httpx.Client | None = None
        self._wire: socket.socket | None = None
        self._late = False

    @property
    def secret(self) -> str:
        """The secret, for what is signed with it."""
        return self._secret

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and read the whole answer, whatever its status; `ConnectorFailed` when there is none."""
        import httpx

        client = self._opened()
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", **self._authorization(), **(headers or {})}
        self._late = False
        watch = threading.Timer(self._limits.connector_seconds, self._cut)
        watch.daemon = True
        watch.start()
        try:
            with client.stream(
                method,
                self.url + path,
                content=body,
                params=params,
                headers=sent,
                extensions={"trace": self._trace},
            ) as response:
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise ConnectorFailed(f"{self.host}: a packed answer that nobody asked for", way_out="check it")
                data = bytearray()
                for block in response.iter_raw():
                    data += block
                    if len(data) > self._limits.connector_answer_bytes:
                        raise ConnectorFailed(
                            f"{self.host}: an answer above limits.connector_answer_bytes",
                            way_out="ask for less at once",
                        )
            return Answer(self.host, response.status_code, dict(response.headers), bytes(data))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ssl.SSLError) as error:
            self.close()
            late = self._late or isinstance(error, httpx.TimeoutException)  # whichever of the two noticed first
            reason = f"no whole answer in {self._limits.connector_seconds:g} s" if late else _reason(error)
            raise ConnectorFailed(f"{self.host}: {self._hidden(reason)}", way_out="see that it runs") from error
        except ConnectorFailed:
            self.close()
            raise
        finally:
            watch.cancel()

    def expect(self, answer: Answer, *statuses: int) -> Answer:
        """Give the answer back; `ConnectorFailed` with what the server said for any other status."""
        if answer.status in statuses:
            return answer
        raise ConnectorFailed(
            f"{self.host}: HTTP {answer.status}: {self.said(answer)}", way_out="check address, account and rights there"
        )

    def said(self, answer: Answer) -> str:
        """Quote what a server said, short, safe to show, and without our secret."""
        whole = answer.body[: 4 * SAID + 2 * SECRET_BYTES].decode("utf-8", "replace")  # a secret is never cut in two
        return plain(self._hidden(whole)[: 4 * SAID])[:SAID]

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _opened(self) -> "httpx.Client":
        import httpx

        if self._client is None:
            try:
                context = ssl.create_default_context(cafile=self._ca or None)
            except (OSError, ssl.SSLError) as error:
                raise WrongUsage(
                    f"ca_file {self._ca}: {error}", way_out="name a file of certificates in PEM"
                ) from error
            self._client = httpx.Client(
                verify=context,
                trust_env=False,
                follow_redirects=False,
                timeout=self._limits.connector_seconds,
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            )
        return self._client

    def _authorization(self) -> dict[str, str]:
        if not self._secret or not self._scheme:
            return {}
        if self._user:
            return {"Authorization": f"Basic {self._pair()}"}
        return {"Authorization": f"{self._scheme} {self._secret}".removeprefix("plain ")}

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        # httpx limits each read, not their sum: a server that sends a byte now and then would hold us for ever.
        if event == "connection.connect_tcp.complete":
            opened = info["return_value"].get_extra_info("socket")
            if self._wire is not None:
                self._wire.close()
            self._wire = socket.socket(fileno=os.dup(opened.fileno()))

    def _cut(self) -> None:
        self._late = True
        if self._wire is not None:
            with contextlib.suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)

    def _pair(self) -> str:
        return base64.b64encode(f"{self._user}:{self._secret}".encode()).decode()

    def _hidden(self, text: str) -> str:
        for sent in (self._secret, self._pair()) if self._secret else ():
            text = text.replace(sent, "***")
        return text


def _reason(error: Exception) -> str:
    return plain(str(error) or type(error).__name__)[:SAID]


def checked_url(url: str, policy: Policy) -> tuple[str, str]:
    """Give address and host of a URL; `RefusedByPolicy` for a host that `connector_hosts` does not have as written."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise WrongUsage(f"{plain(url)[:SAID]} is no address", way_out="write https://misp.example") from error
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or parts.query or parts.fragment:
        raise WrongUsage(f"{plain(url)[:SAID]} is no plain address", way_out="write https://misp.example, no more")
    if host not in policy.connector_hosts:
        raise RefusedByPolicy(
            f"the policy does not allow a connector to speak to {plain(host)}",
            way_out="a person who may decide this adds the host to connector_hosts in the policy",
        )
    if parts.scheme == "http" and host not in LOOPBACK:
        raise WrongUsage(f"http would show everything to the network before {plain(host)}", way_out="write https://")
    literal = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{literal}{f':{port}' if port else ''}{parts.path.rstrip('/')}", host


def read_secret(server: Server) -> str:
    """Read the secret of a server, empty when it has none; `WrongUsage` names the place, never the secret."""
    if server.secret_env:
        found = os.environ.get(server.secret_env, "")
        where = f"${server.secret_env}"
    elif server.secret_file:
        where = server.secret_file
        try:
            with Path(where).open("rb") as file:
                raw = file.read(SECRET_BYTES)
            found = raw.decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not ASCII"
            raise WrongUsage(f"secret {where}: {reason}", way_out="let casemate read the file") from error
    else:
        return ""
    if not found or not found.isascii() or not found.isprintable():
        raise WrongUsage(f"secret {where}: empty, or more than one line of ASCII", way_out="write the secret there")
    return found


def segment(text: str) -> str:
    """Write text as one segment of a path."""
    return quote(text, safe="")
