"""casemate bench: measure quality and speed on this machine."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from casemate.cli.bench_cti import TASKS, add_tasks, measure_task, print_tables
from casemate.cli.bench_injection import add_injection, measure, print_injection
from casemate.cli.bench_serve import add_serve, measure_serving
from casemate.cli.home import knowledge_path
from casemate.cli.terminal import visible
from casemate.core.errors import WrongUsage


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    names = parser.add_subparsers(dest="name", metavar="NAME", required=True)
    extract = names.add_parser("extract", help="precision, recall, F1 and MB/s of extraction, peers in the same run")
    extract.add_argument("--data", required=True, metavar="FOLDER", help="a folder of texts")
    extract.add_argument("--gold", metavar="FILE", help="its gold lines (default: gold.jsonl in the folder)")
    extract.add_argument("--no-peers", action="store_true", help="do not measure iocsearcher, ioc-finder, iocextract")
    gold = names.add_parser("gold", help="build gold sets for `bench extract` from public indicator collections")
    gold.add_argument("--data", required=True, metavar="FOLDER", help="the folder with `ioc/`")
    gold.add_argument("--out", required=True, metavar="FOLDER")
    commands = names.add_parser("commands", help="time and memory of whole commands")
    commands.add_argument("--data", required=True, metavar="FOLDER", help="the folder with `logs/`")
    commands.add_argument("--examples", default="examples", metavar="FOLDER", help="default: examples")
    commands.add_argument("--runs", type=int, default=3, metavar="N", help="the median of so many (default: 3)")
    commands.add_argument("--big-mb", type=int, default=2000, metavar="MB", help="size of the big log, 0 leaves it out")
    service = names.add_parser("service", help="alerts accepted and triaged a second, time of the inbox and of a case")
    service.add_argument("--data", required=True, metavar="FOLDER", help="the folder with `logs/`")
    service.add_argument("--alerts", type=int, default=20_000, metavar="N", help="alerts streamed (default: 20000)")
    service.add_argument("--groups", type=int, default=10_000, metavar="N", help="groups in the inbox (default: 10000)")
    service.add_argument("--big-mb", type=int, default=100, metavar="MB", help="log of the big case (default: 100)")
    service.add_argument("--workers", type=int, default=1, metavar="N", help="worker processes (default: 1)")
    service.add_argument("--clients", type=int, default=1, metavar="N", help="clients that stream (default: 1)")
    service.add_argument(
        "--store", default="", metavar="URL", help="an empty database (default: files that are removed)"
    )
    logs = names.add_parser("logs", help="grouping of log lines on the Loghub samples, drain3 beside it")
    logs.add_argument("--data", required=True, metavar="FOLDER", help="a folder with loghub*.tar.gz, or unpacked")
    for name in (extract, gold, commands, logs, service):
        name.add_argument("--json", action="store_true", help="as JSON instead of a table")
    add_injection(names)
    add_serve(names)
    add_tasks(names)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    if arguments.name in TASKS:
        results = measure_task(arguments)
    elif arguments.name == "serve":
        results = measure_serving(arguments)
    elif (data := Path(arguments.data)).is_dir():
        results = _MEASURES[arguments.name](arguments, data)
    else:
        raise WrongUsage(f"{data} is no folder", way_out="name the folder with the data: --data FOLDER")
    if arguments.json:
        print(json.dumps(results, indent=1))
    elif arguments.name in TASKS:
        _print({name: value for name, value in results.items() if name not in _TABLES})
        print_tables(results)
    elif arguments.name == "injection":
        print_injection(results)
    else:
        _print(results)
    return 0


def _extract(arguments: argparse.Namespace, data: Path) -> dict[str, Any]:
    from casemate.bench.extract import measure_extract

    return measure_extract(data, Path(arguments.gold) if arguments.gold else None, peers=not arguments.no_peers)


def _gold(arguments: argparse.Namespace, data: Path) -> dict[str, Any]:
    from casemate.bench.gold_sets import build_gold_sets

    return dict(build_gold_sets(data, Path(arguments.out)))


def _logs(_arguments: argparse.Namespace, data: Path) -> dict[str, Any]:
    from casemate.bench.logs import measure_grouping

    return measure_grouping(data)


def _commands(arguments: argparse.Namespace, data: Path) -> dict[str, Any]:
    from casemate.bench.commands import measure_commands

    return measure_commands(data, Path(arguments.examples), arguments.runs, arguments.big_mb)


def _service(arguments: argparse.Namespace, data: Path) -> dict[str, Any]:
    from casemate.bench.service import Load, measure_service

    load = Load(arguments.alerts, arguments.groups, arguments.big_mb, arguments.workers, arguments.clients)
    return measure_service(data, knowledge_path(), load, arguments.store)


def _print(results: Mapping[str, Any], indent: str = "") -> None:
    for name, value in results.items():
        if isinstance(value, Mapping) and any(isinstance(inner, Mapping) for inner in value.values()):
            print(f"{indent}{visible(name)}")
            _print(value, indent + "  ")
        elif isinstance(value, Mapping):
            told = "  ".join(f"{visible(str(key))} {_shown(inner)}" for key, inner in value.items())
            print(f"{indent}{visible(name):28} {told}")
        else:
            print(f"{indent}{visible(name):28} {_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return visible(", ".join(map(str, value))) if isinstance(value, list | tuple) else visible(str(value))


_MEASURES = {
    "extract": _extract,
    "gold": _gold,
    "commands": _commands,
    "logs": _logs,
    "injection": measure,
    "service": _service,
}

_TABLES = frozenset({"coverage", "reliability", "by_class", "model", "together"})
"""What a report holds beside plain figures."""
