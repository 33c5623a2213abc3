"""The adapters that come with casemate: small files in the package, each for exactly one base, named by its digest."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from casemate.core.digest import Digest
from casemate.core.errors import NotTrusted
from casemate.policy import Limits
from casemate.stages.generate.adapters import check_adapter
from casemate.stages.generate.embedded import Adapter
from casemate.stages.generate.gguf import ModelFile, read_model_file

FOLDER = Path(__file__).with_name("shipped")


@dataclass(frozen=True, slots=True)
class Shipped:
    """An adapter of the package: its name, its SHA-256, that of the base it is for, and its file."""

    name: str
    digest: Digest
    base: Digest
    path: Path


def list_shipped(folder: Path = FOLDER) -> Iterator[Shipped]:
    """List the adapters of the package by their manifests; `NotTrusted` for a manifest that is none."""
    for manifest in sorted(folder.glob("*.gguf.json")):
        try:
            raw = json.loads(manifest.read_text("utf-8"))
            file = manifest.with_suffix("")
            yield Shipped(file.stem, Digest(raw["sha256"]), Digest(raw["base_sha256"]), file)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NotTrusted(f"{manifest}: no manifest: {error}", way_out="install casemate again") from error


def shipped_beside(base: Digest, header: ModelFile, limits: Limits, folder: Path = FOLDER) -> list[Adapter]:
    """Give the adapters of the package for this base, each verified; one that was altered carries its fault."""
    beside = []
    for one in list_shipped(folder):
        if one.base == base:
            fault = None
            try:
                _verify(one, header, limits)
            except NotTrusted as error:
                fault = error
            beside.append(Adapter(one.name, one.digest, one.path, fault))
    return beside


def _verify(one: Shipped, header: ModelFile, limits: Limits) -> None:
    try:
        found = sha256(one.path.read_bytes()).hexdigest()
    except OSError as error:
        raise NotTrusted(f"{one.path}: {error.strerror}", way_out="install casemate again") from error
    if found != one.digest:
        raise NotTrusted(f"{one.path}: altered since it was packaged", way_out="install casemate again")
    check_adapter(read_model_file(one.path, limits), header, str(one.path))
