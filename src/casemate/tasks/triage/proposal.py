"""The proposed disposition with its reasons, and the questions to ask next; rules a person can read, no model.

A machine only proposes. Text inside evidence and what a language model says have no part in it: injections and model
sentences are never read here.
"""

from collections.abc import Mapping, Sequence

from casemate.core.assessment import Disposition, Proposal
from casemate.core.case import TimelineEntry
from casemate.core.finding import Finding
from casemate.core.observable import Observable

QUESTIONS = 6
"""The most questions asked at once."""

HARMLESS = frozenset({"own", "private", "loopback", "link-local", "multicast", "reserved", "documentation"})
"""Flags that say an address is nobody else's; a warning list (a VPN provider, say) only says that it is known."""

_NAMED = 4  # addresses or accounts that one question names
_STRONG = 4  # OCSF severity_id `High`


def propose(
    findings: Sequence[Finding], timeline: Sequence[TimelineEntry], observables: Sequence[Observable]
) -> Proposal:
    """Propose a disposition and a priority (1 look now .. 5 no hurry), each reason in words.

    true-positive: a log-on succeeded after guessing, or two independent kinds of strong evidence agree.
    benign-positive: detections of low severity only, and every address and domain is the reader's own or nobody's.
    Everything else is undetermined, which is the honest answer for most evidence.
    """
    acts = [finding for finding in findings if finding.kind in {"pattern", "detection", "payload"}]
    strong = [finding for finding in acts if finding.severity >= _STRONG]
    kinds = {finding.kind for finding in strong}
    won = [finding for finding in strong if finding.reference.startswith("guessing-succeeded")]
    if won:
        return Proposal(Disposition.TRUE_POSITIVE, (f"{won[0].title}: {won[0].detail}",), 1)
    if len(kinds) >= 2:
        reasons = tuple(f"{finding.kind}: {finding.title}" for finding in strong[:4])
        return Proposal(Disposition.TRUE_POSITIVE, ("independent kinds of strong evidence agree", *reasons), 1)
    if not acts:
        return _nothing_happened(findings, timeline)
    if all(finding.kind == "detection" and finding.severity <= 2 for finding in acts) and _all_known(observables):
        reason = "low-severity detections only, and every address and domain is your own, private or reserved"
        return Proposal(Disposition.BENIGN_POSITIVE, (reason,), 4)
    if strong:
        reasons = tuple(f"{finding.kind}: {finding.title}" for finding in strong[:4])
        return Proposal(Disposition.UNDETERMINED, ("strong evidence of one kind only", *reasons), 2)
    worst = max(finding.severity for finding in acts)
    reasons = tuple(f"{finding.kind}: {finding.title}" for finding in acts[:3])
    return Proposal(Disposition.UNDETERMINED, ("nothing here decides it", *reasons), 3 if worst >= 3 else 4)


def _nothing_happened(findings: Sequence[Finding], timeline: Sequence[TimelineEntry]) -> Proposal:
    if not timeline:
        exploited = any(finding.kind == "vulnerability" and finding.severity >= _STRONG for finding in findings)
        reasons = ["the evidence tells of activity but holds no record of it on your systems"]
        if exploited:
            reasons.append("it names a vulnerability that is known to be exploited")
        return Proposal(Disposition.UNDETERMINED, tuple(reasons), 3 if exploited else 4)
    return Proposal(Disposition.UNDETERMINED, ("no detection, pattern or payload was found in the records",), 5)


def _all_known(observables: Sequence[Observable]) -> bool:
    network = [item for item in observables if item.type in {"ipv4-addr", "ipv6-addr", "domain-name", "url"}]
    return bool(network) and all(HARMLESS.intersection(item.flags) for item in network)


def ask_next(findings: Sequence[Finding], observables: Sequence[Observable]) -> tuple[str, ...]:
    """Ask what a careful analyst would ask next of the data at hand; most urgent first, and of many the same once."""
    entities: dict[str, list[str]] = {}
    for finding in findings:
        if finding.kind == "pattern":
            behaviour, _, entity = finding.reference.partition(":")
            entities.setdefault(behaviour, []).append(entity)
    questions: list[str] = []
    for finding in findings:
        question = _question(finding, entities)
        if question and question not in questions:
            questions.append(question)
    unknown = [item.value for item in observables if item.type in {"ipv4-addr", "domain-name"} and not item.flags]
    if unknown:
        questions.append(f"Do proxy, DNS and firewall logs show other hosts that talked to {_any_of(unknown)}?")
    return tuple(questions[:QUESTIONS])


def _any_of(names: Sequence[str]) -> str:
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} or {len(names) - _NAMED} more"
    return " or ".join(one for one in (", ".join(names[:-1]), names[-1]) if one)


def _question(finding: Finding, entities: Mapping[str, Sequence[str]]) -> str:
    if finding.kind == "pattern":
        behaviour = finding.reference.partition(":")[0]
        return _PATTERN_QUESTIONS.get(behaviour, "").format(entity=_any_of(entities[behaviour]))
    if finding.candidates:
        return f"Which is meant? {finding.detail.partition(';')[0]}."
    if finding.kind == "payload":
        return (
            "Did the decoded payload run, on which host, and what did it start (process creation, script block logs)?"
        )
    if finding.kind == "vulnerability" and finding.severity >= _STRONG:
        return f"Is a product affected by {finding.reference} in use here, reachable, and unpatched?"
    if finding.kind == "injection":
        return "Who could write the field that carries text for a language model, and why did they?"
    return ""


_PATTERN_QUESTIONS = {
    "guessing-succeeded": "What did the session that {entity} opened do, and is the account's owner aware of it?",
    "password-guessing": "Did any log-on from {entity} succeed on other hosts?",
    "web-scan": "Which requests by {entity} were answered with success, and what did they reach?",
    "exploit-attempt": "Did any of the requests by {entity} succeed, and is the software that they aim at in use here?",
    "log-cleared": "What happened on the host before {entity} cleared its log, and is a forwarded copy kept?",
    "service-installed": "Who installed the service, and is its binary known?",
    "task-created": "Who created the scheduled task, and what does it start?",
    "account-created": "Was the new account asked for?",
    "group-changed": "Was the group change asked for?",
    "lsass-access": "Which credentials were in memory on that host, and have they been used since?",
    "remote-thread": "Which process started the thread, and is it known to do so?",
}
