"""Backups: a copy of the database at one moment, its audit folder and a manifest; and the way back.

A store that was put back is at an older state than its own checkpoints know of. So that this can be told from a chain
that somebody cut, the way back writes an event that names the state it went to, and sets the newer checkpoints aside.
"""

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from casemate import __version__
from casemate.audit import NewAuditEvent
from casemate.audit.chain import write_time
from casemate.audit.checkpoint import CHECKPOINT_FILE, KEY_FILE, PUBLIC_KEY_FILE, read_checkpoint
from casemate.core.audit import AuditEvent
from casemate.core.errors import NotTrusted, StoreFailed, WrongUsage
from casemate.policy import Limits
from casemate.store.migrations import STEPS
from casemate.store.store import Store

MANIFEST = "manifest.json"
FORMAT = "casemate-backup-1"
AUDIT = "audit"
POLICY = "policy.toml"
_NEEDED = tuple(f"{AUDIT}/{one}" for one in (KEY_FILE, PUBLIC_KEY_FILE, CHECKPOINT_FILE))
RESTORED = "store.restored"
"""The action of the audit event that tells of a way back."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds: `event` and `digest` are the end of its audit chain, `files` their SHA-256 by name."""

    format: str
    version: str
    layout: int
    time: str
    database: str
    event: int
    digest: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a way back came to: the backup, how far the history went that it does not hold, and what was set aside."""

    manifest: Manifest
    reached: int
    aside: tuple[Path, ...]


def back_up(store: Store, folder: Path, policy: Path | None, actor: str, limits: Limits) -> Manifest:
    """Copy the store into a new folder while others go on using it, and verify the copy; the manifest is written last.

    `NotTrusted` when the copy does not verify, `WrongUsage` when the folder holds something already.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise WrongUsage(f"{folder} is not empty", way_out="name a folder that is not there yet")
        name = store.chain_name
        now = datetime.now(UTC)
        store.record(NewAuditEvent(actor, "store.copied", "", (("to", str(folder)[-200:]),)))
        # The checkpoints before the database: the copy may know more events than they, and never fewer.
        _copy_audit(store.audit_folder, folder / AUDIT)
        store.copy_to(folder / name)
        if policy is not None:
            _copy(policy, folder / POLICY)
        event, digest = _verified(folder, name, limits)
        names = [name, *_NEEDED]
        files = {one: _digest(folder / one) for one in [*names, *([POLICY] if policy is not None else [])]}
        manifest = Manifest(FORMAT, __version__, 1 + len(STEPS), write_time(now), name, event, digest, files)
        _write(folder / MANIFEST, json.dumps(asdict(manifest), indent=1).encode() + b"\n")
    except OSError as error:
        raise StoreFailed(f"backup {folder}: {error.strerror}", way_out="make room, or name another folder") from error
    return manifest


def _verified(folder: Path, name: str, limits: Limits) -> tuple[int, str]:
    copy = Store.open_to_read(f"sqlite:///{folder / name}", folder / AUDIT, limits)
    assert copy is not None
    with copy:
        faults = copy.verify_audit()
        if faults:
            raise NotTrusted(
                f"the copy in {folder} does not verify: {faults[0]}",
                way_out="run `casemate audit verify` on the store itself; keep the copy for whoever looks into it",
            )
        return copy.head()


def read_manifest(folder: Path) -> Manifest:
    """Read what a backup says it holds and check that it does; `NotTrusted` when it does not."""
    try:
        raw = json.loads((folder / MANIFEST).read_bytes())
        manifest = Manifest(**raw)
        files = dict(manifest.files)
        told = (manifest.version, manifest.database, manifest.digest, *files, *files.values())
        plain = all(isinstance(text, str) for text in told)
        datetime.fromisoformat(manifest.time)  # a time and nothing else: it is shown
        names = {Path(name) for name in files} | {Path(manifest.database)}
        if manifest.format != FORMAT or not plain or any(name.is_absolute() or ".." in name.parts for name in names):
            raise ValueError(FORMAT)
        if (
            not {manifest.database, *_NEEDED} <= set(files)
            or not isinstance(manifest.event, int)
            or not isinstance(manifest.layout, int)
        ):
            raise ValueError(FORMAT)
        wrong = [name for name, digest in files.items() if _digest(folder / name) != digest]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise NotTrusted(
            f"{folder} is no whole backup", way_out="name a folder that `casemate backup` finished"
        ) from error
    if wrong:
        raise NotTrusted(f"{folder}: {wrong[0]} is not what was backed up", way_out="take another backup")
    if manifest.layout > 1 + len(STEPS):
        raise StoreFailed(
            f"the backup has layout {manifest.layout}, this casemate knows up to {1 + len(STEPS)}",
            way_out="use the casemate that made it, or a newer one",
        )
    return manifest


def put_back(folder: Path, target: Path, *, replace: bool, actor: str, limits: Limits) -> Restored:
    """Put a backup back as the database `target` with its audit folder, verify it, and write that into its chain.

    What stood there is moved aside, never deleted. `WrongUsage` when a database is there and is not to be replaced, or
    while somebody has it open.
    """
    manifest = read_manifest(folder)
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
    try:
        if target.exists():
            if not replace:
                raise WrongUsage(f"{target} is there", way_out="add --replace: it is moved aside, not deleted")
            _close_wal(target)
        aside = [_move_aside(target, stamp)] if target.exists() else []
        audit = target.parent / AUDIT
        audit.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        reached = _reached(audit / CHECKPOINT_FILE, manifest.database)
        if audit.exists() and _same_key(audit, folder / AUDIT):
            aside += [_move_aside(audit / CHECKPOINT_FILE, stamp)] if (audit / CHECKPOINT_FILE).exists() else []
            _copy(folder / AUDIT / CHECKPOINT_FILE, audit / CHECKPOINT_FILE)
        else:
            aside += [_move_aside(audit, stamp)] if audit.exists() else []
            _copy_audit(folder / AUDIT, audit)
        _copy(folder / manifest.database, target)
    except OSError as error:
        raise StoreFailed(f"restore to {target}: {error.strerror}", way_out="mend that and run it again") from error
    with Store.open(f"sqlite:///{target}", limits=limits) as store:
        if manifest.event and store.digest_of_event(manifest.event) != manifest.digest:
            raise NotTrusted(f"{folder}: its chain ends otherwise than it says", way_out="take another backup")
        body = (
            ("backup", manifest.time),
            ("event", str(manifest.event)),
            ("digest", manifest.digest),
            ("reached", str(max(reached, manifest.event))),
            ("aside", " ".join(one.name for one in aside)),
        )
        store.record(NewAuditEvent(actor, RESTORED, "", body))
        faults = [fault for fault in store.verify_audit() if fault.code != "checkpoint-missing"]
    if faults:
        raise NotTrusted(f"what was put back does not verify: {faults[0]}", way_out="take another backup")
    return Restored(manifest, max(reached, manifest.event), tuple(aside))


def _close_wal(database: Path) -> None:
    # Leaving WAL mode works only while nobody else has the file open, and folds the log into the file.
    try:
        with closing(sqlite3.connect(database, timeout=1.0)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise WrongUsage(f"{database} is in use", way_out="stop the service and its workers first") from error
        raise StoreFailed(f"{database}: {error}", way_out="move it aside by hand, with its -wal and -shm") from error
    except sqlite3.DatabaseError:
        for end in ("-wal", "-shm"):  # damaged: what belongs to it goes with it
            log = database.with_name(database.name + end)
            if log.exists():
                log.rename(log.with_name(log.name + ".damaged"))


def _move_aside(path: Path, stamp: str) -> Path:
    aside = path.with_name(f"{path.name}.before-{stamp}")
    path.rename(aside)
    return aside


def _reached(checkpoints: Path, chain: str) -> int:
    """Give the highest event that checkpoints speak of; lines that are none are passed over."""
    found = 0
    for line in checkpoints.read_bytes().decode("utf-8", "replace").splitlines() if checkpoints.exists() else ():
        try:
            checkpoint = read_checkpoint(line)
        except ValueError:
            continue
        if checkpoint.chain == chain:
            found = max(found, checkpoint.number)
    return found


def _same_key(one: Path, other: Path) -> bool:
    files = (one / KEY_FILE, other / KEY_FILE)
    return all(file.exists() for file in files) and files[0].read_bytes() == files[1].read_bytes()


def _copy_audit(source: Path, target: Path) -> None:
    target.mkdir(mode=0o700)
    for name in (KEY_FILE, PUBLIC_KEY_FILE):
        _copy(source / name, target / name)
    lines = (source / CHECKPOINT_FILE).read_bytes()
    _write(target / CHECKPOINT_FILE, lines[: lines.rfind(b"\n") + 1])  # without one that is just being written


def _copy(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all, readable by its owner only."""
    part = target.with_name(target.name + ".part")
    with source.open("rb") as read, os.fdopen(os.open(part, _NEW, 0o600), "wb") as written:
        shutil.copyfileobj(read, written, 1024 * 1024)
        written.flush()
        os.fsync(written.fileno())
    part.replace(target)


_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW


def _write(target: Path, data: bytes) -> None:
    part = target.with_name(target.name + ".part")
    with os.fdopen(os.open(part, _NEW, 0o600), "wb") as written:
        written.write(data)
        written.flush()
        os.fsync(written.fileno())
    part.replace(target)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def tell_restore(event: AuditEvent) -> str:
    """Say what a way back means for whoever holds other checkpoints; empty for an event that tells of none."""
    if event.action != RESTORED:
        return ""
    body = dict(event.body)
    first, reached = int(body["event"]), int(body["reached"])
    told = f"event {event.number}, {event.time:%Y-%m-%d %H:%M}: {event.actor} put the store back to event {first}"
    if reached == first:
        return told
    return f"{told}; events {first + 1} to {reached} of before are gone, their checkpoints are in {body['aside']}"
