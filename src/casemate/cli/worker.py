"""casemate worker: one more worker for the jobs of a service."""

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from casemate.cli.home import (
    add_store_option,
    cache_folder,
    open_knowledge,
    open_language_model,
    open_policy,
    open_store,
)
from casemate.cli.stopping import stop_with_input, stopped_by_signals

if TYPE_CHECKING:
    from casemate.core.alert import Job


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--model", metavar="NAME", default="none", help="language model (default: none)")
    parser.add_argument("--while-input", action="store_true", help="end when standard input ends (used by serve)")
    add_store_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT, and finish the job that was begun."""
    from casemate.pipeline.specialists import Specialists
    from casemate.pipeline.tools import Tools
    from casemate.pipeline.worker import Worker
    from casemate.stages.extract.scanner import Scanner

    stopping = stopped_by_signals()
    if arguments.while_input:
        stop_with_input(stopping)
    policy = open_policy(arguments)
    with (
        open_knowledge() as knowledge,
        open_language_model(arguments.model, policy) as model,
        open_store(arguments.store, policy) as store,
    ):
        tools = Tools(policy, knowledge, Scanner(cache=cache_folder()), model, Specialists(policy.specialists))
        _log("ready")
        Worker(store, tools, stopping, _log).run()
    _log("stopped")
    return 0


def _log(what: str, job: "Job | None" = None) -> None:
    line: dict[str, object] = {"worker": os.getpid(), "is": what}
    if job is not None:
        line |= {"job": job.number, "attempt": job.attempts}
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()
