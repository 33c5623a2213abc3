"""Stages 5 and 6 of triage: ask the model for a summary; compose it from the findings when too little of it holds."""

from collections.abc import Sequence

from casemate.core.assessment import Sentence
from casemate.core.issue import Issue, Severity
from casemate.core.observable import Observable
from casemate.pipeline.asking import Asking, Told, ask
from casemate.pipeline.tools import Tools
from casemate.stages.generate import choose_adapter
from casemate.stages.validate import Excerpt
from casemate.tasks.summary import PART, TASK


def ask_model(
    excerpts: Sequence[Excerpt], observables: Sequence[Observable], tools: Tools, seed: int, run: str
) -> Told:
    """Ask the model once for a summary of the excerpts and keep the sentences that pass every check."""
    adapter = choose_adapter(tools.model, [TASK.adapter]) if tools.model else ""
    asking = Asking(seed, run, frozenset(item.value for item in observables), adapter=adapter)
    return ask(PART, excerpts, asking, tools)


def choose_summary(
    told: Told, composed: tuple[Sentence, ...], model_name: str
) -> tuple[tuple[Sentence, ...], tuple[Issue, ...]]:
    """Take the model's summary when enough of it holds, else the composed one; say which, and why."""
    rate = len(told.sentences) / told.proposed if told.proposed else 0.0
    if len(told.sentences) >= PART.enough and rate >= PART.rate:
        return told.sentences[: PART.most], ()
    if not model_name:
        return composed, ()
    message = (
        f"the summary is composed from the findings: {len(told.sentences)} of the {told.proposed} sentences that "
        f"{model_name} proposed are carried by the evidence"
    )
    return composed, (Issue("summary-composed", Severity.NOTE, message),)
