"""casemate restore: put a backup back, and say so in the audit chain."""

import argparse
from pathlib import Path

from casemate.cli.home import actor, add_store_option, open_policy, store_url
from casemate.cli.terminal import tell, visible
from casemate.core.errors import WrongUsage

PREFIX = "sqlite:///"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("folder", metavar="FOLDER", help="what `casemate backup` made")
    parser.add_argument("--replace", action="store_true", help="move a database that is there aside")
    add_store_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Put it back and say what it holds and what it does not."""
    from casemate.store.backup import POLICY, put_back

    policy = open_policy(arguments)
    url = store_url(arguments.store)
    if not url.startswith(PREFIX) or url == PREFIX:
        raise WrongUsage("only a file is put back by casemate", way_out="use pg_restore; see docs/howto/backup.md")
    folder = Path(arguments.folder)
    done = put_back(
        folder, Path(url.removeprefix(PREFIX)), replace=arguments.replace, actor=actor(), limits=policy.limits
    )
    event = done.manifest.event
    print(f"put back as it was at event {event}, {done.manifest.time[:19]}Z; the audit chain verifies")
    if done.reached > event:
        print(f"events {event + 1} to {done.reached} of before are not in it; the audit chain says so from now on")
    for path in done.aside:
        print(f"kept: {visible(str(path))}")
    if POLICY in done.manifest.files:
        tell(f"the policy of then is in {visible(str(folder / POLICY))}; it was not put into force")
    return 0
