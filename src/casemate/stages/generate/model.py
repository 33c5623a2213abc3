"""The port to a language model: one request, one completion; or a queue of them, in order."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from casemate.core.digest import Digest, digest_value
from casemate.core.errors import CasemateError


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a model, all of it: two equal requests to the same model on one slot give the same bytes.

    `instruction` is ours and static; it stands first so that the prompt cache holds it. `evidence` is the untrusted
    part, already fenced. `schema` is a JSON schema that the answer is constrained to, or None for free text.
    `max_tokens` counts generated tokens, `temperature` is 0 (greedy) or more, `seed` is 0 .. 2**32 - 2, `seconds` is
    the time limit of the whole request. `adapter` names the LoRA adapter that answers, by name or digest; empty stands
    for the base model.
    """

    instruction: str
    evidence: str
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 400
    temperature: float = 0.0
    seed: int = 0
    seconds: float = 120.0
    adapter: str = ""

    @property
    def prompt(self) -> str:
        """The one user turn: instruction, an empty line, evidence. A system role is never relied on."""
        return f"{self.instruction}\n\n{self.evidence}" if self.evidence else self.instruction

    @property
    def digest(self) -> Digest:
        """Name this request by its content; the time limit, which is no part of what is asked, is left out."""
        plain = dataclasses.asdict(self)
        del plain["seconds"]
        if not self.adapter:
            del plain["adapter"]
        return digest_value(plain)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered.

    `cached_tokens` of the `prompt_tokens` came from the prompt cache. `seconds` is wall-clock, `first_token_seconds`
    the time until the answer began (0 where that is not known). `finish` says why the answer ended: `stop` (the model
    was done), `length` (max_tokens reached) or `time` (cut at the time limit); a constrained answer is whole only with
    `stop`. `engine_seconds` and `joules` are this request's share of what the engine took: requests that run at the
    same time share it equally. `joules` is None where the machine does not tell; `peak_bytes` is the most memory the
    engine has held so far, 0 where it is not ours. `adapter` is the digest of the adapter that answered.
    """

    text: str
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    seconds: float = 0.0
    finish: str = "stop"
    first_token_seconds: float = 0.0
    engine_seconds: float = 0.0
    peak_bytes: int = 0
    joules: float | None = None
    adapter: Digest | None = None


Answer = Completion | CasemateError
"""What became of one request of a queue: its completion, or the error that stands in its place."""


class Model(Protocol):
    """A language model; safe to call from several threads."""

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

    def complete_all(self, requests: Iterable[Request], retries: int = 1) -> Iterator[Answer]:
        """Answer a queue of requests, in order, as many at once as the engine has slots.

        A request that fails is asked again `retries` times; then its error stands in its place and the queue goes on.
        """
        ...


def choose_adapter(model: Model, wanted: Sequence[str]) -> str:
    """Give the first adapter of `wanted` that this model has, empty (the base) when it has none of them."""
    has: Sequence[str] = getattr(model, "adapters", ())  # a model without adapters need not say so
    return next((name for name in wanted if name in has), "")
