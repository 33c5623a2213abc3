"""A draft as Markdown, for tickets and wikis."""

from collections.abc import Iterator

from casemate.core.draft import Draft
from casemate.stages.export.draft_form import BANNER, basis_words, draft_facts, heading, marks_of, number_notes
from casemate.stages.export.markup import code, words


def render_draft_markdown(draft: Draft) -> bytes:
    """Write a draft as CommonMark, marked as a draft above and below; evidence is escaped or stands in code spans."""
    lines = [f"**{draft.marking.label}**", "", f"> **{BANNER}**", "", f"# {words(heading(draft).capitalize())}", ""]
    if draft.case:
        lines += [f"Case {code(draft.case)}, written {draft.created:%Y-%m-%d %H:%M} UTC", ""]
    lines += draft_markdown(draft, "##")
    lines += [f"> **{BANNER}**", "", f"**{draft.marking.label}**"]
    return ("\n".join(lines) + "\n").encode("utf-8")


def draft_markdown(draft: Draft, level: str) -> Iterator[str]:
    """Yield the sections, facts, quotations and the making of a draft under headings of one level."""
    notes = number_notes(draft)
    yield f"*{words(basis_words(draft).capitalize())}.*"
    yield ""
    for section in draft.sections:
        yield f"{level} {words(section.title)}"
        yield ""
        for sentence in section.sentences:
            tag = " \\(model\\)" if sentence.basis == "model" and draft.basis == "mixed" else ""
            yield f"- {words(sentence.text)}{tag} {_marks(marks_of(notes, sentence.citations))}"
        yield ""
    if draft.facts:
        yield f"{level} Computed by code"
        yield ""
        for fact in draft.facts:
            value = " / ".join(line for line in fact.value.split("\n") if line.strip())
            yield f"- {words(fact.name)}: {code(value)} {_marks(marks_of(notes, fact.citations))}"
        yield ""
    if notes:
        yield f"{level} Quoted"
        yield ""
        for note in notes.values():
            yield f"- \\[{note.number}\\] {code(note.where)}: {code(note.citation.quote)}"
        yield ""
    if draft.issues:
        yield f"{level} Notes"
        yield ""
        yield from (f"- {words(one.message)} \\({words(one.code)}\\)" for one in draft.issues)
        yield ""
    yield f"*{words('; '.join(f'{name} {value}' for name, value in draft_facts(draft)))}*"
    yield ""


def _marks(numbers: tuple[int, ...]) -> str:
    return "".join(f"\\[{number}\\]" for number in numbers)
