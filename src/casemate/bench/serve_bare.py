"""Bare xllamacpp in a process of its own, as its documentation shows it: what `bench serve` compares the engine with.

Run as a script; reads one JSON object of settings, then one request a line, and answers each with a line.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from casemate.core.errors import EngineFailed
from casemate.stages.generate.engine import waiting_policy


class Bare:
    """The process; `ask` gives the tokens that were generated and the seconds measured inside it."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "casemate.bench.serve_bare"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=waiting_policy() | os.environ,
        )
        self._exchange(settings)

    def ask(self, prompt: str, max_tokens: int) -> tuple[int, float]:
        """Answer one prompt, greedily."""
        answer = self._exchange({"prompt": prompt, "max_tokens": max_tokens, "temperature": 0.0, "seed": 0})
        return int(answer["tokens"]), float(answer["seconds"])

    def _exchange(self, value: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(value) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            raise EngineFailed("bare xllamacpp gave no answer", way_out="is it installed? `casemate doctor`") from error
        return dict(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()


def main() -> None:
    """Load the model and answer."""
    import xllamacpp

    outlet = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever native code prints must not land between lines
    settings = json.loads(sys.stdin.readline())
    folder = tempfile.mkdtemp(prefix="casemate-bench-")
    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    params.hostnames = [str(Path(folder) / "closed.sock")]
    params.n_ctx, params.n_parallel = settings["context"], 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.verbosity, params.warmup = 1, False
    server = xllamacpp.Server(params)
    shutil.rmtree(folder, ignore_errors=True)
    outlet.write("{}\n")
    for line in sys.stdin:
        began = time.perf_counter()
        answer = server.handle_completions(json.loads(line))
        seconds = time.perf_counter() - began
        outlet.write(json.dumps({"tokens": answer["usage"]["completion_tokens"], "seconds": seconds}) + "\n")


if __name__ == "__main__":
    main()
