"""Put a released build into one signed file: weights, tokenizer, template, prompts, thresholds, licence, card, records.

The order is the point: the gate comes first, and nothing is signed that it refuses.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from casemate.bundle.build import build_bundle
from casemate.bundle.manifest import KINDS, BundleManifest, is_file_name
from casemate.bundle.signature import read_private_key
from casemate.core.digest import canonical_json
from casemate.core.errors import WrongUsage
from casemate.factory.bom import make_bom
from casemate.factory.gate import Evaluation, Verdict, check_gate, read_evaluation, read_floors
from casemate.factory.gguf_file import digest_of_file, open_gguf, text_of
from casemate.stages.generate.chat_templates import choose_turns
from casemate.stages.generate.gguf import read_model_file
from casemate.tasks.record import record_of
from casemate.tasks.registry import TASKS

_TEXT_BYTES = 16 * 1024 * 1024  # one text that goes into a bundle
_TOKENIZER = "tokenizer.ggml."


@dataclass(frozen=True, slots=True)
class Package:
    """What a bundle is made of; every path is read once.

    `weights` is the GGUF of a model or of an adapter, which then needs the GGUF of its `base`. `licence` and `card` are
    text files. `evaluation`, `parent` (an evaluation of the parent) and `recipe` are what the gate needs; without them
    `ungated` must say why, and the bundle says so for ever. `tasks` are those that may use an adapter; empty for all.
    """

    weights: Path
    out: Path
    key: Path
    name: str
    version: str
    licence: Path
    card: Path
    licence_name: str = ""
    base: Path | None = None
    evaluation: Path | None = None
    parent: Path | None = None
    recipe: Path | None = None
    ungated: str = ""
    thresholds: Path | None = None
    turns: str = ""
    allow_template: str = ""
    tasks: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    extra: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Packaged:
    """What came of it."""

    manifest: BundleManifest
    verdict: Verdict | None


def package(asked: Package) -> Packaged:
    """Judge the build, gather what belongs to it, sign it and write the one file.

    Raises `NotTrusted` when the gate refuses, naming each task with both figures, and `WrongUsage` for whatever is
    missing. The same inputs and key give the same bytes.
    """
    header = read_model_file(asked.weights)
    digest = digest_of_file(asked.weights)
    weights = open_gguf(asked.weights)
    kind = "adapter" if text_of(weights, "general.type") == "adapter" else "model"
    if (kind == "adapter") != (asked.base is not None):
        raise WrongUsage(
            f"{asked.weights.name} is {'an adapter' if kind == 'adapter' else 'a whole model'}",
            way_out="an adapter needs --base BASE.gguf, a model must have none",
        )
    evaluation, verdict, gate = _pass_gate(asked, digest)
    speaking = weights if asked.base is None else open_gguf(asked.base)
    spoken = header if asked.base is None else read_model_file(asked.base)
    allowed = (asked.allow_template.lower(),) if asked.allow_template else ()
    turns = choose_turns(spoken, str(asked.base or asked.weights), asked.turns, allowed)
    licence = asked.licence_name or _licence_name(header.licence or spoken.licence)
    base = digest_of_file(asked.base) if asked.base else ""
    files = _texts(asked, speaking, evaluation)
    others = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    files["bom.cdx.json"] = make_bom(
        name=asked.name,
        version=asked.version,
        kind=kind,
        weights_sha256=digest,
        architecture=header.architecture,
        licence=licence,
        base=base,
        base_name=spoken.name if base else "",
        evaluation=evaluation,
        datasets=asked.datasets,
        files=others,
    )
    manifest = build_bundle(
        asked.out,
        {**files, KINDS[kind]: asked.weights},
        read_private_key(asked.key),
        name=asked.name,
        version=asked.version,
        kind=kind,
        licence=licence,
        base=base,
        turns=turns.name,
        template_sha256=spoken.chat_template_sha256,
        tasks=asked.tasks,
        gate=gate,
    )
    return Packaged(manifest, verdict)


def _pass_gate(asked: Package, digest: str) -> tuple[Evaluation | None, Verdict | None, str]:
    evaluation = read_evaluation(asked.evaluation) if asked.evaluation else None
    if asked.ungated:
        if asked.recipe:
            raise WrongUsage("a build is judged or not judged", way_out="leave out --ungated or --gate")
        return evaluation, None, f"not judged: {asked.ungated}"
    if evaluation is None or asked.parent is None or asked.recipe is None:
        raise WrongUsage(
            "the gate needs --evaluation, --parent-evaluation and --gate",
            way_out="or say why it is left out: --ungated REASON",
        )
    parent = read_evaluation(asked.parent)
    verdict = check_gate(read_floors(asked.recipe), evaluation, parent, digest)
    judged = "; ".join(f"{task.task} {task.build} against {task.parent}" for task in verdict.tasks)
    return evaluation, verdict, f"released by {asked.recipe.name} against {parent.model[:80]}: {judged}"


def _texts(asked: Package, speaking: Any, evaluation: Evaluation | None) -> dict[str, bytes]:
    files = {"LICENSE": _read(asked.licence), "MODEL_CARD.md": _read(asked.card)}
    if evaluation is not None and asked.evaluation is not None:
        files["evaluation.json"] = _read(asked.evaluation)
    if asked.parent is not None:
        files["evaluation.parent.json"] = _read(asked.parent)
    if asked.recipe is not None:
        files["gate.toml"] = _read(asked.recipe)
    if asked.thresholds is not None:
        files["thresholds.json"] = _read(asked.thresholds)
    template = text_of(speaking, "tokenizer.chat_template")
    if template:
        files["chat_template.jinja"] = template.encode("utf-8")
    files["tokenizer.json"] = canonical_json(_tokenizer(speaking))
    files |= _prompts(asked.tasks)
    for name, path in asked.extra.items():
        if not is_file_name(name):
            raise WrongUsage(f"{name!r} cannot stand in a bundle", way_out="plain letters, digits, . _ - and /")
        files[name] = _read(path)
    return files


def _tokenizer(speaking: Any) -> dict[str, object]:
    """Carry the tokenizer as the GGUF has it, under the GGUF's own names."""
    fields = (key for key in speaking.fields if key.startswith(_TOKENIZER))
    return {key.removeprefix(_TOKENIZER): speaking.fields[key].contents() for key in fields}


def _prompts(tasks: tuple[str, ...]) -> dict[str, bytes]:
    """Carry the static part of every task's prompt, and how it is judged: what the evaluation was made with."""
    return {f"prompts/{name}.json": record_of(task) for name, task in TASKS.items() if not tasks or name in tasks}


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}", way_out="name files that can be read") from error
    if not data or len(data) > _TEXT_BYTES:
        raise WrongUsage(f"{path}: {len(data)} bytes", way_out=f"a text of 1 to {_TEXT_BYTES} bytes")
    return data


def _licence_name(text: str) -> str:
    """Write a licence as SPDX has it; model files say `apache-2.0`."""
    known = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause", "cc-by-4.0": "CC-BY-4.0"}
    name = known.get(text.strip().lower(), text.strip())
    if not re.fullmatch(r"[A-Za-z0-9.+-]{1,64}", name):
        raise WrongUsage("the model file names no licence", way_out="name it: --licence-name Apache-2.0")
    return name
