"""casemate logs: templates, rare lines and a timeline of logs, streaming, any size."""

import argparse
import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from casemate.cli.home import open_policy
from casemate.cli.terminal import Progress, open_output, tell
from casemate.core.issue import Severity
from casemate.core.plain import json_escaped

if TYPE_CHECKING:  # slow to import, and the help needs neither
    from casemate.pipeline.logs import LineNumbers, Logs
    from casemate.stages.extract.log_groups import Group, LineAt

RARE = 2
"""A template seen so often or less is rare."""

TEMPLATES_SHOWN, RARE_SHOWN, BARS = 40, 25, 24


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files, folders, or - for standard input")
    parser.add_argument(
        "--format",
        choices=("text", "jsonl", "csv"),
        default="text",
        help="text: an overview; jsonl: one line a template; csv: one row a line (default: text)",
    )
    parser.add_argument("--output", metavar="FILE", help="write it there instead of to standard output")
    parser.add_argument("--policy", metavar="FILE", help="policy in TOML (default: $CASEMATE_POLICY, else built in)")


def run(arguments: argparse.Namespace) -> int:
    """Read the logs and write what they hold."""
    with open_output(arguments.output) as out:
        return _run(arguments, out)


def _run(arguments: argparse.Namespace, out: BinaryIO) -> int:
    from casemate.pipeline.logs import LineNumbers, read_logs
    from casemate.stages.ingest import find_sources

    limits = open_policy(arguments).limits
    with LineNumbers(limits.spool_bytes) as numbers, Progress() as progress:
        sources = find_sources(arguments.paths, limits)
        kept = numbers if arguments.format == "csv" else None
        logs = read_logs(sources, limits, datetime.now(UTC), kept, progress)
        WRITERS[arguments.format](logs, numbers, out)
    out.flush()
    errors = 0
    for issue in logs.issues:
        if issue.severity is not Severity.NOTE:
            errors += issue.severity is Severity.ERROR
            tell(f"casemate: {issue.source}: {issue.message}" + (f"; {issue.way_out}" if issue.way_out else ""))
    if logs.overflow:
        tell(f"casemate: {logs.overflow:,} lines over limits.log_templates stand in one group")
    return 3 if errors else 0


def _write_csv(logs: "Logs", numbers: "LineNumbers", out: BinaryIO) -> None:
    from casemate.stages.export.csv import cell

    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(("LineId", "EventId", "EventTemplate"))
    shown = [(group.id, cell(group.template)) for group in logs.groups]
    for count, (line, number) in enumerate(numbers, 1):
        rows.writerow((line, *shown[logs.places[number]]))
        if count % 4096 == 0:
            _pass_on(text, out)
    _pass_on(text, out)


def _pass_on(text: io.StringIO, out: BinaryIO) -> None:
    out.write(text.getvalue().encode("utf-8", "replace"))
    text.seek(0)
    text.truncate()


def _write_jsonl(logs: "Logs", _numbers: "LineNumbers", out: BinaryIO) -> None:
    for group in logs.groups:
        line = json_escaped(json.dumps(_as_json(group, logs), ensure_ascii=False))
        out.write(line.encode("utf-8", "replace") + b"\n")


def _as_json(group: "Group", logs: "Logs") -> dict[str, Any]:
    return {
        "event_id": group.id,
        "template": group.template,
        "count": group.count,
        "rare": group.count <= RARE,
        "programs": dict(group.programs.most_common(10)),
        "first": _place(group.first, logs),
        "last": _place(group.last, logs),
        "example": group.example,
        "values": dict(group.values.most_common(10)),
        "rare_values": list(group.rare_values(10)),
        "more_values": group.more_values,
    }


def _place(at: "LineAt", logs: "Logs") -> dict[str, Any]:
    return {"source": logs.parts.get(at.part, ""), "line": at.line, "start": at.start, "end": at.end}


def _write_text(logs: "Logs", _numbers: "LineNumbers", out: BinaryIO) -> None:
    from casemate.stages.export.page import Page

    page = Page(96, colour=False)
    clock = logs.clock
    when = f", {clock.first:%Y-%m-%d %H:%M:%S} to {clock.last:%Y-%m-%d %H:%M:%S} UTC" if clock.first else ""
    inputs = "input" if len(logs.parts) == 1 else "inputs"
    page.line(f"{logs.lines:,} lines of {len(logs.parts):,} {inputs}, {len(logs.groups):,} templates{when}")
    page.head("Templates", "the commonest" if len(logs.groups) > TEMPLATES_SHOWN else "")
    for group in logs.groups[:TEMPLATES_SHOWN]:
        who = f" [{group.programs.most_common(1)[0][0]}]" if group.programs else ""
        page.line(f"{group.count:>10,}  {group.template}{who}")
    left = len(logs.groups) - TEMPLATES_SHOWN
    if left > 0:
        page.line(f"            and {left:,} more (in --format jsonl)")
    rare = [group for group in reversed(logs.groups) if group.count <= RARE]
    if rare:
        page.head("Rare lines", f"{len(rare):,} templates seen {RARE} times or less")
        for group in rare[:RARE_SHOWN]:
            page.line(f"  {logs.parts.get(group.first.part, '')}:{group.first.line}  {group.example}")
    odd = [(group, group.rare_values(4)) for group in logs.groups if group.count > RARE]
    odd = [(group, values) for group, values in odd if values and not group.more_values][:RARE_SHOWN]
    if odd:
        page.head("Rare values", "seen once or twice where others repeat")
        for group, values in odd:
            page.line(f"  {group.template}")
            for value in values:
                at = group.seen_at[value]
                page.line(f"      {value}  ({logs.parts.get(at.part, '')}:{at.line})")
    bars = clock.bars(BARS)
    if len(bars) > 1:
        page.head("Timeline", "lines, UTC")
        most = max(count for _, count in bars)
        for time, count in bars:
            page.line(f"  {time:%Y-%m-%d %H:%M}  {count:>9,}  {'#' * round(50 * count / most)}")
    out.write(("\n".join(page.lines) + "\n").encode("utf-8", "replace"))


WRITERS: Mapping[str, Callable[["Logs", "LineNumbers", BinaryIO], None]] = {
    "text": _write_text,
    "jsonl": _write_jsonl,
    "csv": _write_csv,
}
