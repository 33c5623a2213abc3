"""The case as a MISP event (MISP core format), unpublished, for the reader's own organisation."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from casemate.core.assessment import Disposition
from casemate.core.case import Case, State
from casemate.core.digest import canonical_json
from casemate.core.finding import Finding
from casemate.core.observable import Observable
from casemate.core.plain import plain
from casemate.core.text import Texts
from casemate.stages.export.markdown import render_markdown
from casemate.stages.export.seen import Seen, times_seen
from casemate.stages.export.view import kept, name_of, public_id, review_word

if TYPE_CHECKING:
    from pymisp import MISPEvent

_NAMESPACE = UUID("6f0c3f0e-6b0f-4a51-9d54-0f6f2f6d8a11")
_THREAT_LEVELS = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4}  # priority -> high 1, medium 2, low 3, undefined 4
_ANALYSIS = {State.DRAFT: 0, State.IN_REVIEW: 1, State.AWAITING: 1, State.CLOSED: 2}  # initial, ongoing, complete
_OWN_ORGANISATION = 0

_TYPES = {
    "ipv6-addr": "ip-dst",
    "ipv4-addr": "ip-dst",
    "domain-name": "domain",
    "url": "url",
    "email-addr": "email",
    "mac-addr": "mac-address",
    "autonomous-system": "AS",
    "windows-registry-key": "regkey",
    "mutex": "mutex",
    "file-path": "filename",
    "user-agent": "user-agent",
    "weakness": "weakness",
}
_HASHES = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-512": "sha512",
    "SSDEEP": "ssdeep",
    "TLSH": "tlsh",
    "IMPHASH": "imphash",
}
# MISP galaxies (misp-galaxy): the cluster names of ATT&CK end in the id.
_GALAXIES = {
    "technique": "mitre-attack-pattern",
    "actor": "mitre-intrusion-set",
    "malware": "mitre-malware",
    "tool": "mitre-tool",
}


def render_misp(case: Case, texts: Texts) -> bytes:
    """Write the event as `{"Event": ...}`; the same case gives the same bytes.

    `to_ids` is set only where a person closed the case as a true positive and no warning list knows the value. The
    whole case goes along as an event report in Markdown.
    """
    from pymisp import MISPEvent

    event = MISPEvent()
    stamp = int(_changed(case).timestamp())
    event.uuid = _uuid(case, "event")
    event.info = f"{'' if case.reviewed else 'UNREVIEWED DRAFT: '}{plain(case.title) or plain(case.id) or 'case'}"
    event.date = case.created.date()
    event.timestamp = stamp
    event.published = False
    event.distribution = _OWN_ORGANISATION
    event.analysis = _ANALYSIS[case.state]
    event.threat_level_id = _THREAT_LEVELS.get(case.assessment.proposal.priority, 4)
    for tag in dict.fromkeys(_tags(case)):
        event.add_tag(name=tag)
    _add_attributes(event, case, stamp)
    event.add_event_report(
        name=f"{'' if case.reviewed else 'UNREVIEWED '}{case.marking.label} case {plain(case.id)}",
        content=render_markdown(case, texts).decode("utf-8"),
        uuid=_uuid(case, "report"),
        timestamp=stamp,
        distribution=_OWN_ORGANISATION,
    )
    plain_event = json.loads(event.to_json())
    return json.dumps({"Event": plain_event}, indent=2, sort_keys=True).encode("ascii") + b"\n"


def _uuid(case: Case, *key: str) -> str:
    return str(uuid5(_NAMESPACE, canonical_json([case.id, "misp", *key]).decode("utf-8", "replace")))


def _changed(case: Case) -> datetime:
    return max([case.created, *(review.time for review in case.reviews)])


def _tags(case: Case) -> Iterable[str]:
    yield f"tlp:{case.marking.value}"
    yield f'casemate:review="{review_word(case)}"'
    yield f'workflow:state="{"complete" if case.reviewed else "draft"}"'
    yield f'casemate:{"disposition" if case.reviewed else "proposed-disposition"}="{case.disposition.value}"'
    for finding in kept(case):
        tag = _galaxy_tag(case, finding)
        if tag:
            yield tag


def _galaxy_tag(case: Case, finding: Finding) -> str:
    """Name the galaxy cluster of a finding with an ATT&CK id; the knowledge's own title where the case carries it."""
    galaxy = _GALAXIES.get(finding.kind)
    id_ = public_id(finding)
    if galaxy is None or not id_ or finding.candidates:
        return ""
    title = next((passage.title for passage in case.passages if passage.id == id_), "")
    name = (title.removeprefix(id_).strip(" :") or name_of(finding)).rpartition(": ")[2]
    cluster = f"{plain(name)} - {id_}" if name else id_
    quoted = cluster.replace('"', "'")
    return f'misp-galaxy:{galaxy}="{quoted}"'


def _add_attributes(event: "MISPEvent", case: Case, stamp: int) -> None:
    trusted = case.reviewed and case.disposition is Disposition.TRUE_POSITIVE
    origins = {value for entry in case.timeline for name, value in entry.event.fields if name == "src_endpoint.ip"}
    times = times_seen(case)
    held: set[tuple[str, str]] = set()
    for seen in case.observables:
        type_ = _type_of(seen, origins)
        value = plain(seen.value).strip()
        if type_ in {"text", "other"}:
            value = plain(f"{seen.type}: {seen.value}")
        if not value or (type_, value) in held:
            continue
        held.add((type_, value))
        _add(event, case, seen, type_, value, times(seen), stamp, trusted=trusted)


def _add(
    event: "MISPEvent", case: Case, seen: Observable, type_: str, value: str, when: Seen, stamp: int, *, trusted: bool
) -> None:
    from pymisp import MISPAttribute

    attribute = MISPAttribute()
    known = attribute.describe_types["sane_defaults"][type_]
    comment = [f"seen {seen.count} times"]
    if not case.reviewed:
        comment.insert(0, "unreviewed")
    if seen.flags:
        comment.append(f"flags: {plain(', '.join(seen.flags))}")
    if seen.layers:
        comment.append(f"inside {plain(' > '.join(seen.layers))}")
    attribute.from_dict(
        type=type_,
        value=value,
        category=known["default_category"],
        to_ids=bool(known["to_ids"]) and trusted and not seen.flags,
        uuid=_uuid(case, "attribute", type_, value),
        timestamp=stamp,
        comment="; ".join(comment),
        distribution=5,  # as the event
        first_seen=when.first,
        last_seen=when.last,
    )
    event.attributes.append(attribute)


def _type_of(seen: Observable, origins: set[str]) -> str:
    if seen.type == "file":
        return _HASHES.get(seen.hash, "text")
    if seen.type == "vulnerability":
        return "vulnerability" if seen.value.startswith("CVE-") else "text"
    if seen.type == "cryptocurrency-wallet":
        return (
            "btc"
            if seen.value.startswith(("1", "3", "bc1"))
            else "xmr"
            if seen.value.startswith(("4", "8"))
            else "text"
        )
    if seen.type == "tls-fingerprint":
        return "ja3-fingerprint-md5" if len(seen.value) == 32 else "text"
    if seen.type in {"ipv4-addr", "ipv6-addr"} and seen.value in origins:
        return "ip-src"
    return _TYPES.get(seen.type, "text")
