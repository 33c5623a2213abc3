"""Models and adapters that came in signed bundles: kept beside the others, used only while their bundle is in force."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

from casemate.bundle.manifest import KINDS, BundleManifest
from casemate.bundle.state import bundles_folder
from casemate.core.digest import Digest
from casemate.core.errors import NotTrusted, StoreFailed
from casemate.policy import Policy
from casemate.stages.generate.adapters import check_adapter
from casemate.stages.generate.chat_templates import choose_turns
from casemate.stages.generate.gguf import ModelFile, read_model_file
from casemate.stages.generate.in_force import SOURCE
from casemate.stages.generate.model_store import (
    StoredModel,
    find_model,
    list_adapters,
    model_path,
    models_folder,
    verify_model,
)


def install_bundled(home: Path, folder: Path, manifest: BundleManifest, policy: Policy) -> StoredModel:
    """Put the weights of a verified bundle beside the other models; they are not used before the bundle is in force.

    May be called again for the same bundle. The chat template is the one its signer read: their key being trusted is
    what allows it. Raises `NotTrusted` for weights that no engine should load, `StoreFailed` when the disk is full.
    """
    weights = folder / KINDS[manifest.kind]
    header = read_model_file(weights, policy.limits)
    turns = _check(home, header, manifest, policy)
    model = StoredModel(
        name=manifest.title if manifest.kind == "model" else manifest.name,
        digest=Digest(manifest.weights.sha256),
        size=manifest.weights.size,
        source=f"{SOURCE}{folder.name}",
        added="",
        licence=manifest.licence,
        architecture=header.architecture,
        parameters=header.parameters,
        quantisation=header.quantisation,
        context_length=header.context_length,
        template_sha256=header.chat_template_sha256,
        turns=turns,
        base=manifest.base,
    )
    try:
        models_folder(home).mkdir(mode=0o700, parents=True, exist_ok=True)
        note = models_folder(home) / f"{model.digest}.json"
        _place(weights, model_path(home, model))
        if not note.exists() or _source(note).startswith(SOURCE):  # one a person added by name stays that
            fresh = note.with_name(f".{note.name}.{os.getpid()}")
            fresh.write_text(json.dumps(dataclasses.asdict(model), indent=1, sort_keys=True) + "\n", "utf-8")
            fresh.replace(note)
        _let_go(home)
    except OSError as error:
        raise StoreFailed(f"{error.filename}: {error.strerror}", way_out="make room; apply the bundle again") from error
    return model


def _let_go(home: Path) -> None:
    """Remove weights whose bundle was removed; they could not be used any more."""
    for note in models_folder(home).glob("*.json"):
        source = _source(note)
        if source.startswith(SOURCE) and not (bundles_folder(home) / source.removeprefix(SOURCE)).is_dir():
            note.unlink()
            note.with_suffix(".gguf").unlink(missing_ok=True)


def _check(home: Path, header: ModelFile, manifest: BundleManifest, policy: Policy) -> str:
    if (header.kind == "adapter") != (manifest.kind == "adapter"):
        raise NotTrusted(f"{manifest.title} does not hold what it says", way_out="ask its publisher")
    if manifest.kind == "adapter":
        base = find_model(home, manifest.base)
        named = (other for other in list_adapters(home, base) if other.name == manifest.name)
        if any(not other.source.startswith(SOURCE) and other.digest != manifest.weights.sha256 for other in named):
            raise NotTrusted(
                f"an adapter {manifest.name} was added by name", way_out=f"casemate model remove {manifest.name} first"
            )
        check_adapter(header, verify_model(home, base, policy)[0], manifest.title)
        return ""
    if header.chat_template_sha256 != manifest.template_sha256:
        raise NotTrusted(f"{manifest.title} has another chat template than was signed", way_out="ask its publisher")
    return choose_turns(header, manifest.title, manifest.turns, (manifest.template_sha256,)).name


def _place(source: Path, target: Path) -> None:
    """Give the weights a second name where they may have one, a copy elsewhere; whole or not at all."""
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    try:
        os.link(source, fresh)
    except OSError:
        shutil.copyfile(source, fresh)
        fresh.chmod(0o600)
    fresh.replace(target)


def _source(note: Path) -> str:
    try:
        return str(json.loads(note.read_bytes())["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
