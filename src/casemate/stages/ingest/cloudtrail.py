"""AWS CloudTrail records: who called which operation of which service, from where.

Source of the names: the CloudTrail user guide, "CloudTrail record contents". The format has no severity of its own.
"""

from casemate.stages.ingest.record import Record
from casemate.stages.ingest.times import time_of
from casemate.stages.ingest.values import Wanted, describe, fields_from, is_address, summary_of, text_at

FIELDS: Wanted = (
    ("src_endpoint.ip", ("sourceIPAddress",)),
    (
        "actor.user.name",
        ("userIdentity.userName", "userIdentity.sessionContext.sessionIssuer.userName", "userIdentity.arn"),
    ),
    ("user.name", ("requestParameters.userName", "requestParameters.roleName", "requestParameters.roleArn")),
    ("file.path", ("requestParameters.key",)),
    ("http_request.user_agent", ("userAgent",)),
    ("dst_endpoint.hostname", ("requestParameters.Host", "tlsDetails.clientProvidedHostHeader")),
    ("api.operation", ("eventName",)),
    ("app_name", ("eventSource",)),
)
_INFORMATIONAL = 1


def matches(record: dict[str, object]) -> bool:
    """Tell whether a JSON object is a CloudTrail record: an event's name, source and version or identity."""
    named = isinstance(record.get("eventName"), str) and isinstance(record.get("eventSource"), str)
    return named and any(key in record for key in ("userIdentity", "eventVersion", "awsRegion"))


def parse_record(record: dict[str, object]) -> Record:
    """Read one API call; `status` is the error code, else `Success`."""
    fields = list(fields_from(record, FIELDS))
    source = text_at(record, "sourceIPAddress")
    if source and not is_address(source):
        # A call by a service has the service's name there.
        fields = [pair for pair in fields if pair[0] != "src_endpoint.ip"]
        fields.append(("src_endpoint.hostname", source))
    error = text_at(record, "errorCode") or text_at(record, "responseElements.ConsoleLogin")
    fields.append(("status", error or "Success"))
    said = text_at(record, "errorMessage")
    told = describe(fields)
    return Record(
        kind="cloudtrail",
        time=time_of(record.get("eventTime")),
        rule=summary_of(f"{text_at(record, 'eventSource')} {text_at(record, 'eventName')}"),
        message=summary_of(f"{said}: {told}") if said else told,
        severity=_INFORMATIONAL,
        fields=tuple(fields),
    )
