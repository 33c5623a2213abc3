"""A model that answers from a script: for tests, demonstrations and replays."""

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from casemate.core.digest import Digest, digest_value
from casemate.core.errors import CasemateError, EngineFailed, WrongUsage
from casemate.stages.generate.inorder import answer_in_order
from casemate.stages.generate.model import Answer, Completion, Request

Scripting = str | Completion | CasemateError
_SCRIPT_BYTES = 64 * 1024 * 1024


class Scripted:
    """Answers given beforehand: a sequence in order, or a mapping by request digest.

    A text is completed with `finish="stop"`; a `Completion` is given as it is; a `CasemateError` is raised, which is
    how a test makes an engine fail. `asked` lists the requests so far.
    """

    def __init__(self, answers: Sequence[Scripting] | Mapping[str, Scripting], name: str = "scripted") -> None:
        self._by_digest = dict(answers) if isinstance(answers, Mapping) else None
        self._in_order = [] if isinstance(answers, Mapping) else list(answers)
        self._lock = threading.Lock()
        self.name = name
        self.asked: list[Request] = []
        self.digest: Digest = digest_value(["scripted", _plain(self._by_digest or self._in_order)])

    def complete(self, request: Request) -> Completion:
        """Give the scripted answer; `EngineFailed` when the script holds none for this request."""
        with self._lock:
            self.asked.append(request)
            number = len(self.asked)
        if self._by_digest is not None:
            answer = self._by_digest.get(request.digest)
        else:
            answer = self._in_order[number - 1] if number <= len(self._in_order) else None
        if answer is None:
            raise EngineFailed(
                f"the script {self.name} has no answer for request {number} ({request.digest})",
                way_out="add an answer under this digest, or one more answer to the list",
            )
        if isinstance(answer, CasemateError):
            raise answer
        if isinstance(answer, Completion):
            return answer
        return Completion(answer, len(request.prompt.split()), 0, len(answer.split()))

    def complete_all(self, requests: Iterable[Request], retries: int = 1) -> Iterator[Answer]:
        """Answer a queue, one request after the other."""
        return answer_in_order(self.complete, requests, 1, retries)


def _plain(answers: Mapping[str, Scripting] | Sequence[Scripting]) -> object:
    if isinstance(answers, Mapping):
        return {key: str(value) for key, value in answers.items()}
    return [str(value) for value in answers]


def read_script(path: Path) -> Scripted:
    """Read a script from JSON: a list of texts, or an object of request digest -> text.

    Raises `WrongUsage` naming the file when it is anything else.
    """
    way_out = 'a script is a JSON list of texts, or an object {"REQUEST DIGEST": "TEXT"}'
    try:
        if path.stat().st_size > _SCRIPT_BYTES:
            raise WrongUsage(f"script {path}: more than {_SCRIPT_BYTES} bytes", way_out=way_out)
        answers = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise WrongUsage(f"script {path}: {error.strerror}", way_out="check the path after `scripted:`") from error
    except (ValueError, RecursionError) as error:
        raise WrongUsage(f"script {path}: not JSON: {error}", way_out=way_out) from error
    texts = list(answers.values()) if isinstance(answers, dict) else answers
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise WrongUsage(f"script {path}: neither a list of texts nor an object of texts", way_out=way_out)
    return Scripted(answers, name=f"scripted:{path.name}")
