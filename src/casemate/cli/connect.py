"""casemate connect: alerts in from other programs, reviewed cases out to them."""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from casemate.cli.home import add_store_option, home, open_policy, open_store
from casemate.cli.terminal import tell, visible
from casemate.core.errors import WrongUsage

if TYPE_CHECKING:
    from casemate.connectors.running import Turn
    from casemate.connectors.settings import Connectors, Incoming
    from casemate.policy import Policy
    from casemate.store import Store

SOME_FAILED = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="what would be read and sent where; nothing is sent")
    run_ = actions.add_parser("run", help="pull, listen and push until SIGTERM")
    run_.add_argument("--while-input", action="store_true", help="end when standard input ends (used by serve)")
    once = actions.add_parser("once", help="one round of each, for cron")
    for action in (check, run_, once):
        action.add_argument("names", nargs="*", metavar="NAME", help="only these connectors (default: all)")
        add_connectors_option(action)
        add_store_option(action)


def add_connectors_option(parser: argparse.ArgumentParser) -> None:
    """Add --connectors."""
    parser.add_argument(
        "--connectors",
        metavar="FILE",
        help="connectors in TOML (default: $CASEMATE_CONNECTORS, else connectors.toml in the data folder)",
    )


def connectors_file(named: str | None) -> Path:
    """Name the file of the connectors: what the user said, else the environment, else the one in the data folder."""
    return Path(named or os.environ.get("CASEMATE_CONNECTORS") or home() / "connectors.toml")


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    from casemate.connectors.settings import load_connectors

    policy = open_policy(arguments)
    connectors = load_connectors(connectors_file(arguments.connectors))
    chosen = _chosen(connectors, arguments.names)
    if arguments.action == "check":
        return _check(chosen, policy)
    if arguments.store == "none":
        raise WrongUsage("connectors have to keep what they take", way_out="give --store URL or leave it out")
    with open_store(arguments.store, policy) as store:
        return _once(chosen, policy, store) if arguments.action == "once" else _run(arguments, chosen, policy, store)


def _chosen(connectors: "Connectors", names: Sequence[str]) -> "list[Incoming]":
    known = [one.name for one in connectors.incoming]
    for name in names:
        if name not in known:
            raise WrongUsage(
                f"connectors {connectors.file}: there is no {name[:80]!r}", way_out=f"there are: {', '.join(known)}"
            )
    if not known:
        raise WrongUsage(f"connectors {connectors.file}: it names none", way_out="see docs/connectors.md")
    return [one for one in connectors.incoming if not names or one.name in names]


def _check(chosen: "Sequence[Incoming]", policy: "Policy") -> int:
    from casemate.connectors.kinds import open_source, shown_source

    for settings in chosen:
        open_source(settings, policy).close()
        marking = settings.marking or policy.default_marking
        print(f"{settings.name}: takes {visible(shown_source(settings))} as {marking.label}")
    return 0


def _turns(
    chosen: "Sequence[Incoming]", policy: "Policy", store: "Store", stopping: threading.Event, *, patient: bool
) -> "list[Turn]":
    from casemate.connectors.feed import Feed
    from casemate.connectors.kinds import open_source
    from casemate.connectors.running import Pull

    turns: list[Turn] = []
    for settings in chosen:
        marking = settings.marking or policy.default_marking
        feed = Feed(settings.name, marking, store, policy.limits, stopping, _log, patient)
        turns.append(Pull(settings.every, open_source(settings, policy), feed))
    return turns


def _once(chosen: "Sequence[Incoming]", policy: "Policy", store: "Store") -> int:
    from casemate.connectors.running import try_round

    stopping = _stopped_by_signals()
    turns = _turns(chosen, policy, store, stopping, patient=False)
    done = []
    for turn in turns:
        if not stopping.is_set():
            done.append(try_round(turn, _log))
        turn.close()
    return 0 if all(done) else SOME_FAILED


def _run(arguments: argparse.Namespace, chosen: "Sequence[Incoming]", policy: "Policy", store: "Store") -> int:
    from casemate.connectors.running import run_until_stopped

    stopping = _stopped_by_signals()
    if arguments.while_input:
        threading.Thread(target=_wait_for_end, args=(stopping,), daemon=True).start()
    turns = _turns(chosen, policy, store, stopping, patient=True)
    tell(f"casemate connects: {', '.join(turn.name for turn in turns)}")
    run_until_stopped(turns, stopping, _log, policy.limits.connector_pause_seconds)
    tell("casemate connects no more")
    return 0


def _stopped_by_signals() -> threading.Event:
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda _number, _frame: stopping.set())
    return stopping


def _wait_for_end(stopping: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    stopping.set()


def _log(name: str, what: str, sentence: str) -> None:
    sys.stderr.write(json.dumps({"connector": name, "is": what, "says": sentence}) + "\n")
    sys.stderr.flush()
