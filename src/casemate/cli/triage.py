"""casemate triage: evidence in, one case out."""

import argparse
import sys

from casemate.cli.home import (
    actor,
    add_store_option,
    cache_folder,
    note_reading,
    open_knowledge,
    open_language_model,
    open_policy,
    open_store,
)
from casemate.cli.terminal import Progress, tell, write_result
from casemate.cli.triage_bulk import add_bulk_options, check_options, run_on_engine
from casemate.core.issue import Severity
from casemate.core.marking import Marking

FORMATS = ("text", "json", "markdown", "html", "stix", "misp", "navigator", "csv")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files, folders, or - for standard input")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how the case is shown (default: text)")
    parser.add_argument("--output", metavar="FILE", help="write it there instead of to standard output")
    parser.add_argument(
        "--marking", choices=[marking.value for marking in Marking], help="TLP 2.0 marking (default: from the policy)"
    )
    parser.add_argument("--model", metavar="NAME", help="a stored model, server:URL#NAME, or none (default: in use)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the model's sampling (default: 0)")
    add_store_option(parser)
    add_bulk_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Triage and show the case, or with an engine for many the cases."""
    if check_options(arguments):
        return run_on_engine(arguments)
    from casemate.pipeline.specialists import Specialists
    from casemate.pipeline.tools import Tools
    from casemate.pipeline.triage import Order, triage
    from casemate.stages.export import render, render_text
    from casemate.stages.extract.scanner import Scanner
    from casemate.stages.ingest import find_sources

    policy = open_policy(arguments)
    specialists = Specialists(policy.specialists)
    specialists.prepare()
    marking = Marking(arguments.marking) if arguments.marking else policy.default_marking
    with (
        open_knowledge() as knowledge,
        open_language_model(arguments.model, policy) as model,
        open_store(arguments.store, policy) as store,
    ):
        tools = Tools(policy, knowledge, Scanner(cache=cache_folder()), model, specialists)
        with Progress() as progress:
            order = Order(marking, actor(), arguments.seed)
            outcome = triage(find_sources(arguments.paths, policy.limits), order, tools, store, progress)
        case = outcome.case
        if outcome.repeated:
            note_reading(store, case)
        texts = store.texts_of(case.id)
        if arguments.format == "text" and arguments.output is None:
            write_result(render_text(case, texts, colour=sys.stdout.isatty()).encode(), None)
        else:
            write_result(render(case, arguments.format, texts), arguments.output)
    if outcome.repeated:
        tell(f"{case.id} was there already; nothing had to be done again")
    errors = [issue for issue in case.issues if issue.severity is Severity.ERROR]
    errors += [issue for issue in outcome.unread if issue not in errors]
    for issue in errors[:20]:
        where = f" ({issue.place})" if issue.place else ""
        tell(f"casemate: {issue.source}{where}: {issue.message}" + (f"; {issue.way_out}" if issue.way_out else ""))
    if len(errors) > 20:
        tell(f"casemate: and {len(errors) - 20} more inputs that could not be read, in the issues of the case")
    return 3 if errors else 0
