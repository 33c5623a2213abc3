"""casemate extract: observables only, streaming, any size."""

import argparse
import csv
import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, BinaryIO

from casemate.cli.home import cache_folder, open_policy
from casemate.cli.terminal import Progress, open_output, tell
from casemate.core.evidence import Opened
from casemate.core.issue import Issue, Severity
from casemate.core.observable import Observable, Sighting
from casemate.core.text import Chunk

if TYPE_CHECKING:  # slow to import, and the help needs neither
    from casemate.policy import Limits
    from casemate.stages.extract.scanner import Scanner


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files, folders, or - for standard input")
    parser.add_argument("--format", choices=("jsonl", "csv", "stix"), default="jsonl", help="default: jsonl")
    parser.add_argument("--output", metavar="FILE", help="write it there instead of to standard output")
    parser.add_argument("--payloads", action="store_true", help="also decode hidden payloads and look inside (slower)")
    parser.add_argument("--policy", metavar="FILE", help="policy in TOML (default: $CASEMATE_POLICY, else built in)")


def run(arguments: argparse.Namespace) -> int:
    """Extract and write as the bytes come."""
    with open_output(arguments.output) as out:
        return _extract(arguments, out)


def _extract(arguments: argparse.Namespace, out: BinaryIO) -> int:
    from casemate.stages.extract.scanner import Scanner
    from casemate.stages.ingest import find_sources, read

    limits = open_policy(arguments).limits
    scanner = Scanner(cache=cache_folder())
    writer = WRITERS[arguments.format](out)
    unread = 0
    size = 0
    names: dict[int, str] = {}
    with Progress() as progress:
        for source in find_sources(arguments.paths, limits):
            for item in (source,) if isinstance(source, Issue) else read(source, limits, events=False):
                if isinstance(item, Chunk):
                    writer.write(_sightings(item, scanner, limits, payloads=arguments.payloads), names[item.part], item)
                    size += len(item.text)
                    progress(f"{size // 1_000_000:,} MB read")
                elif isinstance(item, Opened):
                    names[item.part] = item.source
                elif isinstance(item, Issue) and item.severity is not Severity.NOTE:
                    unread += item.severity is Severity.ERROR
                    tell(f"casemate: {item.source}: {item.message}" + (f"; {item.way_out}" if item.way_out else ""))
    writer.close()
    return 3 if unread else 0


def _sightings(chunk: Chunk, scanner: "Scanner", limits: "Limits", *, payloads: bool) -> list[Sighting]:
    found = scanner.scan(chunk.text, chunk.start)
    if payloads:
        from casemate.stages.extract.payloads import find_payloads

        for payload in find_payloads(chunk.text, chunk.start, limits):
            inside = scanner.scan(payload.text, 0)
            found += [one._replace(start=payload.start, end=payload.end, layers=payload.layers) for one in inside]
    return found


class JsonLines:
    """One object a line, as the contract has it."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, sightings: list[Sighting], source: str, chunk: Chunk) -> None:
        """Write the sightings of one chunk."""
        from casemate.stages.extract.rows import lines_of, rows_jsonl

        self._out.write(rows_jsonl(sightings, source, lines_of(chunk)))

    def close(self) -> None:
        """Finish."""
        self._out.flush()


class CommaSeparated:
    """One row a sighting; a cell that a spreadsheet would take for a formula is quoted as text."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._text = io.StringIO()
        self._rows = csv.writer(self._text)
        self._rows.writerow(("type", "value", "raw", "hash", "source", "start", "end", "line", "layers"))

    def write(self, sightings: list[Sighting], source: str, chunk: Chunk) -> None:
        """Write the sightings of one chunk."""
        from casemate.stages.export.csv import cell
        from casemate.stages.extract.rows import lines_of

        line_of = lines_of(chunk)
        for one in sightings:
            cells = (one.type, one.value, one.raw, one.hash, source)
            row = (*map(cell, cells), one.start, one.end, line_of(one.start), " > ".join(one.layers))
            self._rows.writerow(row)
        self._pass_on()

    def _pass_on(self) -> None:
        self._out.write(self._text.getvalue().encode("utf-8", "replace"))
        self._text.seek(0)
        self._text.truncate()

    def close(self) -> None:
        """Finish."""
        self._pass_on()
        self._out.flush()


class Stix:
    """One STIX 2.1 bundle of the distinct observables; it can only be written at the end."""

    def __init__(self, out: BinaryIO) -> None:
        from casemate.policy import Limits
        from casemate.stages.extract.inventory import Inventory

        self._out = out
        self._inventory = Inventory(Limits().observables_per_case, 1)

    def write(self, sightings: list[Sighting], _source: str, chunk: Chunk) -> None:
        """Take the sightings of one chunk."""
        self._inventory.see(chunk.part, sightings)

    def close(self) -> None:
        """Write the bundle."""
        from casemate.stages.export.stix_observables import render_observables

        items = self._inventory.items()
        found = tuple(
            Observable(one.first.type, one.first.value, one.first.raw, one.count, (), one.first.hash) for one in items
        )
        self._out.write(render_observables(found))
        self._out.flush()
        if self._inventory.overflow:
            tell(f"casemate: {self._inventory.overflow:,} sightings were left out of the bundle; use --format jsonl")


WRITERS: Mapping[str, Callable[[BinaryIO], JsonLines | CommaSeparated | Stix]] = {
    "jsonl": JsonLines,
    "csv": CommaSeparated,
    "stix": Stix,
}
