"""What the commands share that run a task and show its draft: options, opening of the rooms, printing."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from casemate.cli.home import (
    actor,
    cache_folder,
    find_case,
    note_reading,
    open_knowledge,
    open_language_model,
    open_policy,
    open_store,
)
from casemate.cli.terminal import Progress, write_result
from casemate.core.draft import Draft

if TYPE_CHECKING:  # slow to import, and the help needs none of them
    from casemate.core.case import Case
    from casemate.pipeline.tools import Tools
    from casemate.policy import Policy
    from casemate.store import StoredTexts
    from casemate.tasks.task import Material, Task

FORMATS = ("text", "markdown", "html", "json")

Build = Callable[["argparse.Namespace", "Case", "StoredTexts", "Tools"], "tuple[Task, Material]"]
"""Makes the material of a task from the command's options and a stored case."""


def add_draft_options(parser: argparse.ArgumentParser, formats: tuple[str, ...] = FORMATS) -> None:
    """Add how a draft is made and shown."""
    parser.add_argument("--format", choices=formats, default="text", help="how the draft is shown (default: text)")
    parser.add_argument("--output", metavar="FILE", help="write it there instead of to standard output")
    parser.add_argument("--model", metavar="NAME", help="a stored model, server:URL#NAME, or none (default: in use)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the model's sampling (default: 0)")


@contextmanager
def open_tools(arguments: argparse.Namespace, policy: "Policy") -> "Iterator[Tools]":
    """Open the knowledge, the scanner and the model."""
    from casemate.pipeline.tools import Tools
    from casemate.stages.extract.scanner import Scanner

    with open_knowledge() as knowledge, open_language_model(arguments.model, policy) as model:
        yield Tools(policy, knowledge, Scanner(cache=cache_folder()), model)


def draft_case(arguments: argparse.Namespace) -> int:
    """Run one of `CASE_TASKS`, keep the draft in the case, and show it."""
    from casemate.audit import NewAuditEvent
    from casemate.pipeline.drafting import draft
    from casemate.pipeline.metering import meter

    policy = open_policy(arguments)
    with open_store(arguments.store, policy) as store:
        case = find_case(store, arguments.id)
        note_reading(store, case)
        texts = store.texts_of(case.id)
        with open_tools(arguments, policy) as opened, Progress() as progress:
            tools = meter(opened, store, case.id, actor(), arguments.action)
            task, material = CASE_TASKS[arguments.action][2](arguments, case, texts, tools)
            made = draft(task, material, tools, texts, seed=arguments.seed, progress=progress)
        body = (
            ("task", made.task),
            ("model", str(made.model or "none")),
            ("proposed", str(made.proposed)),
            ("dropped", str(made.dropped)),
        )
        store.save_draft(made, NewAuditEvent(actor(), "case.drafted", case.id, body))
    show_draft(made, arguments.format, arguments.output)
    return 0


def show_draft(made: Draft, form: str, output: str | None) -> None:
    """Write a draft to standard output or into a file."""
    from casemate.stages.export import render_draft, render_draft_text

    if form == "text" and output is None:
        write_result(render_draft_text(made, colour=sys.stdout.isatty()).encode(), None)
    else:
        write_result(render_draft(made, form), output)


def _no_options(_parser: argparse.ArgumentParser) -> None:
    return


def _summary(
    _arguments: argparse.Namespace, case: "Case", texts: "StoredTexts", tools: "Tools"
) -> "tuple[Task, Material]":
    from casemate.tasks import summary

    return summary.TASK, summary.build_material(case, texts, tools.policy.limits.quote_chars, tools.defences.leave_out)


def _add_reader(parser: argparse.ArgumentParser) -> None:
    readers = ("executive", "analyst", "engineer")
    parser.add_argument("--reader", choices=readers, default="analyst", help="who reads it next (default: analyst)")


def _brief(
    arguments: argparse.Namespace, case: "Case", texts: "StoredTexts", tools: "Tools"
) -> "tuple[Task, Material]":
    from casemate.tasks import brief

    quote_chars, leave_out = tools.policy.limits.quote_chars, tools.defences.leave_out
    return brief.TASK, brief.build_material(case, arguments.reader, texts, quote_chars, leave_out)


CASE_TASKS: Mapping[str, tuple[str, Callable[[argparse.ArgumentParser], None], Build]] = {
    "summary": ("the case in at most five sentences, each cited", _no_options, _summary),
    "brief": ("a report draft for the next reader, marked as a draft", _add_reader, _brief),
}
"""Task -> its line in the help, what adds its options, and what makes its material from a case."""
