"""The bill of materials of a bundle: CycloneDX 1.6 JSON, with the model card it has a place for."""

import re
import uuid
from collections.abc import Mapping, Sequence

from casemate import __version__
from casemate.core.digest import canonical_json, digest_value
from casemate.factory.gate import Evaluation

_NAMESPACE = uuid.UUID("6f1f6d0e-3f43-5b7a-9a0f-1d6f6f0d8c11")  # our own, so that the same bundle has the same number
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


def make_bom(
    *,
    name: str,
    version: str,
    kind: str,
    weights_sha256: str,
    architecture: str,
    licence: str,
    base: str,
    base_name: str,
    evaluation: Evaluation | None,
    datasets: Sequence[str],
    files: Mapping[str, str],
) -> bytes:
    """Write the bill of materials; the same arguments give the same bytes (it names no time).

    `files` are the others of the bundle, name -> SHA-256; `datasets` name what the model was trained on.
    """
    weights = f"{name}@{version}"
    component: dict[str, object] = {
        "type": "machine-learning-model",
        "bom-ref": weights,
        "name": name,
        "version": version,
        "hashes": [_hash(weights_sha256)],
        "licenses": [_licence(licence)],
        "modelCard": _card(kind, architecture, evaluation, datasets),
    }
    if base:
        ancestor = {
            "type": "machine-learning-model",
            "bom-ref": f"base:{base}",
            "name": base_name or "base model",
            "hashes": [_hash(base)],
        }
        component["pedigree"] = {"ancestors": [ancestor]}
    others = [
        {"type": "file", "bom-ref": f"file:{file}", "name": file, "hashes": [_hash(digest)]}
        for file, digest in sorted(files.items())
    ]
    bom: dict[str, object] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "casemate", "version": __version__}]},
            "component": component,
        },
        "components": others,
        "dependencies": [{"ref": weights, "dependsOn": [one["bom-ref"] for one in others]}],
    }
    bom["serialNumber"] = f"urn:uuid:{uuid.uuid5(_NAMESPACE, digest_value(bom))}"
    return canonical_json(bom)


def _hash(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}


def _licence(licence: str) -> dict[str, object]:
    # Without the list of SPDX names at hand, an expression is what may stand anywhere.
    return {"expression": licence} if _SPDX.fullmatch(licence) else {"license": {"name": licence}}


def _card(kind: str, architecture: str, evaluation: Evaluation | None, datasets: Sequence[str]) -> dict[str, object]:
    parameters: dict[str, object] = {
        "task": "text-generation",
        "architectureFamily": "transformer",
        "modelArchitecture": f"{architecture} ({'LoRA adapter' if kind == 'adapter' else 'whole model'}, GGUF)",
        "inputs": [{"format": "text"}],
        "outputs": [{"format": "text"}],
    }
    if datasets:
        parameters["datasets"] = [{"type": "dataset", "name": one} for one in datasets]
    card: dict[str, object] = {"modelParameters": parameters}
    if evaluation is not None:
        card["quantitativeAnalysis"] = {
            "performanceMetrics": [
                {
                    "type": task,
                    "value": f"{one.score:.4f}",
                    "slice": f"n={one.n}",
                    "confidenceInterval": {
                        "lowerBound": f"{one.interval[0]:.4f}",
                        "upperBound": f"{one.interval[1]:.4f}",
                    },
                }
                for task, one in sorted(evaluation.tasks.items())
            ]
        }
    return card
