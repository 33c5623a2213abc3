"""A small LoRA adapter for the embedded model, the same on every machine, in the form in which PEFT saves one."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LAYERS, WIDTH, ROWS, RANK, ALPHA = 30, 576, {"q_proj": 576, "k_proj": 192}, 4, 8


def write_safetensors(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    kinds = {"float32": "F32", "float16": "F16", "uint16": "BF16"}  # NumPy has no bfloat16: its bits come as uint16
    header, at = {}, 0
    for name, values in tensors.items():
        end = at + values.nbytes
        header[name] = {"dtype": kinds[values.dtype.name], "shape": list(values.shape), "data_offsets": [at, end]}
        at = end
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + b"".join(values.tobytes() for values in tensors.values()))


def write_config(folder: Path, **more: object) -> None:
    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "target_modules": list(ROWS), "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(config | more))


def write_adapter(folder: Path, spread: float = 0.15) -> Path:
    """Leave a random adapter on queries and keys: large enough to change what the model says."""
    numbers = np.random.default_rng(3)
    tensors: dict[str, NDArray[np.float32]] = {}
    for layer in range(LAYERS):
        for part, rows in ROWS.items():
            stem = f"base_model.model.model.layers.{layer}.self_attn.{part}.lora_"
            tensors[f"{stem}A.weight"] = (numbers.standard_normal((RANK, WIDTH)) / WIDTH**0.5).astype(np.float32)
            tensors[f"{stem}B.weight"] = (numbers.standard_normal((rows, RANK)) * spread).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(folder / "adapter_model.safetensors", tensors)
    write_config(folder)
    return folder
