"""casemate backup: copy the store while it is in use, and verify the copy."""

import argparse
import os
from pathlib import Path

from casemate.cli.home import actor, add_store_option, open_policy, open_store, store_url
from casemate.cli.terminal import visible
from casemate.core.errors import WrongUsage


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("folder", metavar="FOLDER", help="a new folder for the copy, readable by its owner only")
    add_store_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Copy database, audit folder and policy, and say what the copy holds."""
    from casemate.store.backup import back_up

    policy = open_policy(arguments)
    if store_url(arguments.store) == "none":
        raise WrongUsage("there is nothing to back up", way_out="name a store, or leave --store out")
    named = arguments.policy or os.environ.get("CASEMATE_POLICY")
    with open_store(arguments.store, policy) as store:
        file = Path(named) if named else None
        manifest = back_up(store, Path(arguments.folder), file, actor(), policy.limits)
    print(
        f"backed up to {visible(arguments.folder)}: {len(manifest.files)} files, verified up to event {manifest.event}"
    )
    return 0
