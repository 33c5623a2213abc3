"""casemate bench cti-*: the public tasks of CTI-Bench, answered by the specialists and the knowledge."""

import argparse
from collections.abc import Mapping
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
        task.add_argument("--per-item", metavar="FILE", help="where each answer goes (default: NAME.jsonl here)")
        task.add_argument("--weights", metavar="FOLDER", help="weights made by `casemate factory train`")
        task.add_argument("--json", action="store_true", help="as JSON instead of a table")


def measure_task(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure one task and return its report; `WrongUsage` when the file is none of that task."""
    data = Path(arguments.data)
    per_item = Path(arguments.per_item or f"{arguments.name}.jsonl")
    if arguments.name == "cti-mcq":
        from casemate.bench.cti_mcq import measure_mcq
        from casemate.cli.home import open_knowledge

        with open_knowledge() as knowledge:
            return measure_mcq(data, per_item, knowledge)
    from casemate.bench.cti import MEASURES

    measure = MEASURES.get(arguments.name)
    if measure is None:
        raise WrongUsage(f"{arguments.name} is not measured yet", way_out=f"one of: {', '.join(sorted(MEASURES))}")
    return measure(data, per_item, Path(arguments.weights) if arguments.weights else None)
