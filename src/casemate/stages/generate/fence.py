"""The fence: evidence goes into a prompt as marked data, with nothing in it that a model takes for a turn or an end."""

import re
from collections.abc import Iterable

from casemate.core.digest import digest_value

_MARKER = re.compile(r"[A-Za-z0-9-]{8,64}")

_CONTROL_TOKEN = re.compile(
    r"""
      <[|｜][^\s<>]{0,80}>                 # <|im_start|>, <|eot_id|>, <｜User｜>, <|turn>
    | <[^\s<>|｜]{1,80}[|｜]>              # <turn|>
    | </?s> | <<\s?/?SYS>>                 # Llama 2, Mistral
    | </?(?:bos|eos|pad|unk|mask|sep|cls|eod|eot|endoftext)>
    | </?(?:start|end)_of_[a-z_]{1,30}>    # Gemma, Granite: <start_of_turn>
    | </?(?:think|thinking|tool_call|tool_calls|tool_response|tools|function_calls?)>
    | <(?:unused|extra_id_|reserved_|special_|SPECIAL_)\w{0,20}>
    | <0x[0-9a-f]{2}>                      # byte tokens
    | \[/?[A-Z][A-Z_]{2,30}\]              # Mistral: [INST], [/INST], [TOOL_CALLS], [SYSTEM_PROMPT]
    """,
    re.VERBOSE | re.IGNORECASE,
)
_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def marker_of(seed: int, *parts: str) -> str:
    """Derive a run's fence marker from its seed and whatever else names the run, so that a replay has the same one.

    An attacker may guess the seed; that is why `fence` also breaks the marker inside the evidence.
    """
    return "DATA-" + digest_value([seed, list(parts)])[:16]


def defuse(text: str, tokens: Iterable[str] = ()) -> str:
    """Break every control token of the usual chat templates, and of `tokens`, by a space after its first character.

    Control characters (but tab, line feed and carriage return) and lone surrogates become U+FFFD. Everything else
    stays as it is, so that a quotation of ordinary evidence is found again in the evidence. Bracketed words as Mistral
    writes its tokens (`[INST]`) are broken whatever the word is, `[ERROR]` too: a model is free to have it as a token.
    """
    text = _UNSAFE.sub("�", text)
    own = sorted({token for token in tokens if len(token.strip()) > 1}, key=len, reverse=True)
    exact = re.compile("|".join(re.escape(token) for token in own)) if own else None
    while True:
        broken = _CONTROL_TOKEN.sub(_broken, text)
        if exact is not None:
            broken = exact.sub(_broken, broken)
        if broken == text:
            return text
        text = broken


def _broken(match: re.Match[str]) -> str:
    token = match.group()
    return f"{token[0]} {token[1:]}"


def fence(evidence: str, marker: str) -> str:
    """Wrap untrusted text between two lines that carry `marker`, defused, and with no other occurrence of the marker.

    `marker` is 8 to 64 letters, digits or hyphens (`ValueError` otherwise), from `marker_of`. The line that says what
    the marks mean belongs to the caller's static instruction, not here.
    """
    if not _MARKER.fullmatch(marker):
        raise ValueError(f"a fence marker is 8 to 64 letters, digits or hyphens, not {marker!r}")
    inside = defuse(evidence)
    mark = re.compile(re.escape(marker), re.IGNORECASE)
    while mark.search(inside):
        inside = mark.sub(_broken, inside)
    return f"BEGIN EVIDENCE {marker}\n{inside}\nEND EVIDENCE {marker}"
