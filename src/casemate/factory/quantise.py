"""Make a model smaller: matrices in blocks of 32 values, everything a header says carried over.

The arithmetic is that of the `gguf` package (MIT), NumPy only. It has no K-quants; where those are wanted, llama.cpp's
own program makes them from the same F16 file, and the gate judges the result all the same.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from casemate.core.errors import WrongUsage
from casemate.factory.gguf_file import (
    FILE_TYPES,
    NewTensor,
    digest_of_file,
    leave_manifest,
    open_gguf,
    text_of,
    values_of,
    write_gguf,
)

KINDS = ("F32", "F16", "BF16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0")
"""What `quantise` writes. The first three serve to undo a quantisation, at no further loss for F32."""

_FLOATS = ("F32", "F16", "BF16")
_OUTER = ("token_embd.weight", "output.weight")  # every token passes both: they stay at 8 bits, as llama.cpp has it


@dataclass(frozen=True, slots=True)
class Quantised:
    """What a quantisation came to; errors are relative: root mean square of the difference over that of the values."""

    file: Path
    bytes_before: int
    bytes_after: int
    error: float
    worst_tensor: str
    worst_error: float


def quantise(source: Path, kind: str, out: Path) -> Quantised:
    """Write the model in `source` with its matrices as `kind`, and measure what that changed.

    A matrix whose rows do not fill blocks stays F16, a vector F32. `OUT.json`, written last, holds digests and errors.
    A file that is quantised already is refused for another quantisation: its error would be added, unseen, to ours.
    """
    if kind not in KINDS:
        raise WrongUsage(f"{kind!r} is not made here", way_out=f"one of {', '.join(KINDS)}")
    model = open_gguf(source)
    found = {tensor.tensor_type.name for tensor in model.tensors}
    if kind not in _FLOATS and not found <= set(_FLOATS):
        raise WrongUsage(
            f"{source.name} is quantised already ({', '.join(sorted(found - set(_FLOATS)))})",
            way_out="start from the F16 file; or undo it knowingly with --kind F32 first",
        )
    errors: dict[str, tuple[float, float]] = {}
    tensors = [_planned(tensor, kind, errors) for tensor in model.tensors]
    version = {} if kind in _FLOATS else {"general.quantization_version": 2}
    architecture = text_of(model, "general.architecture")
    write_gguf(out, architecture, tensors, like=model, extra={"general.file_type": FILE_TYPES[kind], **version})
    change, size = (sum(pair[at] for pair in errors.values()) for at in (0, 1))
    relative = {name: math.sqrt(pair[0] / pair[1]) for name, pair in errors.items() if pair[1] > 0}
    worst = max(relative, key=lambda name: relative[name], default="")
    result = Quantised(
        out,
        source.stat().st_size,
        out.stat().st_size,
        math.sqrt(change / size) if size else 0.0,
        worst,
        relative.get(worst, 0.0),
    )
    facts = {
        "parent_sha256": digest_of_file(source),
        "kind": kind,
        "relative_error": round(result.error, 6),
        "worst_tensor": [worst, round(result.worst_error, 6)],
        "kept": {tensor.name: tensor.kind for tensor in tensors if tensor.kind != kind and len(tensor.shape) > 1},
    }
    leave_manifest(out, "quantise", facts)
    return result


def kind_for(name: str, shape: tuple[int, ...], kind: str) -> str:
    """Choose the type of one tensor, its shape rows first."""
    if len(shape) == 1:
        return "F32"
    if kind in _FLOATS:
        return kind
    if shape[-1] % 32:
        return "F16"
    return "Q8_0" if name in _OUTER else kind


def _planned(tensor: Any, kind: str, errors: dict[str, tuple[float, float]]) -> NewTensor:
    shape = tuple(int(n) for n in reversed(tensor.shape))
    chosen = kind_for(tensor.name, shape, kind)

    def make() -> NDArray[Any]:
        import gguf

        values = values_of(tensor)
        code = gguf.GGMLQuantizationType[chosen]
        packed: NDArray[Any] = gguf.quants.quantize(values, code)
        back = gguf.quants.dequantize(packed, code).reshape(shape)
        errors[tensor.name] = (float(np.square(back - values, dtype=np.float64).sum()), float(np.vdot(values, values)))
        return packed

    return NewTensor(tensor.name, chosen, shape, make, packed=True)
