"""Records of no known format (any CSV, any JSON): attributes guessed from the names of their columns."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice

from casemate.stages.ingest.record import Record
from casemate.stages.ingest.times import time_of
from casemate.stages.ingest.values import describe, summary_of, techniques_in, text_of

_TIMES = (
    "timestamp",
    "time",
    "datetime",
    "eventtime",
    "starttime",
    "ts",
    "date",
    "timegenerated",
    "createdat",
    "occurred",
    "generatedtime",
    "logtime",
    "timecreated",
    "utctime",
)
_NAMES: dict[str, tuple[str, ...]] = {
    "device.hostname": (
        "hostname",
        "host",
        "computer",
        "computername",
        "device",
        "devicename",
        "machine",
        "agentname",
        "endpoint",
    ),
    "device.ip": ("ip", "hostip", "deviceip", "agentip"),
    "src_endpoint.ip": (
        "srcip",
        "sourceip",
        "src",
        "clientip",
        "remoteip",
        "sourceaddress",
        "srcaddr",
        "attackerip",
        "ipaddress",
        "remoteaddr",
        "clientaddress",
        "callersip",
    ),
    "src_endpoint.port": ("srcport", "sourceport", "spt", "clientport"),
    "src_endpoint.hostname": ("srchost", "sourcehost", "sourcehostname", "shost"),
    "dst_endpoint.ip": (
        "dstip",
        "destip",
        "destinationip",
        "dst",
        "dest",
        "serverip",
        "destinationaddress",
        "dstaddr",
        "targetip",
    ),
    "dst_endpoint.port": ("dstport", "destport", "destinationport", "dpt", "serverport"),
    "dst_endpoint.hostname": ("dsthost", "desthost", "destinationhost", "destinationhostname", "dhost", "servername"),
    "actor.user.name": ("subjectusername", "srcuser", "sourceuser", "initiatinguser", "actor"),
    "user.name": (
        "user",
        "username",
        "account",
        "accountname",
        "targetusername",
        "userprincipalname",
        "dstuser",
        "login",
    ),
    "process.name": (
        "process",
        "processname",
        "image",
        "exe",
        "filename",
        "newprocessname",
        "initiatingprocessfilename",
    ),
    "process.pid": ("pid", "processid"),
    "process.cmd_line": ("commandline", "cmdline", "processcommandline", "command"),
    "parent_process.cmd_line": ("parentcommandline", "parentcmdline", "initiatingprocesscommandline"),
    "file.path": ("path", "filepath", "targetfilename", "folderpath", "file"),
    "file.hash": ("sha256", "sha1", "md5", "hash", "filehash", "hashes"),
    "http_request.url": ("url", "uri", "requesturl", "requesturi", "csuristem", "remoteurl"),
    "http_request.method": ("method", "httpmethod", "requestmethod", "csmethod"),
    "http_request.user_agent": ("useragent", "httpuseragent", "csuseragent"),
    "http_response.code": ("statuscode", "httpstatus", "scstatus", "responsecode"),
    "query.hostname": ("query", "queryname", "dnsquery", "rrname", "domain"),
    "email.subject": ("subject", "emailsubject"),
    "email.from": ("from", "sender", "senderfromaddress", "mailfrom"),
    "email.to": ("to", "recipient", "recipientemailaddress", "rcptto"),
    "api.operation": ("operation", "eventname", "action", "actiontype", "activity"),
    "status": ("status", "result", "outcome", "resulttype"),
    "app_name": ("app", "application", "program", "service", "appname", "product", "sourcetype", "logger"),
}
_BY_NAME = {synonym: attribute for attribute, synonyms in _NAMES.items() for synonym in synonyms}
_RULES = (
    "rulename",
    "signature",
    "alertname",
    "alert",
    "detection",
    "detectionname",
    "threatname",
    "ruletitle",
    "alerttitle",
    "title",
)
_EVENTS = ("eventid", "eventtype", "event", "name", "category", "type")
_MESSAGES = ("message", "msg", "description", "details", "content", "log", "raw", "notes", "text", "body")
_SEVERITIES = ("severity", "level", "priority", "risk", "severityid", "loglevel", "threatlevel")
_TECHNIQUES = (
    "technique",
    "techniqueid",
    "techniques",
    "mitre",
    "mitretechnique",
    "mitreattack",
    "attacktechniques",
    "attack",
    "tags",
)
_WORDS = {
    "informational": 1,
    "information": 1,
    "info": 1,
    "notice": 1,
    "debug": 1,
    "trace": 1,
    "low": 2,
    "warning": 2,
    "warn": 2,
    "medium": 3,
    "moderate": 3,
    "error": 3,
    "high": 4,
    "critical": 5,
    "fatal": 5,
}
_SPLIT = re.compile(r"[^a-z0-9]+")
_MAX_NAMES = 500
_NOTHING = frozenset(("", "-", "null", "None", "N/A"))
_INDICATORS = frozenset(("ioc", "indicator", "indicators", "value", "indicatorvalue", "pattern"))
_KNOWN = frozenset((*_BY_NAME, *_TIMES, *_RULES, *_EVENTS, *_MESSAGES, *_SEVERITIES, *_TECHNIQUES, *_INDICATORS))


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """Reduce a column's name to lower-case letters and digits (`Source IP` and `source_ip` are one)."""
    return _SPLIT.sub("", name[:64].lower())


def is_known(name: str) -> bool:
    """Tell whether a column of this name means something to us."""
    return plain_name(name) in _KNOWN


def severity_of(word: str) -> int:
    """Map a word of the usual scales to an OCSF severity, 0 for anything else; numbers mean too many things."""
    return _WORDS.get(word.strip().lower(), 0)


def parse_columns(record: Mapping[str, object], kind: str) -> Record | None:
    """Read a record by the names of its columns, one level of nesting opened; None when nothing seems to have happened.

    Something happened where a time stands beside anything we know, where two attributes are filled, or where a rule is
    named. A list of indicators is no log. It is an alert when it names a rule or signature *and* a severity.
    """
    named = _open(record)
    fields = tuple(dict.fromkeys((_BY_NAME[name], text) for name, text in named.items() if name in _BY_NAME))
    time = next((found for name in _TIMES if name in named and (found := time_of(named[name])) is not None), None)
    rule = _first(named, _RULES)
    message = _first(named, _MESSAGES)
    event = _first(named, _EVENTS)
    said = bool(fields or rule or message or event)
    if not said or (time is None and len(fields) < 2 and not rule) or (time is None and _INDICATORS & named.keys()):
        return None
    level = _first(named, _SEVERITIES)
    return Record(
        kind=kind,
        time=time,
        rule=summary_of(rule or event or kind),
        message=summary_of(message) or describe(fields),
        severity=severity_of(level),
        is_alert=bool(rule and level),
        techniques=techniques_in(_techniques(record)),
        fields=fields,
    )


def _open(record: Mapping[str, object]) -> dict[str, str]:
    """Give the texts under the names we know, one level of nesting opened."""
    named: dict[str, str] = {}
    for name, value in islice(record.items(), _MAX_NAMES):
        if isinstance(value, dict):
            for inner, deeper in islice(value.items(), _MAX_NAMES):
                _keep(named, plain_name(f"{name[:64]}{inner[:64]}"), deeper)
        else:
            _keep(named, plain_name(name), value)
    return named


def _keep(named: dict[str, str], name: str, value: object) -> None:
    if name in _KNOWN and name not in named and not isinstance(value, dict):
        text = text_of(value).strip()
        if text not in _NOTHING:
            named[name] = text


def _techniques(record: Mapping[str, object]) -> Iterator[str]:
    for name, value in islice(record.items(), _MAX_NAMES):
        if plain_name(name) in _TECHNIQUES:
            yield from (text_of(item) for item in (value if isinstance(value, list) else [value]))


def _first(named: Mapping[str, str], names: tuple[str, ...]) -> str:
    """Return the first text that says more than a number, else the first number."""
    number = ""
    for name in names:
        text = named.get(name, "")
        if text and not text.isdigit():
            return text
        number = number or text
    return number
