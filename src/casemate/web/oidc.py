"""The issuer of a site, asked as OpenID Connect Core 1.0 says: authorization code flow with PKCE (RFC 7636).

What it answers is as hostile as evidence: bounded in bytes and seconds, from hosts that the policy names, without
redirects; a token counts only when signed (RS256 or ES256) by a key of the issuer, for this client and this sign-in.
"""

import base64
import contextlib
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode

import httpx

from casemate.core.errors import IssuerFailed, RefusedByPolicy, WrongUsage
from casemate.policy import Limits, Oidc
from casemate.policy.oidc import Grant, why_not_asked
from casemate.store.identities import SUBJECT_CHARS, Pending, Vouched

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, RSAKey

CALLBACK = "/sign-in/oidc/back"
ALGORITHMS = {"RS256": "RSA", "ES256": "EC"}
"""Signature -> kind of key; nothing else is looked at, least of all `none` or a secret shared with us."""

SECRET_BYTES = 4096
LEAST_BITS = 2048
KEYS = 100
_TRY_AGAIN = "try again in a while, or ask an administrator"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the issuer says of itself (OpenID Connect Discovery 1.0, section 3)."""

    authorization: str
    token: str
    keys: str
    basic: bool  # the client's secret goes into the header
    names_itself: bool  # the answer says whose it is (RFC 9207)


class Issuer:
    """One issuer, for one sign-in: it keeps nothing, so that new keys count at once and withdrawn ones no more."""

    def __init__(self, settings: Oidc, limits: Limits) -> None:
        check_installed()
        self._settings = settings
        self._limits = limits
        self._deadline = time.monotonic() + limits.issuer_seconds
        self._trusted = _trusted(settings)

    @property
    def _callback(self) -> str:
        return self._settings.address.rstrip("/") + CALLBACK

    def leave_for(self, pending: Pending) -> str:
        """Write the address that a browser is sent to."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        address: str = prepare_grant_uri(
            self._metadata().authorization,
            self._settings.client_id,
            "code",
            redirect_uri=self._callback,
            scope=" ".join(self._settings.scopes),
            state=pending.state,
            nonce=pending.nonce,
            code_challenge=create_s256_code_challenge(pending.verifier),
            code_challenge_method="S256",
        )
        return address

    def come_back(self, pending: Pending, code: str, issuer: str) -> Vouched:
        """Exchange the code for a token, check it, and say who it is about and what the policy gives them.

        `issuer` is the `iss` of the answer, empty where it had none. `IssuerFailed` when the issuer cannot be asked or
        answers what makes no sense, `RefusedByPolicy` for a token that does not hold or a person with no grant.
        """
        metadata = self._metadata()
        if (issuer or metadata.names_itself) and issuer != self._settings.issuer:
            raise _refused("another issuer answered")
        token, access = self._exchange(metadata, code, pending.verifier)
        claims = self._claims(token, self._read(metadata.keys), pending.nonce, access)
        return self._vouch(claims)

    def _metadata(self) -> Metadata:
        issuer = self._settings.issuer
        said = self._read(issuer.rstrip("/") + "/.well-known/openid-configuration")
        if said.get("issuer") != issuer:
            raise IssuerFailed("the issuer calls itself otherwise than oidc.issuer", way_out=_TRY_AGAIN)
        found = [said.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        for address in found:
            if not isinstance(address, str) or (fault := why_not_asked(address, self._settings.hosts)):
                fault = fault if isinstance(address, str) else "is missing"
                raise IssuerFailed(f"an address that the issuer names {fault}", way_out="see oidc.hosts in the policy")
        methods = said.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        basic = not isinstance(methods, list) or "client_secret_basic" in methods
        names_itself = said.get("authorization_response_iss_parameter_supported") is True
        return Metadata(str(found[0]), str(found[1]), str(found[2]), basic, names_itself)

    def _exchange(self, metadata: Metadata, code: str, verifier: str) -> tuple[str, str]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback,
            "code_verifier": verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        secret = read_secret(self._settings)
        if secret and metadata.basic:
            pair = f"{quote_plus(self._settings.client_id)}:{quote_plus(secret)}"  # RFC 6749, section 2.3.1
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            form |= {"client_id": self._settings.client_id} | ({"client_secret": secret} if secret else {})
        said = self._read(metadata.token, headers, urlencode(form).encode())
        token, access = said.get("id_token"), said.get("access_token")
        if not isinstance(token, str):
            raise IssuerFailed("the issuer gave no ID token", way_out=_TRY_AGAIN)
        return token, access if isinstance(access, str) else ""

    def _claims(self, token: str, keys: Mapping[str, Any], nonce: str, access: str) -> Mapping[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc import jws, jwt
        from joserfc.errors import JoseError

        try:
            header = jws.extract_compact(token.encode("ascii")).headers()
            kind = ALGORITHMS.get(str(header.get("alg")))
            if kind is None:
                raise _refused("the token is signed in a way that is not taken")
            decoded = jwt.decode(token, _key(keys, kind, header.get("kid")), algorithms=list(ALGORITHMS))
            options = {
                "iss": {"essential": True, "value": self._settings.issuer},
                "sub": {"essential": True},
                "aud": {"essential": True, "value": self._settings.client_id},
                "exp": {"essential": True},
                "iat": {"essential": True},
            }
            params = {"nonce": nonce, "client_id": self._settings.client_id, "access_token": access}
            claims = CodeIDToken(decoded.claims, decoded.header, options, params)
            claims.validate(now=int(time.time()), leeway=int(self._limits.clock_skew_seconds))
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _refused(f"the token does not hold ({type(error).__name__})") from None
        return dict(decoded.claims)

    def _vouch(self, claims: Mapping[str, Any]) -> Vouched:
        subject, name = claims["sub"], claims.get(self._settings.name_claim)
        if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARS or not isinstance(name, str):
            raise _refused("the token names nobody")
        grant = grant_of(claims.get(self._settings.grant_claim), self._settings.grants)
        if grant is None:
            raise RefusedByPolicy(
                "nothing that the issuer says of you gives a role here", way_out="ask an administrator for one"
            )
        return Vouched(self._settings.issuer, subject, name, grant.role, grant.clearance)

    def _read(self, url: str, headers: Mapping[str, str] | None = None, form: bytes | None = None) -> dict[str, Any]:
        if fault := why_not_asked(url, self._settings.hosts):
            raise IssuerFailed(f"an address of the issuer {fault}", way_out="see oidc.hosts in the policy")
        most, data = self._limits.issuer_answer_bytes, bytearray()
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        left = max(self._deadline - time.monotonic(), 0.01)
        method, watch = "GET" if form is None else "POST", _Watch(left)
        try:
            with (
                watch,
                httpx.Client(trust_env=False, follow_redirects=False, verify=self._trusted, timeout=left) as client,
                client.stream(method, url, headers=sent, content=form, extensions={"trace": watch.trace}) as answer,
            ):
                for piece in answer.iter_raw():
                    data += piece
                    if len(data) > most or time.monotonic() > self._deadline:
                        raise IssuerFailed("the issuer says too much or takes too long", way_out=_TRY_AGAIN)
                status = answer.status_code
            said = json.loads(bytes(data))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as error:
            raise IssuerFailed(f"the issuer cannot be asked ({type(error).__name__})", way_out=_TRY_AGAIN) from None
        if status != httpx.codes.OK or not isinstance(said, dict):
            raise IssuerFailed(f"the issuer refused, or gave no answer of use ({status})", way_out=_TRY_AGAIN)
        return said


class _Watch:
    """Cuts a connection when its time is over: httpx limits each read, not their sum, and headers come in many."""

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._wire: socket.socket | None = None

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._wire is not None:
            self._wire.close()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of the connection; what httpx calls while it works."""
        if event == "connection.connect_tcp.complete":
            opened = info["return_value"].get_extra_info("socket")
            self._wire = socket.socket(fileno=os.dup(opened.fileno()))

    def _cut(self) -> None:
        if self._wire is not None:
            with contextlib.suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)


def grant_of(claim: object, grants: tuple[Grant, ...]) -> Grant | None:
    """Find the first grant whose value a claim holds: one word, or a list of them."""
    held = (
        {claim}
        if isinstance(claim, str)
        else {one for one in claim if isinstance(one, str)}
        if isinstance(claim, list)
        else set()
    )
    return next((grant for grant in grants if grant.value in held), None)


def read_secret(settings: Oidc) -> str:
    """Read the client's secret from where the policy says it is, empty for a public client; it is never shown."""
    if settings.secret_environment:
        secret = os.environ.get(settings.secret_environment, "")
    elif settings.secret_file:
        try:
            with Path(settings.secret_file).open("rb") as file:
                secret = file.read(SECRET_BYTES).decode("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUsage(
                f"oidc.secret_file cannot be read ({type(error).__name__})",
                way_out="check the path and who may read it",
            ) from None
    else:
        return ""
    if not secret:
        raise WrongUsage("the client's secret is empty", way_out="put it where the policy's [oidc] says it is")
    return secret


def check_installed() -> None:
    """Say what is missing where sign-in by an issuer is asked for and not installed."""
    try:
        import authlib.oidc.core
        import joserfc  # noqa: F401 - looked for, not used
    except ImportError as error:
        raise WrongUsage(
            f"sign-in by OpenID Connect is not installed ({error.name})", way_out="pip install 'casemate[oidc]'"
        ) from error
    del authlib


def check_ready(settings: Oidc) -> None:
    """Check before the service starts that what the policy asks for can be done."""
    if settings.issuer:
        check_installed()
        read_secret(settings)


def _trusted(settings: Oidc) -> ssl.SSLContext:
    if not settings.issuer.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # on loopback, without TLS: trusts nobody
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise WrongUsage(f"oidc.ca_file: {error.strerror or error}", way_out="name a file in PEM") from error


def _key(keys: Mapping[str, Any], kind: str, name: object) -> "RSAKey | ECKey":
    """Choose the key that a token names, of the kind its signature needs; without a name there must be only one."""
    from joserfc.jwk import ECKey, RSAKey

    held = keys.get("keys")
    fitting = [
        one
        for one in (held[:KEYS] if isinstance(held, list) else ())
        if isinstance(one, dict) and one.get("kty") == kind and one.get("use", "sig") == "sig"
        if name is None or one.get("kid") == name
    ]
    if len(fitting) != 1:
        raise _refused("the token is signed by no key of the issuer")
    if kind == "RSA":
        made = RSAKey.import_key(fitting[0])
        if made.raw_value.key_size < LEAST_BITS:
            raise _refused("the issuer's key is too short")
        return made
    if fitting[0].get("crv") != "P-256":
        raise _refused("the issuer's key is on a curve that is not taken")
    return ECKey.import_key(fitting[0])


def _refused(why: str) -> RefusedByPolicy:
    return RefusedByPolicy(f"the sign-in does not hold: {why}", way_out="begin anew at /sign-in")
