"""casemate bench cti-*: the public tasks of CTI-Bench, answered by the specialists, a language model, and both."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from casemate.core.errors import WrongUsage

TASKS: Mapping[str, str] = {
    "cti-rcm": "which weakness a vulnerability has (CTI-RCM)",
    "cti-vsp": "the CVSS base score of a vulnerability (CTI-VSP)",
    "cti-mcq": "multiple-choice questions, answered from the knowledge (CTI-MCQ)",
    "cti-ate": "the techniques a malware report shows (CTI-ATE)",
}
"""Task -> its line in the help; each reads the TSV as it is published."""


def add_tasks(names: "argparse._SubParsersAction[Any]") -> None:
    """Add one command for each task."""
    for name, text in TASKS.items():
        task = names.add_parser(name, help=text, description=text)
        task.add_argument("--data", required=True, metavar="FILE", help="the TSV as it is published")
        task.add_argument("--limit", type=int, metavar="N", help="only the first N rows")
        task.add_argument("--per-item", metavar="FILE", help="where each answer goes (default: NAME.jsonl here)")
        task.add_argument("--weights", metavar="FOLDER", help="weights made by `casemate factory train`")
        task.add_argument("--by-class", action="store_true", help="figures of each class as well")
        task.add_argument("--json", action="store_true", help="as JSON instead of tables")
        model = task.add_argument_group("a language model beside the specialists, under the published protocol")
        model.add_argument("--model", metavar="NAME", help="a stored model, server:URL#NAME or scripted:FILE")
        model.add_argument("--trials", type=int, default=5, metavar="N", help="times each row is asked (default: 5)")
        model.add_argument("--temperature", type=float, default=0.3, metavar="T", help="default: 0.3")
        model.add_argument("--max-tokens", type=int, default=512, metavar="N", help="of one reply (default: 512)")
        model.add_argument("--seed", type=int, default=42, metavar="N", help="of the first trial (default: 42)")
        model.add_argument("--adapter", default="", metavar="NAME", help="an adapter of the model (default: none)")
        model.add_argument("--parallel", type=int, default=1, metavar="N", help="requests at a time (default: 1)")
        model.add_argument("--replies", metavar="FILE", help="kept and gone on from (default: NAME.replies.jsonl here)")
        model.add_argument("--cut", type=float, metavar="P", help="below it the cascade asks the model")
        model.add_argument("--only-unsure", action="store_true", help="ask the model only where the cascade does")
        model.add_argument("--policy", metavar="FILE", help="policy in TOML (default: $CASEMATE_POLICY, else built in)")


def measure_task(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure one task and return its report; `WrongUsage` when the file is none of that task."""
    for name in ("limit", "trials", "max_tokens", "parallel"):
        if (getattr(arguments, name) or 1) < 1 or getattr(arguments, name) == 0:
            raise WrongUsage(f"--{name.replace('_', '-')} must be 1 or more", way_out="name another number")
    per_item = Path(arguments.per_item or f"{arguments.name}.jsonl")
    report = _measure_specialists(arguments, per_item)
    if arguments.by_class:
        from casemate.bench.cti_beside import tell_classes

        report["by_class"] = tell_classes(arguments.name, per_item)
    if arguments.model not in (None, "none"):
        report |= _measure_model(arguments, per_item)
    return report


def _measure_specialists(arguments: argparse.Namespace, per_item: Path) -> dict[str, Any]:
    data = Path(arguments.data)
    if arguments.name == "cti-mcq":
        from casemate.bench.cti_mcq import measure_mcq
        from casemate.cli.home import open_knowledge

        with open_knowledge() as knowledge:
            return measure_mcq(data, per_item, knowledge, arguments.limit)
    from casemate.bench.cti import MEASURES

    weights = Path(arguments.weights) if arguments.weights else None
    return MEASURES[arguments.name](data, per_item, weights, arguments.limit)


def _measure_model(arguments: argparse.Namespace, per_item: Path) -> dict[str, Any]:
    from dataclasses import replace

    from casemate.bench.cti_beside import measure_beside
    from casemate.bench.cti_model import Protocol, estimate_prompt, read_prompts
    from casemate.cli.home import open_language_model, open_policy
    from casemate.cli.terminal import Progress

    data = Path(arguments.data)
    protocol = Protocol(
        arguments.trials, arguments.temperature, arguments.max_tokens, arguments.seed, adapter=arguments.adapter
    )
    longest = max((estimate_prompt(one) for one in read_prompts(arguments.name, data, arguments.limit)), default=1)
    policy = open_policy(arguments)
    roomy = replace(policy.limits, prompt_tokens=longest, answer_tokens=protocol.max_tokens)
    with open_language_model(arguments.model, replace(policy, limits=roomy)) as model, Progress() as progress:
        if model is None:
            raise WrongUsage("no language model was named", way_out="add one with `casemate model add`")
        return measure_beside(
            arguments.name,
            data,
            model,
            protocol,
            per_item,
            Path(arguments.replies or f"{arguments.name}.replies.jsonl"),
            limit=arguments.limit,
            cut=arguments.cut,
            only_unsure=arguments.only_unsure,
            parallel=arguments.parallel,
            progress=progress,
        )


def print_tables(report: Mapping[str, Any]) -> None:
    """Print the tables of a report; the plain figures are printed before."""
    print_table("coverage: score of the surest rows", [report["coverage"]], tuple(report["coverage"]))
    print_table("reliability", report["reliability"], ("from", "to", "n", "probability", "accuracy"))
    if "by_class" in report:
        rows = [{"class": name, **figures} for name, figures in report["by_class"].items()]
        print_table("by class", rows, ("class", "n", "precision", "recall", "f1"))
    if "model" in report:
        _print_model(report)


def _print_model(report: Mapping[str, Any]) -> None:
    model, together = report["model"], report["together"]
    print(f"\n{_cell(model['name'])}, {model['n']} rows, {model['protocol']['trials']} trials ({model['metric']})")
    rows = [{"reading": name, **model[name]} for name in ("last_line", "anywhere")]
    print_table("the model alone", rows, ("reading", "score", "deviation", "unparsable", "score_of_parsed", "trials"))
    for reading in ("last_line", "anywhere"):
        both = together[reading]
        agreed = [{"": name, "share": both[name]} for name in ("agreement", "disagreement", "unparsable")]
        print_table(f"specialist and model ({reading})", agreed, ("", "share"))
        parts = {**both, **both["cascade"]}
        names = [name for name, value in parts.items() if isinstance(value, Mapping) and "n" in value]
        print_table("", [{"": name, **parts[name]} for name in names], ("", "n", "score"))
        cuts = both.get("cuts") or [{"cut": together["cut"], **both["cascade"]}]
        print_table(f"cascade ({reading})", cuts, ("cut", "asked", "score", "deviation"))


def print_table(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as a table with a heading."""
    cells = [[_cell(column) for column in columns], *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if title:
        print(f"\n{title}")
    for line in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    from casemate.cli.terminal import visible

    if value is None:
        return "-"
    if isinstance(value, list):
        return " ".join(map(_cell, value))
    return f"{value:.3f}" if isinstance(value, float) else visible(str(value))
