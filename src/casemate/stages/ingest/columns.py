"""Records of no known format (any CSV, any JSON): attributes guessed from the names of their columns."""

import re
from collections.abc import Mapping

from casemate.stages.ingest.record import Record
from casemate.stages.ingest.times import time_of
from casemate.stages.ingest.values import describe, number_of, summary_of, techniques_in, text_of

_TIMES = ("timestamp", "time", "datetime", "eventtime", "starttime", "ts", "date", "timegenerated", "createdat", "created",
          "firstseen", "validfrom", "occurred", "generatedtime", "logtime", "timecreated", "utctime")  # fmt: skip
_NAMES: dict[str, tuple[str, ...]] = {
    "device.hostname": ("hostname", "host", "computer", "computername", "device", "devicename", "machine", "agentname", "endpoint"),
    "device.ip": ("ip", "hostip", "deviceip", "agentip"),
    "src_endpoint.ip": ("srcip", "sourceip", "src", "clientip", "remoteip", "sourceaddress", "srcaddr", "attackerip", "ipaddress",
                        "remoteaddr", "clientaddress", "callersip"),
    "src_endpoint.port": ("srcport", "sourceport", "spt", "clientport"),
    "src_endpoint.hostname": ("srchost", "sourcehost", "sourcehostname", "shost"),
    "dst_endpoint.ip": ("dstip", "destip", "destinationip", "dst", "dest", "serverip", "destinationaddress", "dstaddr", "targetip"),
    "dst_endpoint.port": ("dstport", "destport", "destinationport", "dpt", "serverport"),
    "dst_endpoint.hostname": ("dsthost", "desthost", "destinationhost", "destinationhostname", "dhost", "servername"),
    "actor.user.name": ("subjectusername", "srcuser", "sourceuser", "initiatinguser", "actor"),
    "user.name": ("user", "username", "account", "accountname", "targetusername", "userprincipalname", "dstuser", "login"),
    "process.name": ("process", "processname", "image", "exe", "filename", "newprocessname", "initiatingprocessfilename"),
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
}  # fmt: skip
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
_WORDS = {"informational": 1, "information": 1, "info": 1, "notice": 1, "debug": 1, "trace": 1, "low": 2, "warning": 2, "warn": 2,
          "medium": 3, "moderate": 3, "error": 3, "high": 4, "critical": 5, "fatal": 5}  # fmt: skip
_SPLIT = re.compile(r"[^a-z0-9]+")
_MAX_NAMES = 500
_KNOWN = frozenset((*_BY_NAME, *_TIMES, *_RULES, *_EVENTS, *_MESSAGES, *_SEVERITIES, *_TECHNIQUES))


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
    """Read a record by the names of its columns, one level of nesting opened; None when no name means anything.

    It is taken for an alert when it names a rule or signature *and* a severity.
    """
    named = _open(record)
    fields = [(_BY_NAME[name], text) for name, value in named.items() if name in _BY_NAME and (text := _text(value))]
    time = next((found for name in _TIMES if (found := time_of(named.get(name))) is not None), None)
    rule = _first(named, _RULES)
    message = _first(named, _MESSAGES)
    if not fields and time is None and not rule and not message:
        return None
    level = _first(named, _SEVERITIES)
    return Record(
        kind=kind,
        time=time,
        rule=summary_of(rule or _first(named, _EVENTS) or kind),
        message=summary_of(message) or describe(fields),
        severity=severity_of(level),
        is_alert=bool(rule and level),
        techniques=techniques_in(text for name in _TECHNIQUES for text in _texts(named.get(name))),
        fields=tuple(dict.fromkeys(fields)),
    )


def _open(record: Mapping[str, object]) -> dict[str, object]:
    named: dict[str, object] = {}
    for name, value in record.items():
        if len(named) >= _MAX_NAMES:
            break
        if isinstance(value, dict):
            for inner, deeper in value.items():
                if not isinstance(deeper, dict):
                    named.setdefault(plain_name(f"{name}{inner}"), deeper)
        else:
            named.setdefault(plain_name(name), value)
    return named


def _text(value: object) -> str:
    text = text_of(value).strip()
    return "" if text in ("-", "null", "None", "N/A") else text


def _texts(value: object) -> list[str]:
    return [text_of(item) for item in value] if isinstance(value, list) else [text_of(value)]


def _first(named: Mapping[str, object], names: tuple[str, ...]) -> str:
    return next(
        (text for name in names if number_of(value := named.get(name)) is None and (text := _text(value))), ""
    ) or next((text for name in names if (text := _text(named.get(name)))), "")
