"""Builds the file of a bundle from a folder."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from casemate.bundle.archive import ArchiveWriter
from casemate.bundle.manifest import FORMAT, MANIFEST_FILE, SIGNATURE_FILE, BundleManifest, FileEntry, write_manifest
from casemate.bundle.signature import sign
from casemate.core.digest import digest_bytes
from casemate.core.errors import WrongUsage

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def build_bundle(
    out: Path,
    files: Mapping[str, Path | bytes],
    key: "Ed25519PrivateKey",
    *,
    name: str,
    version: str,
    kind: str,
    licence: str,
    base: str = "",
    turns: str = "",
    template_sha256: str = "",
    tasks: tuple[str, ...] = (),
    gate: str = "",
) -> BundleManifest:
    """Write the signed bundle whole or not at all; the same inputs and key give the same bytes.

    `files` are what stands in it, by name; the weights are `model.gguf` or `adapter.gguf`. Raises `BundleRefused` for a
    manifest that would not be sound and `WrongUsage` for a file that cannot be read.
    """
    entries = tuple(_entry(inner, files[inner]) for inner in sorted(files))
    manifest = BundleManifest(
        FORMAT, name, version, kind, base, turns, template_sha256, licence, tuple(sorted(tasks)), gate, entries
    )
    data = write_manifest(manifest)
    digests = {entry.name: entry.sha256 for entry in entries} | {MANIFEST_FILE: digest_bytes(data)}
    signature = sign(manifest.title, digests, key)
    fresh = out.with_name(f".{out.name}.part")
    try:
        with fresh.open("wb") as stream:
            archive = ArchiveWriter(stream)
            archive.add(SIGNATURE_FILE, len(signature), io.BytesIO(signature))
            archive.add(MANIFEST_FILE, len(data), io.BytesIO(data))
            for entry in entries:
                source = files[entry.name]
                with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as content:
                    archive.add(entry.name, entry.size, content)
            archive.close()
        fresh.replace(out)
    except OSError as error:
        raise WrongUsage(f"{out}: {error.strerror}", way_out="make room, or name another place: --out") from error
    finally:
        fresh.unlink(missing_ok=True)
    return manifest


def _entry(name: str, source: Path | bytes) -> FileEntry:
    if isinstance(source, bytes):
        return FileEntry(name, len(source), digest_bytes(source))
    try:
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileEntry(name, source.stat().st_size, digest)
    except OSError as error:
        raise WrongUsage(f"{source}: {error.strerror}", way_out="name files that can be read") from error
