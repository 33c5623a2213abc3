"""Questions that the structured case answers exactly: which, how many, when first, when last, how often, was it seen.

A question is answered here only if every one of its words is accounted for: by what it asks for, by a value that the
case holds or could hold, or by words that change nothing. One word more, and it is a question for the passages.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from casemate.core.assessment import Sentence
from casemate.core.case import Case
from casemate.core.finding import Citation, Finding
from casemate.core.observable import Observable, Sighting
from casemate.core.text import Span
from casemate.tasks.case_question.inventory import Records, Seen

SHOWN = 30
"""Values that one answer lists; it says how many there are in all."""

Cite = Callable[[Span], Citation]
Scan = Callable[[str], Iterable[Sighting]]


@dataclass(frozen=True, slots=True)
class Thing:
    """What can be asked for: types of observable, attributes of records, kinds of finding, or the records at all."""

    name: str
    observables: frozenset[str] = frozenset()
    attributes: tuple[str, ...] = ()
    findings: frozenset[str] = frozenset()
    records: str = ""
    hash: str = ""


_PATTERNS: Mapping[str, Thing] = {
    r"(?:ip|ipv4|ipv6)(?: addresses| address|s)?|ips": Thing("IP addresses", frozenset({"ipv4-addr", "ipv6-addr"})),
    r"e-?mail addresses|e-?mail address": Thing(
        "e-mail addresses", frozenset({"email-addr"}), ("email.from", "email.to")
    ),
    r"domain names?|domains?": Thing("domain names", frozenset({"domain-name"})),
    r"urls?|links?|web addresses": Thing("URLs", frozenset({"url"})),
    r"sha-?256(?: hash(?:es)?|s)?": Thing("SHA-256 hashes", frozenset({"file"}), hash="SHA-256"),
    r"md5(?: hash(?:es)?|s)?": Thing("MD5 hashes", frozenset({"file"}), hash="MD5"),
    r"(?:file )?hash(?:es)?": Thing("hashes", frozenset({"file"})),
    r"cve(?: ids?|s)?|vulnerabilit(?:y|ies)": Thing("vulnerabilities", frozenset({"vulnerability"})),
    r"file paths?|paths?": Thing("file paths", frozenset({"file-path"})),
    r"registry keys?": Thing("registry keys", frozenset({"windows-registry-key"})),
    r"user[ -]agents?": Thing("user agents", frozenset({"user-agent"}), ("http_request.user_agent",)),
    r"hosts?|host ?names?|machines?|computers?": Thing(
        "hosts", attributes=("device.hostname", "src_endpoint.hostname", "dst_endpoint.hostname")
    ),
    r"(?:user )?accounts?|users?|user ?names?": Thing("users", attributes=("actor.user.name", "user.name")),
    r"process(?:es)?(?: names?)?": Thing("processes", attributes=("process.name",)),
    r"command lines?": Thing("command lines", attributes=("process.cmd_line", "parent_process.cmd_line")),
    r"source ports?": Thing("source ports", attributes=("src_endpoint.port",)),
    r"(?:att&ck |mitre )?techniques?|ttps?": Thing("ATT&CK techniques", findings=frozenset({"technique"})),
    r"malware(?: famil(?:y|ies))?": Thing("malware", findings=frozenset({"malware"})),
    r"(?:threat )?actors?|threat groups?": Thing("actors", findings=frozenset({"actor"})),
    r"tools?": Thing("tools", findings=frozenset({"tool"})),
    r"payloads?": Thing("payloads", findings=frozenset({"payload"})),
    r"detections?": Thing("detections", findings=frozenset({"detection"})),
    r"injections?|prompt injections?": Thing("injections", findings=frozenset({"injection"})),
    r"alerts?": Thing("alerts", records="alerts"),
    r"records?|events?|log lines?|log entries": Thing("records", records="records"),
}
"""What a person calls a thing -> what it is in a case; longer wordings are tried first."""

_THING = re.compile(
    r"(?<![\w-])(?:" + "|".join(f"(?P<t{place}>{one})" for place, one in enumerate(_PATTERNS)) + r")(?![\w-])"
)
_THINGS = tuple(_PATTERNS.values())

_ASKS = {
    "often": r"\bhow (?:often|many times)\b",
    "count": r"\bhow many\b|\bnumber of\b|\bcount(?: of)?\b",
    "first": r"\b(?:first|earliest|began|begin|begins|start|started|starts)\b",
    "last": r"\b(?:last|latest|ended|end|ends|most recent)\b",
    "when": r"\bwhen\b|\bat what time\b|\bwhat time\b",
    "list": r"\b(?:which|what|list|show|name|give|enumerate)\b",
}
_NOTHING = frozenset(
    [
        "me",
        "all",
        "the",
        "are",
        "is",
        "was",
        "were",
        "there",
        "any",
        "in",
        "of",
        "that",
        "this",
        "these",
        "those",
        "case",
        "evidence",
        "log",
        "logs",
        "report",
        "data",
        "file",
        "files",
        "seen",
        "found",
        "named",
        "mentioned",
        "present",
        "involved",
        "appear",
        "appears",
        "appeared",
        "occur",
        "occurs",
        "occurred",
        "recorded",
        "contain",
        "contains",
        "does",
        "do",
        "did",
        "it",
        "distinct",
        "different",
        "unique",
        "a",
        "an",
        "and",
        "times",
        "time",
        "total",
        "happen",
        "happened",
        "be",
        "been",
        "been",
        "have",
        "has",
        "had",
        "every",
        "activity",
        "please",
        "tell",
        "can",
        "could",
        "you",
        "we",
        "i",
        "to",
        "by",
        "appearing",
        "involves",
        "observed",
        "show",
        "shows",
        "exist",
        "exists",
    ]
)
_WITH_VALUE = frozenset(["with", "from", "for", "on", "at", "together", "alongside", "same", "record", "records"])


@dataclass(frozen=True, slots=True)
class Shape:
    """What a question asks: `asks` is a key of `_ASKS` or `seen`, of which thing, about which value."""

    asks: frozenset[str]
    thing: Thing | None
    value: str
    type: str = ""


def read_question(question: str, scan: Scan, values: Callable[[str], bool]) -> Shape | None:
    """Tell what a question asks for, None unless every word of it is accounted for.

    `values` tells whether a word is a value (a user, a host) that the records hold.
    """
    left = question.strip().rstrip("?.! ")
    sightings = [one for one in scan(left) if one.type not in {"weakness", "windows-event-id"}]
    if len({one.value for one in sightings}) > 1 or len(left) > 300:
        return None
    value, type_ = (sightings[0].value, sightings[0].type) if sightings else ("", "")
    for one in sorted(sightings, key=lambda one: -one.start):
        left = f"{left[: one.start]} {left[one.end :]}"
    words = left.lower()
    asks = frozenset(name for name, pattern in _ASKS.items() if re.search(pattern, words))
    for pattern in _ASKS.values():
        words = re.sub(pattern, " ", words)
    thing = None
    found = _THING.search(words)
    if found is not None:
        thing = _THINGS[int((found.lastgroup or "t0")[1:])]
        words = f"{words[: found.start()]} {words[found.end() :]}"
    rest = [word for word in re.findall(r"[^\s,;:\"“”']+", words) if word not in _NOTHING]
    if not value:
        named = [word for word in rest if values(word)]
        if len(named) == 1:
            value = next((word for word in re.findall(r"[^\s,;:\"“”'?]+", left) if word.lower() == named[0]), named[0])
            rest.remove(named[0])
    if value:
        rest = [word for word in rest if word not in _WITH_VALUE]
    if rest or not (asks or value) or not (thing or value or asks & {"first", "last", "when"}):
        return None
    return Shape(asks, thing, value, type_)


@dataclass(frozen=True, slots=True)
class Exact:
    """An exact answer: sentences with citations, none where the case holds nothing of the kind; `missing` says what."""

    sentences: tuple[Sentence, ...]
    missing: str = ""


def answer_exactly(shape: Shape, case: Case, records: Records, cite: Cite) -> Exact | None:
    """Answer by looking it up and counting; None where the shape asks for what no table of the case holds."""
    if shape.value and shape.thing is not None:
        return _beside(shape, shape.thing, records, cite)
    if shape.value:
        return _about(shape, case, records, cite)
    if shape.thing is not None and not shape.asks & {"first", "last", "when"}:
        return _listed(shape, shape.thing, case, records, cite)
    if shape.asks & {"first", "last", "when"}:
        chosen = records.alerts() if shape.thing is not None and shape.thing.records == "alerts" else records
        if shape.thing is not None and not shape.thing.records:
            return None
        return _times(shape.asks, chosen.whole_span(), "record" if chosen is records else "alert", records.whole, cite)
    return None


def _times(asks: frozenset[str], seen: Seen | None, what: str, whole: bool, cite: Cite) -> Exact:  # noqa: FBT001 - a plain fact
    if seen is None or seen.first is None or seen.last is None:
        return Exact((), f"no {what} with a time")
    note = "" if whole else " (of the records that could be read again)"
    both = not asks & {"first", "last"} or {"first", "last"} <= asks
    sentences = []
    if both or "first" in asks:
        text = f"The first {what}{note} is of {seen.first:%Y-%m-%d %H:%M:%S} UTC."
        sentences.append(Sentence(text, (cite(seen.first_span),)))
    if both or "last" in asks:
        text = f"The last {what}{note} is of {seen.last:%Y-%m-%d %H:%M:%S} UTC."
        sentences.append(Sentence(text, (cite(seen.last_span),)))
    return Exact(tuple(sentences))


def _about(shape: Shape, case: Case, records: Records, cite: Cite) -> Exact | None:
    """Answer whether, how often and when one value was seen."""
    held = records.naming(shape.value)
    seen = held.whole_span()
    observable = next((one for one in case.observables if one.value.casefold() == shape.value.casefold()), None)
    if observable is None and not len(held):
        return Exact((), shape.value)
    if shape.asks & {"first", "last", "when"}:
        if seen is None:
            return None
        return _times(shape.asks, seen, f"record that names {shape.value}", held.whole, cite)
    sentences = []
    if observable is not None and observable.spans:
        sentences.append(_observed(observable, cite))
    if seen is not None:
        noun = "record carries" if seen.count == 1 else "records carry"
        text = f"{seen.count:,} {noun} {shape.value} in a field."
        sentences.append(Sentence(text, tuple(dict.fromkeys((cite(seen.first_span), cite(seen.last_span))))))
    return Exact(tuple(sentences)) if sentences else None


def _observed(observable: Observable, cite: Cite) -> Sentence:
    times = "once" if observable.count == 1 else f"{observable.count:,} times"
    flags = f"; it stands in {', '.join(observable.flags)}" if observable.flags else ""
    text = f"{observable.value} stands in the evidence {times}{flags}."
    return Sentence(text, tuple(cite(span) for span in observable.spans[:2]))


def _beside(shape: Shape, thing: Thing, records: Records, cite: Cite) -> Exact | None:
    """Answer what stands in the same records as a value."""
    held = records.naming(shape.value)
    if thing.records:
        seen = (held.alerts() if thing.records == "alerts" else held).whole_span()
        if seen is None:
            return Exact((), f"{thing.records} that carry {shape.value}")
        if shape.asks & {"first", "last", "when"}:
            return _times(shape.asks, seen, f"record that names {shape.value}", held.whole, cite)
        text = f"{seen.count:,} {thing.records} carry {shape.value} in a field."
        return Exact((Sentence(text, (cite(seen.first_span), cite(seen.last_span))),))
    attributes = thing.attributes or _ADDRESS_FIELDS.get(thing.name, ())
    if not attributes or not len(held):
        return None
    values = tuple(one for one in held.values(attributes) if one.value.casefold() != shape.value.casefold())
    if not values:
        return Exact((), f"{thing.name} in the records that carry {shape.value}")
    return _tell(values, f"{thing.name} in the records that carry {shape.value}", shape.asks, held.whole, cite)


_ADDRESS_FIELDS = {
    "IP addresses": ("src_endpoint.ip", "dst_endpoint.ip", "device.ip"),
    "URLs": ("http_request.url",),
    "domain names": ("query.hostname",),
    "e-mail addresses": ("email.from", "email.to"),
}


def _listed(shape: Shape, thing: Thing, case: Case, records: Records, cite: Cite) -> Exact | None:
    if thing.records:
        chosen = records.alerts() if thing.records == "alerts" else records
        seen = chosen.whole_span()
        if "count" not in shape.asks:
            return None
        if seen is None:
            return Exact((), thing.records)
        text = (
            f"{seen.count:,} {thing.records} were read{'' if records.whole else ', and more could not be read again'}."
        )
        return Exact((Sentence(text, (cite(seen.first_span), cite(seen.last_span))),))
    if thing.findings:
        return _of_findings([one for one in case.findings if one.kind in thing.findings], thing, shape.asks)
    observed = _observed_values(thing, case) if thing.observables else ()
    carried = records.values(thing.attributes) if thing.attributes else ()
    known = {one.value.casefold() for one in observed}
    values = (*observed, *(one for one in carried if one.value.casefold() not in known))
    whole = records.whole or not thing.attributes
    ordered = sorted(values, key=lambda one: (-one.count, one.value))
    return _tell(ordered, thing.name, shape.asks, whole, cite) if ordered else Exact((), thing.name)


def _observed_values(thing: Thing, case: Case) -> tuple[Seen, ...]:
    found: dict[str, Seen] = {}
    for one in case.observables:
        if one.type in thing.observables and one.spans and (not thing.hash or one.hash == thing.hash):
            value = one.value
        elif "domain-name" in thing.observables and one.type == "url" and one.spans:
            value = host_of(one.value)
        else:
            continue
        if value:
            found.setdefault(value, Seen(value, one.count, None, None, one.spans[0], one.spans[-1]))
    return tuple(found.values())


def host_of(url: str) -> str:
    """Give the host name of a URL, empty when it is an address or nothing."""
    host = re.sub(r"^[a-z][a-z0-9+.-]*://", "", url, flags=re.IGNORECASE).split("/")[0].split("?")[0]
    host = host.rpartition("@")[2].partition(":")[0].lower()
    return host if re.search(r"\.[a-z][a-z0-9-]*$", host) else ""


def _of_findings(found: Sequence[Finding], thing: Thing, asks: frozenset[str]) -> Exact:
    if not found:
        return Exact((), thing.name)
    heading = f"{len(found):,} {thing.name}" + (":" if "count" not in asks else " were found:")
    sentences = [Sentence(f"{one.title} ({one.basis}).", one.citations[:2]) for one in found[:SHOWN] if one.citations]
    return Exact((Sentence(heading, found[0].citations[:1]), *sentences))


def _tell(values: Sequence[Seen], what: str, asks: frozenset[str], whole: bool, cite: Cite) -> Exact:  # noqa: FBT001 - a plain fact
    number = f"{len(values):,} distinct {what}" + ("" if whole else " in the records that could be read again")
    first = Sentence(f"{number}.", (cite(values[0].first_span),))
    if "count" in asks and "list" not in asks:
        cited = tuple(dict.fromkeys(cite(one.first_span) for one in values[:5]))
        return Exact((Sentence(f"{number}.", cited),))
    told = [Sentence(f"{one.value} ({one.count:,} x).", (cite(one.first_span),)) for one in values[:SHOWN]]
    return Exact((first, *told))
