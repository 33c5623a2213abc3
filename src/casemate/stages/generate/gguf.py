"""Read the header of a GGUF file, every length and offset checked, before any native code sees the file.

Format: "GGUF", specification in the ggml project, versions 2 and 3, little-endian. Tensor types and their block sizes
are those of the `gguf` Python package 0.x (MIT). The weights are never read.
"""

import hashlib
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NoReturn, TypeVar

from casemate.core.errors import NotTrusted
from casemate.policy import Limits

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}
_BOOL, _STRING, _ARRAY = 7, 8, 9
_NESTING = 4  # arrays in arrays
_KEPT_STRING = 1024 * 1024  # one text value that is kept
_NAME_BYTES = 64  # GGML_MAX_NAME
_CONTROL = 3  # tokenizer.ggml.token_type of a control token

TENSOR_TYPES: dict[int, tuple[str, int, int]] = {  # code -> name, values in a block, bytes of a block
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
}

_FILE_TYPES = {14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L"}
_NEWLINES = ("Ċ", "\n", "<0x0A>")  # how byte-level BPE, plain and SentencePiece vocabularies write a line feed


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What the header of a GGUF file says of the model in it.

    `parameters` counts the values of all tensors. `context_length` is in tokens, 0 where the header has none.
    `chat_template` is hostile text that is never evaluated; `chat_template_sha256` is empty where there is none.
    `control_tokens` are the vocabulary's own; `newline_token` is the id of a line feed, None where no single token is.
    `kind` is `model` or what `general.type` says; `adapter_type` is that of an adapter (`lora`). `shapes` are those of
    the tensors, by name.
    """

    architecture: str
    name: str
    parameters: int
    quantisation: str
    context_length: int
    chat_template: str
    chat_template_sha256: str
    licence: str
    control_tokens: tuple[str, ...]
    newline_token: int | None
    tensors: int
    header_bytes: int
    file_bytes: int
    kind: str = "model"
    adapter_type: str = ""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict, compare=False, repr=False)


class _Header:
    """Reads forward through a header and refuses, with file and offset, whatever does not fit."""

    def __init__(self, file: BinaryIO, name: str, size: int, limit: int) -> None:
        self._file, self._name, self.size = file, name, size
        self._end, self._limited = min(size, limit), limit < size
        self.at = 0

    def refuse(self, reason: str, at: int | None = None) -> NoReturn:
        place = self.at if at is None else at
        raise NotTrusted(
            f"{self._name}: byte {place}: {reason}",
            way_out="the file is damaged or no GGUF model; fetch it again and compare its SHA-256 with the publisher's",
        )

    def need(self, count: int) -> None:
        """Refuse unless `count` bytes are left."""
        if count > self._end - self.at:
            why = "limits.model_header_bytes" if self._limited else "the end of the file"
            self.refuse(f"{count} bytes announced, which goes past {why}")

    def take(self, count: int) -> bytes:
        self.need(count)
        data = self._file.read(count)
        if len(data) != count:
            self.refuse("the file ended while it was read")
        self.at += count
        return data

    def number(self, code: str) -> int:
        """Read one little-endian integer."""
        form = struct.Struct("<" + code)
        return int(form.unpack(self.take(form.size))[0])

    def text(self, longest: int) -> str:
        """Read a string with its 64-bit length; bytes that are no UTF-8 become U+FFFD."""
        start = self.at
        length = self.number("Q")
        if length > longest:
            self.refuse(f"a string of {length} bytes where at most {longest} are allowed", start)
        return self.take(length).decode("utf-8", "replace")

    def texts(self, count: int) -> list[str]:
        """Read that many strings; a vocabulary has 150,000, so the checks of `text` stand inlined."""
        read, unpack, found = self._file.read, struct.Struct("<Q").unpack, []
        for _ in range(count):
            left = self._end - self.at - 8
            if left < 0:
                self.need(8)
            size = read(8)
            if len(size) != 8:
                self.refuse("the file ended while it was read")
            (length,) = unpack(size)
            if length > left or length > _KEPT_STRING:
                self.refuse(f"a string of {length} bytes where at most {min(left, _KEPT_STRING)} are allowed")
            found.append(read(length).decode("utf-8", "replace"))
            self.at += 8 + length
        return found


T = TypeVar("T")
_Value = int | float | str | list[str] | list[int] | None


def _read_value(header: _Header, kind: int, depth: int = 0) -> _Value:
    if kind == _STRING:
        return header.text(_KEPT_STRING)
    if kind == _ARRAY:
        return _read_array(header, depth)
    if kind not in _SCALARS:
        header.refuse(f"value type {kind} does not exist")
    if kind == _BOOL:
        value = header.number("B")
        return value if value in (0, 1) else header.refuse(f"{value} is no truth value", header.at - 1)
    form = struct.Struct("<" + _SCALARS[kind])
    number: int | float = form.unpack(header.take(form.size))[0]
    return number


def _read_array(header: _Header, depth: int) -> list[str] | list[int] | None:
    if depth >= _NESTING:
        header.refuse(f"arrays nested deeper than {_NESTING}")
    kind, start = header.number("I"), header.at
    count = header.number("Q")
    if kind in _SCALARS:
        form = struct.Struct("<" + _SCALARS[kind])
        header.need(count * form.size)
        data = header.take(count * form.size)
        return [item[0] for item in form.iter_unpack(data)] if kind in (4, 5) else None
    if kind not in (_STRING, _ARRAY):
        header.refuse(f"array type {kind} does not exist", start - 4)
    header.need(count * (8 if kind == _STRING else 12))
    if kind == _STRING:
        return header.texts(count)
    for _ in range(count):
        _read_array(header, depth + 1)
    return None


def _read_pairs(header: _Header, count: int) -> dict[str, _Value]:
    header.need(count * 13)  # the shortest pair: an empty key, a type and one byte
    pairs: dict[str, _Value] = {}
    for _ in range(count):
        start = header.at
        key = header.text(65_535)
        if not re.fullmatch(r"[!-~]+", key):
            header.refuse("a key that is empty or not plain ASCII", start)
        if key in pairs:
            header.refuse(f"the key {key} occurs twice", start)
        value = _read_value(header, header.number("I"))
        # Merges and scores are long and of no use here; only the vocabulary is kept.
        keep = not isinstance(value, list) or key in ("tokenizer.ggml.tokens", "tokenizer.ggml.token_type")
        pairs[key] = value if keep else None
    return pairs


@dataclass(frozen=True, slots=True)
class _Tensors:
    values: int
    end: int  # of the last value, from the beginning of the data
    by_type: dict[str, int]  # bytes
    shapes: dict[str, tuple[int, ...]]


def _read_tensors(header: _Header, count: int, alignment: int) -> _Tensors:
    header.need(count * 24)  # an empty name, no dimension, type and offset
    shapes: dict[str, tuple[int, ...]] = {}
    by_type: dict[str, int] = {}
    values = end = last = 0
    for _ in range(count):
        start = header.at
        name = header.text(_NAME_BYTES)
        if not name or name in shapes:
            header.refuse("a tensor without a name of its own", start)
        dimensions = header.number("I")
        if not 1 <= dimensions <= 4:
            header.refuse(f"a tensor of {dimensions} dimensions", header.at - 4)
        shape = [header.number("Q") for _ in range(dimensions)]
        shapes[name] = tuple(shape)
        kind = header.number("I")
        if kind not in TENSOR_TYPES:
            header.refuse(f"tensor type {kind} is not known here", header.at - 4)
        type_name, block, size = TENSOR_TYPES[kind]
        elements = math.prod(shape)
        if min(shape) == 0 or elements >= 2**63 or shape[0] % block:
            header.refuse(f"a tensor of shape {shape} and type {type_name} cannot be", start)
        offset = header.number("Q")
        if offset != end:
            header.refuse(f"tensor data at {offset}, expected at {end}", header.at - 8)
        needed = elements // block * size
        if needed > header.size - offset:
            header.refuse(f"tensor data of {needed} bytes goes past the end of the file", start)
        by_type[type_name] = by_type.get(type_name, 0) + needed
        values += elements
        last = offset + needed
        end = offset + -(-needed // alignment) * alignment
    return _Tensors(values, last, by_type, shapes)


def _checked(header: _Header, pairs: dict[str, _Value], key: str, kind: type[T], default: T) -> T:
    value = pairs.get(key, default)
    if not isinstance(value, kind):
        header.refuse(f"{key} has the wrong type")
    return value


def read_model_file(path: Path, limits: Limits | None = None) -> ModelFile:
    """Read and check the header of a GGUF file without loading its weights.

    Raises `NotTrusted`, naming file and byte, for a file that is missing, no GGUF, split in parts, larger than the
    limits, or whose counts, lengths, types, offsets or sizes do not fit together. Nothing else is raised.
    """
    limits = limits or Limits()
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if size > limits.model_file_bytes:
                raise NotTrusted(f"{path}: {size} bytes", way_out="raise limits.model_file_bytes in the policy")
            return _read(_Header(file, str(path), size, limits.model_header_bytes))
    except OSError as error:
        raise NotTrusted(f"{path}: {error.strerror}", way_out="check the path, or add the model again") from error


def _read(header: _Header) -> ModelFile:
    if header.take(4) != b"GGUF":
        header.refuse("does not begin with GGUF", 0)
    version = header.number("I")
    if version not in (2, 3):
        header.refuse(f"GGUF version {version} (2 and 3 are read, little-endian)", 4)
    tensor_count, pair_count = header.number("Q"), header.number("Q")
    pairs = _read_pairs(header, pair_count)
    architecture = _checked(header, pairs, "general.architecture", str, "")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", architecture):
        header.refuse("general.architecture is missing or no name")
    alignment = _checked(header, pairs, "general.alignment", int, 32)
    if alignment not in (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096):
        header.refuse(f"an alignment of {alignment}")
    if _checked(header, pairs, "split.count", int, 0) > 1:
        header.refuse("one part of a split model; merge the parts into one file first")
    tensors = _read_tensors(header, tensor_count, alignment)
    data = -(-header.at // alignment) * alignment
    if tensors.values and data + tensors.end > header.size:
        header.refuse(f"tensor data up to byte {data + tensors.end} in a file of {header.size} bytes")
    tokens, control = _vocabulary(header, pairs)
    template = _checked(header, pairs, "tokenizer.chat_template", str, "")
    heaviest = max(tensors.by_type, key=lambda name: tensors.by_type[name], default="")
    return ModelFile(
        architecture=architecture,
        name=_checked(header, pairs, "general.name", str, "")[:200],
        parameters=tensors.values,
        quantisation=_FILE_TYPES.get(_checked(header, pairs, "general.file_type", int, -1), heaviest),
        context_length=_checked(header, pairs, f"{architecture}.context_length", int, 0),
        chat_template=template,
        chat_template_sha256=hashlib.sha256(template.encode("utf-8")).hexdigest() if template else "",
        licence=_checked(header, pairs, "general.license", str, "")[:200],
        control_tokens=control,
        newline_token=next((tokens.index(form) for form in _NEWLINES if form in tokens), None),
        tensors=tensor_count,
        header_bytes=header.at,
        file_bytes=header.size,
        kind=_checked(header, pairs, "general.type", str, "model")[:40],
        adapter_type=_checked(header, pairs, "adapter.type", str, "")[:40],
        shapes=tensors.shapes,
    )


def _vocabulary(header: _Header, pairs: dict[str, _Value]) -> tuple[list[str], tuple[str, ...]]:
    tokens = [str(token) for token in _checked(header, pairs, "tokenizer.ggml.tokens", list, [])]
    kinds = _checked(header, pairs, "tokenizer.ggml.token_type", list, [])
    if kinds and len(kinds) != len(tokens):
        header.refuse(f"{len(tokens)} tokens but {len(kinds)} token types")
    for name in ("bos", "eos", "unknown", "padding", "eot"):
        key = f"tokenizer.ggml.{name}_token_id"
        number = _checked(header, pairs, key, int, 0)
        if tokens and not 0 <= number < len(tokens) and number != 2**32 - 1:
            header.refuse(f"{key} is {number} in a vocabulary of {len(tokens)}")
    control = tuple(token for token, kind in zip(tokens, kinds, strict=False) if kind == _CONTROL)
    return tokens, control
