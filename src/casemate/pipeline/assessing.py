"""Stages 5 and 6 of triage: ask the model for a summary; compose it from the findings when too little of it holds."""

from collections.abc import Sequence

from casemate.core.assessment import Sentence
from casemate.core.finding import Finding
from casemate.core.issue import Issue, Severity
from casemate.core.observable import Observable
from casemate.pipeline.asking import Asking, Told, ask
from casemate.pipeline.tools import Tools
from casemate.stages.generate import choose_adapter
from casemate.stages.validate import Excerpt
from casemate.tasks.excerpts import UNTOLD, overlap
from casemate.tasks.summary import PART, TASK


def ask_model(
    excerpts: Sequence[Excerpt], observables: Sequence[Observable], tools: Tools, seed: int, run: str
) -> Told:
    """Ask the model once for a summary of the excerpts and keep the sentences that pass every check."""
    adapter = choose_adapter(tools.model, [TASK.adapter]) if tools.model else ""
    asking = Asking(seed, run, frozenset(item.value for item in observables), adapter=adapter)
    return ask(PART, excerpts, asking, tools)


def choose_summary(
    told: Told, composed: tuple[Sentence, ...], findings: Sequence[Finding], model_name: str
) -> tuple[tuple[Sentence, ...], tuple[Issue, ...]]:
    """Take the model's summary when enough of it holds and it speaks of what is gravest, else the composed one.

    `findings` stand with the gravest first. Says which was taken, and why.
    """
    rate = len(told.sentences) / told.proposed if told.proposed else 0.0
    holds = len(told.sentences) >= PART.enough and rate >= PART.rate
    missed = _missed(told.sentences, findings) if holds else None
    if holds and missed is None:
        return told.sentences[: PART.most], ()
    if not model_name:
        return composed, ()
    if missed is not None:
        message = (
            f"the summary is composed from the findings: what {model_name} wrote is carried by the evidence, but says "
            f"nothing of the gravest finding, {missed.title}"
        )
        return composed, (Issue("summary-composed", Severity.NOTE, message),)
    message = (
        f"the summary is composed from the findings: {len(told.sentences)} of the {told.proposed} sentences that "
        f"{model_name} proposed are carried by the evidence"
    )
    return composed, (Issue("summary-composed", Severity.NOTE, message),)


def _missed(sentences: Sequence[Sentence], findings: Sequence[Finding]) -> Finding | None:
    """Give the gravest finding that a model may be shown, if no sentence cites what it cites."""
    gravest = next((one for one in findings if one.kind not in UNTOLD and one.severity and one.citations), None)
    if gravest is None:
        return None
    cited = [one.span for one in gravest.citations]
    told = [one.span for sentence in sentences[: PART.most] for one in sentence.citations]
    return None if any(overlap(one, other) for one in cited for other in told) else gravest
