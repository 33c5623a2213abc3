"""Write up a vulnerability: facts by code, estimates by the specialists, words by a model if there is one."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from casemate.core.digest import digest_value
from casemate.core.draft import Draft
from casemate.core.errors import NotTrusted
from casemate.core.issue import Issue, Severity
from casemate.core.marking import Marking
from casemate.pipeline.asking import Asking, Told, ask
from casemate.pipeline.drafting import Progress, add_told, draft
from casemate.pipeline.tools import Tools
from casemate.stages.validate.opinions import Opinion
from casemate.tasks.excerpts import talks_to_a_model
from casemate.tasks.vulnerability.asking import (
    TASK,
    WEAKNESS,
    Papers,
    build_material,
    weakness_candidates,
    weakness_excerpts,
)
from casemate.tasks.vulnerability.facts import Guess, WriteUp, write_up
from casemate.tasks.vulnerability.record import Record

if TYPE_CHECKING:  # NumPy takes a while to import
    from casemate.stages.classify.cvss import CvssSpecialist
    from casemate.stages.classify.cwe import CweSpecialist


@dataclass(slots=True)
class Estimators:
    """Asks the two specialists about a description; where one cannot be trusted it is left out, with an issue."""

    open_cwe: "Callable[[], CweSpecialist]"
    open_cvss: "Callable[[], CvssSpecialist]"
    issues: tuple[Issue, ...] = ()

    def __call__(self, text: str) -> Guess:
        """Estimate weakness and vector, also of text that talks to a language model: the specialists are none."""
        guess = Guess()
        try:
            weakness = self.open_cwe().rank([text])[0]
            guess = replace(guess, weaknesses=() if weakness.abstained else weakness.candidates, reason=weakness.reason)
        except NotTrusted as error:
            self._tell("cwe", error)
        try:
            scored = self.open_cvss().score([text])[0]
        except NotTrusted as error:
            self._tell("cvss", error)
            return guess
        if scored.abstained:
            return replace(guess, reason=guess.reason or scored.reason)
        return replace(guess, vector=scored.vector, score=scored.score, probability=scored.probability)

    def _tell(self, name: str, error: NotTrusted) -> None:
        message = f"the specialist `{name}` was not asked: {error.message}"
        self.issues += (Issue("specialist-not-trusted", Severity.WARNING, message, way_out=error.way_out),)


def open_estimators() -> Estimators:
    """Open the shipped specialists, when they are first asked."""
    from casemate.stages.classify.cvss import CvssSpecialist
    from casemate.stages.classify.cwe import CweSpecialist

    return Estimators(CweSpecialist.open, CvssSpecialist.open)


def explain_vulnerability(
    record: Record,
    name: str,
    marking: Marking,
    tools: Tools,
    estimate: Callable[[str], Guess],
    *,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> tuple[WriteUp, Draft]:
    """Write up a record or a private finding; gives what is known, and the draft in words.

    A model is asked for the weakness first, without being told what others say; where it differs, an issue says so.
    """
    started = time.monotonic()
    known = write_up(record, tools.knowledge, estimate)
    guess = known.guess
    told = Told()
    if tools.model is not None and known.description:
        progress("asking the model for the weakness")
        told = _choose_weakness(known, name, tools, seed)
        chosen = [dict(one.fields)["weakness"] for one in told.kept if "weakness" in dict(one.fields)]
        opinions = [Opinion(f"the model {tools.model.name}", weakness) for weakness in chosen]
        known = write_up(record, tools.knowledge, lambda _: guess, opinions)
    papers = Papers(known, name)
    material = build_material(known, papers, marking)
    tools = replace(tools, model=None) if told.failed else tools
    made = draft(TASK, material, tools, papers.texts, seed=seed, progress=progress)
    issues = (*known.issues, *_injected(known), *told.issues, *made.issues)
    return known, replace(add_told(made, told, TASK, started), issues=tuple(dict.fromkeys(issues)))


def _choose_weakness(known: WriteUp, name: str, tools: Tools, seed: int) -> Told:
    papers = Papers(known, name)
    run = digest_value([TASK.name, known.record.id, known.description])
    asking = Asking(seed, run, frozenset(), given=weakness_candidates(known))
    return ask(WEAKNESS, weakness_excerpts(known, papers), asking, tools)


def _injected(known: WriteUp) -> tuple[Issue, ...]:
    if not talks_to_a_model(known.description):
        return ()
    message = "the description holds text that talks to a language model; it was not shown to one"
    return (Issue("injected-text", Severity.WARNING, message, way_out="ask who wrote the description"),)
