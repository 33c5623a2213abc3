"""The case as Markdown (CommonMark with GitHub's tables) for tickets and wikis, in which evidence is only ever text."""

from collections.abc import Iterable, Iterator, Sequence

from casemate.core.case import Case
from casemate.core.draft import Draft
from casemate.core.finding import Finding
from casemate.core.text import Span, Texts
from casemate.core.words import counted
from casemate.policy import Limits
from casemate.stages.export.draft_form import BANNER, heading
from casemate.stages.export.draft_markdown import draft_markdown
from casemate.stages.export.markup import code, table, words
from casemate.stages.export.plain import defang
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
    notices,
    number_citations,
    public_id,
    run_facts,
    severity_word,
    sources,
    status,
    telling,
    verdict_of,
)


def render_markdown(case: Case, texts: Texts, drafts: Sequence[Draft] = ()) -> bytes:
    """Write the same sections as the terminal shows; UTF-8.

    Everything from the case is escaped, or stands in a code span; network observables are defanged.
    """
    notes = number_citations(case, texts)
    parts = (
        _opening(case),
        _summary(case, notes),
        _findings(case, notes),
        _techniques(case),
        _timeline(case),
        _observables(case),
        _quotes(notes),
        _surroundings(case),
        _drafts(drafts),
        _closing(case),
    )
    return ("\n".join(line for part in parts for line in part) + "\n").encode("utf-8")


def _opening(case: Case) -> Iterator[str]:
    proposal = case.assessment.proposal
    yield f"**{case.marking.label}**"
    yield ""
    if banner(case):
        yield f"> **{banner(case)}**"
        yield ""
    yield f"# {words(case.title)}"
    yield ""
    yield f"Case {code(case.id)}, created {case.created:%Y-%m-%d %H:%M} UTC, {status(case)}"
    yield ""
    yield "## Disposition" if case.reviewed else "## Proposed disposition"
    yield ""
    if case.reviewed:
        last = case.decision
        yield f"**{disposition_word(case.disposition)}**, decided by {words(deciders(case))}"
        if last is not None and last.reason:
            yield ""
            yield words(last.reason)
    else:
        urgency = PRIORITIES.get(proposal.priority, "")
        yield f"**{disposition_word(proposal.disposition)}**, priority {proposal.priority} of 5 ({urgency})"
    yield ""
    yield from _list(proposal.reasons)


def _list(items: Iterable[str]) -> Iterator[str]:
    yield from (f"- {words(item)}" for item in items)
    yield ""


def _marks(notes: dict[Span, Note], spans: Iterable[Span]) -> str:
    return "".join(f"\\[{notes[span].number}\\]" for span in spans)


def _summary(case: Case, notes: dict[Span, Note]) -> Iterator[str]:
    yield "## Summary"
    yield ""
    for sentence in case.assessment.summary:
        made = " (written by a language model)" if sentence.basis == "model" else ""
        yield f"- {words(sentence.text)} {_marks(notes, (one.span for one in sentence.citations))}{made}"
    if not case.assessment.summary:
        yield "Nothing was found that a citation could carry."
    yield ""


def _findings(case: Case, notes: dict[Span, Note]) -> Iterator[str]:
    yield "## Findings"
    yield ""
    head = ("Id", "Kind", "Finding", "Severity", "Basis", "Evidence", "Review")
    yield from table(head, (_finding(case, finding, notes) for finding in case.findings))


def _finding(case: Case, finding: Finding, notes: dict[Span, Note]) -> tuple[str, ...]:
    told = words(f"{public_id(finding)} {name_of(finding)}".strip())
    if finding.detail:
        told += f"<br>{code(finding.detail) if finding.kind == 'payload' else words(finding.detail)}"
    if finding.candidates:
        told += f"<br>ambiguous, may be: {words(', '.join(finding.candidates))}"
    sure = "" if finding.probability is None else f", {likelihood(finding.probability)} ({finding.probability:.0%})"
    return (
        words(finding.id),
        words(finding.kind),
        told,
        severity_word(finding.severity) if finding.severity else "",
        f"{words(finding.basis)}{sure}",
        _marks(notes, (one.span for one in finding.citations)),
        verdict_of(case, finding),
    )


def _techniques(case: Case) -> Iterator[str]:
    groups = by_tactic(case)
    if not groups:
        return
    yield "## Techniques by tactic"
    yield ""
    for tactic, findings in groups:
        names = (words(f"{finding.reference} {name_of(finding)}".strip()) for finding in findings)
        yield f"- **{words(tactic) or 'tactic not known'}**: {', '.join(dict.fromkeys(names))}"
    yield ""


def _timeline(case: Case) -> Iterator[str]:
    if not case.timeline:
        return
    chosen = telling(case, Limits().report_rows)
    yield "## Timeline (UTC)"
    yield ""
    rows = (
        (
            f"{entry.first:%Y-%m-%d %H:%M:%S}",
            f"{entry.last:%Y-%m-%d %H:%M:%S}",
            str(entry.count),
            words(entry.event.rule or entry.event.message[:200] or entry.event.kind),
            words(entity(entry)),
            f"{severity_word(entry.event.severity)}{', alert' if entry.event.is_alert else ''}",
        )
        for entry in chosen
    )
    yield from table(("First", "Last", "Count", "Event", "Who and where", "Severity"), rows)
    yield from _left(len(case.timeline) - len(chosen), "entries")


def _observables(case: Case) -> Iterator[str]:
    yield "## Observables"
    yield ""
    yield "Seen in the evidence, which does not mean malicious. Network addresses are defanged."
    yield ""
    limit = Limits().report_rows
    names = sources(case)
    for type_, group in by_type(case.observables).items():
        yield f"### {words(type_)} ({len(group)})"
        yield ""
        rows = (
            (
                f"{words(seen.hash)} {code(defang(seen.type, seen.value))}".strip(),
                str(seen.count),
                words(names.get(seen.spans[0].evidence, "")) if seen.spans else "",
                words(", ".join(seen.flags)),
                words(" > ".join(seen.layers)),
            )
            for seen in group[:limit]
        )
        yield from table(("Value", "Count", "First seen in", "Flags", "Inside"), rows)
        yield from _left(len(group) - limit, "of this type")


def _left(left: int, what: str) -> Iterator[str]:
    if left > 0:
        yield f"and {left} more {what}, in the JSON export"
        yield ""


def _quotes(notes: dict[Span, Note]) -> Iterator[str]:
    yield "## Cited evidence"
    yield ""
    for note in notes.values():
        yield f"- \\[{note.number}\\] {code(note.source)}, {words(note.where)}: {code(note.citation.quote)}"
    yield ""


def _surroundings(case: Case) -> Iterator[str]:
    if case.related:
        yield "## Earlier cases that share something"
        yield ""
        for related in case.related:
            shared = ", ".join(
                f"{words(one.kind)} {code(one.value)} (in {counted(one.cases, 'case')})" for one in related.shared[:10]
            )
            yield f"- {code(related.id)} {words(related.title)} ({related.created:%Y-%m-%d}): {shared}"
        yield ""
    if case.assessment.questions:
        yield "## Ask next"
        yield ""
        yield from _list(case.assessment.questions)
    if case.issues:
        limit = Limits().report_rows
        yield "## Issues with the input"
        yield ""
        for issue in case.issues[:limit]:
            at = ", ".join(part for part in (issue.source, issue.place) if part)
            way = f" {words(issue.way_out)}" if issue.way_out else ""
            yield f"- {issue.severity}: {words(at)} {words(issue.message)} ({words(issue.code)}){way}"
        yield ""
        yield from _left(len(case.issues) - limit, "issues")


def _drafts(drafts: Sequence[Draft]) -> Iterator[str]:
    for draft in drafts:
        yield f"## Draft: {words(heading(draft))}"
        yield ""
        yield f"> **{BANNER}**"
        yield ""
        yield from draft_markdown(draft, "###")


def _closing(case: Case) -> Iterator[str]:
    limit = Limits().report_rows
    yield "## Evidence"
    yield ""
    rows = (
        (code(one.source), words(one.format), str(one.size), str(one.lines), one.marking.label, code(one.id))
        for one in case.evidence[:limit]
    )
    yield from table(("Source", "Format", "Bytes", "Lines", "Marking", "SHA-256"), rows)
    yield from _left(len(case.evidence) - limit, "pieces")
    yield "## How this case was made"
    yield ""
    yield from (f"- {words(name)}: {words(value)}" for name, value in run_facts(case))
    yield ""
    for release in notices(case):
        yield f"{words(release.name)} {words(release.version)}: {words(release.notice)}"
        yield ""
    if banner(case):
        yield f"> **{banner(case)}**"
        yield ""
    yield f"**{case.marking.label}**"
