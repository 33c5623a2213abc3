"""casemate bench injection: what evidence that talks to the model achieves, per defence switched off and on."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from casemate.core.errors import WrongUsage

_SAMPLE = 10  # attacks asked of a real model, unless a number is given


def add_injection(names: "argparse._SubParsersAction[Any]") -> None:
    """Add the command."""
    text = "what evidence that talks to the model achieves, per defence off and on"
    bench = names.add_parser("injection", help=text, description=text)
    bench.add_argument("--data", required=True, metavar="FOLDER", help="the folder with the sets of attacks")
    bench.add_argument("--examples", default="examples", metavar="FOLDER", help="the carriers (default: examples)")
    bench.add_argument("--model", metavar="NAME", help="ask this model instead of the adversaries that come with it")
    bench.add_argument(
        "--limit", type=int, metavar="N", help=f"a sample of N attacks (default: all, {_SAMPLE} with --model)"
    )
    bench.add_argument("--set", action="append", metavar="NAME", help="only this set; may be given again")
    bench.add_argument("--seed", type=int, default=0, metavar="N", help="of the sample (default: 0)")
    bench.add_argument("--per-item", metavar="FILE", help="kept and gone on from (default: injection.jsonl here)")
    bench.add_argument("--quick", action="store_true", help="all defences on and all off, without each off alone")
    bench.add_argument(
        "--clean", action="append", default=[], metavar="PATH", help="text without attacks, for false flags"
    )
    bench.add_argument("--flags-only", action="store_true", help="only how many attacks are flagged, by set")
    bench.add_argument("--policy", metavar="FILE", help="policy in TOML (default: $CASEMATE_POLICY, else built in)")
    bench.add_argument("--json", action="store_true", help="as JSON instead of tables")


def measure(arguments: argparse.Namespace, data: Path) -> dict[str, Any]:
    """Measure and return the report."""
    from casemate.bench.injection_flags import flagged_by_set, flags_on_clean
    from casemate.bench.injection_sets import read_attacks, sample_attacks
    from casemate.cli.home import open_policy
    from casemate.cli.terminal import Progress

    if arguments.limit is not None and arguments.limit < 1:
        raise WrongUsage("--limit must be 1 or more", way_out="name another number")
    attacks = read_attacks(data)
    if arguments.set:
        unknown = set(arguments.set) - {one.set for one in attacks}
        if unknown:
            known = ", ".join(sorted({one.set for one in attacks}))
            raise WrongUsage(f"there is no set {min(unknown)}", way_out=f"one of: {known}")
        attacks = [one for one in attacks if one.set in arguments.set]
    policy = open_policy(arguments)
    report: dict[str, Any] = {}
    with Progress() as progress:
        if not arguments.flags_only:
            limit = arguments.limit or (_SAMPLE if arguments.model else None)
            sample = sample_attacks(attacks, limit, arguments.seed)
            report = {"available": len(attacks), "seed": arguments.seed}
            report = _measure_cases(arguments, sample, progress) | report
        report["flagged"] = flagged_by_set(attacks)
        if arguments.clean:
            report["false_flags"] = flags_on_clean(arguments.clean, policy.limits, progress)
    return report


def _measure_cases(arguments: argparse.Namespace, attacks: Any, progress: Any) -> dict[str, Any]:
    from dataclasses import replace

    from casemate.bench.injection import SETTINGS, measure_injection, read_ground
    from casemate.cli.home import cache_folder, open_knowledge, open_language_model, open_policy
    from casemate.pipeline.specialists import Specialists
    from casemate.pipeline.tools import Tools
    from casemate.stages.extract.scanner import Scanner

    policy = open_policy(arguments)
    settings = tuple(one for one in SETTINGS if one.name in {"on", "off"}) if arguments.quick else SETTINGS
    named = arguments.model or "none"
    per_item = Path(arguments.per_item or "injection.jsonl")
    with open_knowledge() as knowledge:
        tools = Tools(policy, knowledge, Scanner(cache=cache_folder()), None, Specialists(policy.specialists))
        ground = read_ground(tools, Path(arguments.examples))
        if arguments.model:
            slow = replace(policy.limits, answer_seconds=max(policy.limits.answer_seconds, 300.0))
            own = replace(policy, limits=slow)
            ground = read_ground(replace(tools, policy=own), Path(arguments.examples), prompt_tokens=1_200)
        with open_language_model(named, ground.tools.policy) as model:
            return measure_injection(
                attacks, ground, model=model, settings=settings, per_item=per_item, progress=progress
            )


def print_injection(report: Mapping[str, Any]) -> None:
    """Print the report as tables."""
    from casemate.cli.bench_cti import print_table

    if "models" in report:
        print(f"{report['attacks']} attacks of {report['available']}, {report['seconds']} s")
        short = {
            "attacks": "attacks",
            "reached_the_model": "reached",
            "dispositions_lowered": "lowered",
            "findings_suppressed": "suppressed",
            "instructions_followed": "followed",
            "citations_forged": "forged",
            "schema_escaped": "escaped",
            "summary_by_model": "by model",
        }
        rows = [
            {"model": model, "defences": setting, **{short[name]: figures[name] for name in short}}
            for model, settings in report["models"].items()
            for setting, figures in settings.items()
        ]
        print_table("what attacks achieved", rows, ("model", "defences", *short.values()))
    rows = [{"set": name, **figures} for name, figures in report["flagged"].items()]
    print_table("attacks flagged, by set", rows, ("set", "attacks", "flagged", "rate"))
    if "false_flags" in report:
        rows = [{"text": name, **figures} for name, figures in report["false_flags"].items()]
        print_table("flags on text without attacks", rows, ("text", "million_chars", "flags", "per_million"))
