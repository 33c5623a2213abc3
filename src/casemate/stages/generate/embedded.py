"""The embedded model: llama.cpp in a process of its own, asked in turns that casemate writes itself."""

import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from casemate.core.digest import Digest
from casemate.core.errors import CasemateError, EngineFailed, WrongUsage
from casemate.policy import Limits
from casemate.stages.generate.chat_templates import Turns
from casemate.stages.generate.engine import CHILD, EngineProcess, reason_of
from casemate.stages.generate.fence import defuse
from casemate.stages.generate.gguf import ModelFile
from casemate.stages.generate.inorder import answer_in_order
from casemate.stages.generate.model import Answer, Completion, Request
from casemate.stages.generate.shares import Share, Shares, peak_bytes

_FENCE_TOKENS = 256  # what turns and fence add to the tokens a caller counts


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How much of the machine the engine may use; `threads` 0 means every CPU this process may run on.

    `cache` keeps what was read of an instruction for the next request. With one slot the same request gives the same
    bytes, always; with more, requests are computed together and rounding may differ.
    """

    threads: int = 0
    slots: int = 1
    cache: bool = True


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter beside the base: a verified file, or why it must not be used."""

    name: str
    digest: Digest
    path: Path
    fault: CasemateError | None = None


def usable_cpus() -> int:
    """Count the CPUs this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Embedded:
    """A model file and its adapters, loaded by llama.cpp in its own process; the caller has verified the files.

    `adapters` are their names, `context` the tokens of one slot. At most `options.slots` requests are with the engine;
    others wait their turn here.
    """

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
        adapters: Sequence[Adapter] = (),
    ) -> None:
        options = options or EngineOptions()
        self.name, self.digest = name, digest
        self.adapters = tuple(adapter.name for adapter in adapters)
        self._adapters = {key: one for one in reversed(adapters) for key in (one.digest, one.name)}
        self._loaded = {one.digest: number for number, one in enumerate(a for a in adapters if a.fault is None)}
        self.at_once, self._turn, self._shares = options.slots, threading.Semaphore(options.slots), Shares()
        self._header, self._turns = header, turns
        wanted = limits.prompt_tokens + limits.answer_tokens + _FENCE_TOKENS
        self.context = min(wanted, header.context_length or wanted)
        self._newline = header.newline_token if options.cache else None
        self.engine = EngineProcess(
            {
                "path": str(path.resolve()),
                "context": self.context,
                "slots": options.slots,
                "threads": options.threads or usable_cpus(),
                "adapters": [str(one.path.resolve()) for one in adapters if one.fault is None],
            },
            limits.engine_start_seconds,
            command,
        )

    def complete(self, request: Request) -> Completion:
        """Answer a request; `EngineFailed` when the engine dies, hangs, or the prompt does not fit its context.

        `WrongUsage` for an adapter that this model does not have, `NotTrusted` for one that was altered.
        """
        adapter = self._adapter(request.adapter)
        with self._turn:
            self.engine.start()
            token = self._shares.begin()
            try:
                frame = self.engine.ask(self._frame(request, adapter), request.seconds)
            finally:
                share = self._shares.end(token)
        if "error" in frame:
            raise EngineFailed(
                f"the engine refused the request: {reason_of(frame)}", way_out="give less evidence or a simpler schema"
            )
        completion = _completion(frame, share, peak_bytes(self.engine.pid), adapter)
        if request.schema is not None and completion.finish == "stop":
            _check_constrained(completion.text)
        return completion

    def complete_all(self, requests: Iterable[Request], retries: int = 1) -> Iterator[Answer]:
        """Answer a queue in order, as many requests at once as there are slots."""
        return answer_in_order(self.complete, requests, self.at_once, retries)

    def _adapter(self, wanted: str) -> Adapter | None:
        if not wanted:
            return None
        adapter = self._adapters.get(wanted)
        if adapter is None:
            known = ", ".join(self.adapters) or "none"
            raise WrongUsage(
                f"{self.name} has no adapter {wanted!r} (it has: {known})",
                way_out="casemate model add --adapter-of BASE FILE.gguf",
            )
        if adapter.fault is not None:
            raise adapter.fault
        return adapter

    def close(self) -> None:
        """End the engine's process."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _frame(self, request: Request, adapter: Adapter | None) -> Mapping[str, Any]:
        # The tokeniser turns the text of a control token into the token, wherever it stands. What the fence could not
        # know, the vocabulary of this very model, is broken here, in both parts.
        tokens = self._header.control_tokens
        return {
            "instruction": self._turns.before + defuse(request.instruction, tokens),
            "newline": self._newline,
            "rest": "\n" + defuse(request.evidence, tokens) + self._turns.after,
            "stop": list(self._turns.ends),
            "schema": None if request.schema is None else dict(request.schema),
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            "seconds": request.seconds,
            "adapter": None if adapter is None else self._loaded[adapter.digest],
        }


def _check_constrained(text: str) -> None:
    """Raise `EngineFailed` unless an answer that had a schema is JSON, so that no fault of the engine hides."""
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EngineFailed("the engine did not keep to the schema", way_out="simplify the schema") from error


def _completion(frame: Mapping[str, Any], share: Share, peak: int, adapter: Adapter | None) -> Completion:
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
        first_token_seconds=float(frame.get("first_token") or 0.0),
        engine_seconds=share.seconds,
        peak_bytes=peak,
        joules=share.joules,
        adapter=adapter.digest if adapter else None,
    )
