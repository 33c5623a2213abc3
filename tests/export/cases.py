"""Cases made of hostile text, for hypothesis."""

import dataclasses
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from casemate.core.assessment import Assessment, Disposition, Proposal, Sentence
from casemate.core.case import Case, RelatedCase, Review, Shared, State, TimelineEntry
from casemate.core.digest import digest_bytes
from casemate.core.event import FIELD_NAMES, Event
from casemate.core.finding import Citation, Finding
from casemate.core.issue import Issue, Severity
from casemate.core.marking import Marking, strictest
from casemate.core.observable import Observable
from casemate.core.passage import Passage
from casemate.core.text import Span

from .sample import HOSTILE, HeldTexts, evidence, held, sample

TYPES = (
    "ipv4-addr",
    "ipv6-addr",
    "domain-name",
    "url",
    "file",
    "file-path",
    "email-addr",
    "mac-addr",
    "autonomous-system",
    "windows-registry-key",
    "mutex",
    "windows-sid",
    "cryptocurrency-wallet",
    "user-agent",
    "vulnerability",
    "weakness",
    "attack-pattern",
    "tls-fingerprint",
    "something-new",
)
HASHES = ("MD5", "SHA-1", "SHA-256", "SHA-512", "SSDEEP", "TLSH", "IMPHASH", "")
KINDS = (
    "technique",
    "vulnerability",
    "weakness",
    "actor",
    "malware",
    "tool",
    "payload",
    "injection",
    "detection",
    "time",
    "pattern",
)
REFERENCES = (
    "",
    "yara:x",
    "sigma:y",
    "T1059.001",
    "T1110",
    "CVE-2021-44228",
    "CWE-79",
    "G0016",
    "S0154",
    "not-an-id",
    "TA0001",
    "<b>",
)

words = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40))
values = st.one_of(
    words,
    st.sampled_from(
        (
            "192.0.2.1",
            "192.0.2.0/24",
            "192.0.2.1:80",
            "2001:db8::1",
            "::ffff:192.0.2.1",
            "evil.example",
            "_dmarc.evil.example",
            "r3---sn-a.example",
            "xn--bcher-kva.example",
            "https://evil.example/a b|c{d}#x#y",
            "https://[2001:db8::1]:8080/%zz",
            "http://user:pw@evil.example",
            "evil.example/x",
            "a@b.example",
            "00:00:5E:00:53:01",
            "AS64500",
            "AS99999999999",
            "HKEY_LOCAL_MACHINE\\Software",
            "HKLM\\x",
            "Global\\x",
            "C:\\Windows\\a.exe",
            "C:\\",
            "/etc/passwd",
            "/",
            "a.exe",
            "S-1-5-18",
            "CVE-2021-44228",
            "GHSA-jfh8-c2jp-5v3q",
            "a" * 32,
            "0" * 40,
            "d" * 64,
            "3:AXGB:AXGH",
            "T1" + "A3" * 35,
        )
    ),
)
times = st.integers(0, 10**8).map(
    lambda n: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=n, microseconds=n % 997)
)


@st.composite
def hostile_cases(draw: st.DrawFn) -> tuple[Case, HeldTexts]:
    """Give a case in which every piece of text that evidence can reach is hostile."""
    texts = draw(st.lists(st.lists(words, min_size=1, max_size=6).map("\n".join), min_size=1, max_size=3, unique=True))
    pieces = tuple(evidence(draw(words), draw(words), text, draw(st.sampled_from(list(Marking)))) for text in texts)

    def span() -> Span:
        which = draw(st.integers(0, len(texts) - 1))
        start = draw(st.integers(0, len(texts[which])))
        return Span(pieces[which].id, start, draw(st.integers(start, len(texts[which]))))

    def citation() -> Citation:
        chosen = span()
        text = next(text for text, piece in zip(texts, pieces, strict=True) if piece.id == chosen.evidence)
        return Citation(chosen, text[chosen.start : chosen.end], text.count("\n", 0, chosen.start) + 1)

    def some(make, most: int = 3) -> tuple:
        return tuple(make(number) for number in range(draw(st.integers(0, most))))

    def finding(number: int) -> Finding:
        probability = draw(st.none() | st.floats(0, 1))
        return Finding(
            f"F{number + 1}",
            draw(st.sampled_from(KINDS)),
            draw(words),
            draw(words),
            "named",
            some(lambda _: citation(), 2),
            draw(st.sampled_from(REFERENCES)),
            some(lambda _: draw(words), 2),
            probability,
            draw(st.integers(0, 6)),
        )

    def observable(_: int) -> Observable:
        return Observable(
            draw(st.sampled_from(TYPES)),
            draw(words),
            draw(words),
            draw(st.integers(1, 2 * 10**9)),
            (span(),),
            draw(st.sampled_from(HASHES)),
            some(lambda _: draw(words), 2),
            some(lambda _: draw(words), 2),
        )

    def entry(_: int) -> TimelineEntry:
        chosen, first = span(), draw(times)
        fields = some(lambda _: (draw(st.sampled_from(FIELD_NAMES)), draw(words)), 3)
        event = Event(
            0,
            chosen.start,
            chosen.end,
            draw(words),
            first,
            draw(words),
            draw(words),
            draw(st.integers(0, 6)),
            draw(st.booleans()),
            some(lambda _: draw(words), 2),
            fields,
        )
        return TimelineEntry(first, max(first, draw(times)), draw(st.integers(1, 10**6)), event, chosen)

    def passage(_: int) -> Passage:
        facts = some(lambda _: ("tactic", draw(words)), 2)
        return Passage(
            draw(st.sampled_from(REFERENCES)), "technique", draw(words), draw(words), digest_bytes(b"r"), 1.0, facts
        )

    base = sample()[0]
    reviews = some(
        lambda _: Review(draw(words), "analyst", base.created, (), Disposition.FALSE_POSITIVE, draw(words)), 1
    )
    case = dataclasses.replace(
        base,
        id=draw(words),
        title=draw(words),
        created=draw(times),
        marking=strictest(piece.marking for piece in pieces),
        state=State.CLOSED if reviews else State.DRAFT,
        evidence=pieces,
        observables=some(observable, 5),
        timeline=some(entry),
        findings=some(finding, 4),
        passages=some(passage),
        assessment=Assessment(
            some(lambda _: Sentence(draw(words), some(lambda _: citation(), 2))),
            Proposal(draw(st.sampled_from(list(Disposition))), some(lambda _: draw(words)), draw(st.integers(1, 5))),
            some(lambda _: draw(words)),
        ),
        related=some(
            lambda _: RelatedCase(draw(words), draw(words), draw(times), (Shared("observable", draw(words), 2),), 1.0),
            2,
        ),
        issues=some(lambda _: Issue("some-code", Severity.WARNING, draw(words), draw(words), draw(words), draw(words))),
        reviews=reviews,
    )
    return case, held(*texts)
