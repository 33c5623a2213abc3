"""Write GGUF files from others: what a header says is carried over, tensors are made one at a time.

Reading and writing is done by the `gguf` package (MIT); a file is looked at by our own checker first, since that
package trusts what it reads.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from casemate.core.digest import Digest
from casemate.core.errors import NotTrusted, WrongUsage
from casemate.stages.generate.gguf import read_model_file

FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "BF16": 32}
"""Name of a tensor type -> what `general.file_type` says of a file that is mostly so."""

Field = str | float | int | bool | list[str] | list[int]
"""What a header may say under one key."""

_OWN = ("general.architecture", "general.file_type", "general.quantization_version", "general.alignment")


@dataclass(frozen=True, slots=True)
class NewTensor:
    """A tensor to be written: `shape` in values, rows first; `make` gives its values as floats when it is its turn.

    `kind` is a key of `FILE_TYPES`. With `packed`, `make` gives bytes that are in the form of `kind` already.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    make: Callable[[], NDArray[Any]]
    packed: bool = False


def open_gguf(path: Path) -> Any:
    """Open a GGUF file with the `gguf` package, after our own check of its header; `NotTrusted` when that fails."""
    import gguf

    read_model_file(path)
    try:
        return gguf.GGUFReader(path)
    except (ValueError, IndexError, KeyError, UnicodeDecodeError) as error:
        raise NotTrusted(f"{path}: {error}", way_out="the file is damaged or no GGUF model") from error


def text_of(reader: Any, key: str, default: str = "") -> str:
    """Read one text of a header."""
    field = reader.get_field(key)
    return default if field is None else str(field.contents())


def number_of(reader: Any, key: str) -> int:
    """Read one whole number of a header; `WrongUsage` when it has none of that name."""
    field = reader.get_field(key)
    value = None if field is None else field.contents()
    if not isinstance(value, int):
        raise WrongUsage(f"the GGUF has no {key}", way_out="give a GGUF of a whole model")
    return value


def write_gguf(
    out: Path,
    architecture: str,
    tensors: Iterable[NewTensor],
    *,
    like: Any = None,
    extra: Mapping[str, Field] | None = None,
    leave: Collection[str] = (),
) -> None:
    """Write a GGUF file whole or not at all, one tensor in memory at a time.

    Every field of the header of `like`, an open GGUF, is carried over but those that `extra` names anew and those in
    `leave`. The same arguments give the same bytes.
    """
    import gguf

    fresh = out.with_name(f".{out.name}.part")
    writer = gguf.GGUFWriter(fresh, architecture)
    extra = dict(extra or {})
    if like is not None:
        _carry(like, writer, {*_OWN, *extra, *leave})
    for key, value in extra.items():
        _add(writer, key, value)
    planned = list(tensors)
    for tensor in planned:
        _announce(writer, tensor)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor in planned:
            writer.write_tensor_data(_packed(tensor))
        writer.close()
        fresh.replace(out)
    finally:
        fresh.unlink(missing_ok=True)


def _add(writer: Any, key: str, value: Field) -> None:
    if isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, list):
        writer.add_array(key, value)
    elif isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    else:
        writer.add_uint32(key, value)


def _carry(reader: Any, writer: Any, left_out: Collection[str]) -> None:
    import gguf

    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in left_out or not field.types:
            continue
        value = field.contents()
        if field.types[0] == gguf.GGUFValueType.ARRAY:
            if value:  # an empty array cannot be written, and says nothing
                writer.add_key_value(key, value, field.types[0], field.types[-1])
        else:
            writer.add_key_value(key, value, field.types[0])


def _announce(writer: Any, tensor: NewTensor) -> None:
    import gguf

    kind = gguf.GGMLQuantizationType[tensor.kind]
    block, size = gguf.GGML_QUANT_SIZES[kind]
    if tensor.shape[-1] % block:
        raise WrongUsage(
            f"{tensor.name}: rows of {tensor.shape[-1]} values do not fit {tensor.kind}", way_out="use F16"
        )
    rows = int(np.prod(tensor.shape)) // block * size
    # The values, not the bytes, are announced: with a type that is not bytes the writer takes the shape as it is.
    writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), rows, raw_dtype=kind)


def _packed(tensor: NewTensor) -> NDArray[Any]:
    import gguf

    values = tensor.make()
    if tensor.packed:
        return np.ascontiguousarray(values)
    if values.shape != tensor.shape:
        raise WrongUsage(f"{tensor.name}: shape {values.shape}, announced {tensor.shape}", way_out="convert it again")
    packed: NDArray[Any] = gguf.quants.quantize(np.ascontiguousarray(values), gguf.GGMLQuantizationType[tensor.kind])
    return np.ascontiguousarray(packed)


def values_of(tensor: Any) -> NDArray[np.float32]:
    """Give the values of a tensor of an open GGUF, rows first, whatever type it is kept in."""
    import gguf

    try:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    except NotImplementedError as error:  # what gguf raises for a type it cannot unpack
        raise WrongUsage(f"{tensor.name}: {error}", way_out="give a GGUF in F32, F16 or BF16") from error
    shape = tuple(int(n) for n in reversed(tensor.shape))
    return np.asarray(values, dtype=np.float32).reshape(shape)


def digest_of_file(path: Path) -> Digest:
    """Name a file by the SHA-256 of its bytes."""
    with path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").hexdigest())


def leave_manifest(out: Path, stage: str, facts: Mapping[str, object]) -> Path:
    """Write `OUT.json` beside a finished file: what made it, from what, and its SHA-256; it means complete."""
    path = out.with_name(out.name + ".json")
    manifest = {"stage": stage, "file": out.name, "bytes": out.stat().st_size, "sha256": digest_of_file(out), **facts}
    path.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", "utf-8")
    return path
