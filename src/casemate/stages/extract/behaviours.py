"""Events to behaviours: what only shows when records are counted together, such as password guessing.

These are counts with plain thresholds, no detection engine: the site's own detections stay in charge, and their alerts
come in as events. A behaviour names the ATT&CK technique whose description it fits and cites the records it counted.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from casemate.core.event import Event

GUESSING_FAILURES = 5  # failed log-ons from one source that are more than a forgotten password
SCAN_ERRORS = 20  # distinct paths answered with an error that are more than a broken link
TRACKED_SOURCES = 20_000  # sources counted at a time; later ones are not counted
CITED = 5  # records kept to cite for one behaviour

SCANNERS = (
    "nikto",
    "dirbuster",
    "sqlmap",
    "nmap",
    "dirb",
    "gobuster",
    "ffuf",
    "wfuzz",
    "masscan",
    "zgrab",
    "nuclei",
    "wpscan",
)
"""Names that public scanning programs put into their user agent."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Something counted over many records.

    `kind` is a key of `TITLES`; `entity` who did it; `target` against what; `records` are up to `CITED` of the (part,
    start, end) it was counted over, the first first; `severity` is the OCSF `severity_id`.
    """

    kind: str
    technique: str
    entity: str
    target: str
    count: int
    first: datetime | None
    last: datetime | None
    severity: int
    records: tuple[tuple[int, int, int], ...]


TITLES = {
    "password-guessing": "Password guessing",
    "guessing-succeeded": "Log-on after password guessing",
    "web-scan": "Web content scanning",
    "exploit-attempt": "Attempt to exploit",
    "log-cleared": "Event log cleared",
    "service-installed": "Service installed",
    "task-created": "Scheduled task created",
    "account-created": "Account created",
    "group-changed": "Account added to a privileged group",
    "lsass-access": "Access to the memory of LSASS",
    "remote-thread": "Thread started in another process",
}


@dataclass(slots=True)
class _Count:
    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    names: set[str] = field(default_factory=set)
    records: list[tuple[int, int, int]] = field(default_factory=list)
    success: tuple[int, int, int] | None = None
    success_time: datetime | None = None
    success_name: str = ""
    tool: str = ""

    def add(self, event: Event, name: str) -> bool:
        self.count += 1
        if event.time is not None:
            self.first = min(self.first or event.time, event.time)
            self.last = max(self.last or event.time, event.time)
        if name and len(self.names) < 1000:
            self.names.add(name)
        kept = len(self.records) < CITED
        if kept:
            self.records.append((event.part, event.start, event.end))
        return kept


_SINGLE: dict[str, tuple[str, str, int]] = {
    # Windows event id: (behaviour, technique, severity); ATT&CK names these events in its detection notes
    "1102": ("log-cleared", "T1070.001", 4),
    "104": ("log-cleared", "T1070.001", 4),
    "7045": ("service-installed", "T1543.003", 3),
    "4697": ("service-installed", "T1543.003", 3),
    "4698": ("task-created", "T1053.005", 3),
    "4720": ("account-created", "T1136.001", 3),
    "4728": ("group-changed", "T1098", 3),
    "4732": ("group-changed", "T1098", 3),
    "4756": ("group-changed", "T1098", 3),
}

_LOGON_FAILED = {"4625", "4771", "4776"}


ATTEMPTS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    # what it aims at, its technique, what the request carries; the request line and headers as logged
    (
        "Log4j look-up, CVE-2021-44228",
        "T1190",
        re.compile(r"\$\{(?:jndi:|[^}]{0,40}\$\{(?:lower|upper|::-|env:))", re.IGNORECASE),
    ),
    ("Bash function import, CVE-2014-6271", "T1190", re.compile(r"\(\)\s*\{\s*:?;?\s*\}\s*;")),
    ("path traversal", "T1190", re.compile(r"(?:(?:\.\.|%2e%2e)(?:/|\\|%2f|%5c)){2}", re.IGNORECASE)),
    (
        "SQL injection",
        "T1190",
        re.compile(r"\bunion(?:\s|\+|%20|/\*)+(?:all(?:\s|\+|%20)+)?select\b|'\s*or\s+'?1'?\s*=\s*'?1", re.IGNORECASE),
    ),
    (
        "command injection",
        "T1190",
        re.compile(r"[;|&`]\s*(?:wget|curl|nc|bash|sh)\s|\$\(\s*(?:wget|curl|id|bash)\b", re.IGNORECASE),
    ),
    ("script injection", "T1189", re.compile(r"(?:<|%3c)script\b|\bonerror\s*=", re.IGNORECASE)),
)


class Behaviours:
    """Counts events as they stream by, in bounded memory, and tells at the end which counts mean something."""

    def __init__(self) -> None:
        self._failures: dict[str, dict[str, _Count]] = {}
        self._requests: dict[str, _Count] = {}
        self._single: dict[tuple[str, str, str], _Count] = {}
        self._kept = False

    def see(self, event: Event) -> bool:
        """Count one event; tells whether it may be cited in the end, so that its text is worth keeping."""
        self._kept = False
        watch = _WATCHES.get(event.kind)
        if watch is not None:
            watch(self, event)
        return self._kept

    def see_logon(self, event: Event) -> None:
        """Count a log-on that failed or succeeded."""
        source = event.field("src_endpoint.ip") or event.field("src_endpoint.hostname")
        status = event.field("status")
        if not source or not status:
            return
        user = event.field("user.name") or event.field("actor.user.name")
        counts = self._failures.get(source)
        if status == "Failure":
            if counts is None:
                if len(self._failures) >= TRACKED_SOURCES:
                    return
                counts = self._failures[source] = {}
            self._kept |= counts.setdefault(_family(event.rule), _Count()).add(event, user)
        elif status == "Success" and counts is not None and event.rule.startswith(_LOGGED_ON):
            count = _most(counts)
            if count.count >= GUESSING_FAILURES and count.success is None:
                count.success = (event.part, event.start, event.end)
                count.success_time = event.time
                count.success_name = user
                self._kept = True

    def see_request(self, event: Event) -> None:
        """Count a web request that was answered with an error or came from a scanner."""
        source = event.field("src_endpoint.ip")
        code = event.field("http_response.code")
        if not source:
            return
        agent = event.field("http_request.user_agent").lower()
        self._see_attempt(event, source)
        tool = next((name for name in SCANNERS if name in agent), "")
        if not (tool or code.startswith(("4", "5"))):
            return
        count = self._requests.get(source)
        if count is None:
            if len(self._requests) >= TRACKED_SOURCES:
                return
            count = self._requests[source] = _Count()
        self._kept |= count.add(event, event.field("http_request.url"))
        count.tool = count.tool or tool

    def _see_attempt(self, event: Event, source: str) -> None:
        text = f"{event.field('http_request.url')}\n{event.field('http_request.user_agent')}\n{event.message[:2000]}"
        for aim, technique, pattern in ATTEMPTS:
            if pattern.search(text[:6000]):
                self._count_single(event, ("exploit-attempt", technique, source), 3, aim)

    def _count_single(self, event: Event, key: tuple[str, str, str], severity: int, name: str) -> None:
        count = self._single.get(key)
        if count is None:
            if len(self._single) >= TRACKED_SOURCES:
                return
            count = self._single[key] = _Count(tool=str(severity))
        self._kept |= count.add(event, name)

    def see_windows(self, event: Event) -> None:
        """Count a Windows event: a log-on, or one of the events that matter alone."""
        number = event.rule.split(" ", 1)[0]
        if number in _LOGON_FAILED or number == "4624":
            self.see_logon(event)
        single = _SINGLE.get(number) or _sysmon(event, number)
        if single is None:
            return
        kind, technique, severity = single
        key = (kind, technique, event.field("actor.user.name") or event.field("device.hostname"))
        name = event.field("process.name") or event.field("user.name") or event.field("app_name")
        self._count_single(event, key, severity, name)

    def found(self) -> tuple[Behaviour, ...]:
        """Tell what the counts mean, the most severe first."""
        results = [*self._guessing(), *self._scans()]
        for (kind, technique, entity), count in self._single.items():
            results.append(
                _behaviour(kind, technique, entity, ", ".join(sorted(count.names)[:5]), count, int(count.tool))
            )
        return tuple(sorted(results, key=lambda found: (-found.severity, -found.count, found.kind, found.entity)))

    def _guessing(self) -> list[Behaviour]:
        results = []
        for source, counts in self._failures.items():
            count = _most(counts)
            if count.count < GUESSING_FAILURES:
                continue
            users = f"{len(count.names)} account{'s' if len(count.names) != 1 else ''}" if count.names else ""
            results.append(_behaviour("password-guessing", "T1110.001", source, users, count, 3))
            if count.success is not None:
                won = _Count(count.count, count.first, count.success_time or count.last)
                won.records = [count.success, *count.records[: CITED - 1]]
                results.append(_behaviour("guessing-succeeded", "T1078", source, count.success_name, won, 5))
        return results

    def _scans(self) -> list[Behaviour]:
        results = []
        for source, count in self._requests.items():
            if len(count.names) >= SCAN_ERRORS or count.tool:
                target = f"{len(count.names)} paths" + (f", user agent {count.tool}" if count.tool else "")
                results.append(_behaviour("web-scan", "T1595.003", source, target, count, 2))
        return results


_LOGGED_ON = ("login accepted", "log-on", "4624")


def _family(rule: str) -> str:
    # One failed attempt is told by several programs (sshd, PAM): counted apart, and the largest count is the attempts.
    return "login failed" if rule.startswith("login failed") else rule


def _most(counts: dict[str, _Count]) -> _Count:
    best = max(counts.values(), key=lambda count: (count.count, len(count.names)))
    won = next((count for count in counts.values() if count.success is not None), None)
    return best if won is None else won


def _behaviour(kind: str, technique: str, entity: str, target: str, count: _Count, severity: int) -> Behaviour:
    return Behaviour(
        kind, technique, entity, target, count.count, count.first, count.last, severity, tuple(count.records)
    )


def _sysmon(event: Event, number: str) -> tuple[str, str, int] | None:
    if "sysmon" not in event.field("app_name").lower():
        return None
    if number == "8":
        return ("remote-thread", "T1055", 3)
    if number == "10" and "lsass.exe" in event.message.lower():
        return ("lsass-access", "T1003.001", 4)
    return None


_WATCHES: dict[str, Callable[[Behaviours, Event], None]] = {
    "sshd": Behaviours.see_logon,
    "sudo": Behaviours.see_logon,
    "pam": Behaviours.see_logon,
    "web-access": Behaviours.see_request,
    "windows-event": Behaviours.see_windows,
}
