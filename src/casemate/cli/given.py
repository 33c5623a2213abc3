"""One thing named on the command line: a file, standard input, or the words themselves; and what explains it."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from casemate.cli.explain_actor import add_actor, explain_actor
from casemate.cli.explain_vulnerability import add_vulnerability, explain_vulnerability
from casemate.core.errors import WrongUsage

MAX_BYTES = 16 * 1024 * 1024
"""Bytes of a file or of standard input that are read; a longer one is refused."""

_LONGEST_PATH = 1_000


def read_given(given: str) -> tuple[str, str]:
    """Read a file, standard input for `-`, or the words themselves; gives a name and the text."""
    if given == "-":
        return "-", _decoded(sys.stdin.buffer.read(MAX_BYTES + 1), "-")
    path = Path(given) if len(given) <= _LONGEST_PATH and "\n" not in given and "\0" not in given else None
    try:
        if path is not None and path.is_file():
            with path.open("rb") as file:
                return given, _decoded(file.read(MAX_BYTES + 1), given)
    except OSError as error:
        raise WrongUsage(f"{given}: {error.strerror}", way_out="name a file that can be read") from error
    if path is not None and path.suffix in {".json", ".txt", ".md"} and " " not in given.strip():
        raise WrongUsage(f"there is no file {given}", way_out="name a file that exists, - or the words themselves")
    return "what was given", given


def _decoded(data: bytes, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise WrongUsage(f"{name}: more than {MAX_BYTES:,} bytes", way_out="give the record or the finding alone")
    return data.decode("utf-8-sig", "replace")


def explain_given(arguments: argparse.Namespace) -> int:
    """Read what is to be explained, explain it and show the draft."""
    name, text = read_given(arguments.given)
    return GIVEN[arguments.task][2](arguments, name, text)


Run = Callable[[argparse.Namespace, str, str], int]

GIVEN: Mapping[str, tuple[str, Callable[[argparse.ArgumentParser], None], Run]] = {
    "vulnerability": (
        "a CVE or a finding: weakness, vector, affected, exploited or not, what to check",
        add_vulnerability,
        explain_vulnerability,
    ),
    "actor": ("whom a description means: canonical names, or candidates", add_actor, explain_actor),
}
"""Task -> its line in the help, what adds its options, and what explains it."""
