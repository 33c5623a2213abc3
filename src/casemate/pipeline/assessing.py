"""Whether the model's words stand or those composed by code: one rule, for triage and for every draft."""

from collections.abc import Sequence

from casemate.core.assessment import Sentence
from casemate.core.finding import Finding
from casemate.core.issue import Issue, Severity
from casemate.core.observable import Observable
from casemate.core.text import Texts
from casemate.core.words import counted
from casemate.pipeline.asking import Asking, Told, ask
from casemate.pipeline.tools import Tools
from casemate.stages.generate import choose_adapter
from casemate.stages.validate import Excerpt
from casemate.tasks.gravest import must_tell, passed_over
from casemate.tasks.summary import PART, TASK, TITLE
from casemate.tasks.task import Sheet


def ask_model(
    excerpts: Sequence[Excerpt], observables: Sequence[Observable], tools: Tools, seed: int, run: str
) -> Told:
    """Ask the model once for a summary of the excerpts and keep the sentences that pass every check."""
    adapter = choose_adapter(tools.model, [TASK.adapter]) if tools.model else ""
    asking = Asking(seed, run, frozenset(item.value for item in observables), adapter=adapter)
    return ask(PART, excerpts, asking, tools)


def summarise(
    told: Told, composed: tuple[Sentence, ...], findings: Sequence[Finding], tools: Tools, texts: Texts
) -> tuple[tuple[Sentence, ...], tuple[Issue, ...]]:
    """Choose the summary of a case from what a model told and what code composed; `findings` the gravest first."""
    sheet = Sheet(TITLE, composed, PART, must_tell=must_tell(findings))
    beginning = ("summary-composed", "the summary is composed from the findings")
    chosen, why = choose_sentences(told, sheet, tools.model.name if tools.model else "", beginning)
    kept, forged = keep_verbatim(chosen, texts, tools)
    return kept, (*why, *forged)


def choose_sentences(
    told: Told, sheet: Sheet, model_name: str, composed: tuple[str, str], *, failed: bool = False
) -> tuple[tuple[Sentence, ...], tuple[Issue, ...]]:
    """Take the model's sentences when enough of them hold and they speak of what must be told, else the composed ones.

    Without a part or a `model_name` nobody was asked, and nothing is said. Else an issue says why the composed ones
    were taken; `composed` is its code and how its message begins. `failed` says that the engine was given up before.
    """
    part = sheet.part
    if part is None or not model_name:
        return sheet.composed, ()
    held = 1 - told.dropped / told.proposed if told.proposed else 0.0
    taken = told.sentences[: part.most]
    enough = len(told.kept) >= part.enough and held >= part.rate
    missed = passed_over(taken, sheet.must_tell) if enough else None
    if enough and missed is None:
        return taken, ()
    if missed is not None:
        which = f"the gravest finding, {missed.title}" if missed.severity else "what was found in it more than once"
        reason = f"what {model_name} wrote is carried by the evidence, but says nothing of {which}"
    elif failed or told.failed:
        reason = "the engine had failed"
    elif not told.requests:
        reason = "there was nothing that it could be shown"
    else:
        proposed = counted(told.proposed, "sentence")
        reason = f"of {proposed} that {model_name} proposed, the evidence carries {told.proposed - told.dropped}"
    code, beginning = composed
    return sheet.composed, (Issue(code, Severity.NOTE, f"{beginning}: {reason}"),)


def keep_verbatim(
    sentences: Sequence[Sentence], texts: Texts, tools: Tools
) -> tuple[tuple[Sentence, ...], tuple[Issue, ...]]:
    """Leave out every sentence that cites what the stored text does not say, with issues that tell it."""
    kept: list[Sentence] = []
    issues: list[Issue] = []
    for one in sentences:
        faults = tools.defences.verify(one.citations, texts)
        issues += faults
        if not faults:
            kept.append(one)
    return tuple(kept), tuple(issues)
