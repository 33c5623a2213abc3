"""Write a draft for a task: ask the model part by part, keep what the evidence carries, compose the rest by code."""

import time
from collections.abc import Callable
from dataclasses import replace

from casemate import __version__
from casemate.core.digest import digest_value
from casemate.core.draft import Draft, Section
from casemate.core.issue import Issue
from casemate.core.text import Texts
from casemate.pipeline.asking import Asking, Told, read_all
from casemate.pipeline.assessing import choose_sentences, keep_verbatim
from casemate.pipeline.tools import Tools
from casemate.stages.generate import choose_adapter
from casemate.stages.validate import check_citations
from casemate.tasks.task import Material, Sheet, Task

Progress = Callable[[str], None]
"""Told what is being done, in a few words; evidence text is never in it raw."""


def draft(
    task: Task,
    material: Material,
    tools: Tools,
    texts: Texts,
    *,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> Draft:
    """Write a draft; the same task, material, model and seed ask the model the same.

    A section is the model's when enough of what it proposed holds and it tells what it must, else composed; an issue
    says so and why. Once the engine has failed it is not asked again. Every citation, of sentences and facts alike, is
    compared with the stored text at the end; what does not select its quote is left out with an issue.
    """
    started = time.monotonic()
    run = digest_value([material.case, [one.id for one in material.evidence], task.name, material.about])
    adapter = choose_adapter(tools.model, [task.adapter]) if tools.model else ""
    asking = Asking(seed, run, material.seen, question=material.question, adapter=adapter)
    total = Told()
    sections: list[Section] = []
    issues: list[Issue] = []
    for sheet in material.sheets:
        told = Told() if total.failed else _ask(task, sheet, asking, tools, progress)
        composed = ("section-composed", f"“{sheet.title}” is composed by code")
        name = tools.model.name if tools.model else ""
        sentences, why = choose_sentences(told, sheet, name, composed, failed=total.failed)
        total += told
        good, forged = keep_verbatim(sentences, texts, tools)
        if good:
            sections.append(Section(sheet.title, good))
        issues += [*told.issues, *why, *forged]
    faults = [check_citations(one.citations, texts) for one in material.facts]
    facts = tuple(one for one, wrong in zip(material.facts, faults, strict=True) if not wrong)
    issues += [issue for wrong in faults for issue in wrong]
    model = tools.model
    return Draft(
        task=task.name,
        case=material.case,
        about=material.about,
        created=tools.clock(),
        marking=material.marking,
        evidence=material.evidence,
        sections=tuple(sections),
        facts=facts,
        version=__version__,
        seed=seed,
        model=model.digest if model else None,
        model_name=model.name if model else "none",
        prompt=task.digest if total.requests else None,
        adapter=adapter if total.requests else "",
        requests=total.requests,
        prompt_tokens=total.prompt_tokens,
        cached_tokens=total.cached_tokens,
        generated_tokens=total.generated_tokens,
        seconds=round(time.monotonic() - started, 3),
        proposed=total.proposed,
        dropped=total.dropped,
        issues=tuple(dict.fromkeys(issues)),
    )


def add_told(made: Draft, told: Told, task: Task, started: float) -> Draft:
    """Count into a draft what a model was asked before it was written; `started` is of `time.monotonic`."""
    asked = made.requests + told.requests
    return replace(
        made,
        prompt=task.digest if asked else None,
        requests=asked,
        prompt_tokens=made.prompt_tokens + told.prompt_tokens,
        cached_tokens=made.cached_tokens + told.cached_tokens,
        generated_tokens=made.generated_tokens + told.generated_tokens,
        seconds=round(time.monotonic() - started, 3),
        proposed=made.proposed + told.proposed,
        dropped=made.dropped + told.dropped,
    )


def _ask(task: Task, sheet: Sheet, asking: Asking, tools: Tools, progress: Progress) -> Told:
    if sheet.part is None or tools.model is None or not sheet.excerpts:
        return Told()
    own = Asking(
        asking.seed, asking.run, asking.seen, given=sheet.given, question=asking.question, adapter=asking.adapter
    )
    return read_all(task, sheet.part, sheet.excerpts, own, tools, progress)
