"""casemate model verify|apply|rollback for signed bundles: the doors to the switch, and to the audit chain."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from casemate.audit import NewAuditEvent
from casemate.cli.home import actor, home, open_policy, open_store
from casemate.cli.terminal import Progress, tell, visible

if TYPE_CHECKING:
    from casemate.bundle.apply import Applying
    from casemate.bundle.state import Applied
    from casemate.store import Store


def configure(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> tuple[argparse.ArgumentParser, ...]:
    """Add the actions that bundles have to themselves."""
    applying = actions.add_parser("apply", help="verify a signed bundle and put it in force, in one step")
    applying.add_argument("bundle", metavar="BUNDLE", help="the file of the bundle")
    applying.add_argument(
        "--allow-downgrade",
        default="",
        metavar="VERSION",
        help="apply this version though a higher one, or another of the same number, was applied before",
    )
    applying.add_argument(
        "--allow-prompts",
        default="",
        metavar="VERSION",
        help="apply this version though it was measured with other prompts than this program asks",
    )
    back = actions.add_parser("rollback", help="put back what was in force before a bundle, in one step")
    back.add_argument("name", nargs="?", default="", metavar="NAME", help="of the bundle, where several are in force")
    return applying, back


def verify_bundle(path: Path, arguments: argparse.Namespace) -> int:
    """Verify the file of a bundle without any change: with --key by that key, else by those the policy trusts."""
    from casemate.bundle.read import read_bundle
    from casemate.bundle.signature import read_public_key

    policy = open_policy(arguments)
    trusted = (read_public_key(Path(arguments.key)),) if arguments.key else policy.trusted_keys
    with Progress() as progress:
        verified = read_bundle(
            path, trusted, policy.limits, progress=lambda what, done, total: progress(_share(what, done, total))
        )
    manifest = verified.manifest
    print(f"{manifest.title} ({manifest.kind}) is whole and signed by {verified.key}")
    print(f"  bundle sha256 {verified.digest}")
    for entry in manifest.files:
        print(f"  {entry.sha256[:16]}  {entry.size:>13,} bytes  {entry.name}")
    print(f"  licence {visible(manifest.licence)}; gate: {visible(manifest.gate)}")
    if manifest.base:
        print(f"  for the model with sha256 {manifest.base}")
    return 0


def apply(arguments: argparse.Namespace) -> int:
    """Put a bundle in force."""
    from casemate.bundle.apply import apply_bundle

    with Progress() as progress, _applying(arguments, progress) as how:
        applied = apply_bundle(Path(arguments.bundle), how, arguments.allow_downgrade, arguments.allow_prompts)
    print(f"{applied.title} is in force (bundle sha256 {applied.bundle[:16]}, weights {applied.weights[:16]})")
    return 0


def roll_back(arguments: argparse.Namespace) -> int:
    """Put back what was before."""
    from casemate.bundle.apply import roll_back as roll_back_bundle

    with Progress() as progress, _applying(arguments, progress) as how:
        left, instead = roll_back_bundle(how, arguments.name)
    print(f"{left.title} is rolled back; in force is {instead.title if instead else 'what a person added by name'}")
    others = _differing(instead) if instead and instead.bundle else ()
    if others:
        tell(_OTHERS.format(", ".join(others)))
    return 0


_OTHERS = "  its figures do not speak for this program, which has other prompts: {}"


def tell_bundles() -> None:
    """Say on standard error which bundles are in force, and which of them this program asks otherwise by now."""
    from casemate.bundle.state import read_state

    for slot, stack in sorted(read_state(home()).slots.items()):
        if stack and stack[-1].bundle:
            tell(f"in force ({slot}): {stack[-1].title}, bundle sha256 {stack[-1].bundle[:16]}")
            others = _differing(stack[-1])
            if others:
                tell(_OTHERS.format(", ".join(others)))


def _differing(applied: "Applied") -> tuple[str, ...]:
    from casemate.bundle.apply import prompt_records
    from casemate.bundle.manifest import MANIFEST_FILE, read_manifest
    from casemate.bundle.state import bundles_folder
    from casemate.core.errors import NotTrusted
    from casemate.tasks.record import differing

    folder = bundles_folder(home()) / applied.bundle
    try:
        return differing(prompt_records(folder, read_manifest((folder / MANIFEST_FILE).read_bytes())))
    except (OSError, NotTrusted):
        return ()  # `model verify` tells what is wrong with it


@contextmanager
def _applying(arguments: argparse.Namespace, progress: Progress) -> "Iterator[Applying]":
    from casemate.bundle.apply import Applying
    from casemate.bundle.manifest import BundleManifest
    from casemate.stages.generate.bundled import install_bundled
    from casemate.stages.generate.model_store import default_model, list_models
    from casemate.tasks.record import differing

    policy = open_policy(arguments)

    def in_use() -> str:
        model = default_model(home())
        return model.digest if model else ""

    def install(folder: Path, manifest: BundleManifest) -> None:
        install_bundled(home(), folder, manifest, policy)

    with open_store(None, policy) as store:
        yield Applying(
            home=home(),
            trusted=policy.trusted_keys,
            limits=policy.limits,
            install=install,
            present=lambda digest: any(model.digest == digest for model in list_models(home())),
            in_use=in_use,
            record=lambda action, subject, body: _record(store, action, subject, body),
            progress=lambda what, done, total: progress(_share(what, done, total)),
            differing=differing,
        )


def _record(store: "Store", action: str, subject: str, body: tuple[tuple[str, str], ...]) -> None:
    change = dict(body).get("change")
    if change is not None:
        for event in store.history(subject):
            if event.action == action and dict(event.body).get("change") == change:
                return
    store.record(NewAuditEvent(actor(), action, subject, body))


def _share(what: str, done: int, total: int) -> str:
    return f"{what} {done * 100 // total} %" if total else what
