"""casemate triage --engine ray: many inputs, a case each, over Ray Data."""

import argparse
import json
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from casemate.cli.home import actor, cache_folder, home, knowledge_path, open_knowledge, open_policy, open_store
from casemate.cli.terminal import Progress, tell, visible
from casemate.core.errors import NothingRead, RefusedByPolicy, WrongUsage
from casemate.core.issue import Issue, Severity
from casemate.core.marking import Marking
from casemate.core.plain import json_escaped

if TYPE_CHECKING:
    from casemate.pipeline.bulk import Came
    from casemate.policy import Policy

ENGINES = ("process", "ray")
BULK_FORMATS = ("text", "json")
_OURS = "give --engine ray, or leave it out"


def add_bulk_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of bulk runs."""
    bulk = parser.add_argument_group("bulk", "with --engine ray: a case of every input by itself")
    bulk.add_argument("--engine", choices=ENGINES, default="process", help="who does the work (default: this process)")
    bulk.add_argument("--workers", type=int, metavar="N", help="processes of Ray (default: one a core)")
    bulk.add_argument("--parquet", metavar="DIR", help="keep what came of it there too, and resume from it")
    bulk.add_argument(
        "--ray-address", metavar="HOST:PORT", help="a cluster that runs already (default: one of our own)"
    )


def check_options(arguments: argparse.Namespace) -> bool:
    """Say whether this is a bulk run; `WrongUsage` for options that do not go together."""
    named = {"--workers": arguments.workers, "--parquet": arguments.parquet, "--ray-address": arguments.ray_address}
    if arguments.engine == "process":
        for name, value in named.items():
            if value is not None:
                raise WrongUsage(f"{name} belongs to bulk runs", way_out=_OURS)
        return False
    if arguments.format not in BULK_FORMATS or arguments.output:
        raise WrongUsage(
            "a bulk run lists its cases as text or as lines of JSON on standard output",
            way_out="export them one by one with `casemate case export`, or keep --parquet DIR",
        )
    if arguments.model not in {None, "none"} or arguments.seed:
        raise WrongUsage("a bulk run asks no language model", way_out="leave --model and --seed out")
    if arguments.workers is not None and not 1 <= arguments.workers <= 10_000:
        raise WrongUsage("--workers must be 1 or more", way_out="leave it out for one a core")
    if arguments.ray_address and not arguments.parquet:
        raise WrongUsage("a cluster needs a folder that all its hosts share", way_out="name it with --parquet DIR")
    return True


def run_on_engine(arguments: argparse.Namespace) -> int:
    """Take every input the whole path to a case of its own, and list the cases."""
    from casemate.pipeline.bulk import run_bulk
    from casemate.pipeline.bulk_parts import prepare_folder
    from casemate.pipeline.bulk_ray import RayEngine, require_ray, scratch_folder
    from casemate.pipeline.bulk_work import Setup
    from casemate.pipeline.reading import edition_of
    from casemate.pipeline.tools import Tools
    from casemate.stages.extract.scanner import Scanner
    from casemate.stages.generate.model_store import list_models
    from casemate.stages.ingest import find_sources

    policy = open_policy(arguments)
    address = arguments.ray_address or ""
    _check_address(address, policy)
    require_ray()
    if arguments.model is None and list_models(home()):
        tell("casemate: a bulk run asks no language model; --model none says that this is meant")
    done: list[Came] = []
    failed: list[Issue] = []
    with open_knowledge() as knowledge, open_store(arguments.store, policy) as store, scratch_folder() as scratch:
        tools = Tools(policy, knowledge, Scanner(cache=cache_folder()))  # made here, so that no worker makes it twice
        folder = prepare_folder(Path(arguments.parquet).absolute() if arguments.parquet else scratch / "parts")
        setup = Setup(
            policy,
            str(knowledge_path().absolute()),
            str(cache_folder().absolute()),
            str(folder),
            "" if address else str(scratch),
            edition_of(tools),
            Marking(arguments.marking) if arguments.marking else policy.default_marking,
            actor(),
        )
        engine = RayEngine(arguments.workers or os.cpu_count() or 1, address, policy.limits, scratch)
        sources = find_sources(arguments.paths, policy.limits)
        with Progress() as progress, closing(run_bulk(sources, setup, tools, store, engine)) as run:
            for came in run:
                if isinstance(came, Issue):
                    failed += [came] if came.severity is Severity.ERROR else []
                    tell(f"casemate: {came.source}: {came.message}" + (f"; {came.way_out}" if came.way_out else ""))
                else:
                    done.append(came)
                    print(_line(came, arguments.format), flush=True)
                progress(f"{len(done):,} cases")
    if not done:
        raise NothingRead("no evidence could be read", way_out="name a file")
    return 3 if failed or any(_is_unread(came) for came in done) else 0


def _is_unread(came: "Came") -> bool:
    return not came.repeated and any(issue.severity is Severity.ERROR for issue in came.case.issues)


def _check_address(address: str, policy: "Policy") -> None:
    host = address.rpartition(":")[0].strip("[]")
    if address and host not in policy.engine_hosts:
        raise RefusedByPolicy(
            f"the policy does not allow evidence to be worked on at {host[:100] or address[:100]!r}",
            way_out="name HOST:PORT, and add the host to engine_hosts in the policy if you may decide that",
        )


def _line(came: "Came", form: str) -> str:
    case = came.case
    if form == "json":
        line = {
            "id": case.id,
            "source": came.source,
            "marking": case.marking.value,
            "disposition": case.disposition.value,
            "priority": case.assessment.proposal.priority,
            "findings": len(case.findings),
            "title": case.title,
            "repeated": came.repeated,
        }
        return json_escaped(json.dumps(line, ensure_ascii=False))
    return f"{case.id}  {case.disposition.value:15}  {visible(came.source)[-50:]:50}  {visible(case.title)[:70]}"
