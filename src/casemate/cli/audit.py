"""casemate audit: verify the chain, export it for an auditor."""

import argparse
import io
from pathlib import Path

from casemate.cli.home import add_store_option, open_policy, open_store
from casemate.cli.terminal import tell, visible, write_result
from casemate.core.errors import NotTrusted, WrongUsage

OLDER_STATE = (
    "signed checkpoints know of events that the database does not have: either somebody cut its end off, or an older "
    "copy of the file was put back by hand. If it was you, put the backup back with `casemate restore`, which says so "
    "in the chain (docs/howto/backup.md); else keep the file and find out who wrote to it"
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    verify = actions.add_parser("verify", help="find any edit, deletion, reordering or truncation, and say where")
    verify.add_argument("--file", metavar="FILE", help="verify an exported chain instead of the store's own")
    verify.add_argument("--key", metavar="PEM", help="the public key the auditor holds (default: the installation's)")
    export = actions.add_parser("export", help="the chain and its checkpoints as lines of JSON")
    export.add_argument("--output", metavar="FILE", help="write it there instead of to standard output")
    for action in (verify, export):
        add_store_option(action)


def run(arguments: argparse.Namespace) -> int:
    """Verify or export."""
    from casemate.store.backup import tell_restore

    with open_store(arguments.store, open_policy(arguments)) as store:
        if arguments.action == "export":
            out = io.BytesIO()
            count = store.export_audit(out)
            write_result(out.getvalue(), arguments.output)
            tell(f"{count} events exported")
            return 0
        restores: list[str] = []
        key = _read(arguments.key) if arguments.key else None
        if arguments.file:
            from casemate.audit import verify_export

            faults = verify_export(io.BytesIO(_read(arguments.file)), key or store.public_key)
            count = sum(1 for line in _read(arguments.file).splitlines() if line.strip())
            what = f"{arguments.file}, {count} lines"
        else:
            faults = store.verify_audit(key)
            events = [tell_restore(event) for event in store.audit_events()] if not faults else []
            restores = [told for told in events if told]
            what = f"{len(events)} events"
    for fault in faults:
        print(f"fault {visible(str(fault))}")
    if faults:
        older = {fault.code for fault in faults} <= {"chain-cut", "checkpoint-differs"}
        raise NotTrusted(
            f"the audit chain does not verify: {len(faults)} faults",
            way_out=OLDER_STATE if older else "keep the file and find out who wrote to it",
        )
    for told in restores:
        print(visible(told))
    print(f"the audit chain verifies: {what}")
    return 0


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}", way_out="check the path") from error
