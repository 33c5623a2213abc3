"""Small bundles, sound or broken on purpose, and the outside world that applying them needs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from casemate.bundle.apply import Applying, Disk
from casemate.bundle.archive import BLOCK, header_of
from casemate.bundle.build import build_bundle
from casemate.bundle.manifest import BundleManifest
from casemate.bundle.signature import written_key
from casemate.policy import Limits

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
TRUSTED = (written_key(KEY.public_key().public_bytes_raw()),)
FILES: dict[str, bytes] = {
    "LICENSE": b"do what is right",
    "MODEL_CARD.md": b"# a card\n",
    "prompts/summary.json": b"{}",
    "model.gguf": b"GGUF" + bytes(3000),
}


def make_bundle(
    out: Path,
    files: Mapping[str, bytes] = FILES,
    *,
    version: str = "1.0",
    name: str = "tiny",
    kind: str = "model",
    base: str = "",
    key: Ed25519PrivateKey = KEY,
) -> Path:
    build_bundle(
        out, dict(files), key, name=name, version=version, kind=kind, licence="MIT", base=base, turns="chatml", gate="x"
    )
    return out


def members(path: Path) -> list[tuple[bytes, bytes]]:
    """Take an archive apart into headers and contents, without any check."""
    raw = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True).read()
    found, at = [], 0
    while any(raw[at : at + BLOCK]):
        size = int(raw[at + 124 : at + 135], 8)
        found.append((raw[at : at + BLOCK], raw[at + BLOCK : at + BLOCK + size]))
        at += BLOCK + size + -size % BLOCK
    return found


def join(parts: Sequence[tuple[bytes, bytes]], end: bytes = bytes(2 * BLOCK)) -> bytes:
    raw = b"".join(header + content + bytes(-len(content) % BLOCK) for header, content in parts)
    return zstandard.ZstdCompressor().compress(raw + end)


def member(name: str, content: bytes) -> tuple[bytes, bytes]:
    return header_of(name, len(content)), content


class World:
    """What applying needs from outside, in memory: models that are here, and a chain that remembers."""

    def __init__(self, home: Path, used: str = "", models: Sequence[str] = ()) -> None:
        self.home, self.used, self.models = home, used, set(models)
        self.chain: list[tuple[str, str, dict[str, str]]] = []
        self.installed: list[str] = []

    def install(self, folder: Path, manifest: BundleManifest) -> None:
        assert (folder / "manifest.json").is_file()
        self.installed.append(manifest.title)
        self.models.add(manifest.weights.sha256)

    def record(self, action: str, subject: str, body: tuple[tuple[str, str], ...]) -> None:
        event = (action, subject, dict(body))
        if "change" not in event[2] or event not in self.chain:
            self.chain.append(event)

    def how(self, disk: Disk | None = None, trusted: Sequence[str] = TRUSTED, limits: Limits | None = None) -> Applying:
        return Applying(
            self.home,
            trusted,
            limits or Limits(),
            self.install,
            lambda digest: digest in self.models,
            lambda: self.used,
            self.record,
            disk or Disk(),
        )

    @property
    def told(self) -> list[str]:
        return [action for action, _, _ in self.chain]
