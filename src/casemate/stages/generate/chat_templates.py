"""How a turn is written for each family of models, and which chat templates are known to mean it.

A template inside a model file is a program by whoever made the file. casemate never evaluates it: it compares the
template's SHA-256 with the list below and then writes the one user turn itself. A model whose template is not on the
list is refused until a person names the template's digest and the family whose turns it writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from casemate.core.errors import NotTrusted, WrongUsage
from casemate.stages.generate.gguf import ModelFile


@dataclass(frozen=True, slots=True)
class Turns:
    """What stands before the user's text and between it and the answer, and what ends an answer."""

    name: str
    before: str
    after: str
    ends: tuple[str, ...]
    needs: tuple[str, ...] = ()  # control tokens the vocabulary must have


_CHATML = ("<|im_start|>", "<|im_end|>")

TURNS: dict[str, Turns] = {
    turns.name: turns
    for turns in (
        Turns("chatml", "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n", ("<|im_end|>",), _CHATML),
        Turns(
            "smollm2",  # its template opens with this system turn whenever the caller gives none
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
            "<|im_start|>user\n",
            "<|im_end|>\n<|im_start|>assistant\n",
            ("<|im_end|>",),
            _CHATML,
        ),
        Turns(
            "qwen3",  # the empty thought is how Qwen3 templates write "answer at once"
            "<|im_start|>user\n",
            "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
            ("<|im_end|>",),
            _CHATML,
        ),
        Turns(
            "llama3",
            "<|start_header_id|>user<|end_header_id|>\n\n",
            "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            ("<|eot_id|>",),
            ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        ),
        Turns("mistral", "[INST] ", " [/INST]", ("</s>",)),
        Turns(
            "gemma",
            "<start_of_turn>user\n",
            "<end_of_turn>\n<start_of_turn>model\n",
            ("<end_of_turn>",),
            ("<start_of_turn>", "<end_of_turn>"),
        ),
        Turns("plain", "", "\n", ()),
    )
}
"""The families, by name. `plain` is for a model without turns."""

KNOWN_TEMPLATES: dict[str, str] = {
    "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788": "smollm2",  # SmolLM2-135M-Instruct
}
"""SHA-256 of a chat template, as it stands in the GGUF header -> the family whose turns it writes.

Only templates that were read from the model itself and compared with the family by a person are here.
"""


def choose_turns(model: ModelFile, source: str, named: str = "", allowed: Sequence[str] = ()) -> Turns:
    """Choose how turns are written for a model: the known template's family, or `named` if the site allows it.

    `allowed` are template digests that a person or the policy allows besides the known ones; for those, and for a model
    without any template, `named` must be one of `TURNS` (where it is empty, the vocabulary decides if it can). Raises
    `NotTrusted` for a template nobody allowed, `WrongUsage` for a family that does not exist or does not fit.
    """
    digest = model.chat_template_sha256
    if named and named not in TURNS:
        raise WrongUsage(f"there is no turn format {named!r}", way_out=f"one of {', '.join(TURNS)}")
    if digest in KNOWN_TEMPLATES:
        turns = TURNS[named or KNOWN_TEMPLATES[digest]]
    elif digest and digest not in allowed:
        raise NotTrusted(
            f"{source}: its chat template (SHA-256 {digest}) is not on the allow-list",
            way_out=f"read the template; if it is sound, add the model with --allow-template {digest} "
            f"--turns {'|'.join(TURNS)}, or put the digest under chat_templates in the policy",
        )
    else:
        turns = TURNS[named] if named else _fitting(model, source)
    missing = [token for token in turns.needs if token not in model.control_tokens]
    if missing:
        raise WrongUsage(
            f"{source}: its vocabulary has no {' '.join(missing)}, which {turns.name} turns need",
            way_out=f"name another turn format with --turns: {', '.join(TURNS)}",
        )
    return turns


def _fitting(model: ModelFile, source: str) -> Turns:
    fitting = [name for name in ("chatml", "llama3", "gemma") if set(TURNS[name].needs) <= set(model.control_tokens)]
    if len(fitting) != 1:
        raise NotTrusted(
            f"{source}: how it writes turns is not known", way_out=f"name it with --turns: {', '.join(TURNS)}"
        )
    return TURNS[fitting[0]]
