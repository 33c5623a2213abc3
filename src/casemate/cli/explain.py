"""casemate explain: run a task on evidence that belongs to no case; nothing is kept."""

import argparse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from casemate.cli.drafts import add_draft_options, open_tools, show_draft
from casemate.cli.given import GIVEN, explain_given
from casemate.cli.home import open_policy
from casemate.cli.terminal import Progress, tell
from casemate.core.draft import Cited
from casemate.core.issue import Issue, Severity
from casemate.core.marking import Marking

if TYPE_CHECKING:  # slow to import, and the help needs none of them
    from casemate.pipeline.explaining import Held
    from casemate.pipeline.tools import Tools
    from casemate.stages.ingest import Source
    from casemate.tasks.task import Material, Task

Explain = Callable[["list[Source | Issue]", "Marking", "Tools"], "tuple[Task, Material, Held]"]
"""Reads the inputs and makes the material of a task."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    tasks = parser.add_subparsers(dest="task", metavar="TASK", required=True)
    for name, (text, _) in EXPLAINED.items():
        task = tasks.add_parser(name, help=text, description=text)
        task.add_argument("paths", nargs="+", metavar="PATH", help="files, folders, or - for standard input")
        add_draft_options(task)
        _add_common(task)
    for name, (text, add, _) in GIVEN.items():
        task = tasks.add_parser(name, help=text, description=text)
        add(task)
        _add_common(task)


def _add_common(parser: argparse.ArgumentParser) -> None:
    marking = [one.value for one in Marking]
    parser.add_argument("--marking", choices=marking, help="TLP 2.0 marking (default: from the policy)")
    parser.add_argument("--policy", metavar="FILE", help="policy in TOML (default: $CASEMATE_POLICY, else built in)")


def run(arguments: argparse.Namespace) -> int:
    """Explain and show the draft."""
    if arguments.task in GIVEN:
        return explain_given(arguments)
    from casemate.pipeline.drafting import draft
    from casemate.stages.ingest import find_sources

    policy = open_policy(arguments)
    marking = Marking(arguments.marking) if arguments.marking else policy.default_marking
    with open_tools(arguments, policy) as tools, Progress() as progress:
        progress("reading")
        sources = list(find_sources(arguments.paths, policy.limits))
        task, material, held = EXPLAINED[arguments.task][1](sources, marking, tools)
        made = draft(task, material, tools, held.texts, seed=arguments.seed, progress=progress)
    show_draft(made, arguments.format, arguments.output)
    errors = [issue for issue in held.issues if issue.severity is not Severity.NOTE]
    for issue in errors[:20]:
        tell(f"casemate: {issue.source}: {issue.message}" + (f"; {issue.way_out}" if issue.way_out else ""))
    return 3 if any(issue.severity is Severity.ERROR for issue in errors) else 0


def _payload(sources: "list[Source | Issue]", marking: Marking, tools: "Tools") -> "tuple[Task, Material, Held]":
    from casemate.pipeline.explaining import read_payloads
    from casemate.tasks import payload

    layers, held = read_payloads(sources, tools)
    quote_chars = tools.policy.limits.quote_chars
    return payload.TASK, payload.build_material(layers, marking, quote_chars, tools.defences.leave_out), held


def _log(sources: "list[Source | Issue]", marking: Marking, tools: "Tools") -> "tuple[Task, Material, Held]":
    from casemate.pipeline.explaining import read_log
    from casemate.tasks import log

    logs, held = read_log(sources, tools)
    material = log.build_material(
        logs.groups,
        logs.evidence,
        tuple(Cited(digest, name) for digest, name in held.names.items()),
        marking,
        held.texts,
        lambda text: tools.scanner.scan(text, 0),
        tools.policy.limits.quote_chars,
        tools.defences.leave_out,
    )
    return log.TASK, material, held


EXPLAINED: Mapping[str, tuple[str, Explain]] = {
    "payload": ("what a script or command line would do, step by step, each step quoting the code", _payload),
    "log": ("what the groups of lines of a log mean, with their counts and rare values", _log),
}
"""Task -> its line in the help, and what makes its material from the inputs."""
