"""Sign-in by a site's own OpenID Connect issuer: which one, how it is reached, and what its claims give."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from casemate.core.marking import Marking
from casemate.core.person import Role

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Grant:
    """Who has `value` in the claim gets this role and clearance."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    value: str
    role: Role
    clearance: Marking


@dataclass(frozen=True, slots=True)
class Oidc:
    """An OpenID Connect issuer; none by default.

    `hosts` are the hosts that the issuer, its token endpoint and its keys may be on, and where browsers may be sent.
    `address` is how browsers reach casemate, such as `https://casemate.example`. The client's secret stands in a file
    or an environment variable; with neither the client is a public one. `ca_file` holds the site's own certificate
    authorities. `name_claim` names the account; of `grants` the first whose value is in `grant_claim` counts, and
    whoever has none gets nothing.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic, never changed

    issuer: str = ""
    hosts: tuple[str, ...] = ()
    client_id: str = ""
    secret_file: str = ""
    secret_environment: str = ""
    ca_file: str = ""
    address: str = ""
    scopes: tuple[str, ...] = ("openid", "profile")
    name_claim: str = "preferred_username"
    grant_claim: str = "groups"
    grants: tuple[Grant, ...] = ()


def fault_of_oidc(oidc: Oidc) -> str:
    """Tell what makes no sense in the settings, empty when nothing does."""
    if oidc == Oidc():
        return ""
    for name in ("issuer", "client_id", "address", "name_claim", "grant_claim"):
        if not getattr(oidc, name):
            return f"oidc.{name} is missing"
    if fault := why_not_asked(oidc.issuer, oidc.hosts):
        return f"oidc.issuer {fault}"
    address = urlsplit(oidc.address)
    if fault := why_not_asked(oidc.address, (address.hostname or "",)):
        return f"oidc.address {fault}"
    if address.path.strip("/") or address.query:
        return "oidc.address is scheme and host only"
    if oidc.secret_file and oidc.secret_environment:
        return "oidc: give secret_file or secret_environment, not both"
    if oidc.secret_environment and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", oidc.secret_environment):
        return "oidc.secret_environment is the name of an environment variable"
    if "openid" not in oidc.scopes or not all(re.fullmatch(r"[!#-\[\]-~]+", scope) for scope in oidc.scopes):
        return "oidc.scopes must hold openid, and no spaces"
    return "" if oidc.grants else "oidc.grants is empty: nobody could sign in"


def why_not_asked(url: str, hosts: tuple[str, ...]) -> str:
    """Tell why an address may not be asked, or a browser sent there; empty when it may."""
    try:
        parts = urlsplit(url)
        _port, host = parts.port, parts.hostname or ""
    except ValueError:
        return "is no address"
    if not url.isprintable() or not url.isascii() or " " in url or "\\" in url:
        return "is no address"
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK):
        return "must be https"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "has what an address here cannot have"
    return "" if host and host in hosts else "is on a host that oidc.hosts does not name"
