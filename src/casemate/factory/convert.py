"""Trained weights -> GGUF: a PEFT LoRA adapter, or a merged model, as llama.cpp reads them.

Names of tensors come from the `gguf` package's tables. What no table says: llama.cpp turns pairs of neighbouring
values of a query or key where transformers turns the two halves of a head, so for some architectures the rows of those
weights stand in another order in a GGUF than in transformers. Reading a GGUF, transformers puts them into its own
order; what was trained there must be put back, or the model still talks, but worse.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from casemate.core.errors import WrongUsage
from casemate.factory.gguf_file import (
    FILE_TYPES,
    Field,
    NewTensor,
    leave_manifest,
    number_of,
    open_gguf,
    text_of,
    write_gguf,
)
from casemate.factory.gguf_file import digest_of_file as digest_of
from casemate.factory.safetensors import StoredTensor, find_tensors

REORDERED: dict[str, bool] = {"llama": True, "qwen2": False, "qwen3": False}
"""Architecture of a GGUF -> whether its query and key rows stand in llama.cpp's order. Others are not converted."""

_COMPUTED = ("rope_freqs.weight",)  # made from the configuration, never trained
_ADAPTER_NAME = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.(?:default\.)?weight")


def convert_adapter(folder: Path, base_gguf: Path, out: Path, *, kind: str = "F16", name: str = "") -> Path:
    """Write the LoRA adapter that PEFT left in `folder` as a GGUF adapter for the model in `base_gguf`.

    `folder` holds `adapter_config.json` and `adapter_model.safetensors`; `kind` is F16 or F32. The same inputs give
    the same bytes; `OUT.json`, written last, names the digests. Raises `WrongUsage` for what a llama.cpp adapter cannot
    say (DoRA, trained biases or embeddings, another base) and never leaves a part of it out.
    """
    if kind not in ("F16", "F32"):
        raise WrongUsage(f"an adapter is written as F16 or F32, not {kind}", way_out="--kind F16")
    config = _read_config(folder / "adapter_config.json")
    _refuse_unsayable(config, folder)
    base = open_gguf(base_gguf)
    architecture = text_of(base, "general.architecture")
    pairs = _pair(find_tensors(folder, "adapter_model.safetensors"), _names(base, architecture))
    order = _order_of(base, architecture)
    shapes = {tensor.name: tuple(int(n) for n in reversed(tensor.shape)) for tensor in base.tensors}
    alpha = float(config["lora_alpha"])
    tensors: list[NewTensor] = []
    for target, halves in sorted(pairs.items()):
        tensors += _adapter_tensors(target, halves, shapes, config, alpha, kind, order)
    title = name or f"adapter for {text_of(base, 'general.name', 'a model')}"
    extra: dict[str, Field] = {
        "general.type": "adapter",
        "general.name": title,
        "adapter.type": "lora",
        "adapter.lora.alpha": alpha,
    }
    write_gguf(out, architecture, tensors, extra={**extra, "general.file_type": FILE_TYPES[kind]})
    facts = {
        "base_sha256": digest_of(base_gguf),
        "adapter_sha256": digest_of(folder / "adapter_model.safetensors"),
        "alpha": alpha,
        "ranks": sorted({tensor.shape[0] for tensor in tensors if tensor.name.endswith(".lora_a")}),
        "kind": kind,
        "tensors": len(tensors),
    }
    leave_manifest(out, "convert", facts)
    return out


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text("utf-8"))
        float(config["lora_alpha"])
        int(config["r"])
    except OSError as error:
        raise WrongUsage(
            f"{path}: {error.strerror}", way_out="name the folder that holds the trained adapter"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise WrongUsage(f"{path}: no adapter configuration: {error}", way_out="save the adapter again") from error
    return dict(config)


def _refuse_unsayable(config: Mapping[str, Any], folder: Path) -> None:
    why = ""
    if config.get("peft_type", "LORA") != "LORA":
        why = f"it is {config.get('peft_type')}, not LoRA"
    elif config.get("use_dora"):
        why = "it was trained with DoRA"
    elif config.get("bias", "none") != "none" or config.get("lora_bias"):
        why = "it has trained biases"
    elif config.get("fan_in_fan_out"):
        why = "its weights are transposed (fan_in_fan_out)"
    elif config.get("modules_to_save"):
        why = f"it holds whole modules ({', '.join(config['modules_to_save'])})"
    if why:
        raise WrongUsage(
            f"{folder}: {why}, which a GGUF adapter cannot say", way_out="merge it into the model and convert that"
        )


def _names(base: Any, architecture: str) -> Any:
    import gguf

    if architecture not in REORDERED:
        raise WrongUsage(
            f"models of the architecture {architecture!r} are not converted", way_out=f"known: {', '.join(REORDERED)}"
        )
    number = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == architecture)
    return gguf.get_tensor_name_map(number, number_of(base, f"{architecture}.block_count"))


def _pair(found: Mapping[str, StoredTensor], names: Any) -> dict[str, dict[str, StoredTensor]]:
    pairs: dict[str, dict[str, StoredTensor]] = {}
    for stored in found.values():
        match = _ADAPTER_NAME.fullmatch(stored.name)
        target = names.get_name(match[1]) if match else None
        if match is None or target is None:
            raise WrongUsage(
                f"{stored.file}: {stored.name} is no half of a LoRA of a known weight",
                way_out="train adapters on the attention and feed-forward projections only",
            )
        pairs.setdefault(f"{target}.weight", {})[match[2]] = stored
    lone = next((target for target, halves in pairs.items() if set(halves) != {"A", "B"}), None)
    if lone is not None or not pairs:
        raise WrongUsage(f"the adapter has one half only of {lone or 'nothing'}", way_out="save the adapter again")
    return pairs


class RowOrder:
    """Puts the rows of query and key weights into the order that the GGUF's architecture has them in."""

    def __init__(self, heads: Mapping[str, int]) -> None:
        self._heads = heads

    def put(self, target: str, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the rows of a tensor in the order they have in a GGUF."""
        part = target.split(".")[-2]
        return gguf_order(rows, self._heads[part]) if part in self._heads else rows


def _order_of(base: Any, architecture: str) -> RowOrder:
    if not REORDERED[architecture]:
        return RowOrder({})
    heads = number_of(base, f"{architecture}.attention.head_count")
    key_heads = base.get_field(f"{architecture}.attention.head_count_kv")
    return RowOrder({"attn_q": heads, "attn_k": heads if key_heads is None else int(key_heads.contents())})


def gguf_order(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Reorder rows from halves of a head (transformers) to neighbouring pairs (llama.cpp)."""
    if rows.shape[0] % (2 * heads):
        raise WrongUsage(f"{rows.shape[0]} rows cannot be {heads} heads of pairs", way_out="is the base the right one?")
    places = np.arange(rows.shape[0]).reshape(heads, 2, -1).swapaxes(1, 2).reshape(-1)
    return rows[places]


def _adapter_tensors(
    target: str,
    halves: Mapping[str, StoredTensor],
    shapes: Mapping[str, tuple[int, ...]],
    config: Mapping[str, Any],
    alpha: float,
    kind: str,
    order: RowOrder,
) -> Iterator[NewTensor]:
    down, up = halves["A"], halves["B"]
    if len(down.shape) != 2 or len(up.shape) != 2 or down.shape[0] != up.shape[1]:
        raise WrongUsage(f"{target}: halves of shape {down.shape} and {up.shape} do not meet", way_out="save it again")
    meant = (up.shape[0], down.shape[1])
    if shapes.get(target) != meant:
        raise WrongUsage(
            f"{target}: the adapter is for a weight of {meant}, the base has {shapes.get(target)}",
            way_out="give the GGUF of the model the adapter was trained on",
        )
    rank = down.shape[0]
    module = (_ADAPTER_NAME.fullmatch(up.name) or [""] * 2)[1]
    own_alpha = float(_by_pattern(config.get("alpha_pattern"), module, alpha))
    # llama.cpp scales by alpha / rank; whatever else PEFT would scale by goes into the second half.
    factor = own_alpha / alpha * (math.sqrt(rank) if config.get("use_rslora") else 1.0)
    yield NewTensor(f"{target}.lora_a", kind, down.shape, down.read)
    yield NewTensor(f"{target}.lora_b", kind, up.shape, lambda: order.put(target, up.read() * np.float32(factor)))


def _by_pattern(patterns: Mapping[str, Any] | None, module: str, default: float) -> float:
    # As PEFT has it: a key fits a module whose dotted name ends with it.
    fitting = (value for key, value in (patterns or {}).items() if re.fullmatch(rf"(.*\.)?({key})", module))
    return next(fitting, default)


def convert_model(folder: Path, like: Path, out: Path, *, kind: str = "F16", name: str = "") -> Path:
    """Write the merged model in `folder` (safetensors) as GGUF, with header and tokenizer of `like`, its parent's GGUF.

    Every tensor of the folder must be one of the parent's, and every one of the parent's must be there; matrices are
    written as `kind` (F32, F16 or BF16), all else as F32. Raises `WrongUsage` where the two do not agree.
    """
    if kind not in ("F32", "F16", "BF16"):
        raise WrongUsage(f"a model is converted to F32, F16 or BF16, not {kind}", way_out="quantise it afterwards")
    parent = open_gguf(like)
    architecture = text_of(parent, "general.architecture")
    names, order = _names(parent, architecture), _order_of(parent, architecture)
    wanted = {tensor.name: tuple(int(n) for n in reversed(tensor.shape)) for tensor in parent.tensors}
    given = {name_in_gguf(stored, names): stored for stored in find_tensors(folder).values()}
    if "output.weight" in given and "output.weight" not in wanted:
        check_tied(given)
        del given["output.weight"]
    wrong = [target for target in given if wanted.get(target) != given[target].shape]
    lost = [target for target in wanted if target not in given and target not in _COMPUTED]
    if wrong or lost:
        raise WrongUsage(
            f"{folder}: not the weights of {like.name}: {', '.join((wrong + lost)[:3])} differ in shape or are missing",
            way_out="give the GGUF of the very model that was trained: --base FILE.gguf",
        )
    tensors = [_model_tensor(tensor, given.get(tensor.name), kind, order) for tensor in parent.tensors]
    title = {"general.name": name} if name else {}
    write_gguf(out, architecture, tensors, like=parent, extra={**title, "general.file_type": FILE_TYPES[kind]})
    leave_manifest(out, "convert", {"parent_sha256": digest_of(like), "kind": kind, "tensors": len(tensors)})
    return out


def name_in_gguf(stored: StoredTensor, names: Any) -> str:
    """Name a tensor of transformers as a GGUF does; `WrongUsage` for one that has no place there."""
    stem, _, end = stored.name.rpartition(".")
    target = names.get_name(stem)
    if target is None or end not in ("weight", "bias"):
        raise WrongUsage(f"{stored.file}: {stored.name} has no place in a GGUF", way_out="is this a merged model?")
    return f"{target}.{end}"


def check_tied(given: Mapping[str, StoredTensor]) -> None:
    """Raise `WrongUsage` unless the output matrix is the embedding once more."""
    embedding = given.get("token_embd.weight")
    if embedding is None or not np.array_equal(embedding.read(), given["output.weight"].read()):
        raise WrongUsage(
            "the model has an output matrix of its own, its parent has not", way_out="train with tied embeddings"
        )


def _model_tensor(tensor: Any, stored: StoredTensor | None, kind: str, order: RowOrder) -> NewTensor:
    shape = tuple(int(n) for n in reversed(tensor.shape))
    if stored is None:
        return NewTensor(tensor.name, tensor.tensor_type.name, shape, lambda: tensor.data, packed=True)
    # A matrix has two dimensions; norms and biases are few and stay exact.
    return NewTensor(
        tensor.name, kind if len(shape) > 1 else "F32", shape, lambda: order.put(tensor.name, stored.read())
    )
