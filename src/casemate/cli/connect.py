"""casemate connect: alerts in from other programs, reviewed cases out to them."""

import argparse
import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from casemate.cli.home import add_store_option, home, open_policy, open_store, open_store_to_read, store_url
from casemate.cli.stopping import stop_with_input, stopped_by_signals
from casemate.cli.terminal import tell, visible
from casemate.core.errors import WrongUsage

if TYPE_CHECKING:
    from casemate.connectors.running import Turn
    from casemate.connectors.settings import Connectors, Incoming, Outgoing
    from casemate.policy import Policy
    from casemate.store import Store

SOME_FAILED = 3
MOST_SHOWN = 1_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="what would be read and sent where; nothing is sent")
    run_ = actions.add_parser("run", help="pull, listen and push until SIGTERM")
    run_.add_argument("--while-input", action="store_true", help="end when standard input ends (used by serve)")
    once = actions.add_parser("once", help="one round of each, for cron")
    push = actions.add_parser("push", help="give cases to one receiver now, also such as were given up")
    push.add_argument("name", metavar="NAME", help="a connector of [out.NAME]")
    push.add_argument("cases", nargs="+", metavar="CASE", help="closed cases")
    for action in (check, run_, once):
        action.add_argument("names", nargs="*", metavar="NAME", help="only these connectors (default: all)")
    for action in (check, run_, once, push):
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


def check_connectors(named: str | None, policy: "Policy") -> None:
    """Open every connector once and close it: settings, secrets and hosts are in order, and nothing is sent."""
    from casemate.connectors.kinds import open_source
    from casemate.connectors.push.kinds import open_receiver
    from casemate.connectors.settings import load_connectors

    connectors = load_connectors(connectors_file(named))
    for incoming in connectors.incoming:
        open_source(incoming, policy).close()
    for outgoing in connectors.outgoing:
        open_receiver(outgoing, policy).close()


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    from casemate.connectors.settings import load_connectors

    policy = open_policy(arguments)
    file = connectors_file(arguments.connectors)
    if arguments.action == "check" and _is_none_yet(file, arguments):
        print(f"no connectors yet: write {visible(str(file))}, see docs/connectors.md for what may stand in it")
        return 0
    connectors = load_connectors(file)
    chosen = _chosen(connectors, [arguments.name] if arguments.action == "push" else arguments.names)
    if arguments.action == "check":
        return _check(arguments, chosen, policy)
    if store_url(arguments.store) == "none":
        raise WrongUsage("connectors have to keep what they take", way_out="give --store URL or leave it out")
    with open_store(arguments.store, policy) as store:
        if arguments.action == "push":
            return _push(arguments, chosen[0], policy, store)
        return _once(chosen, policy, store) if arguments.action == "once" else _run(arguments, chosen, policy, store)


def _is_none_yet(file: Path, arguments: argparse.Namespace) -> bool:
    """Say whether nobody has written or named any connector, which is no fault."""
    named = arguments.connectors or os.environ.get("CASEMATE_CONNECTORS") or arguments.names
    return not named and not file.exists()


def _chosen(connectors: "Connectors", names: Sequence[str]) -> "list[Incoming | Outgoing]":
    every: list[Incoming | Outgoing] = [*connectors.incoming, *connectors.outgoing]
    known = [one.name for one in every]
    for name in names:
        if name not in known:
            raise WrongUsage(
                f"connectors {connectors.file}: there is no {name[:80]!r}", way_out=f"there are: {', '.join(known)}"
            )
    if not known:
        raise WrongUsage(f"connectors {connectors.file}: it names none", way_out="see docs/connectors.md")
    return [one for one in every if not names or one.name in names]


def _check(arguments: argparse.Namespace, chosen: "Sequence[Incoming | Outgoing]", policy: "Policy") -> int:
    from casemate.connectors.kinds import open_source, shown_source
    from casemate.connectors.push.kinds import open_receiver
    from casemate.connectors.settings import Incoming
    from casemate.core.person import markings_up_to

    store = open_store_to_read(arguments.store, policy)
    try:
        for settings in chosen:
            if isinstance(settings, Incoming):
                open_source(settings, policy).close()
                marking = settings.marking or policy.default_marking
                print(f"{settings.name}: takes {visible(shown_source(settings))} as {marking.label}")
                continue
            open_receiver(settings, policy).close()
            markings = markings_up_to(settings.up_to)
            due = store.pushes().due(settings.name, markings, settings.dispositions, MOST_SHOWN) if store else ()
            count = f"{len(due)} or more" if len(due) == MOST_SHOWN else str(len(due))
            where = visible(settings.server.url)
            print(f"{settings.name}: gives closed cases up to {settings.up_to.label} to {where}; {count} to give")
    finally:
        if store is not None:
            store.close()
    return 0


def _turns(
    chosen: "Sequence[Incoming | Outgoing]",
    policy: "Policy",
    store: "Store",
    stopping: threading.Event,
    *,
    patient: bool,
) -> "list[Turn]":
    from casemate.connectors.feed import Feed
    from casemate.connectors.kinds import open_source
    from casemate.connectors.push.kinds import open_receiver
    from casemate.connectors.push.pushing import Push
    from casemate.connectors.running import Pull
    from casemate.connectors.settings import Incoming

    turns: list[Turn] = []
    for settings in chosen:
        if not isinstance(settings, Incoming):
            receiver = open_receiver(settings, policy)
            turns.append(Push(settings, receiver, store, policy.limits, stopping, _log))
            continue
        marking = settings.marking or policy.default_marking
        feed = Feed(settings.name, marking, store, policy.limits, stopping, _log, patient)
        turns.append(Pull(settings.every, open_source(settings, policy), feed))
    return turns


def _push(arguments: argparse.Namespace, settings: "Incoming | Outgoing", policy: "Policy", store: "Store") -> int:
    from casemate.connectors.push.kinds import open_receiver
    from casemate.connectors.push.pushing import Push
    from casemate.connectors.settings import Incoming

    if isinstance(settings, Incoming):
        raise WrongUsage(f"in.{settings.name} takes alerts in", way_out="name a connector of [out.NAME]")
    receiver = open_receiver(settings, policy)
    push = Push(settings, receiver, store, policy.limits, threading.Event(), _log)
    try:
        given = [push.give_now(case) for case in arguments.cases]
    finally:
        push.close()
    return 0 if all(given) else SOME_FAILED


def _once(chosen: "Sequence[Incoming | Outgoing]", policy: "Policy", store: "Store") -> int:
    from casemate.connectors.running import try_round

    stopping = stopped_by_signals()
    turns = _turns(chosen, policy, store, stopping, patient=False)
    done = []
    for turn in turns:
        if not stopping.is_set():
            done.append(try_round(turn, _log))
        turn.close()
    return 0 if all(done) else SOME_FAILED


def _run(
    arguments: argparse.Namespace, chosen: "Sequence[Incoming | Outgoing]", policy: "Policy", store: "Store"
) -> int:
    from casemate.connectors.running import run_until_stopped

    stopping = stopped_by_signals()
    if arguments.while_input:
        stop_with_input(stopping)
    turns = _turns(chosen, policy, store, stopping, patient=True)
    tell(f"casemate connects: {', '.join(turn.name for turn in turns)}")
    run_until_stopped(turns, stopping, _log, policy.limits.connector_pause_seconds)
    tell("casemate connects no more")
    return 0


def _log(name: str, what: str, sentence: str) -> None:
    sys.stderr.write(json.dumps({"connector": name, "is": what, "says": sentence}) + "\n")
    sys.stderr.flush()
