"""The embedded model: llama.cpp in a process of its own, asked in turns that casemate writes itself."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from casemate.core.digest import Digest
from casemate.core.errors import EngineFailed
from casemate.policy import Limits
from casemate.stages.generate.chat_templates import Turns
from casemate.stages.generate.engine import CHILD, EngineProcess, reason_of
from casemate.stages.generate.fence import defuse
from casemate.stages.generate.gguf import ModelFile
from casemate.stages.generate.model import Completion, Request

_FENCE_TOKENS = 256  # what turns and fence add to the tokens a caller counts


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How much of the machine the engine may use; `threads` 0 means every CPU this process may run on.

    With one slot the same request gives the same bytes, always; with more, requests are computed together and rounding
    may differ.
    """

    threads: int = 0
    slots: int = 1


def usable_cpus() -> int:
    """Count the CPUs this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Embedded:
    """A model file, loaded by llama.cpp in its own process; the caller has verified the file."""

    def __init__(
        self,
        path: Path,
        name: str,
        digest: Digest,
        header: ModelFile,
        turns: Turns,
        limits: Limits,
        options: EngineOptions | None = None,
        command: Sequence[str] = CHILD,
    ) -> None:
        options = options or EngineOptions()
        self.name, self.digest = name, digest
        self._header, self._turns = header, turns
        wanted = limits.prompt_tokens + limits.answer_tokens + _FENCE_TOKENS
        self.engine = EngineProcess(
            {
                "path": str(path.resolve()),
                "context": min(wanted, header.context_length or wanted),
                "slots": options.slots,
                "threads": options.threads or usable_cpus(),
            },
            limits.engine_start_seconds,
            command,
        )

    def complete(self, request: Request) -> Completion:
        """Answer a request; `EngineFailed` when the engine dies, hangs, or the prompt does not fit its context."""
        frame = self.engine.ask(self._frame(request), request.seconds)
        if "error" in frame:
            raise EngineFailed(
                f"the engine refused the request: {reason_of(frame)}", way_out="give less evidence or a simpler schema"
            )
        completion = _completion(frame)
        if request.schema is not None and completion.finish == "stop":
            _check_constrained(completion.text)
        return completion

    def close(self) -> None:
        """End the engine's process."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _frame(self, request: Request) -> dict[str, Any]:
        # The tokeniser turns the text of a control token into the token, wherever it stands. What the fence could not
        # know, the vocabulary of this very model, is broken here, in both parts.
        tokens = self._header.control_tokens
        return {
            "instruction": self._turns.before + defuse(request.instruction, tokens),
            "newline": self._header.newline_token,
            "rest": "\n" + defuse(request.evidence, tokens) + self._turns.after,
            "stop": list(self._turns.ends),
            "schema": None if request.schema is None else dict(request.schema),
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            "seconds": request.seconds,
        }


def _check_constrained(text: str) -> None:
    """Raise `EngineFailed` unless an answer that had a schema is JSON, so that no fault of the engine hides."""
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EngineFailed("the engine did not keep to the schema", way_out="simplify the schema") from error


def _completion(frame: dict[str, Any]) -> Completion:
    usage = frame.get("usage") or {}
    text, finish = frame.get("text"), frame.get("finish")
    if not isinstance(text, str) or finish not in ("stop", "length", "time"):
        raise EngineFailed("the engine's answer has no text or no end", way_out="ask again; it starts afresh")
    return Completion(
        text=text,
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        cached_tokens=int(frame.get("cached") or 0),
        generated_tokens=int(usage.get("completion_tokens") or 0),
        seconds=float(frame.get("seconds") or 0.0),
        finish=finish,
    )
