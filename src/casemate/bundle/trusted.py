"""The rules of verification, without any reading or writing: an object that is shown a bundle piece by piece.

A bundle is verified in these steps; the code below carries the same numbers.

1. The first member is `model.sig`: a Sigstore bundle with one DSSE signature.
2. A key that the site trusts made that signature, over exactly the payload it comes with.
3. The payload is an in-toto statement that lists files with their SHA-256, each name plain, each once, in order, and
   its subject's digest is the digest over them all.
4. The second member is `manifest.json`, and its SHA-256 is the one that was signed.
5. The manifest is sound, has the name that was signed, lists exactly the other files that were signed, with the same
   digests, and their sizes together stay within the limits.
6. Every further member is the next file of the manifest, of exactly the announced size and digest.
7. After the last file the archive ends, and nothing stands behind the end.
8. The version is not lower than the highest that was ever applied under this name, and not the same with other content,
   unless a person names that version.
9. What the bundle needs is here: for an adapter, the very model it was made for.
10. It was measured with the prompts that this program asks, unless a person names its version.

Nothing is unpacked before step 5 is done, so no more is ever written than a trusted signer announced. Steps 1 to 7 are
this file; step 8 is `state.py`, steps 9 and 10 the caller's, who knows the models and the prompts.
"""

from collections.abc import Collection

from casemate.bundle.manifest import (
    MANIFEST_FILE,
    SIGNATURE_FILE,
    BundleManifest,
    BundleRefused,
    FileEntry,
    read_manifest,
)
from casemate.bundle.signature import Statement, check_signature, open_signature, read_statement
from casemate.core.digest import Digest, digest_bytes
from casemate.policy import Limits


class TrustedBundle:
    """What is known of a bundle so far; every method but the next one due raises, so no step can be left out."""

    def __init__(self, trusted: Collection[str], limits: Limits) -> None:
        self._trusted, self._limits = tuple(trusted), limits
        self._statement: Statement | None = None
        self._manifest: BundleManifest | None = None
        self._done = 0
        self._open: FileEntry | None = None

    def expect_small(self, name: str, found: tuple[str, int] | None) -> None:
        """Begin steps 1 and 4: the member that comes now is the one that must come, and is small."""
        if found is None or found[0] != name:
            raise BundleRefused("member-wrong", f"{name} is not where it must stand")
        if found[1] > self._limits.bundle_manifest_bytes:
            raise BundleRefused("too-large", f"{name} has {found[1]} bytes (limits.bundle_manifest_bytes)")

    def take_signature(self, data: bytes) -> None:
        """Do steps 1 to 3."""
        assert self._statement is None
        payload, signed, hint = open_signature(data)  # step 1
        key = check_signature(payload, signed, hint, self._trusted)  # step 2
        self._statement = read_statement(payload, key)  # step 3

    def take_manifest(self, data: bytes) -> BundleManifest:
        """Do steps 4 and 5."""
        statement = self._statement
        assert statement is not None
        assert self._manifest is None
        if statement.files.get(MANIFEST_FILE) != digest_bytes(data):  # step 4
            raise BundleRefused("manifest-changed", f"{MANIFEST_FILE} is not the one that was signed")
        manifest = read_manifest(data)  # step 5
        listed = {entry.name: entry.sha256 for entry in manifest.files}
        if manifest.title != statement.name or listed | {MANIFEST_FILE: digest_bytes(data)} != statement.files:
            raise BundleRefused("manifest-wrong", f"{MANIFEST_FILE} does not list what was signed")
        if len(listed) > self._limits.bundle_files:
            raise BundleRefused("too-large", f"{len(listed)} files (limits.bundle_files)")
        total = sum(entry.size for entry in manifest.files)
        if total > self._limits.model_file_bytes:
            raise BundleRefused("too-large", f"{total} bytes (limits.model_file_bytes)")
        self._manifest = manifest
        return manifest

    def expect_file(self, found: tuple[str, int] | None) -> FileEntry | None:
        """Begin step 6, or do step 7: give the file that comes now, None when the archive ends where it should."""
        assert self._manifest is not None
        assert self._open is None
        rest = self._manifest.files[self._done :]
        if not rest:
            if found is not None:  # step 7
                raise BundleRefused("member-wrong", "the archive holds a file that was not signed")
            return None
        if found is None:  # step 6
            raise BundleRefused("member-wrong", f"{rest[0].name} was signed and is missing")
        if found != (rest[0].name, rest[0].size):  # step 6
            raise BundleRefused("member-wrong", f"{rest[0].name} of {rest[0].size} bytes should stand at its place")
        self._open = rest[0]
        return rest[0]

    def take_digest(self, digest: Digest) -> None:
        """Do step 6: the file that was just read is the one that was signed."""
        assert self._open is not None
        if digest != self._open.sha256:
            raise BundleRefused("file-changed", f"{self._open.name} is not the one that was signed")
        self._done, self._open = self._done + 1, None

    def finish(self) -> tuple[BundleManifest, Statement]:
        """Give what was verified, once all of it was."""
        assert self._manifest is not None
        assert self._statement is not None
        assert self._done == len(self._manifest.files)
        return self._manifest, self._statement


FIRST, SECOND = SIGNATURE_FILE, MANIFEST_FILE
"""What must stand at the beginning of an archive, in this order."""
