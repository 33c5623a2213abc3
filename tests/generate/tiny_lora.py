"""Builds LoRA adapters by hand: random low-rank weights for the query projections of a llama-like model."""

import random
import struct
from collections.abc import Mapping

from tests.generate.tiny_gguf import build, tensor

PAIRS: Mapping[str, object] = {
    "general.type": "adapter",
    "general.architecture": "llama",
    "general.name": "tiny adapter",
    "adapter.type": "lora",
    "adapter.lora.alpha": 4.0,
}


def lora(
    layers: int = 30,
    width: int = 576,
    rank: int = 4,
    *,
    seed: int = 0,
    size: float = 0.3,
    pairs: Mapping[str, object] = PAIRS,
    weight: str = "blk.{}.attn_q.weight",
) -> bytes:
    """`size` is the deviation of the weights: 0 gives an adapter that changes nothing."""
    chance = random.Random(seed)
    tensors, data = [], b""
    for layer in range(layers):
        for half, shape in (("a", (width, rank)), ("b", (rank, width))):
            tensors.append(tensor(f"{weight.format(layer)}.lora_{half}", shape, 0, len(data)))
            values = [chance.gauss(0, size) for _ in range(width * rank)]
            data += struct.pack(f"<{len(values)}f", *values)
            data += bytes(-len(data) % 32)
    return build(pairs, tensors, data)
