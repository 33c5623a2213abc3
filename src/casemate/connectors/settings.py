"""What `connectors.toml` may say: one frozen dataclass for each kind, and how the file is read."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from casemate.core.assessment import Disposition
from casemate.core.errors import WrongUsage
from casemate.core.marking import Marking

SEE = "see docs/connectors.md for the settings"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Collection = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Port = Annotated[int, Field(ge=0, le=65_535)]
T = TypeVar("T")
Text = Annotated[str, Field(min_length=1, max_length=4_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """What everything that brings alerts in has: `marking` is the policy's default unless it is named here.

    `every` is the pause between two looks. Relative paths begin at the folder of the file of settings.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    marking: Marking | None = None
    every: Seconds = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSettings(Incoming):
    """A watched folder: each file in it, and none in folders inside it, is taken once, by its digest.

    A file is complete when it has not changed for `settle` seconds and its name ends in none of `unfinished`. `after`
    says what becomes of it: it stays (`leave`), or it goes into `taken` or `refused` inside the folder (`move`).
    """

    path: Text
    after: Literal["leave", "move"] = "leave"
    settle: Seconds = 2.0
    unfinished: tuple[str, ...] = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", ".swp", "~")


@dataclass(frozen=True, slots=True, kw_only=True)
class TailSettings(Incoming):
    """A file of JSON lines that another program writes on.

    `begin` is where the very first look begins. `rotated` are glob patterns of the names that the file gets when it is
    rotated; by default its own name and anything behind it.
    """

    path: Text
    begin: Literal["start", "end"] = "start"
    rotated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WazuhSettings(TailSettings):
    """Wazuh's `alerts.json`; alerts of rules below `least_level` are passed over."""

    least_level: Annotated[int, Field(ge=0, le=16)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SuricataSettings(TailSettings):
    """Suricata's `eve.json`; only records of these event types are alerts."""

    event_types: tuple[str, ...] = ("alert",)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogSettings(Incoming):
    """A syslog receiver on one address; a port that is not named is not listened to, 0 means any free one.

    `senders` are the networks that may send. With `tls_client_ca_file` a sender over TLS needs a certificate of it.
    """

    host: Text = "127.0.0.1"
    udp_port: Port | None = None
    tcp_port: Port | None = None
    tls_port: Port | None = None
    tls_cert_file: str = ""
    tls_key_file: str = ""
    tls_client_ca_file: str = ""
    senders: tuple[str, ...] = ("127.0.0.0/8", "::1/128")

    def __post_init__(self) -> None:
        if self.udp_port is None and self.tcp_port is None and self.tls_port is None:
            raise ValueError("name udp_port, tcp_port or tls_port")
        if self.tls_port is not None and not (self.tls_cert_file and self.tls_key_file):
            raise ValueError("tls_port needs tls_cert_file and tls_key_file")
        for network in self.senders:
            ip_network(network)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Another program over HTTP: https, or http on this machine; `ca_file` is its own certificate authority.

    The secret (password, key or token) stands in a file or in an environment variable, never here.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    url: Text
    user: str = ""
    secret_file: str = ""
    secret_env: str = ""
    ca_file: str = ""

    def __post_init__(self) -> None:
        if self.secret_file and self.secret_env:
            raise ValueError("name secret_file or secret_env, not both")


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticSettings(Incoming):
    """Documents of an Elasticsearch index or pattern, in the order of their field `timestamp`.

    `query` is a query of the server's own language that documents must match. `begin` is where the very first look
    begins. Documents that become visible up to `overlap` seconds late are found. `tiebreak` is a field that orders
    documents of the same time, where a site has one.
    """

    server: Server
    index: Text
    timestamp: Text = "@timestamp"
    query: dict[str, Any] = field(default_factory=dict)
    begin: Literal["start", "now"] = "start"
    overlap: Seconds = 120.0
    page: Annotated[int, Field(ge=1, le=10_000)] = 500
    tiebreak: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSearchSettings(ElasticSettings):
    """The same of OpenSearch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WazuhIndexerSettings(OpenSearchSettings):
    """The same of Wazuh's indexer; alerts of rules below `least_level` are not asked for."""

    index: Text = "wazuh-alerts-*"
    timestamp: Text = "timestamp"
    least_level: Annotated[int, Field(ge=0, le=16)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxiiSettings(Incoming):
    """A TAXII 2.1 collection; the address of the server is that of the API root. `page` objects are asked for at once.

    Objects with a stricter TLP marking than the connector's keep it.
    """

    server: Server
    collection: Collection
    page: Annotated[int, Field(ge=1, le=10_000)] = 500
    every: Seconds = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """What everything that takes reviewed cases has: those closed by a person, marked `up_to` at most.

    `every` is the pause between two looks for new ones.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    server: Server
    up_to: Marking = Marking.GREEN
    dispositions: tuple[Disposition, ...] = tuple(Disposition)
    every: Seconds = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings(Outgoing):
    """A program that takes a case as JSON; the secret of the server signs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticPushSettings(Outgoing):
    """An index of Elasticsearch or OpenSearch, one document a case."""

    index: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,200}$")] = "casemate-cases"


@dataclass(frozen=True, slots=True, kw_only=True)
class MispSettings(Outgoing):
    """A MISP instance, by the automation key of one of its users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxiiPushSettings(Outgoing):
    """A TAXII 2.1 collection; the address of the server is that of the API root."""

    collection: Collection


@dataclass(frozen=True, slots=True, kw_only=True)
class TheHiveSettings(Outgoing):
    """A TheHive 5; `source` is what its alerts are said to come from, `organisation` where a user has several.

    `gives` says whether the alert waits for people there (`alert`), or becomes a case there at once (`case`).
    """

    organisation: Annotated[str, Field(pattern=r"^[ -~]{0,100}$")] = ""
    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,60}$")] = "casemate"
    gives: Literal["alert", "case"] = "alert"


@dataclass(frozen=True, slots=True)
class Connectors:
    """Every connector of the file, in its order."""

    file: Path
    incoming: tuple[Incoming, ...]
    outgoing: tuple[Outgoing, ...] = ()


INCOMING: Mapping[str, type[Incoming]] = {
    "folder": FolderSettings,
    "wazuh": WazuhSettings,
    "suricata": SuricataSettings,
    "syslog": SyslogSettings,
    "elastic": ElasticSettings,
    "opensearch": OpenSearchSettings,
    "wazuh-indexer": WazuhIndexerSettings,
    "taxii": TaxiiSettings,
}
"""Kind -> its settings, for tables `[in.NAME]`."""

OUTGOING: Mapping[str, type[Outgoing]] = {
    "webhook": WebhookSettings,
    "elastic": ElasticPushSettings,
    "misp": MispSettings,
    "taxii": TaxiiPushSettings,
    "thehive": TheHiveSettings,
}
"""Kind -> its settings, for tables `[out.NAME]`."""


def load_connectors(file: Path) -> Connectors:
    """Read `connectors.toml`; `WrongUsage` names the file, the place and the way out."""
    try:
        raw = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise WrongUsage(f"no connectors yet: there is no {file}", way_out=f"write one, {SEE}") from error
    except OSError as error:
        raise WrongUsage(
            f"connectors {file}: {error.strerror}", way_out="name the file with --connectors or $CASEMATE_CONNECTORS"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUsage(f"connectors {file}: not TOML: {error}", way_out="mend the line it names") from error
    for name in raw:
        if name not in {"in", "out"}:
            raise WrongUsage(f"connectors {file}: {name[:80]!r}: no such table", way_out=SEE)
    incoming = tuple(_read_all(file, raw, "in", INCOMING))
    outgoing = tuple(_read_all(file, raw, "out", OUTGOING))
    names = [*(one.name for one in incoming), *(one.name for one in outgoing)]
    for name in names:
        if names.count(name) > 1:
            raise WrongUsage(f"connectors {file}: in.{name} and out.{name} share a name", way_out="name one otherwise")
    return Connectors(file, incoming, outgoing)


def _read_all(file: Path, raw: Mapping[str, Any], table: str, kinds: Mapping[str, type[T]]) -> list[T]:
    found = raw.get(table, {})
    if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
        raise WrongUsage(f"connectors {file}: {table}: not tables", way_out=f"write [{table}.NAME]")
    return [_read(file, f"{table}.{name}", name, entry, kinds) for name, entry in found.items()]


def _rooted(folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Let relative paths begin at the folder of the settings, wherever the program is started."""
    rooted: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, dict):
            rooted[key] = _rooted(folder, value)
        elif isinstance(value, str) and value and (key == "path" or key.endswith("_file")):
            rooted[key] = str(folder / value)
        elif key == "rotated" and isinstance(value, list):
            rooted[key] = [str(folder / one) if isinstance(one, str) else one for one in value]
        else:
            rooted[key] = value
    return rooted


def _read(file: Path, place: str, name: str, entry: Mapping[str, Any], kinds: Mapping[str, type[T]]) -> T:
    kind = str(entry.get("kind", ""))
    if not NAME.fullmatch(name):
        raise WrongUsage(
            f"connectors {file}: {place[:80]!r}: not a name", way_out="use up to 40 of a-z, 0-9 and -, no - in front"
        )
    if kind not in kinds:
        raise WrongUsage(f"connectors {file}: {place}.kind: {kind[:80]!r}", way_out=f"choose one of {', '.join(kinds)}")
    given = _rooted(file.parent.absolute(), {key: value for key, value in entry.items() if key != "kind"})
    if "name" in given:
        raise WrongUsage(f"connectors {file}: {place}.name: no such setting", way_out=f"the name stands in [{place}]")
    try:
        return TypeAdapter(kinds[kind]).validate_python({**given, "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([place, *(str(part) for part in first["loc"])])
        raise WrongUsage(f"connectors {file}: {where}: {first['msg']}", way_out=SEE) from error
