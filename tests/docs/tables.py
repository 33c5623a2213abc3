"""The tables of the docs that repeat what the code says, made from the code."""

import dataclasses
import re
from pathlib import Path

import casemate.policy.limits as limits_module
from casemate.cli.main import COMMANDS, EXIT_CODES
from casemate.policy import Limits

_FIELD = re.compile(r"^    (\w+): \w+ = [^#\n]*(?:# (.*))?$")


def limits_table() -> str:
    """Make the rows of docs/policy.md from the fields of `Limits` and the comments beside them."""
    rows = ["| limit | default | what it bounds |", "|---|---|---|"]
    defaults = {field.name: field.default for field in dataclasses.fields(Limits)}
    for line in Path(limits_module.__file__).read_text("utf-8").splitlines():
        found = _FIELD.match(line)
        if found and found[1] in defaults:
            value = defaults[found[1]]
            shown = f"{value:,}" if isinstance(value, int) else str(value)
            rows.append(f"| `{found[1]}` | {shown} | {(found[2] or '').replace('|', ' ')} |")
    return "\n".join(rows)


def exit_codes_table() -> str:
    """Make the rows of docs/commands.md from the exit codes."""
    return "\n".join(
        ["| code | meaning |", "|---|---|", *(f"| {code} | {text} |" for code, text in EXIT_CODES.items())]
    )


def commands_table() -> str:
    """Make the rows of docs/commands.md from the commands."""
    rows = (f"| `casemate {name}` | {text} |" for name, (_, text) in COMMANDS.items())
    return "\n".join(["| command | what it is for |", "|---|---|", *rows])
