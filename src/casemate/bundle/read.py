"""Reads the file of a bundle and shows it to the rules; what they let pass may be kept."""

import hashlib
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from casemate.bundle.archive import ArchiveReader, open_bundle
from casemate.bundle.manifest import BundleManifest, FileEntry
from casemate.bundle.trusted import FIRST, SECOND, TrustedBundle
from casemate.core.digest import Digest
from casemate.core.errors import NotTrusted
from casemate.policy import Limits

Progress = Callable[[str, int, int], None]
Keep = Callable[[str], AbstractContextManager[BinaryIO | None]]
"""Name of a file -> where its bytes go; None is nowhere."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A bundle that holds: its manifest, the digest over all its files, the key that signed it, what was signed."""

    manifest: BundleManifest
    digest: Digest
    key: str


def read_bundle(
    path: Path,
    trusted: Collection[str],
    limits: Limits,
    keep: Keep = lambda _name: nullcontext(None),
    progress: Progress = lambda _doing, _done, _total: None,
) -> Verified:
    """Verify a bundle, steps 1 to 7 of `trusted.py`, and hand each file's bytes to `keep` as they are read.

    `trusted` are public keys as the policy has them; with none, nothing is trusted. What `keep` got may be used only
    once this returns. Raises `BundleRefused`, and `NotTrusted` when no key is trusted at all.
    """
    if not trusted:
        raise NotTrusted(
            "no key is trusted here, so no bundle can be",
            way_out="put the signer's key under trusted_keys in the policy, or name its file: --key PUB",
        )
    rules = TrustedBundle(trusted, limits)
    with open_bundle(path) as file:
        archive = ArchiveReader(file)
        rules.expect_small(FIRST, archive.next())
        signature = b"".join(archive.read())
        rules.take_signature(signature)
        rules.expect_small(SECOND, archive.next())
        data = b"".join(archive.read())
        manifest = rules.take_manifest(data)
        for name, content in ((FIRST, signature), (SECOND, data)):
            with keep(name) as out:
                if out is not None:
                    out.write(content)
        total = sum(entry.size for entry in manifest.files)
        done = 0
        while (entry := rules.expect_file(archive.next())) is not None:
            rules.take_digest(_copy(archive, entry, keep))
            done += entry.size
            progress("verifying", done, total)
    manifest, statement = rules.finish()
    return Verified(manifest, statement.root, statement.key)


def _copy(archive: ArchiveReader, entry: FileEntry, keep: Keep) -> Digest:
    state = hashlib.sha256()
    with keep(entry.name) as out:
        for block in archive.read():
            state.update(block)
            if out is not None:
                out.write(block)
    return Digest(state.hexdigest())
