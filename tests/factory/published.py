"""Small models with random weights as a publisher leaves them, and what transformers computes of them, in NumPy."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.factory.small_adapter import write_safetensors

WIDTH, INNER, LAYERS, HEADS, KEY_HEADS, HEAD = 64, 96, 2, 4, 2, 32
WORDS = 288  # 8 rows more than there are tokens, as publishers round up
SPECIAL = ("<|begin|>", "<|end|>")
MERGES = (
    ("Ġ", "t"), ("h", "e"), ("i", "n"), ("Ġt", "he"), ("e", "r"), ("Ġ", "a"), ("r", "e"), ("o", "n"), ("l", "o"),
    ("lo", "g"), ("1", "2"), ("Ġ", "Ġ"), ("ĠĠ", "ĠĠ"), ("'", "s"), ("i", "c"), ("ic", "e"), ("p", "o"), ("po", "l"),
    ("pol", "ice"), ("Ã", "©"), ("Ċ", "Ċ"), ("0", "0"),
)  # fmt: skip
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
SPLIT = {"type": "Split", "behavior": "Isolated", "invert": False}
SPLITS: dict[str, dict[str, Any]] = {
    "gpt-2": BYTES,
    "smollm": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTES]},
    "qwen2": {
        "type": "Sequence",
        "pretokenizers": [{**SPLIT, "pattern": {"Regex": QWEN}}, {**BYTES, "use_regex": False}],
    },
    "llama-bpe": {
        "type": "Sequence",
        "pretokenizers": [
            {**SPLIT, "pattern": {"Regex": QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|")}}, {**BYTES, "use_regex": False},
        ],
    },
}  # fmt: skip
Weights = dict[str, NDArray[np.float32]]


def alphabet() -> list[str]:
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(others)) for byte in range(256)]


def tokenizer(split: str, begin: bool) -> dict[str, Any]:
    tokens = [*alphabet(), *("".join(pair) for pair in MERGES)]
    assert len(tokens) + len(SPECIAL) == WORDS - 8
    added = [
        {"id": len(tokens) + at, "content": text, "special": True, "lstrip": False, "rstrip": False,
         "single_word": False, "normalized": False}
        for at, text in enumerate(SPECIAL)
    ]  # fmt: skip
    processor: dict[str, Any] = {
        "type": "ByteLevel",
        "add_prefix_space": True,
        "trim_offsets": False,
        "use_regex": True,
    }
    if begin:
        processor = {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": SPECIAL[0], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {SPECIAL[0]: {"id": SPECIAL[0], "ids": [len(tokens)], "tokens": [SPECIAL[0]]}},
        }
    model = {
        "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": split == "llama-bpe",
        "vocab": {token: number for number, token in enumerate(tokens)}, "merges": [list(pair) for pair in MERGES],
    }  # fmt: skip
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": SPLITS[split], "post_processor": processor, "decoder": BYTES, "model": model,
    }  # fmt: skip


def config(named: str, **more: Any) -> dict[str, Any]:
    return {
        "architectures": [named], "model_type": "llama" if named.startswith("Llama") else "qwen3",
        "hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_HEADS, "head_dim": HEAD, "max_position_embeddings": 256, "rms_norm_eps": 1e-5,
        "rope_theta": 5000.0, "vocab_size": WORDS, "tie_word_embeddings": False, "hidden_act": "silu",
        "attention_bias": False, **more,
    }  # fmt: skip


def weights(told: dict[str, Any], seed: int = 7) -> Weights:
    chance = np.random.default_rng(seed)

    def some(*shape: int) -> NDArray[np.float32]:
        return chance.normal(0, shape[-1] ** -0.5, shape).astype(np.float32)

    made = {"model.embed_tokens.weight": some(WORDS, WIDTH) * 4, "model.norm.weight": 1 + some(WIDTH)}
    if not told["tie_word_embeddings"]:
        made["lm_head.weight"] = some(WORDS, WIDTH) * 4
    query, key = HEADS * HEAD, KEY_HEADS * HEAD
    for layer in range(LAYERS):
        block = {
            "input_layernorm": 1 + some(WIDTH), "post_attention_layernorm": 1 + some(WIDTH),
            "self_attn.q_proj": some(query, WIDTH) * 2, "self_attn.k_proj": some(key, WIDTH) * 2,
            "self_attn.v_proj": some(key, WIDTH), "self_attn.o_proj": some(WIDTH, query),
            "mlp.gate_proj": some(INNER, WIDTH), "mlp.up_proj": some(INNER, WIDTH), "mlp.down_proj": some(WIDTH, INNER),
        }  # fmt: skip
        if told["model_type"] == "qwen3":
            block |= {"self_attn.q_norm": 1 + some(HEAD), "self_attn.k_norm": 1 + some(HEAD)}
        made |= {f"model.layers.{layer}.{name}.weight": value for name, value in block.items()}
        if told["attention_bias"]:
            sizes = {"q_proj": query, "k_proj": key, "v_proj": key, "o_proj": WIDTH}
            made |= {f"model.layers.{layer}.self_attn.{name}.bias": some(size) for name, size in sizes.items()}
    return made


def publish(folder: Path, told: dict[str, Any], split: str, *, begin: bool = False) -> Weights:
    folder.mkdir(parents=True)
    made = weights(told)
    write_safetensors(folder / "model.safetensors", made)
    settings = {"bos_token": SPECIAL[0], "eos_token": {"content": SPECIAL[1]}, "chat_template": "{{ messages }}"}
    for name, value in {
        "config.json": told, "tokenizer.json": tokenizer(split, begin), "tokenizer_config.json": settings,
    }.items():  # fmt: skip
        (folder / name).write_text(json.dumps(value), "utf-8")
    return made


def logits(made: Weights, told: dict[str, Any], ids: list[int]) -> NDArray[np.float64]:
    """Compute the logits behind the last token as transformers does, halves of a head turned against each other."""
    at = {name: value.astype(np.float64) for name, value in made.items()}
    count = len(ids)
    turn = np.outer(np.arange(count), told["rope_theta"] ** (-np.arange(HEAD // 2) / (HEAD // 2)))
    cosine, sine = np.cos(turn)[:, None], np.sin(turn)[:, None]

    def norm(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + told["rms_norm_eps"]) * at[f"{name}.weight"]

    def apply(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        return x @ at[f"{name}.weight"].T + at.get(f"{name}.bias", 0.0)

    def turned(x: NDArray[np.float64]) -> NDArray[np.float64]:
        one, other = x[..., : HEAD // 2], x[..., HEAD // 2 :]
        return np.concatenate([one * cosine - other * sine, other * cosine + one * sine], -1)

    x = at["model.embed_tokens.weight"][ids]
    for layer in range(LAYERS):
        name = f"model.layers.{layer}"
        h = norm(x, f"{name}.input_layernorm")
        parts = [apply(h, f"{name}.self_attn.{one}_proj").reshape(count, -1, HEAD) for one in "qkv"]
        if told["model_type"] == "qwen3":
            parts[:2] = [norm(part, f"{name}.self_attn.{one}_norm") for one, part in zip("qk", parts, strict=False)]
        query, key, value = turned(parts[0]), turned(parts[1]), parts[2]
        key, value = (np.repeat(one, HEADS // KEY_HEADS, 1) for one in (key, value))
        score = np.einsum("qhd,khd->hqk", query, key) / HEAD**0.5
        score = np.where(np.tril(np.ones((count, count), bool)), score, -np.inf)
        share = np.exp(score - score.max(-1, keepdims=True))
        share /= share.sum(-1, keepdims=True)
        x = x + apply(np.einsum("hqk,khd->qhd", share, value).reshape(count, -1), f"{name}.self_attn.o_proj")
        h = norm(x, f"{name}.post_attention_layernorm")
        gate = apply(h, f"{name}.mlp.gate_proj")
        x = x + apply(gate / (1 + np.exp(-gate)) * apply(h, f"{name}.mlp.up_proj"), f"{name}.mlp.down_proj")
    out = at.get("lm_head.weight", at["model.embed_tokens.weight"])
    told_all: NDArray[np.float64] = norm(x, "model.norm")[-1] @ out.T
    return told_all
