"""Applies a bundle and rolls one back: verify, stage, switch; killed anywhere, the old one or the new one is in force.

1. The bundle is verified while its files are written to a folder that nobody looks into.
2. That folder gets its name, the digest of the bundle.
3. What the engine needs is put beside the other models.
4. `state.json` is replaced by one rename. This is the switch; nothing before it can be noticed.
5. The audit chain is told. If the program dies before it is, the next command that opens it tells it (`settle`).
"""

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from casemate.bundle.manifest import MANIFEST_FILE, BundleManifest, BundleRefused, read_manifest
from casemate.bundle.read import Progress, Verified, read_bundle
from casemate.bundle.state import (
    Applied,
    State,
    after_apply,
    after_roll_back,
    bundles_folder,
    check_version,
    read_state,
    slot_of,
    state_bytes,
    state_path,
)
from casemate.core.errors import NotTrusted, StoreFailed, WrongUsage
from casemate.policy import Limits

_STAGING = ".staging-"
_PROMPTS = "prompts/"
_RECORD_BYTES = 1_000_000


class Disk:
    """The port to the file system: each method is one step that is done or not done."""

    def make_folder(self, path: Path) -> None:
        """Make a folder only its owner can read, with those above it."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextlib.contextmanager
    def create(self, path: Path) -> Iterator[BinaryIO]:
        """Write a new file and force it to the disk."""
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    def rename(self, path: Path, target: Path) -> None:
        """Give a file or folder its name, in place of what has it, and force that to the disk."""
        path.replace(target)
        handle = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def remove(self, path: Path) -> None:
        """Remove a folder and all in it."""
        shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Applying:
    """What applying needs from outside.

    `install` puts the weights in the given folder beside the other models without putting them to use, and may be
    called again for the same bundle; it raises `NotTrusted` for weights that no engine should load. `present` tells
    whether a model with this digest is there, `in_use` names the model used while no bundle ever was in force (empty
    for none). `record` appends an event to the audit chain unless it has one of that action and change already.
    `differing` is given the records of `prompts/` by task and names the tasks that this program asks otherwise.
    """

    home: Path
    trusted: Collection[str]
    limits: Limits
    install: Callable[[Path, BundleManifest], None]
    present: Callable[[str], bool]
    in_use: Callable[[], str]
    record: Callable[[str, str, tuple[tuple[str, str], ...]], None]
    disk: Disk = field(default_factory=Disk)
    progress: Progress = lambda _doing, _done, _total: None
    differing: Callable[[Mapping[str, bytes]], Sequence[str]] = lambda _records: ()


def settle(how: Applying) -> None:
    """Tell the audit chain of the last change, if the program died before it could."""
    _tell(how, read_state(how.home))


def _tell(how: Applying, state: State) -> None:
    if state.last is not None:
        how.record(state.last.action, state.last.subject, state.last.body)


def apply_bundle(path: Path, how: Applying, allow_downgrade: str = "", allow_prompts: str = "") -> Applied:
    """Verify a bundle, stage it and put it in force; applying the one in force again changes nothing.

    `allow_downgrade` names the one version that may be older than what was applied before, `allow_prompts` the one that
    may have been measured with other prompts than this program's. A refusal is recorded and raised as `BundleRefused`;
    nothing of a refused bundle stays. `StoreFailed` when the disk cannot be written.
    """
    with _locked(how):
        settle(how)
        state = read_state(how.home)
        try:
            return _apply(path, how, state, allow_downgrade, allow_prompts)
        except NotTrusted as error:
            code = error.code if isinstance(error, BundleRefused) else "not-trusted"
            how.record("model.refused", _digest_of(path), (("reason", code),))
            raise
        except OSError as error:
            raise StoreFailed(
                f"{error.filename or path}: {error.strerror}",
                way_out="make room or mend the permissions; apply it again",
            ) from error


def _apply(path: Path, how: Applying, state: State, allowed: str, allowed_prompts: str) -> Applied:
    staging = bundles_folder(how.home) / f"{_STAGING}{secrets.token_hex(8)}"
    try:
        verified = _stage(path, how, staging)
        manifest = verified.manifest
        check_version(state, manifest, verified.digest, allowed)  # step 8 of a verification
        if manifest.base and not how.present(manifest.base):  # step 9
            raise BundleRefused(
                "base-missing",
                f"{manifest.title} is for a model that is not here (SHA-256 {manifest.base})",
                way_out="add or apply that model first",
            )
        others = how.differing(prompt_records(staging, manifest))
        if others and manifest.version != allowed_prompts:  # step 10
            raise BundleRefused(
                "prompts-differ",
                f"{manifest.title} was measured with other prompts than this program asks: {', '.join(others)}",
                way_out="take the bundle that was made for this release of casemate; if that is meant: "
                f"--allow-prompts {manifest.version}",
            )
        folder = bundles_folder(how.home) / verified.digest
        if folder.exists():
            how.disk.rename(folder, staging.with_name(staging.name + "-old"))
        how.disk.rename(staging, folder)
        how.install(folder, manifest)
    finally:
        _clean(how)
    now = state.in_force(slot_of(manifest))
    if now is not None and now.bundle == verified.digest:
        return now
    remarks = (("prompts-differ", ", ".join(others)),) if others else ()
    new = after_apply(state, manifest, verified.digest, verified.key, how.in_use(), remarks)
    _switch(how, new)
    _tell(how, new)
    _let_go(how, new)
    applied = new.in_force(slot_of(manifest))
    assert applied is not None
    return applied


def prompt_records(folder: Path, manifest: BundleManifest) -> dict[str, bytes]:
    """Read what an unpacked bundle records of prompts, by task; of a file that is too long for a record, nothing."""
    named = [entry for entry in manifest.files if entry.name.startswith(_PROMPTS) and entry.name.endswith(".json")]
    return {
        entry.name.removeprefix(_PROMPTS).removesuffix(".json"): (folder / entry.name).read_bytes()
        if entry.size <= _RECORD_BYTES
        else b""
        for entry in named
    }


def _stage(path: Path, how: Applying, staging: Path) -> Verified:
    how.disk.make_folder(staging)

    @contextlib.contextmanager
    def keep(name: str) -> Iterator[BinaryIO]:
        # The name was signed and is plain: relative, no part begins with a dot.
        target = staging / name
        if target.parent != staging:
            how.disk.make_folder(target.parent)
        with how.disk.create(target) as file:
            yield file

    return read_bundle(path, how.trusted, how.limits, keep, how.progress)


def roll_back(how: Applying, name: str = "") -> tuple[Applied, Applied | None]:
    """Put back what was in force before a bundle; give what was left and what is used instead (None for nothing).

    `WrongUsage` when no bundle is in force, `NotTrusted` when what was before is not whole any more.
    """
    with _locked(how):
        settle(how)
        new, left, instead = after_roll_back(read_state(how.home), name)
        if instead is not None and instead.bundle:
            folder = bundles_folder(how.home) / instead.bundle
            how.install(folder, _whole(folder, instead))
        elif instead is not None and instead.weights and not how.present(instead.weights):
            raise NotTrusted(
                f"the model used before (SHA-256 {instead.weights}) is not here any more", way_out="add it again first"
            )
        _switch(how, new)
        _tell(how, new)
    return left, instead


def _whole(folder: Path, applied: Applied) -> BundleManifest:
    """Check that a bundle that was applied before is still what it was."""
    try:
        manifest = read_manifest((folder / MANIFEST_FILE).read_bytes())
        changed = [entry.name for entry in manifest.files if _digest_of(folder / entry.name) != entry.sha256]
        if not changed and (manifest.name, manifest.weights.sha256) == (applied.name, applied.weights):
            return manifest
    except (OSError, WrongUsage, NotTrusted):
        changed = []
    raise NotTrusted(
        f"{applied.title} is not what was applied any more{': ' + changed[0] if changed else ''}",
        way_out="apply its bundle again",
    )


def _switch(how: Applying, state: State) -> None:
    target = state_path(how.home)
    fresh = target.with_name(f"{_STAGING}{secrets.token_hex(8)}")
    with how.disk.create(fresh) as file:
        file.write(state_bytes(state))
    how.disk.rename(fresh, target)


def _let_go(how: Applying, state: State) -> None:
    """Remove the bundles that are neither in force nor within reach of a rollback."""
    kept = {one.bundle for stack in state.slots.values() for one in stack}
    for folder in bundles_folder(how.home).iterdir():
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in kept:
            how.disk.remove(folder)


def _clean(how: Applying) -> None:
    for path in bundles_folder(how.home).glob(f"{_STAGING}*"):
        if path.is_dir():
            how.disk.remove(path)
        else:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(how: Applying) -> Iterator[None]:
    """Let one change happen at a time, and clear away what a killed one left."""
    folder = bundles_folder(how.home)
    try:
        how.disk.make_folder(folder)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _clean(how)
            yield
    except OSError as error:
        raise StoreFailed(f"{folder}: {error.strerror}", way_out="make it readable and writable") from error


def _digest_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}", way_out="name the file of a bundle") from error
