"""Windows events as JSON: `Event.System`, Winlogbeat's `winlog`, and flat with `EventID` and `Channel`.

Source of the names: Microsoft's event schema and its documentation of each event's data; Sysmon's manual.
"""

from casemate.stages.ingest.record import Record
from casemate.stages.ingest.times import time_of
from casemate.stages.ingest.values import (
    Wanted,
    describe,
    fields_from,
    number_of,
    summary_of,
    techniques_in,
    text_at,
    text_of,
    texts_at,
    value_at,
)
from casemate.stages.ingest.windows_names import event_name, is_detection

FIELDS: Wanted = (
    ("src_endpoint.ip", ("IpAddress", "SourceIp", "SourceAddress", "ClientAddress", "ClientIP", "Address")),
    ("src_endpoint.port", ("IpPort", "SourcePort", "ClientPort")),
    ("src_endpoint.hostname", ("WorkstationName", "Workstation", "SourceHostname", "ClientName")),
    ("dst_endpoint.ip", ("DestinationIp", "DestAddress", "DestinationAddress")),
    ("dst_endpoint.port", ("DestinationPort", "DestPort")),
    ("dst_endpoint.hostname", ("DestinationHostname", "TargetServerName")),
    ("actor.user.name", ("SubjectUserName", "User", "SourceUser", "AccountName", "UserID")),
    ("user.name", ("TargetUserName", "TargetUser", "MemberName", "SamAccountName")),
    ("process.name", ("NewProcessName", "Image", "SourceImage", "ProcessName", "Application", "HostApplication")),
    ("process.pid", ("NewProcessId", "ProcessId", "SourceProcessId", "ProcessID")),
    (
        "process.cmd_line",
        ("CommandLine", "ProcessCommandLine", "ScriptBlockText", "ImagePath", "ServiceFileName", "Payload"),
    ),
    ("parent_process.cmd_line", ("ParentCommandLine",)),
    (
        "file.path",
        (
            "TargetFilename",
            "ImageLoaded",
            "TargetObject",
            "TargetImage",
            "PipeName",
            "RelativeTargetName",
            "ShareName",
            "ObjectName",
            "TaskName",
            "Path",
            "KeyFilePath",
        ),
    ),
    ("file.hash", ("Hashes", "Hash", "FileHash")),
    ("query.hostname", ("QueryName",)),
    ("status", ("Status", "QueryStatus", "FailureCode", "ErrorCode")),
)
_LEVELS = {1: 4, 2: 3, 3: 2, 0: 1, 4: 1, 5: 1}
_WORDS = {"critical": 4, "error": 3, "warning": 2, "information": 1, "info": 1, "verbose": 1, "log always": 1}
_DETECTED = 4
_SERVICE_INSTALLED = frozenset((4697, 7045))
_AUDIT_FAILURE, _AUDIT_SUCCESS = 0x10000000000000, 0x20000000000000
_OUTCOMES = {4624: "Success", 4625: "Failure", 4771: "Failure"}
_MAX_ITEMS = 500


def matches(record: dict[str, object]) -> bool:
    """Tell whether a JSON object is a Windows event in one of the three forms."""
    if isinstance(value_at(record, "Event.System"), dict):
        return True
    if isinstance(record.get("winlog"), dict) or "winlog.event_id" in record:
        return True
    if _number(record.get("EventID")) is None and _number(record.get("EventId")) is None:
        return False
    return any(key in record for key in ("Channel", "SourceName", "ProviderName", "Provider", "ProviderGuid"))


def severity_of(level: object) -> int:
    """Map an event's level to an OCSF severity: critical 4, error 3, warning 2, the rest 1; 0 when it has none.

    The level speaks of the health of the machine, not of an attack; so it never gives 5.
    """
    number = number_of(level)
    if number is not None:
        return _LEVELS.get(number, 0)
    return _WORDS.get(level.lower(), 0) if isinstance(level, str) else 0


def outcome_of(number: int, keywords: object, status: str) -> str:
    """Tell whether an audited action was a `Success` or a `Failure`, empty when the event does not say.

    The bits are those of the audit keywords (`winmeta.h`): 0x20000000000000 success, 0x10000000000000 failure. Events
    that lost their keywords are told by their id; 4776 has a status of 0 for a success.
    """
    word = text_of(keywords).lower().replace("_", " ")
    bits = number_of(keywords)
    if bits is None and word.startswith("0x") and len(word) <= 18:
        bits = int(word, 16) if all(digit in "0123456789abcdef" for digit in word[2:] or "x") else None
    if "failure" in word or (bits is not None and bits & _AUDIT_FAILURE):
        return "Failure"
    if "success" in word or (bits is not None and bits & _AUDIT_SUCCESS):
        return "Success"
    if number in _OUTCOMES:
        return _OUTCOMES[number]
    if number == 4776 and status:
        return "Success" if status.lower() in ("0x0", "0") else "Failure"
    return ""


def parse_record(record: dict[str, object]) -> Record:
    """Read one event of any of the three forms."""
    system = value_at(record, "Event.System")
    if isinstance(system, dict):
        return _parse_system(record, system)
    if isinstance(record.get("winlog"), dict) or "winlog.event_id" in record:
        return _parse_winlog(record)
    return _parse_flat(record)


def data_of(event: object) -> dict[str, object]:
    """Flatten the `EventData` or `UserData` of an event to names and values; nested elements keep their last name."""
    found: dict[str, object] = {}
    waiting = [value_at(event, "EventData"), value_at(event, "UserData")]
    while waiting and len(found) < _MAX_ITEMS:
        node = waiting.pop()
        if not isinstance(node, dict):
            continue
        for name, value in node.items():
            if name == "Data" and isinstance(value, dict):
                text = value.get("#text", value)
                found.setdefault("Data", text)
            elif isinstance(value, dict) and name not in ("#attributes", "xmlns"):
                if "#text" in value:
                    found.setdefault(name, value["#text"])
                else:
                    waiting.append(value)
            elif name != "#attributes":
                found.setdefault(name, value)
    return found


def _number(value: object) -> int | None:
    return number_of(value.get("#text")) if isinstance(value, dict) else number_of(value)


def _parse_system(record: dict[str, object], system: dict[str, object]) -> Record:
    data = data_of(record.get("Event"))
    return _made(
        number=_number(system.get("EventID")),
        provider=text_at(system, "Provider.#attributes.Name", "Provider_attributes.Name", "Provider.Name", "Provider"),
        channel=text_at(system, "Channel"),
        computer=text_at(system, "Computer"),
        level=value_at(system, "Level"),
        time=value_at(system, "TimeCreated.#attributes.SystemTime")
        or value_at(system, "TimeCreated_attributes.SystemTime")
        or value_at(system, "TimeCreated.SystemTime"),
        data=data,
        message="",
        keywords=system.get("Keywords"),
    )


def _parse_winlog(record: dict[str, object]) -> Record:
    data = value_at(record, "winlog.event_data")
    more = value_at(record, "winlog.user_data")
    merged = dict(more) if isinstance(more, dict) else {}
    merged.update(data if isinstance(data, dict) else {})
    return _made(
        number=_number(value_at(record, "winlog.event_id")) or number_of(value_at(record, "event.code")),
        provider=text_at(record, "winlog.provider_name", "event.provider"),
        channel=text_at(record, "winlog.channel"),
        computer=text_at(record, "winlog.computer_name", "host.name", "agent.hostname"),
        level=value_at(record, "log.level"),
        time=record.get("@timestamp"),
        data=merged,
        message=text_at(record, "message"),
        techniques=texts_at(record, "threat.technique.id", "tags"),
        keywords=value_at(record, "winlog.keywords") or value_at(record, "event.outcome"),
    )


def _parse_flat(record: dict[str, object]) -> Record:
    nested = record.get("EventData")
    data = {**record, **nested} if isinstance(nested, dict) else record
    number = _number(record.get("EventID"))
    return _made(
        number=number if number is not None else _number(record.get("EventId")),
        provider=text_at(record, "SourceName", "ProviderName", "Provider.Name", "Provider"),
        channel=text_at(record, "Channel"),
        computer=text_at(record, "Hostname", "Computer", "ComputerName", "MachineName", "host.name", "host"),
        level=record.get("Level", record.get("Severity")),
        time=_flat_time(record),
        data=data,
        message=text_at(record, "Message", "message"),
        keywords=record.get("EventType", record.get("Keywords")),
    )


def _flat_time(record: dict[str, object]) -> object:
    # `EventTime` of NXLog is local time without a zone, so it is asked last.
    names = ("TimeCreated", "UtcTime", "@timestamp", "SystemTime", "EventTime")
    return next((record[name] for name in names if time_of(record.get(name)) is not None), None)


def _made(
    *,
    number: int | None,
    provider: str,
    channel: str,
    computer: str,
    level: object,
    time: object,
    data: dict[str, object],
    message: str,
    techniques: tuple[str, ...] = (),
    keywords: object = None,
) -> Record:
    known = number if number is not None else -1
    name = event_name(provider, channel, known)
    fields = list(fields_from(data, FIELDS))
    if known in (4624, 4625) and "LogonType" in data:
        name = f"{name} (type {text_at(data, 'LogonType')})" if text_at(data, "LogonType") else name
    fields = [pair for pair in fields if not (pair[0] == "actor.user.name" and pair[1].startswith("S-1-"))]
    outcome = outcome_of(known, keywords, text_at(data, "Status"))
    if outcome:
        fields = [*(pair for pair in fields if pair[0] != "status"), ("status", outcome)]
    if computer:
        fields.insert(0, ("device.hostname", computer))
    service = text_at(data, "ServiceName") if known in _SERVICE_INSTALLED else ""
    if service:  # the account is the one that the service will run as, not who installed it
        fields = [pair for pair in fields if not (pair[0] == "actor.user.name" and pair[1] == data.get("AccountName"))]
    if service or provider or channel:
        fields.append(("app_name", service or provider or channel))
    detected = is_detection(provider, channel, known)
    return Record(
        kind="windows-event",
        time=time_of(time),
        rule=summary_of(f"{'' if number is None else number} {name}"),
        message=summary_of(message) or describe(fields),
        severity=_DETECTED if detected else severity_of(level),
        is_alert=detected,
        techniques=techniques_in((*texts_at(data, "RuleName"), *techniques)),
        fields=tuple(fields),
    )
