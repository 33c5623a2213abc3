"""A llama of two layers and 32 tokens, as a GGUF in llama.cpp's order and as a folder in transformers' order."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from tests.factory.small_adapter import write_safetensors

LAYERS, WIDTH, INNER, HEADS, KEY_HEADS, WORDS = 2, 64, 96, 4, 2, 32
SHAPES = {
    "self_attn.q_proj": ("attn_q", (WIDTH, WIDTH)),
    "self_attn.k_proj": ("attn_k", (WIDTH // HEADS * KEY_HEADS, WIDTH)),
    "self_attn.v_proj": ("attn_v", (WIDTH // HEADS * KEY_HEADS, WIDTH)),
    "self_attn.o_proj": ("attn_output", (WIDTH, WIDTH)),
    "mlp.gate_proj": ("ffn_gate", (INNER, WIDTH)),
    "mlp.up_proj": ("ffn_up", (INNER, WIDTH)),
    "mlp.down_proj": ("ffn_down", (WIDTH, INNER)),
}
Weights = dict[str, NDArray[np.float32]]


def from_gguf_order(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Reorder as transformers does when it reads a llama GGUF: neighbours become halves."""
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, half, 2, -1).swapaxes(2, 1).reshape(rows.shape)


def weights(seed: int = 1) -> Weights:
    """Make random weights under their GGUF names."""
    numbers = np.random.default_rng(seed)

    def some(*shape: int) -> NDArray[np.float32]:
        return (numbers.standard_normal(shape) / 8).astype(np.float32)

    made: Weights = {"token_embd.weight": some(WORDS, WIDTH), "output_norm.weight": some(WIDTH)}
    for layer in range(LAYERS):
        made[f"blk.{layer}.attn_norm.weight"] = some(WIDTH)
        made[f"blk.{layer}.ffn_norm.weight"] = some(WIDTH)
        for name, shape in SHAPES.values():
            made[f"blk.{layer}.{name}.weight"] = some(*shape)
    return made


def write_tiny(path: Path, made: Weights | None = None, architecture: str = "llama") -> Path:
    """Write them as GGUF, F32."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("Tiny Llama")
    writer.add_license("apache-2.0")
    writer.add_block_count(LAYERS)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(WORDS)
    writer.add_file_type(0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    words = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "Ċ", *(chr(97 + one) for one in range(WORDS - 4))]
    writer.add_token_list(words)
    writer.add_token_types([3, 3, 3, *[1] * (WORDS - 3)])
    writer.add_token_merges(["a b", "c d"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template("{{ messages }}")
    for name, values in (made or weights()).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def in_transformers_order(made: Weights) -> Weights:
    """Name and order the weights as transformers has them."""
    names = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
    for layer in range(LAYERS):
        names[f"blk.{layer}.attn_norm.weight"] = f"model.layers.{layer}.input_layernorm.weight"
        names[f"blk.{layer}.ffn_norm.weight"] = f"model.layers.{layer}.post_attention_layernorm.weight"
        for theirs, (ours, _) in SHAPES.items():
            names[f"blk.{layer}.{ours}.weight"] = f"model.layers.{layer}.{theirs}.weight"
    heads = {"attn_q": HEADS, "attn_k": KEY_HEADS}
    parts = {name: name.split(".")[-2] for name in made}
    return {
        names[name]: from_gguf_order(values, heads[parts[name]]) if parts[name] in heads else values
        for name, values in made.items()
    }


def write_merged(folder: Path, made: Weights) -> Path:
    """Leave a merged model as transformers saves one."""
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(folder / "model.safetensors", in_transformers_order(made))
    return folder


def halves(seed: int = 2, rank: int = 4) -> Weights:
    """Make the halves of an adapter on every projection, under PEFT's names and in transformers' order."""
    numbers = np.random.default_rng(seed)
    made: Weights = {}
    for layer in range(LAYERS):
        for theirs, (_, (rows, columns)) in SHAPES.items():
            stem = f"base_model.model.model.layers.{layer}.{theirs}.lora_"
            made[f"{stem}A.weight"] = numbers.standard_normal((rank, columns)).astype(np.float32)
            made[f"{stem}B.weight"] = numbers.standard_normal((rows, rank)).astype(np.float32)
    return made


def read_back(path: Path) -> dict[str, Any]:
    """Read a GGUF with the `gguf` package: name -> values, rows first."""
    found = {}
    for tensor in gguf.GGUFReader(path).tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        found[tensor.name] = values.reshape(tuple(int(n) for n in reversed(tensor.shape)))
    return found
