"""casemate audit: verify the chain, export it for an auditor."""

import argparse
import io
from pathlib import Path

from casemate.cli.home import add_store_option, open_policy, open_store
from casemate.cli.terminal import tell, visible, write_result
from casemate.core.errors import NotTrusted, WrongUsage


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
    with open_store(arguments.store, open_policy(arguments)) as store:
        if arguments.action == "export":
            out = io.BytesIO()
            count = store.export_audit(out)
            write_result(out.getvalue(), arguments.output)
            tell(f"{count} events exported")
            return 0
        key = _read(arguments.key) if arguments.key else None
        if arguments.file:
            from casemate.audit import verify_export

            faults = verify_export(io.BytesIO(_read(arguments.file)), key or store.public_key)
            count = sum(1 for line in _read(arguments.file).splitlines() if line.strip())
            what = f"{arguments.file}, {count} lines"
        else:
            faults = store.verify_audit(key)
            what = f"{sum(1 for _ in store.audit_events())} events" if not faults else "the chain"
    for fault in faults:
        print(f"fault {visible(str(fault))}")
    if faults:
        raise NotTrusted(
            f"the audit chain does not verify: {len(faults)} faults",
            way_out="keep the file and find out who wrote to it",
        )
    print(f"the audit chain verifies: {what}")
    return 0


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}", way_out="check the path") from error
