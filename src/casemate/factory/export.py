"""Turn a trained encoder into what is shipped: int8 ONNX, the vocabulary, and the heads as arrays."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from casemate.factory.encoder import base_model_folder, pool
from casemate.stages.classify.encoder import arrays_to_bytes
from casemate.stages.classify.weights import seal_weights

SHIPPED_SOURCES = ("nvd", "cna")
"""The labelling sources whose corrections are kept; the others served the training alone."""

FILES = ["encoder.onnx", "vocab.txt", "heads.npz"]


def export_encoder(trained: Path, out: Path) -> None:
    """Read `encoder.pt` and `encoder.json` of `trained`; leave the shipped files and their manifest in `out`."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import BertModel

    papers = json.loads((trained / "encoder.json").read_text(encoding="utf-8"))
    state = torch.load(trained / "encoder.pt", map_location="cpu", weights_only=True)
    model = BertModel.from_pretrained(base_model_folder(), add_pooling_layer=False, attn_implementation="eager").eval()
    model.load_state_dict(state["model"])
    out.mkdir(parents=True, exist_ok=True)
    whole = out / "encoder.float.onnx"
    _write_onnx(model, whole)
    # A scale for each channel, and seven bits: one scale for all bends the vectors (cosine 0.977 to the float model, so
    # 0.995), and the eighth bit overflows on processors without VNNI.
    quantize_dynamic(whole, out / "encoder.onnx", weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
    whole.unlink()
    shutil.copyfile(base_model_folder() / "vocab.txt", out / "vocab.txt")
    heads = _shipped_heads({name: value.numpy() for name, value in state["heads"].items()}, papers["sources"])
    (out / "heads.npz").write_bytes(arrays_to_bytes(heads))
    kept = {"cwe": papers["cwe"], "techniques": papers["techniques"], "sources": SHIPPED_SOURCES}
    kept |= {"recipe": papers["recipe"], "steps_made": papers["steps_made"]}
    seal_weights("encoder", out, FILES, kept)


def _write_onnx(model: Any, path: Path) -> None:
    import torch

    class Pooled(torch.nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return pool(self.model, input_ids, attention_mask)

    ids = torch.ones(2, 16, dtype=torch.long)
    axes = {0: "texts", 1: "tokens"}
    torch.onnx.export(
        Pooled().eval(),
        (ids, ids),
        path,
        input_names=["input_ids", "attention_mask"],
        output_names=["vectors"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "vectors": {0: "texts"}},
        opset_version=17,
        dynamo=False,
    )


def _shipped_heads(heads: dict[str, Any], sources: list[str]) -> dict[str, Any]:
    """Return the heads in float16, of the corrections only those of the shipped sources, in their order."""
    kept = {}
    for name, value in heads.items():
        if "_by_source" in name:
            parts = np.split(value, len(sources))
            value = np.concatenate([parts[sources.index(source)] for source in SHIPPED_SOURCES])  # noqa: PLW2901
        kept[name] = value.astype(np.float16)
    return kept
