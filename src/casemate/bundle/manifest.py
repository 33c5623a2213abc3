"""What a bundle says of itself: its name, version, kind, and every file with size and digest."""

import dataclasses
import re
from dataclasses import dataclass

from pydantic import ConfigDict, TypeAdapter, ValidationError

from casemate.core.digest import canonical_json
from casemate.core.errors import NotTrusted
from casemate.core.plain import plain

FORMAT = "casemate-bundle-1"
SIGNATURE_FILE = "model.sig"
MANIFEST_FILE = "manifest.json"

KINDS = {"model": "model.gguf", "adapter": "adapter.gguf"}
"""What a bundle may carry -> the file with the weights."""

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_FILE_NAME = re.compile(rf"{_PART}(?:/{_PART}){{0,3}}", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})){0,3}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


class BundleRefused(NotTrusted):
    """A bundle that is not applied; `code` is a stable kebab-case name of the reason, for the audit chain."""

    def __init__(self, code: str, message: str, *, way_out: str = "") -> None:
        super().__init__(message, way_out=way_out or "do not use this file; fetch it again from its publisher")
        self.code = code


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a bundle: a plain relative name, its size in bytes, its SHA-256."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class BundleManifest:
    """What a bundle is; all of it is covered by the signature.

    `kind` is a key of `KINDS`, `version` one to four numbers with dots. `base` is the SHA-256 of the GGUF an adapter is
    for, empty for a model. `turns` is the turn format, `template_sha256` the chat template that the signer read and
    found to mean it. `tasks` may use the model. `gate` says what released it. `files` are all but this one and the
    signature, by name.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    format: str
    name: str
    version: str
    kind: str
    base: str
    turns: str
    template_sha256: str
    licence: str
    tasks: tuple[str, ...]
    gate: str
    files: tuple[FileEntry, ...]

    @property
    def weights(self) -> FileEntry:
        """The file with the weights."""
        return next(entry for entry in self.files if entry.name == KINDS[self.kind])

    @property
    def title(self) -> str:
        """Name and version, which is also the name that is signed."""
        return f"{self.name}-{self.version}"


def version_key(version: str) -> tuple[int, ...]:
    """Give what versions are compared by: their numbers, zeros at the end left out; `ValueError` for no version."""
    if not _VERSION.fullmatch(version):
        raise ValueError(f"{version[:40]!r} is no version")
    numbers = [int(part) for part in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def is_file_name(name: str) -> bool:
    """Tell whether a name may stand in a bundle: relative, plain ASCII, no part that begins with a dot."""
    return len(name) < 100 and _FILE_NAME.fullmatch(name) is not None


def write_manifest(manifest: BundleManifest) -> bytes:
    """Write a manifest as canonical JSON; `BundleRefused` when it is not a sound one."""
    _check(manifest)
    return canonical_json(dataclasses.asdict(manifest))


def read_manifest(data: bytes) -> BundleManifest:
    """Read a manifest; `BundleRefused` when it is not, byte for byte, a sound one in canonical JSON."""
    try:
        manifest = TypeAdapter(BundleManifest).validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _wrong(f"{plain(where)[:80]}: {first['msg'][:120]}") from error
    if write_manifest(manifest) != data:
        raise _wrong("it is not in canonical form")
    return manifest


def _wrong(why: str) -> BundleRefused:
    return BundleRefused("manifest-wrong", f"the bundle's {MANIFEST_FILE}: {why}")


def _check(manifest: BundleManifest) -> None:
    names = [entry.name for entry in manifest.files]
    if manifest.format != FORMAT:
        raise _wrong(f"format {plain(manifest.format)[:40]}, this program reads {FORMAT}")
    if manifest.kind not in KINDS:
        raise _wrong(f"kind {plain(manifest.kind)[:40]}, known are {', '.join(KINDS)}")
    if not _NAME.fullmatch(manifest.name) or not _VERSION.fullmatch(manifest.version):
        raise _wrong("name or version is none")
    if (manifest.kind == "adapter") != bool(_HEX.fullmatch(manifest.base)) or (
        manifest.base and manifest.kind == "model"
    ):
        raise _wrong("base must be a SHA-256 for an adapter and empty for a model")
    if manifest.template_sha256 and not _HEX.fullmatch(manifest.template_sha256):
        raise _wrong("template_sha256 is no SHA-256")
    if names != sorted(set(names)):
        raise _wrong("the files are not in order, or one is named twice")
    if KINDS[manifest.kind] not in names:
        raise _wrong(f"{KINDS[manifest.kind]} is missing")
    for entry in manifest.files:
        if not is_file_name(entry.name) or entry.name in (MANIFEST_FILE, SIGNATURE_FILE):
            raise _wrong(f"the file name {plain(entry.name)[:100]} is not allowed")
        if entry.size < 0 or not _HEX.fullmatch(entry.sha256):
            raise _wrong(f"size or digest of {entry.name} is none")
