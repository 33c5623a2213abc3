"""Read the weights that training leaves: safetensors, a length, a JSON header and plain numbers.

Format: 8 bytes of length (little-endian), that many bytes of JSON with name -> dtype, shape, data_offsets, then the
data (format description of the safetensors project). Nothing in it is a program, which is why no other form of weights
is read here.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from casemate.core.errors import WrongUsage

_HEADER_BYTES = 100_000_000  # the format's own bound
_KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1"}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where one tensor stands: `shape` as the framework has it, rows first; `start` and `size` in bytes of `file`."""

    name: str
    file: Path
    kind: str
    shape: tuple[int, ...]
    start: int
    size: int

    def read(self) -> NDArray[np.float32]:
        """Read the values as 32-bit floats; bfloat16 is the upper half of one."""
        raw = np.fromfile(self.file, dtype=_KINDS[self.kind], count=math.prod(self.shape), offset=self.start)
        if self.kind == "BF16":
            return (raw.astype(np.uint32) << 16).view(np.float32).reshape(self.shape)
        return raw.astype(np.float32, copy=False).reshape(self.shape)


def find_tensors(folder: Path, names: str = "*.safetensors") -> Mapping[str, StoredTensor]:
    """List the tensors of every weight file in a folder, by name; the weights stay on the disk.

    Raises `WrongUsage` when there is no such file, a file is no safetensors file, or a name occurs twice.
    """
    found: dict[str, StoredTensor] = {}
    files = sorted(folder.glob(names))
    if not files:
        raise WrongUsage(f"{folder}: no {names} in it", way_out="name the folder that training left its weights in")
    for file in files:
        for tensor in _read_header(file):
            if tensor.name in found:
                raise WrongUsage(f"{file}: {tensor.name} stands in two files", way_out="leave one copy of the weights")
            found[tensor.name] = tensor
    return found


def _read_header(file: Path) -> list[StoredTensor]:
    total = file.stat().st_size
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > min(_HEADER_BYTES, total - 8):
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(stream.read(length))
            return [_place(file, name, of, 8 + length, total) for name, of in header.items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WrongUsage(f"{file}: no safetensors file: {error}", way_out="save the weights again") from error


def _place(file: Path, name: str, of: Mapping[str, object], base: int, total: int) -> StoredTensor:
    shape, kind = tuple(int(n) for n in of["shape"]), str(of["dtype"])  # type: ignore[attr-defined]  # checked by use
    start, end = (int(n) for n in of["data_offsets"])  # type: ignore[attr-defined]  # checked by use
    if kind not in _KINDS:
        raise ValueError(f"{name} has values of the kind {kind}")
    if end - start != math.prod(shape) * np.dtype(_KINDS[kind]).itemsize or start < 0 or base + end > total:
        raise ValueError(f"{name} does not fit its place")
    return StoredTensor(name, file, kind, shape, base + start, end - start)
