"""The case as a person sees it in a terminal."""

from collections.abc import Iterator, Sequence

from casemate.core.case import Case
from casemate.core.draft import Draft
from casemate.core.finding import Finding
from casemate.core.issue import Severity
from casemate.core.plain import plain
from casemate.core.text import Span, Texts
from casemate.core.words import counted
from casemate.policy import Limits
from casemate.stages.export.draft_form import BANNER
from casemate.stages.export.draft_text import draft_lines
from casemate.stages.export.page import Page
from casemate.stages.export.plain import clip, defang
from casemate.stages.export.view import (
    PRIORITIES,
    Note,
    banner,
    by_tactic,
    by_type,
    deciders,
    disposition_word,
    entity,
    likelihood,
    name_of,
    number_citations,
    public_id,
    run_facts,
    severity_word,
    status,
    telling,
    verdict_of,
)

WIDTH = 96
TIMELINE_ROWS = 15
OBSERVABLES_PER_TYPE = 8
DETAIL_LINES = 8


def render_plain_text(case: Case, texts: Texts, drafts: Sequence[Draft] = ()) -> bytes:
    """Write a case as plain text of 96 columns, UTF-8, without any escape sequence."""
    return render_text(case, texts, drafts).encode("utf-8")


def render_text(
    case: Case, texts: Texts, drafts: Sequence[Draft] = (), *, colour: bool = False, width: int = WIDTH
) -> str:
    """Write a case for a terminal of `width` columns (at least 60); `colour` adds our own SGR escapes and no others."""
    page = Page(max(width, 60), colour=colour)
    notes = number_citations(case, texts)
    _opening(page, case)
    _summary(page, case, notes)
    _findings(page, case, notes)
    _techniques(page, case)
    _timeline(page, case)
    _observables(page, case)
    _related(page, case)
    _questions_and_issues(page, case)
    _drafts(page, drafts)
    _closing(page, case)
    return "\n".join(page.lines) + "\n"


def _opening(page: Page, case: Case) -> None:
    page.lines.append(page.style("head", clip(f"{case.marking.label}   case {plain(case.id)}", page.width)))
    page.wrapped(case.title, "", "", "head")
    page.line(f"created {case.created:%Y-%m-%d %H:%M} UTC, {status(case)}", "dim")
    if banner(case):
        page.lines.append("")
        page.line(f"*** {banner(case)} ***", "alarm")
    proposal = case.assessment.proposal
    page.head("Disposition")
    if case.reviewed:
        last = case.decision
        page.wrapped(f"{disposition_word(case.disposition)}, decided by {deciders(case)}", style="good")
        if last is not None and last.reason:
            page.wrapped(last.reason)
        page.wrapped(f"proposed was: {disposition_word(proposal.disposition)}", style="dim")
    else:
        urgency = PRIORITIES.get(proposal.priority, "")
        page.wrapped(
            f"proposed: {disposition_word(proposal.disposition)}, priority {proposal.priority} ({urgency})",
            style="warn",
        )
    for reason in proposal.reasons:
        page.wrapped(reason, "  - ", "    ")


def _marks(notes: dict[Span, Note], spans: Iterator[Span]) -> str:
    return "".join(f"[{notes[span].number}]" for span in spans)


def _summary(page: Page, case: Case, notes: dict[Span, Note]) -> None:
    sentences = case.assessment.summary
    basis = "composed from the findings" if all(sentence.basis != "model" for sentence in sentences) else ""
    page.head("Summary", basis)
    if not sentences:
        page.line("  Nothing was found that a citation could carry.")
    shown: dict[int, Note] = {}
    for sentence in sentences:
        marks = _marks(notes, (citation.span for citation in sentence.citations))
        page.wrapped(f"{sentence.text} {marks}")
        shown |= {notes[citation.span].number: notes[citation.span] for citation in sentence.citations}
    for number, note in shown.items():
        page.wrapped(f"[{number}] {_at(note)}", "    ", "        ", "dim")
        page.line(f"        “{note.citation.quote}”", "dim")


def _at(note: Note) -> str:
    return f"{note.source}:{note.line}" if note.where.startswith("line ") else f"{note.source}, {note.where}"


def _findings(page: Page, case: Case, notes: dict[Span, Note]) -> None:
    page.head("Findings", f"{len(case.findings)}")
    for finding in case.findings:
        verdict = verdict_of(case, finding)
        mark = "" if verdict == "unreviewed" else f" [{verdict}]"
        title = f"{public_id(finding)} {name_of(finding)}".strip()
        page.wrapped(f"{finding.id:<4}{finding.kind}: {title}{mark}", "  ", "      ")
        page.wrapped(_qualities(finding), "      ", "      ", "dim")
        _detail(page, finding.detail)
        if finding.candidates:
            page.wrapped(f"ambiguous, may be: {', '.join(finding.candidates)}", "      ", "      ", "warn")
        if finding.citations:
            places = (f"[{notes[c.span].number}] {_at(notes[c.span])}" for c in finding.citations)
            page.wrapped("  ".join(places), "      ", "      ", "dim")


def _detail(page: Page, detail: str) -> None:
    lines = [line for line in detail[: 8 * page.width].split("\n") if line.strip()]
    for line in lines[:DETAIL_LINES]:
        page.wrapped(line.strip(), "      ", "        ")
    if len(lines) > DETAIL_LINES or len(detail) > 8 * page.width:
        page.line("      …", "dim")


def _qualities(finding: Finding) -> str:
    words = [finding.basis]
    if finding.severity:
        words.append(f"severity {severity_word(finding.severity)}")
    if finding.probability is not None:
        words.append(f"{likelihood(finding.probability)} ({finding.probability:.0%})")
    return ", ".join(words)


def _techniques(page: Page, case: Case) -> None:
    groups = by_tactic(case)
    if not groups:
        return
    page.head("Techniques by tactic")
    for tactic, findings in groups:
        ids = ", ".join(dict.fromkeys(finding.reference for finding in findings))
        page.wrapped(f"{tactic or '(tactic not known)':<22} {ids}", "  ", " " * 25)


def _timeline(page: Page, case: Case) -> None:
    if not case.timeline:
        return
    page.head("Timeline", f"{len(case.timeline)} entries, UTC")
    chosen = telling(case, TIMELINE_ROWS)
    for entry in chosen:
        count = f"{entry.count}x " if entry.count > 1 else ""
        until = f" - {entry.last:%H:%M:%S}" if entry.last != entry.first else ""
        what = entry.event.rule or entry.event.message or entry.event.kind
        style = "warn" if entry.event.is_alert else ""
        page.line(f"  {entry.first:%Y-%m-%d %H:%M:%S}{until}  {count}{what}", style)
        who = entity(entry)
        if who:
            page.line(f"      {who}", "dim")
    _left(page, len(case.timeline) - len(chosen), "entries")


def _observables(page: Page, case: Case) -> None:
    page.head("Observables", f"{len(case.observables)} distinct; seen, which does not mean malicious")
    for type_, group in by_type(case.observables).items():
        page.line(f"  {type_} ({len(group)})")
        for seen in group[:OBSERVABLES_PER_TYPE]:
            times = f"{seen.count}x " if seen.count > 1 else ""
            name = f"{seen.hash} " if seen.hash else ""
            layers = f"  (inside {' > '.join(seen.layers)})" if seen.layers else ""
            flags = f"  [{', '.join(seen.flags)}]" if seen.flags else ""
            page.wrapped(f"{times}{name}{defang(seen.type, seen.value)}{layers}{flags}"[:600], "    ", "      ")
        _left(page, len(group) - OBSERVABLES_PER_TYPE, type_)


def _left(page: Page, left: int, what: str) -> None:
    if left > 0:
        page.line(f"    and {left} more {what} (in --format json)", "dim")


def _related(page: Page, case: Case) -> None:
    if not case.related:
        return
    page.head("Earlier cases that share something")
    for related in case.related:
        page.wrapped(f"{related.id}  {related.title} ({related.created:%Y-%m-%d})", "  ", "      ")
        for shared in related.shared[:5]:
            page.wrapped(
                f"{shared.kind} {shared.value} (in {counted(shared.cases, 'case')})", "      ", "        ", "dim"
            )


def _questions_and_issues(page: Page, case: Case) -> None:
    if case.assessment.questions:
        page.head("Ask next")
        for question in case.assessment.questions:
            page.wrapped(question, "  - ", "    ")
    if case.issues:
        page.head("Issues with the input", str(len(case.issues)))
        limit = Limits().report_rows
        for issue in case.issues[:limit]:
            at = ", ".join(part for part in (issue.source, issue.place) if part)
            style = "alarm" if issue.severity is Severity.ERROR else ""
            page.wrapped(
                f"{issue.severity}: {at + ': ' if at else ''}{issue.message} ({issue.code})", "  ", "    ", style
            )
            if issue.way_out:
                page.wrapped(issue.way_out, "      ", "      ", "dim")
        _left(page, len(case.issues) - limit, "issues")


def _drafts(page: Page, drafts: Sequence[Draft]) -> None:
    for draft in drafts:
        page.head("Draft", f"{draft.created:%Y-%m-%d %H:%M} UTC")
        page.line(f"*** {BANNER} ***", "alarm")
        draft_lines(page, draft)


def _closing(page: Page, case: Case) -> None:
    page.head("Evidence", f"{len(case.evidence)}")
    limit = Limits().report_rows
    for evidence in case.evidence[:limit]:
        size = f"{evidence.format}, {evidence.size} bytes, {evidence.lines} lines, {evidence.marking.label}"
        page.wrapped(f"{evidence.source}  ({size}, sha256 {evidence.id[:16]})", "  ", "      ")
    _left(page, len(case.evidence) - limit, "pieces")
    page.head("Run")
    page.wrapped("; ".join(f"{name} {value}" for name, value in run_facts(case)), "  ", "  ", "dim")
    if banner(case):
        page.lines.append("")
        page.line(f"*** {banner(case)} ***", "alarm")
    page.lines.append(page.style("head", case.marking.label))
