"""Ask a model the held-out lessons and judge its answers as the product would."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from casemate.bench.cti_replies import SUBJECTS
from casemate.core.digest import Digest, digest_value
from casemate.core.errors import CasemateError, EngineFailed
from casemate.core.text import Span
from casemate.factory.lessons import Lesson
from casemate.factory.lessons_summary import checker
from casemate.stages.extract.scanner import Scanner
from casemate.stages.generate import Completion, Model, Request
from casemate.stages.generate.model import Answer
from casemate.stages.validate import Excerpt
from casemate.tasks.case_question.asking import SCHEMA as QUESTION_SCHEMA
from casemate.tasks.prompt import read_sentences
from casemate.tasks.summary import PART

_FENCED = re.compile(r"BEGIN EVIDENCE \S+\n(.*)\nEND EVIDENCE", re.DOTALL)
_SHORT = 48  # tokens of an answer that should be a line


@dataclass(frozen=True, slots=True)
class Given:
    """One answer to one lesson, as it was given."""

    lesson: str
    text: str
    finish: str = "stop"
    failed: str = ""
    prompt_tokens: int = 0
    generated_tokens: int = 0
    seconds: float = 0.0


class Adapted:
    """A model that answers every request with one adapter; with none named, the base itself."""

    def __init__(self, model: Model, adapter: str) -> None:
        self._model, self._adapter = model, adapter
        self.name = f"{model.name}+{adapter}" if adapter else model.name
        self.digest: Digest = digest_value([model.digest, adapter]) if adapter else model.digest

    def complete(self, request: Request) -> Completion:
        """Answer a request with the adapter."""
        return self._model.complete(dataclasses.replace(request, adapter=self._adapter))

    def complete_all(self, requests: Iterable[Request], retries: int = 1) -> Iterator[Answer]:
        """Answer a queue of requests with the adapter."""
        adapted = (dataclasses.replace(request, adapter=self._adapter) for request in requests)
        return self._model.complete_all(adapted, retries)


def request_of(lesson: Lesson, seconds: float) -> Request:
    """Make the request of a lesson: as the product asks it, greedy, with the schema of its task."""
    schema: Mapping[str, Any] | None = {"summary": PART.schema, "silence": QUESTION_SCHEMA}.get(lesson.task)
    most = PART.answer_tokens if schema else _SHORT
    return Request(lesson.instruction, lesson.evidence, schema, max_tokens=most, seed=0, seconds=seconds)


def ask_lessons(
    lessons: Sequence[Lesson], model: Model, file: Path, seconds: float, progress: Callable[[str], None]
) -> list[Given]:
    """Ask every lesson but those that `file` holds an answer of this model to; answers are added to it as they come."""
    requests = {lesson.id: request_of(lesson, seconds) for lesson in lessons}
    keys = {name: digest_value([request.digest, model.digest])[:24] for name, request in requests.items()}
    held = _read(file)
    given = {one.id: held[keys[one.id]] for one in lessons if keys[one.id] in held}
    missing = [one for one in lessons if one.id not in given]
    missing.sort(key=lambda one: requests[one.id].max_tokens)  # a batch costs what its longest answer costs
    answers = model.complete_all([requests[one.id] for one in missing], 0)
    cut = file.exists() and file.read_bytes()[-1:] not in (b"", b"\n")  # an earlier run ended inside a line
    with file.open("a", encoding="utf-8") as out:
        out.write("\n" if cut else "")
        for number, (lesson, answer) in enumerate(zip(missing, answers, strict=True), len(given) + 1):
            progress(f"asking {model.name}: {number} of {len(lessons)} held-out rows")
            one = _given(lesson.id, answer)
            given[lesson.id] = one
            out.write(json.dumps({"key": keys[lesson.id], "model": model.name, **asdict(one)}) + "\n")
            out.flush()
    return [replace(given[one.id], lesson=one.id) for one in lessons]


def _given(name: str, told: Answer) -> Given:
    if isinstance(told, EngineFailed):
        return Given(name, "", "failed", told.message)
    if isinstance(told, CasemateError):
        raise told
    tokens = (told.prompt_tokens, told.generated_tokens, round(told.seconds, 3))
    return Given(name, told.text, told.finish, "", *tokens)


def _read(file: Path) -> dict[str, Given]:
    held: dict[str, Given] = {}
    if file.exists():
        for line in file.read_text("utf-8").splitlines():
            try:
                row = json.loads(line)
                held[row.pop("key")] = Given(**{key: row[key] for key in Given.__dataclass_fields__})
            except (ValueError, KeyError, TypeError):
                continue  # a line cut short by an end of the program
    return {key: one for key, one in held.items() if not one.failed}


def judge(lessons: Sequence[Lesson], given: Sequence[Given], scanner: Scanner) -> dict[str, dict[str, Any]]:
    """Judge the answers of each task; every figure is a share of 1 with its `n`, tokens and seconds are means."""
    answers = {one.lesson: one for one in given}
    report: dict[str, dict[str, Any]] = {}
    for task in sorted({lesson.task for lesson in lessons}):
        pairs = [(lesson, answers[lesson.id]) for lesson in lessons if lesson.task == task]
        figures = _JUDGES[task](pairs, scanner)
        costs = {
            "prompt_tokens": _mean([one.prompt_tokens for _, one in pairs]),
            "generated_tokens": _mean([one.generated_tokens for _, one in pairs]),
            "seconds": _mean([one.seconds for _, one in pairs]),
        }
        failed = sum(bool(one.failed) for _, one in pairs)
        report[task] = {"n": len(pairs), "failed": failed, **figures, **costs}
    return report


Pairs = Sequence[tuple[Lesson, Given]]


def held_sentences(lesson: Lesson, given: Given, scanner: Scanner) -> tuple[bool, int, int]:
    """Return whether the answer is whole and of the schema, how many sentences it proposes and how many hold."""
    found = _FENCED.search(lesson.evidence)
    body = found[1] if found else ""
    shown = (Excerpt(Span(digest_value(lesson.id), 0, len(body)), body, 1),)
    proposed, issues = read_sentences(given.text)
    fits = checker(shown, scanner)
    kept = {one.text.casefold() for one in proposed if fits(one.quote, one.text)}
    return given.finish == "stop" and not issues, len(proposed), len(kept)


def _judge_summary(pairs: Pairs, scanner: Scanner) -> dict[str, Any]:
    judged = [held_sentences(lesson, given, scanner) for lesson, given in pairs]
    proposed = sum(count for _, count, _ in judged)
    stands = [kept >= PART.enough and kept / max(count, 1) >= PART.rate for _, count, kept in judged]
    return {
        "schema_valid": _mean([valid for valid, _, _ in judged]),
        "sentences": proposed,
        "grounded_rate": _mean([kept for _, _, kept in judged]) * len(judged) / max(proposed, 1),
        "summary_stands": _mean(stands),
    }


def _judge_silence(pairs: Pairs, scanner: Scanner) -> dict[str, Any]:
    judged = [(lesson, *held_sentences(lesson, given, scanner)) for lesson, given in pairs]
    silent = [valid and count == 0 for lesson, valid, count, _ in judged if lesson.truth == "silent"]
    answered = [kept > 0 for lesson, _, _, kept in judged if lesson.truth != "silent"]
    return {
        "schema_valid": _mean([valid for _, valid, _, _ in judged]),
        "refuses_unanswerable": _mean(silent),
        "unanswerable": len(silent),
        "answers_answerable": _mean(answered),
        "answerable": len(answered),
    }


def _judge_choice(subject: str) -> Callable[[Pairs, Scanner], dict[str, Any]]:
    reading = SUBJECTS[subject]

    def judge_choice(pairs: Pairs, _: Scanner) -> dict[str, Any]:
        return {
            "last_line": _mean([reading.last_line(given.text) == lesson.truth for lesson, given in pairs]),
            "anywhere": _mean([reading.anywhere(given.text) == lesson.truth for lesson, given in pairs]),
            "unread": sum(not reading.anywhere(given.text) for _, given in pairs),
        }

    return judge_choice


_JUDGES: Mapping[str, Callable[[Pairs, Scanner], dict[str, Any]]] = {
    "summary": _judge_summary,
    "silence": _judge_silence,
    "weakness": _judge_choice("cti-rcm"),
    "options": _judge_choice("cti-mcq"),
}


def _mean(values: Sequence[float | bool]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0
