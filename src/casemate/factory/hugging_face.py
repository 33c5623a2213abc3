"""A model as its publisher leaves it (config.json, tokenizer.json, safetensors) -> GGUF, without a parent.

What a GGUF says is told by llama.cpp's own documentation of its keys; names of tensors come from the `gguf` package.
Only what both sides are known to mean alike is converted: a model that would load and talk a little worse is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casemate.core.errors import WrongUsage
from casemate.factory.convert import REORDERED, RowOrder, check_tied, name_in_gguf
from casemate.factory.gguf_file import FILE_TYPES, Field, NewTensor, digest_of_file, leave_manifest, write_gguf
from casemate.factory.safetensors import StoredTensor, find_tensors
from casemate.factory.tokenizer_file import read_json, tokenizer_fields

ARCHITECTURES = {"LlamaForCausalLM": "llama", "Qwen3ForCausalLM": "qwen3"}
"""What `config.json` calls a model -> the architecture of its GGUF."""

KINDS = ("F32", "F16", "BF16")


@dataclass(frozen=True, slots=True)
class Shape:
    """The measures of a decoder: layers, width, width inside, heads, heads of keys, width of a head."""

    layers: int
    width: int
    inner: int
    heads: int
    key_heads: int
    head: int


def convert_folder(folder: Path, out: Path, *, kind: str = "F16", name: str = "") -> Path:
    """Write the model that a publisher left in `folder` as GGUF; `OUT.json`, written last, names the digests.

    Matrices are written as `kind` (F32, F16 or BF16), all else as F32. `WrongUsage` for another architecture, scaled
    rotations, a window of attention, a tokenizer that llama.cpp would read otherwise, and weights that are not those.
    """
    import gguf

    if kind not in KINDS:
        raise WrongUsage(f"a model is converted to F32, F16 or BF16, not {kind}", way_out="quantise it afterwards")
    config = read_json(folder / "config.json")
    architecture, shape = _read_shape(config, folder)
    number = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == architecture)
    names = gguf.get_tensor_name_map(number, shape.layers)
    given = {name_in_gguf(stored, names): stored for stored in find_tensors(folder).values()}
    if "output.weight" in given and config.get("tie_word_embeddings", False):
        check_tied(given)
        del given["output.weight"]
    words = given["token_embd.weight"].shape[0] if "token_embd.weight" in given else 0
    wanted = _wanted(config, architecture, shape, words)
    _check_weights(folder, given, wanted)
    heads = {"attn_q": shape.heads, "attn_k": shape.key_heads} if REORDERED[architecture] else {}
    order = RowOrder(heads)
    tensors = [_tensor(target, given[target], kind, order) for target in wanted]
    fields: dict[str, Field] = {
        "general.type": "model",
        "general.name": name or folder.resolve().name,
        "general.file_type": FILE_TYPES[kind],
        **_header(config, architecture, shape, words),
        **tokenizer_fields(folder, words, config),
    }
    write_gguf(out, architecture, tensors, extra=fields)
    sources = [folder / "config.json", folder / "tokenizer.json", *sorted({one.file for one in given.values()})]
    facts = {"kind": kind, "tensors": len(tensors), "from": {one.name: digest_of_file(one) for one in sources}}
    leave_manifest(out, "convert", facts)
    return out


def _read_shape(config: Mapping[str, Any], folder: Path) -> tuple[str, Shape]:
    named = config.get("architectures")
    known = [ARCHITECTURES[one] for one in named if one in ARCHITECTURES] if isinstance(named, list) else []
    if not known:
        told = ", ".join(ARCHITECTURES)
        raise WrongUsage(f"{folder}: {str(named)[:80]} is not converted", way_out=f"known: {told}; or give --base GGUF")
    _refuse_unsayable(config, folder)
    try:
        width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        shape = Shape(
            int(config["num_hidden_layers"]),
            width,
            int(config["intermediate_size"]),
            heads,
            int(config.get("num_key_value_heads") or heads),
            int(config.get("head_dim") or width // heads),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise WrongUsage(
            f"{folder}: config.json does not tell its measures: {error}", way_out="save it again"
        ) from error
    return known[0], shape


def _refuse_unsayable(config: Mapping[str, Any], folder: Path) -> None:
    rotation = _rotation(config)
    window = config.get("use_sliding_window") or any("sliding" in str(one) for one in config.get("layer_types") or ())
    why = ""
    if str(rotation.get("rope_type", rotation.get("type", "default"))) != "default":
        why = "its rotations are scaled"
    elif config.get("partial_rotary_factor", 1.0) != 1.0 or rotation.get("partial_rotary_factor", 1.0) != 1.0:
        why = "a part of a head only is rotated"
    elif window:
        why = "its attention has a window"
    elif config.get("hidden_act", "silu") != "silu":
        why = "its feed-forward is not SwiGLU"
    elif config.get("quantization_config"):
        why = "its weights are quantised"
    elif config.get("mlp_bias"):
        why = "its feed-forward has biases"
    if why:
        raise WrongUsage(f"{folder}: {why}, which is not converted here", way_out="take the publisher's own GGUF")


def _rotation(config: Mapping[str, Any]) -> Mapping[str, Any]:
    found = config.get("rope_parameters") or config.get("rope_scaling") or {}
    return found if isinstance(found, dict) else {"rope_type": "unknown"}


def _header(config: Mapping[str, Any], architecture: str, shape: Shape, words: int) -> dict[str, Field]:
    base = _rotation(config).get("rope_theta", config.get("rope_theta", 10_000.0))
    try:
        fields: dict[str, Field] = {
            "context_length": int(config["max_position_embeddings"]),
            "embedding_length": shape.width,
            "block_count": shape.layers,
            "feed_forward_length": shape.inner,
            "attention.head_count": shape.heads,
            "attention.head_count_kv": shape.key_heads,
            "attention.key_length": shape.head,
            "attention.value_length": shape.head,
            "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
            "rope.freq_base": float(base),
            "rope.dimension_count": shape.head,
            "vocab_size": words,
        }
    except (KeyError, TypeError, ValueError) as error:
        raise WrongUsage(f"config.json does not tell {error}", way_out="save the model again") from error
    return {f"{architecture}.{name}": value for name, value in fields.items()}


def _wanted(config: Mapping[str, Any], architecture: str, shape: Shape, words: int) -> dict[str, tuple[int, ...]]:
    """Give every tensor that a model of these measures has, with its shape."""
    wanted: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (words, shape.width),
        "output_norm.weight": (shape.width,),
    }
    if not config.get("tie_word_embeddings", False):
        wanted["output.weight"] = (words, shape.width)
    query, key = shape.heads * shape.head, shape.key_heads * shape.head
    block = {
        "attn_norm.weight": (shape.width,),
        "attn_q.weight": (query, shape.width),
        "attn_k.weight": (key, shape.width),
        "attn_v.weight": (key, shape.width),
        "attn_output.weight": (shape.width, query),
        "ffn_norm.weight": (shape.width,),
        "ffn_gate.weight": (shape.inner, shape.width),
        "ffn_up.weight": (shape.inner, shape.width),
        "ffn_down.weight": (shape.width, shape.inner),
    }
    if architecture == "qwen3":
        block |= {"attn_q_norm.weight": (shape.head,), "attn_k_norm.weight": (shape.head,)}
    if config.get("attention_bias"):
        block |= {
            "attn_q.bias": (query,),
            "attn_k.bias": (key,),
            "attn_v.bias": (key,),
            "attn_output.bias": (shape.width,),
        }
    for layer in range(shape.layers):
        wanted |= {f"blk.{layer}.{part}": measure for part, measure in block.items()}
    return wanted


def _check_weights(folder: Path, given: Mapping[str, StoredTensor], wanted: Mapping[str, tuple[int, ...]]) -> None:
    wrong = [target for target in given if wanted.get(target) != given[target].shape]
    lost = [target for target in wanted if target not in given]
    if wrong or lost:
        told = ", ".join((wrong + lost)[:3])
        raise WrongUsage(
            f"{folder}: weights and config.json do not agree: {told}", way_out="copy the whole folder of the publisher"
        )


def _tensor(target: str, stored: StoredTensor, kind: str, order: RowOrder) -> NewTensor:
    chosen = kind if len(stored.shape) > 1 else "F32"
    return NewTensor(target, chosen, stored.shape, lambda: order.put(target, stored.read()))
