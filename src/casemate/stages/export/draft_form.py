"""A draft as it is shown: its public form, its numbered citations, and the words around it, said once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from casemate.core.draft import Draft
from casemate.core.finding import Citation
from casemate.core.text import Span
from casemate.stages.export.form import CitationForm, DraftForm, DraftRunForm, FactForm, SectionForm, SentenceForm

BANNER = "UNREVIEWED DRAFT: written by software. No person has read it yet."

_BASES = {
    "model": "written by a language model; each sentence quotes the evidence",
    "composed": "composed by code, without a language model",
    "mixed": "in part written by a language model, in part composed by code",
    "empty": "nothing that a citation could carry",
}


@dataclass(frozen=True, slots=True)
class DraftNote:
    """One numbered citation of a draft; `where` is the name of the text and the line, both of which may be hostile."""

    number: int
    citation: Citation
    where: str


def draft_form(draft: Draft) -> DraftForm:
    """Lay a draft out for tools."""
    return DraftForm(
        task=draft.task,
        case=draft.case,
        about=draft.about,
        created=draft.created,
        marking=draft.marking,
        reviewed=False,
        basis=draft.basis,
        sections=tuple(
            SectionForm(
                section.title,
                tuple(SentenceForm(one.text, _citations(one.citations), one.basis) for one in section.sentences),
            )
            for section in draft.sections
        ),
        facts=tuple(FactForm(one.name, one.value, _citations(one.citations)) for one in draft.facts),
        evidence=draft.evidence,
        issues=draft.issues,
        run=DraftRunForm(
            draft.version,
            draft.seed,
            draft.model,
            draft.model_name,
            draft.prompt,
            draft.adapter,
            draft.requests,
            draft.prompt_tokens,
            draft.cached_tokens,
            draft.generated_tokens,
            draft.seconds,
            draft.proposed,
            draft.dropped,
            draft.supported,
        ),
    )


def _citations(citations: Iterable[Citation]) -> tuple[CitationForm, ...]:
    return tuple(
        CitationForm(one.span.evidence, one.span.start, one.span.end, one.quote, one.line) for one in citations
    )


def heading(draft: Draft) -> str:
    """Name a draft for a person: its task, and what it is about."""
    return f"{draft.task}: {draft.about}" if draft.about else draft.task


def basis_words(draft: Draft) -> str:
    """Say who wrote it."""
    if draft.basis == "composed" and draft.requests:
        return "composed by code; nothing that the language model wrote was used"
    return _BASES[draft.basis]


def number_notes(draft: Draft) -> dict[Span, DraftNote]:
    """Give numbers to the distinct cited spans from 1 in reading order."""
    names = {one.id: one.name for one in draft.evidence}
    notes: dict[Span, DraftNote] = {}
    for one in draft.citations():
        if one.span not in notes:
            name = names.get(one.span.evidence, one.span.evidence[:12])
            notes[one.span] = DraftNote(len(notes) + 1, one, f"{name}:{one.line}")
    return notes


def marks_of(notes: dict[Span, DraftNote], citations: Sequence[Citation]) -> tuple[int, ...]:
    """Give the numbers of citations, each once."""
    return tuple(dict.fromkeys(notes[one.span].number for one in citations))


def draft_facts(draft: Draft) -> list[tuple[str, str]]:
    """List how a draft was made, as (name, value) pairs for a person."""
    model = f"{draft.model_name} ({draft.model[:12]})" if draft.model else "none"
    facts = [("casemate", draft.version), ("model", model), ("seed", str(draft.seed))]
    if draft.prompt:
        facts.append(("prompt", draft.prompt[:12]))
    if draft.adapter:
        facts.append(("adapter", draft.adapter))
    if draft.requests:
        tokens = f"{draft.prompt_tokens} read ({draft.cached_tokens} cached), {draft.generated_tokens} written"
        facts.append(("tokens", f"{tokens}, in {draft.requests} request{'s' if draft.requests > 1 else ''}"))
        rate = "" if draft.supported is None else f" ({draft.supported:.0%} supported)"
        facts.append(("sentences", f"{draft.proposed} proposed, {draft.dropped} dropped{rate}"))
    facts.append(("seconds", f"{draft.seconds:.1f}"))
    return facts
