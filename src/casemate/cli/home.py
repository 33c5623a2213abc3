"""Where casemate keeps its things, and how the rooms are opened from there."""

import argparse
import getpass
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from casemate.cli.terminal import visible

if TYPE_CHECKING:  # these are slow to import and not every command needs them
    from casemate.core.case import Case
    from casemate.core.errors import WrongUsage
    from casemate.knowledge import Knowledge
    from casemate.policy import Policy
    from casemate.stages.generate import Model
    from casemate.store import Store


STORE = "CASEMATE_STORE"
"""Name of the environment variable that names the store: unlike an argument it is not seen by every user of a host."""

STORES = "sqlite:///PATH, postgresql://USER@HOST/DATABASE"


def home() -> Path:
    """Name the data folder: $CASEMATE_HOME, else the XDG data folder."""
    from casemate.policy.home import data_folder

    return data_folder()


def knowledge_path() -> Path:
    """Name the knowledge index."""
    return home() / "knowledge.sqlite"


def cache_folder() -> Path:
    """Name the folder for what can be made again at any time."""
    return home() / "cache"


def open_knowledge() -> "Knowledge":
    """Open the knowledge index; `NotTrusted` when there is none."""
    from casemate.knowledge import Knowledge

    return Knowledge.open(knowledge_path())


def store_url(named: str | None) -> str:
    """Name the store: what the user said, else $CASEMATE_STORE, else the file in the data folder."""
    return named or os.environ.get(STORE) or f"sqlite:///{home() / 'casemate.sqlite'}"


@contextmanager
def open_store(named: str | None, policy: "Policy") -> "Iterator[Store]":
    """Open the store; `none` is one in a temporary folder that is gone afterwards."""
    from casemate.store import Store

    named = store_url(named)
    if named == "none":
        with (
            tempfile.TemporaryDirectory(prefix="casemate-") as folder,
            Store.open(f"sqlite:///{folder}/casemate.sqlite", limits=policy.limits) as store,
        ):
            yield store
        return
    with Store.open(named, limits=policy.limits) as store:
        yield store
        if (behind := store.unwritten()) is not None:
            sys.stderr.write(f"casemate: {visible(behind.message)}; {visible(behind.way_out)}\n")


def open_store_to_read(named: str | None, policy: "Policy") -> "Store | None":
    """Open the store for reading alone; None where there is none yet. The caller closes it."""
    from casemate.store import Store

    named = store_url(named)
    return None if named == "none" else Store.open_to_read(named, limits=policy.limits)


def open_policy(arguments: argparse.Namespace) -> "Policy":
    """Read the policy that the command line, the environment or nobody names."""
    from casemate.policy import load_policy

    named = getattr(arguments, "policy", None)
    return load_policy(Path(named) if named else None)


@contextmanager
def open_language_model(named: str | None, policy: "Policy") -> "Iterator[Model | None]":
    """Open the model asked for; without a name the default one, or none when none was ever added."""
    if named == "none":
        yield None
        return
    from casemate.stages.generate.choose import open_model
    from casemate.stages.generate.model_store import list_models

    if named is None and not list_models(home()):
        yield None
        return
    model = open_model(named, home(), policy)
    try:
        yield model
    finally:
        close = getattr(model, "close", None)  # an engine in a process of its own has one
        if close is not None:
            close()


def actor() -> str:
    """Name who runs this program, for the audit chain."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def find_case(store: "Store", case_id: str) -> "Case":
    """Read a whole case to work on it with its proposals; `WrongUsage` when there is none, or they are withheld.

    What is withheld from the pages until somebody has decided (ADR 0019) is not told here by a draft or a comparison.
    """
    from casemate.core.errors import WrongUsage
    from casemate.core.marking import Marking

    case = store.case(case_id)
    if case is None:
        raise no_such_case(case_id)
    if store.cleared(Marking.RED).withheld(case_id):
        message = f"{case_id} is shown without proposals until a person has decided; nothing is told of it before"
        raise WrongUsage(message, way_out="`casemate case review` decides it; `casemate case show` tells what came in")
    return case


def no_such_case(case_id: str) -> "WrongUsage":
    """Make the error for a case that does not exist."""
    from casemate.core.errors import WrongUsage

    return WrongUsage(f"there is no case {case_id}", way_out="`casemate case list` shows the cases there are")


def note_reading(store: "Store", case: "Case", *evidence: str) -> None:
    """Record who reads a stored case that is marked red, before it is shown."""
    from casemate.audit import NewAuditEvent
    from casemate.core.marking import Marking

    if case.marking is Marking.RED:
        body = tuple(("evidence", one) for one in evidence)
        store.record(NewAuditEvent(actor(), "evidence.viewed", case.id, body))


def add_store_option(parser: argparse.ArgumentParser) -> None:
    """Add --store and --policy, which every command that keeps something has."""
    parser.add_argument(
        "--store", metavar="URL", help=f"{STORES}, or none to keep nothing (default: ${STORE}, else the data folder)"
    )
    parser.add_argument("--policy", metavar="FILE", help="policy in TOML (default: $CASEMATE_POLICY, else built in)")


__all__ = [
    "STORE",
    "actor",
    "add_store_option",
    "cache_folder",
    "find_case",
    "home",
    "knowledge_path",
    "no_such_case",
    "note_reading",
    "open_knowledge",
    "open_language_model",
    "open_policy",
    "open_store",
    "open_store_to_read",
    "store_url",
]
