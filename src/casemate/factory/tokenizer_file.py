"""The tokenizer of a Hugging Face folder -> the fields of a GGUF: byte-level BPE, where llama.cpp splits alike."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from casemate.core.errors import WrongUsage
from casemate.factory.gguf_file import Field

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
"""What a GGUF calls the kinds of tokens."""

_BYTES = {"type": "ByteLevel", "add_prefix_space": False}
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

SPLITS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "gpt-2": ({**_BYTES, "use_regex": True},),
    "smollm": ({"type": "Digits", "individual_digits": True}, {**_BYTES, "use_regex": True}),
    "qwen2": (
        {"type": "Split", "pattern": {"Regex": _WORDS % ""}, "behavior": "Isolated", "invert": False},
        {**_BYTES, "use_regex": False},
    ),
    "llama-bpe": (
        {"type": "Split", "pattern": {"Regex": _WORDS % "{1,3}"}, "behavior": "Isolated", "invert": False},
        {**_BYTES, "use_regex": False},
    ),
}
"""llama.cpp's name of a way to split text before BPE -> how `tokenizer.json` says the same."""

_WHOLE_WORDS = frozenset({"llama-bpe"})  # a word that is a token is that token, whatever the merges: `ignore_merges`


def read_json(path: Path) -> dict[str, Any]:
    """Read an object of JSON; `WrongUsage` when there is none."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}", way_out="copy the whole folder of the publisher") from error
    except (ValueError, RecursionError) as error:
        raise WrongUsage(f"{path}: no JSON", way_out="copy the folder of the publisher again") from error
    if not isinstance(found, dict):
        raise WrongUsage(f"{path}: no object", way_out="copy the folder of the publisher again")
    return found


def tokenizer_fields(folder: Path, words: int, config: Mapping[str, Any]) -> dict[str, Field]:
    """Give the fields of the header that tell of tokens; `words` is how many rows the embedding has.

    Rows beyond the tokens become unused ones. `WrongUsage` for a tokenizer that llama.cpp would not read alike.
    """
    path = folder / "tokenizer.json"
    raw = read_json(path)
    try:
        split = _split(raw)
        tokens, kinds = _tokens(raw, words)
        merges = [one if isinstance(one, str) else " ".join(one) for one in raw["model"]["merges"]]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise WrongUsage(f"{path}: {error}", way_out="take the publisher's own GGUF, or give --base GGUF") from error
    settings = read_json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    fields: dict[str, Field] = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": split,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.add_bos_token": _begins_with(raw.get("post_processor")) is not None,
    }
    numbers = {token: number for number, token in enumerate(tokens)}
    for short, name in (("bos", "bos_token"), ("eos", "eos_token"), ("padding", "pad_token")):
        said = settings.get(name)
        said = said.get("content") if isinstance(said, dict) else said
        own = config.get(f"{name}_id")
        number = numbers.get(said) if isinstance(said, str) else own if isinstance(own, int) else None
        if number is not None:
            fields[f"tokenizer.ggml.{short}_token_id"] = number
    begin = _begins_with(raw.get("post_processor"))
    if begin is not None and fields.get("tokenizer.ggml.bos_token_id") != numbers.get(begin):
        raise WrongUsage(
            f"{path}: every text begins with {begin[:40]!r}, which is not bos_token", way_out="--base GGUF"
        )
    template = _template(folder, settings)
    return {**fields, "tokenizer.chat_template": template} if template else fields


def _split(raw: Mapping[str, Any]) -> str:
    model, before = raw["model"], raw.get("pre_tokenizer") or {}
    if model["type"] != "BPE" or model.get("byte_fallback") or model.get("dropout") or model.get("end_of_word_suffix"):
        raise ValueError("no byte-level BPE")
    if (raw.get("normalizer") or {"type": "NFC"}) != {"type": "NFC"}:  # llama.cpp leaves text as it is
        raise ValueError("text is changed before it is split")
    parts = before["pretokenizers"] if before.get("type") == "Sequence" else [before]
    for name, steps in SPLITS.items():
        if len(parts) == len(steps) and all(
            {key: part.get(key) for key in step} == dict(step) for part, step in zip(parts, steps, strict=True)
        ):
            if bool(model.get("ignore_merges")) != (name in _WHOLE_WORDS):
                raise ValueError("words that are tokens are treated otherwise than llama.cpp treats them")
            return name
    raise ValueError("text is split in a way that has no name in llama.cpp that is known here")


def _tokens(raw: Mapping[str, Any], words: int) -> tuple[list[str], list[int]]:
    found: dict[int, tuple[str, int]] = {
        int(number): (token, NORMAL) for token, number in raw["model"]["vocab"].items()
    }
    for added in raw.get("added_tokens") or ():
        if added.get("lstrip") or added.get("rstrip") or added.get("single_word"):
            raise ValueError("a token that takes the spaces beside it")
        found[int(added["id"])] = (str(added["content"]), CONTROL if added.get("special") else USER_DEFINED)
    if not found or min(found) < 0 or max(found) >= words:
        raise ValueError(f"tokens up to number {max(found, default=0)}, and {words} rows for them")
    rows = [found.get(number, (f"[PAD{number}]", UNUSED)) for number in range(words)]
    return [token for token, _kind in rows], [kind for _token, kind in rows]


def _begins_with(processor: Any) -> str | None:
    """Give the token that the tokenizer puts before every text, None when it puts none."""
    if not processor or processor.get("type") == "ByteLevel":
        return None
    if processor.get("type") == "Sequence":
        found = [one for one in map(_begins_with, processor["processors"]) if one is not None]
        return found[0] if found else None
    if processor.get("type") != "TemplateProcessing":
        raise WrongUsage("tokenizer.json: tokens are put around a text in an unknown way", way_out="give --base GGUF")
    single = processor["single"]
    special = [one["SpecialToken"]["id"] for one in single if "SpecialToken" in one]
    if special and ("SpecialToken" not in single[0] or len(special) > 1):
        raise WrongUsage("tokenizer.json: tokens are put behind every text", way_out="give --base GGUF")
    return str(special[0]) if special else None


def _template(folder: Path, settings: Mapping[str, Any]) -> str:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text("utf-8")
    said = settings.get("chat_template")
    if isinstance(said, list):
        said = next((one.get("template") for one in said if isinstance(one, dict) and one.get("name") == "default"), "")
    return said if isinstance(said, str) else ""
