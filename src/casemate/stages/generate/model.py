"""The port to a language model: one request, one completion."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from casemate.core.digest import Digest, digest_value


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a model, all of it: two equal requests to the same model on one slot give the same bytes.

    `instruction` is ours and static; it stands first so that the prompt cache holds it. `evidence` is the untrusted
    part, already fenced. `schema` is a JSON schema that the answer is constrained to, or None for free text.
    `max_tokens` counts generated tokens, `temperature` is 0 (greedy) or more, `seed` is 0 .. 2**32 - 2, `seconds` is
    the time limit of the whole request.
    """

    instruction: str
    evidence: str
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 400
    temperature: float = 0.0
    seed: int = 0
    seconds: float = 120.0

    @property
    def prompt(self) -> str:
        """The one user turn: instruction, an empty line, evidence. A system role is never relied on."""
        return f"{self.instruction}\n\n{self.evidence}" if self.evidence else self.instruction

    @property
    def digest(self) -> Digest:
        """Name this request by its content; the time limit, which is no part of what is asked, is left out."""
        plain = dataclasses.asdict(self)
        del plain["seconds"]
        return digest_value(plain)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered.

    `cached_tokens` of the `prompt_tokens` came from the prompt cache. `seconds` is wall-clock. `finish` says why the
    answer ended: `stop` (the model was done), `length` (max_tokens reached) or `time` (cut at the time limit); a
    constrained answer is whole only with `stop`.
    """

    text: str
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    seconds: float = 0.0
    finish: str = "stop"


class Model(Protocol):
    """A language model that answers one request at a time from each caller; safe to call from several threads."""

    @property
    def name(self) -> str:
        """The name a person knows it by."""
        ...

    @property
    def digest(self) -> Digest:
        """What names exactly this model: of the weights, or of address and name for a server."""
        ...

    def complete(self, request: Request) -> Completion:
        """Answer a request, or raise `EngineFailed`, `NotTrusted` or `RefusedByPolicy`."""
        ...
