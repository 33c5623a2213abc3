"""Cases and events to store."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import make_url

from casemate.audit import NewAuditEvent
from casemate.core.assessment import Assessment, Disposition, Proposal, Sentence
from casemate.core.case import Case, Decision, RelatedCase, Review, Run, Shared, State, TimelineEntry, Verdict
from casemate.core.digest import Digest, digest_bytes
from casemate.core.event import Event
from casemate.core.evidence import Evidence
from casemate.core.finding import Citation, Finding
from casemate.core.issue import Issue, Severity
from casemate.core.marking import Marking
from casemate.core.observable import Observable
from casemate.core.passage import Passage, Release
from casemate.core.text import Span

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
EVIDENCE = digest_bytes(b"evidence")
RELEASE = digest_bytes(b"release")


def saved(actor: str = "casemate") -> NewAuditEvent:
    return NewAuditEvent(actor, "case-saved", "")


def case(id_: str = "c1", title: str = "Brute force on ssh", age: int = 0) -> Case:
    span = Span(EVIDENCE, 3, 9)
    citation = Citation(span, "Failed", 1)
    event = Event(0, 0, 9, "sshd", NOW, "failed password", "Failed password", 2, fields=(("user.name", "root"),))
    return Case(
        id=id_,
        title=title,
        created=NOW - timedelta(days=age),
        marking=Marking.AMBER_STRICT,
        state=State.DRAFT,
        evidence=(Evidence(EVIDENCE, "auth.log", "text", Marking.AMBER, 8, 8, 1, NOW),),
        observables=(Observable("ipv4-addr", "192.0.2.1", "192[.]0.2.1", 3, (span,), flags=("x",), layers=("hex",)),),
        timeline=(TimelineEntry(NOW, NOW + timedelta(seconds=1), 2, event, span),),
        findings=(
            Finding("F1", "technique", "Brute Force", "d", "named", (citation,), "T1110", (), 0.25, 4, RELEASE),
            Finding("F2", "actor", "Bear", "", "looked-up", (citation,), candidates=("G1", "G2")),
        ),
        passages=(Passage("T1110", "technique", "Brute Force", "Adversaries may…", RELEASE, 1.0),),
        assessment=Assessment(
            (Sentence("Somebody tried.", (citation,), "model"),),
            Proposal(Disposition.TRUE_POSITIVE, ("many",), 2),
            ("Who is it?",),
        ),
        related=(RelatedCase("c0", "Earlier", NOW, (Shared("observable", "ipv4-addr:192.0.2.1", 1),), 1.5),),
        issues=(Issue("zip-ratio", Severity.WARNING, "too much", "a.zip!b", "byte 3", "raise the limit"),),
        run=Run("0.1", 7, None, "", RELEASE, RELEASE, (Release("ATT&CK", "18.1", RELEASE, NOW, 5, "(c)"),), 1, 2, 3),
    )


def reviewed(draft: Case, reviewer: str = "Ada") -> Case:
    verdicts = (Decision("F1", Verdict.ACCEPTED, reviewer, NOW),)
    review = Review(reviewer, "analyst", NOW, verdicts, Disposition.FALSE_POSITIVE, "known scanner")
    return replace(draft, state=State.CLOSED, reviews=(*draft.reviews, review))


def digest(text: str) -> Digest:
    return digest_bytes(text.encode())


@contextmanager
def behind(url: str) -> Iterator[Connection]:
    """Open the database as somebody does who goes around casemate."""
    engine = create_engine(make_url(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()
