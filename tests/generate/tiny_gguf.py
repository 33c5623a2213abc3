"""Builds very small GGUF files by hand, sound or broken on purpose."""

import struct
from collections.abc import Mapping, Sequence

CHATML_TOKENS = ("<|im_start|>", "<|im_end|>", "Ċ", "a", "b")


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


class Signed(int):
    """A number that is written as i32."""


def value(item: object) -> bytes:
    """A type code and the value: bool, int (u32, or u64 when large), float, str, list."""
    match item:
        case Signed():
            return struct.pack("<Ii", 5, item)
        case bool():
            return struct.pack("<IB", 7, item)
        case int():
            return struct.pack("<II", 4, item) if item < 2**32 else struct.pack("<IQ", 10, item)
        case float():
            return struct.pack("<If", 6, item)
        case str() | bytes():
            return struct.pack("<I", 8) + text(item)
        case list():
            inner = [value(part) for part in item]
            kind = inner[0][:4] if inner else struct.pack("<I", 4)
            return struct.pack("<I", 9) + kind + struct.pack("<Q", len(item)) + b"".join(part[4:] for part in inner)
        case _:
            raise TypeError(item)


def tensor(name: str, shape: Sequence[int], kind: int, offset: int) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


PAIRS: dict[str, object] = {
    "general.architecture": "llama",
    "general.name": "Tiny",
    "general.license": "apache-2.0",
    "general.file_type": 15,
    "llama.context_length": 64,
    "llama.rope.freq_base": 10000.0,
    "tokenizer.ggml.add_bos_token": False,
    "tokenizer.ggml.tokens": list(CHATML_TOKENS),
    "tokenizer.ggml.token_type": [3, 3, 1, 1, 1],
    "tokenizer.ggml.merges": ["a b"],
    "tokenizer.ggml.eos_token_id": 1,
    "nested": [[1, 2], [3]],
}
TENSORS = [tensor("a", (32, 2), 0, 0), tensor("b", (64,), 3, 256)]
DATA = bytes(256 + 40)


def build(
    pairs: Mapping[str, object] = PAIRS,
    tensors: Sequence[bytes] = TENSORS,
    data: bytes = DATA,
    version: int = 3,
    magic: bytes = b"GGUF",
    counts: tuple[int, int] | None = None,
) -> bytes:
    tensor_count, pair_count = counts or (len(tensors), len(pairs))
    head = magic + struct.pack("<IQQ", version, tensor_count, pair_count)
    head += b"".join(text(key) + value(item) for key, item in pairs.items()) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + data
