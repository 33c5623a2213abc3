"""The front door: find the command, call it, and turn what it raises into an exit code."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from casemate import __version__
from casemate.core.errors import CasemateError, NothingRead, NotTrusted, RefusedByPolicy, WrongUsage

COMMANDS = {
    "triage": ("casemate.cli.triage", "evidence in, one case out: cited findings, summary, proposed disposition"),
    "extract": ("casemate.cli.extract", "observables only, streaming, any size"),
    "map": ("casemate.cli.map", "one narrow question, answered by a specialist"),
    "ask": ("casemate.cli.ask", "answer a question from the knowledge, with the passages behind the answer"),
    "logs": ("casemate.cli.logs", "templates, rare lines and a timeline of logs, streaming, any size"),
    "explain": ("casemate.cli.explain", "a payload, a log, a vulnerability or an actor, explained without a case"),
    "case": ("casemate.cli.case", "list, show, review, export and compare cases"),
    "serve": ("casemate.cli.serve", "the service: API, pages and workers"),
    "worker": ("casemate.cli.worker", "one more worker for the jobs of a service"),
    "connect": ("casemate.cli.connect", "alerts in from other programs, reviewed cases out to them"),
    "user": ("casemate.cli.user", "accounts and tokens of the service"),
    "mcp": ("casemate.cli.mcp", "read-only tools for an agent, over MCP on standard input and output"),
    "model": ("casemate.cli.model", "add, use, verify and remove language models; apply and roll back bundles"),
    "knowledge": ("casemate.cli.knowledge", "build, import, look up and search the reference index"),
    "backup": ("casemate.cli.backup", "copy the store while it is in use, and verify the copy"),
    "restore": ("casemate.cli.restore", "put a backup back, and say so in the audit chain"),
    "audit": ("casemate.cli.audit", "verify or export the audit chain"),
    "factory": ("casemate.cli.factory", "train, convert, quantise, judge and package models"),
    "bench": ("casemate.cli.bench", "measure quality and speed on this machine"),
    "doctor": ("casemate.cli.doctor", "what is installed, what is allowed, what would leave this machine"),
}
"""Command -> the module that holds it (imported when asked for) and its line in the help."""

DONE, WRONG_USAGE, SOME_UNREAD, NOT_TRUSTED, REFUSED, FAULT, INTERRUPTED = 0, 2, 3, 4, 5, 70, 130

EXIT_CODES = {
    DONE: "done",
    WRONG_USAGE: "wrong usage",
    SOME_UNREAD: "some inputs could not be read, the rest is done",
    NOT_TRUSTED: "a model or the knowledge is missing or not trusted",
    REFUSED: "refused by policy",
    FAULT: "a fault of the program or the machine, with what was finished kept",
    INTERRUPTED: "interrupted; the same command goes on where it stopped",
}

_CODES: dict[type[CasemateError], int] = {
    WrongUsage: WRONG_USAGE,
    NothingRead: SOME_UNREAD,
    NotTrusted: NOT_TRUSTED,
    RefusedByPolicy: REFUSED,
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        _tell(f"{self.prog}: {message}")
        sys.exit(WRONG_USAGE)


def make_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Make the parser; only the named command's own options are filled in, so that the others need not be imported."""
    codes = "\n".join(f"  {code:<4}{meaning}" for code, meaning in EXIT_CODES.items())
    parser = _Parser(
        prog="casemate",
        description="The AI layer a security team runs on its own hardware. Nothing leaves this machine.",
        epilog=f"exit codes:\n{codes}\n\nenvironment: CASEMATE_HOME (data folder), CASEMATE_POLICY (policy file),\n"
        "             CASEMATE_CONNECTORS (connectors file), CASEMATE_STORE (store)",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"casemate {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name, (module, text) in COMMANDS.items():
        sub = commands.add_parser(
            name, help=text, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == command:
            importlib.import_module(module).configure(sub)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in arguments if not word.startswith("-")), None)
    options = make_parser(command if command in COMMANDS else None).parse_args(arguments)
    try:
        code: int = importlib.import_module(COMMANDS[options.command][0]).run(options)
        sys.stdout.flush()
    except CasemateError as error:
        _tell(f"casemate: {error.message}" + (f"\n  way out: {error.way_out}" if error.way_out else ""))
        return next((code for kind, code in _CODES.items() if isinstance(error, kind)), FAULT)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has seen enough
        return DONE
    except KeyboardInterrupt:
        _tell("\ncasemate: interrupted; what was finished is kept, the same command goes on from there")
        return INTERRUPTED
    return code


def _tell(message: str) -> None:
    from casemate.cli.terminal import tell

    tell(message)
