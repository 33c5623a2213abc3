"""Builds the smallest model that llama.cpp loads and answers with: one layer, random weights, a byte vocabulary."""

import random
import struct
from collections.abc import Mapping

from tests.generate.tiny_gguf import Signed, build, tensor

WIDTH, INNER, HEADS = 32, 64, 2


def _byte_tokens() -> list[str]:
    """The printable stand-ins that byte-level BPE vocabularies have for the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


BYTES = _byte_tokens()
TOKENS = [*BYTES, "Ġt", "<|im_start|>", "<|im_end|>"]
PAIRS: dict[str, object] = {
    "general.architecture": "llama",
    "general.name": "Tiny llama",
    "llama.context_length": 512,
    "llama.embedding_length": WIDTH,
    "llama.block_count": 1,
    "llama.feed_forward_length": INNER,
    "llama.attention.head_count": HEADS,
    "llama.attention.head_count_kv": HEADS,
    "llama.rope.dimension_count": WIDTH // HEADS,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.tokens": TOKENS,
    "tokenizer.ggml.token_type": [Signed(kind) for kind in [1] * 257 + [3, 3]],
    "tokenizer.ggml.merges": ["Ġ t"],
    "tokenizer.ggml.bos_token_id": 257,
    "tokenizer.ggml.eos_token_id": 258,
}
SHAPES: Mapping[str, tuple[int, ...]] = {
    "token_embd.weight": (WIDTH, len(TOKENS)),
    "output_norm.weight": (WIDTH,),
    "blk.0.attn_norm.weight": (WIDTH,),
    "blk.0.attn_q.weight": (WIDTH, WIDTH),
    "blk.0.attn_k.weight": (WIDTH, WIDTH),
    "blk.0.attn_v.weight": (WIDTH, WIDTH),
    "blk.0.attn_output.weight": (WIDTH, WIDTH),
    "blk.0.ffn_norm.weight": (WIDTH,),
    "blk.0.ffn_gate.weight": (WIDTH, INNER),
    "blk.0.ffn_up.weight": (WIDTH, INNER),
    "blk.0.ffn_down.weight": (INNER, WIDTH),
}


def tiny_llama(pairs: Mapping[str, object] = PAIRS, shapes: Mapping[str, tuple[int, ...]] = SHAPES) -> bytes:
    chance = random.Random(1)
    infos, data = [], b""
    for name, shape in shapes.items():
        infos.append(tensor(name, shape, 0, len(data)))
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        values = [chance.gauss(0, 0.3) for _ in range(count)]
        data += struct.pack(f"<{count}f", *values)
        data += bytes(-len(data) % 32)
    return build(pairs, infos, data)
