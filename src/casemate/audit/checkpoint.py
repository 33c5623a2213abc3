"""Signed checkpoints: statements, kept outside the database, that a chain had come to a certain link."""

import errno
import json
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from casemate.audit.chain import write_time
from casemate.core.audit import AuditEvent
from casemate.core.digest import Digest, canonical_json
from casemate.core.errors import NotTrusted, StoreFailed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_FILE = "key"
PUBLIC_KEY_FILE = "key.pub"
CHECKPOINT_FILE = "checkpoints.jsonl"
TAIL_BYTES = 64 * 1024  # of the checkpoint file, looked at to see whether it is up to date


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement: at `time` the chain named `chain` ended with link `number`, whose digest is `digest`.

    `signature` is Ed25519 (RFC 8032) over the canonical JSON of the other fields, in hexadecimal.
    """

    chain: str
    number: int
    digest: Digest
    time: datetime
    signature: str

    def signed_bytes(self) -> bytes:
        """Give the bytes that the signature covers."""
        return _signed_bytes(self.chain, self.number, self.digest, self.time)

    def line(self) -> str:
        """Write the checkpoint as one line of canonical JSON."""
        fields = json.loads(self.signed_bytes()) | {"signature": self.signature}
        return canonical_json(fields).decode("utf-8")


def _signed_bytes(chain: str, number: int, digest: Digest, time: datetime) -> bytes:
    fields = {"chain": chain, "checkpoint": number, "digest": digest, "time": write_time(time)}
    return canonical_json(fields)


def read_checkpoint(line: str) -> Checkpoint:
    """Read one line back; `ValueError` when it is not, byte for byte, what `Checkpoint.line` writes."""
    try:
        raw = json.loads(line)
        time = datetime.fromisoformat(raw["time"])
        checkpoint = Checkpoint(raw["chain"], raw["checkpoint"], Digest(raw["digest"]), time, raw["signature"])
        same = checkpoint.line() == line
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"no checkpoint: {type(error).__name__}") from error
    texts = (checkpoint.chain, checkpoint.digest, checkpoint.signature)
    if not same or type(checkpoint.number) is not int or not all(isinstance(text, str) for text in texts):
        raise ValueError("no checkpoint: the line is not in the canonical form")
    return checkpoint


def signature_holds(checkpoint: Checkpoint, public_key: bytes) -> bool:
    """Check the signature with a public key in PEM; `NotTrusted` when that is no Ed25519 public key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(public_key)
    except ValueError as error:
        raise NotTrusted("the public key is no key in PEM", way_out="give the file `key.pub`") from error
    if not isinstance(key, Ed25519PublicKey):
        raise NotTrusted("the public key is not Ed25519", way_out="give the file `key.pub`")
    try:
        key.verify(bytes.fromhex(checkpoint.signature), checkpoint.signed_bytes())
    except (InvalidSignature, ValueError):
        return False
    return True


class Seal:
    """The signing key of one installation and the file its checkpoints are appended to."""

    def __init__(self, folder: Path, key: "Ed25519PrivateKey") -> None:
        self._key = key
        self.folder = folder
        self.file = folder / CHECKPOINT_FILE

    @classmethod
    def open(cls, folder: Path) -> "Seal":
        """Read the key in `folder`, or make one (mode 0600, public key beside it) on the very first use.

        Raises `NotTrusted` when checkpoints are there but their key is gone or is no Ed25519 key, `StoreFailed` when
        the folder cannot be read or written.
        """
        try:
            return cls(folder, _open_key(folder))
        except OSError as error:
            raise StoreFailed(
                f"audit key {folder / KEY_FILE}: {error.strerror}", way_out="make the folder readable and writable"
            ) from error

    @property
    def public_key(self) -> bytes:
        """The public key in PEM: what an auditor keeps elsewhere to verify exported chains."""
        return _public_pem(self._key)

    def sign(self, chain: str, event: AuditEvent) -> Checkpoint:
        """State that `chain` ends with `event`."""
        signature = self._key.sign(_signed_bytes(chain, event.number, event.digest, event.time))
        return Checkpoint(chain, event.number, event.digest, event.time, signature.hex())

    def write(self, checkpoint: Checkpoint) -> None:
        """Append the checkpoint to the file and force it to the disk; `StoreFailed` when that cannot be done."""
        line = checkpoint.line().encode("utf-8") + b"\n"
        try:
            handle = os.open(self.file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                size = os.fstat(handle).st_size
                torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
                whole = b"\n" + line if torn else line
                if os.write(handle, whole) < len(whole):  # a disk that is filled by it says so at the next write only
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise StoreFailed(
                f"checkpoints {self.file}: {error.strerror}; the record itself is saved, its checkpoint is not",
                way_out="make room or mend the permissions; the next record writes the next checkpoint",
            ) from error

    def has(self, checkpoint: Checkpoint) -> bool:
        """Look for a checkpoint at the end of the file; `StoreFailed` when that cannot be read."""
        try:
            with self.file.open("rb") as file:
                file.seek(max(file.seek(0, os.SEEK_END) - TAIL_BYTES, 0))
                return checkpoint.line().encode("utf-8") + b"\n" in file.read()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreFailed(
                f"checkpoints {self.file}: {error.strerror}; the record itself is saved, its checkpoint may not be",
                way_out="check its permissions",
            ) from error

    def catch_up(self, checkpoint: Checkpoint) -> None:
        """Append a checkpoint that the database kept, unless the end of the file has it or it is not signed by us."""
        if not self.has(checkpoint) and signature_holds(checkpoint, self.public_key):
            self.write(checkpoint)

    def lines(self) -> tuple[str, ...]:
        """Give the lines of the file as they stand, without a last one that a crash cut short; empty when absent."""
        try:
            text = self.file.read_bytes().decode("utf-8", "backslashreplace")
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise StoreFailed(f"checkpoints {self.file}: {error.strerror}", way_out="check its permissions") from error
        return tuple(line for line in text.split("\n")[:-1] if line)


def _open_key(folder: Path) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path = folder / KEY_FILE
    if not path.exists():
        if (folder / CHECKPOINT_FILE).exists() and not path.exists():  # asked twice: another process may just make it
            raise NotTrusted(
                f"audit key {path} is gone, but checkpoints signed with it are there",
                way_out="bring the key back from a backup, or move the audit folder aside and keep it for the auditor",
            )
        _make_key(folder)
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise NotTrusted(f"audit key {path} cannot be read", way_out="bring it back from a backup") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise NotTrusted(f"audit key {path} is no Ed25519 key", way_out="bring it back from a backup")
    if not (folder / PUBLIC_KEY_FILE).exists():
        _place(folder / PUBLIC_KEY_FILE, _public_pem(key))
    return key


def _make_key(folder: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = Ed25519PrivateKey.generate()
    _place(folder / KEY_FILE, fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _place(path: Path, data: bytes) -> None:
    # Written aside and linked into place: another process sees no file or the whole file, and the first one wins.
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        os.write(handle, data)
        os.fsync(handle)
        os.close(handle)
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink(missing_ok=True)


def _public_pem(key: "Ed25519PrivateKey") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
