"""A draft as a person sees it in a terminal."""

from casemate.core.draft import Draft
from casemate.stages.export.draft_form import BANNER, basis_words, draft_facts, heading, marks_of, number_notes
from casemate.stages.export.page import Page
from casemate.stages.export.plain import clip

FACT_LINES = 24
ISSUES = 20


def render_draft_text(draft: Draft, *, colour: bool = False, width: int = 96) -> str:
    """Write a draft for a terminal of `width` columns (at least 60); marked as a draft above and below."""
    page = Page(max(width, 60), colour=colour)
    of = f"   case {draft.case}" if draft.case else ""
    page.line(f"{draft.marking.label}{of}", "head")
    page.line(f"*** {BANNER} ***", "alarm")
    draft_lines(page, draft)
    page.lines.append("")
    page.line(f"*** {BANNER} ***", "alarm")
    page.lines.append(page.style("head", clip(draft.marking.label, page.width)))
    return "\n".join(page.lines) + "\n"


def draft_lines(page: Page, draft: Draft) -> None:
    """Add the sections, facts, quotations and the making of a draft to a page."""
    notes = number_notes(draft)
    page.wrapped(f"{heading(draft)}, {basis_words(draft)}", "", "", "dim")
    if not draft.sections and not draft.facts:
        page.line("  Nothing was found that a citation could carry.")
    for section in draft.sections:
        page.line()
        page.line(section.title, "head")
        for sentence in section.sentences:
            marks = "".join(f"[{number}]" for number in marks_of(notes, sentence.citations))
            tag = " (model)" if sentence.basis == "model" and draft.basis == "mixed" else ""
            page.wrapped(f"{sentence.text}{tag} {marks}", "  - ", "    ")
    if draft.facts:
        page.head("Computed by code", str(len(draft.facts)))
        for fact in draft.facts:
            marks = "".join(f"[{number}]" for number in marks_of(notes, fact.citations))
            first, *rest = fact.value.split("\n")
            page.wrapped(f"{fact.name}: {first} {marks}", "  - ", "    ")
            for line in rest[:FACT_LINES]:
                page.wrapped(line, "      ", "        ")
            if len(rest) > FACT_LINES:
                page.line("      …", "dim")
    if notes:
        page.head("Quoted")
        for note in notes.values():
            page.wrapped(f"[{note.number}] {note.where}", "  ", "      ", "dim")
            page.line(f"      “{note.citation.quote}”", "dim")
    for issue in draft.issues[:ISSUES]:
        page.wrapped(f"{issue.severity}: {issue.message} ({issue.code})", "  ", "    ", "dim")
    if len(draft.issues) > ISSUES:
        page.line(f"  and {len(draft.issues) - ISSUES} more notes (in --format json)", "dim")
    page.wrapped("; ".join(f"{name} {value}" for name, value in draft_facts(draft)), "  ", "  ", "dim")
