"""CTI-Bench under its published protocol: a language model reads the data set's own prompt and writes an answer.

    questions = read_prompts("cti-rcm", Path("cti-rcm.tsv"))
    replies = ask_all(questions, model, Protocol(), Path("replies.jsonl"))
    report = score_replies("cti-rcm", questions, replies, Protocol())

Zero-shot, temperature 0.3, five trials, the last line of the reply is the answer (Alam et al. 2024, "CTIBench", and the
models measured with it since). Because the form of an answer alone can move a score by a tenth, every reply is read
twice: `last_line` keeps to the protocol, `anywhere` takes what the reply says wherever it says it (of a multiple-choice
reply, the first letter). What cannot be read is counted, and counts as wrong.

Replies are kept whole in a file that grows by a line for each, so that a run that was stopped goes on, and so that they
can be read again without asking again.
"""

import json
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from casemate.bench.cti_replies import SUBJECTS, Subject
from casemate.bench.cti_table import read_table
from casemate.bench.rows import appending, read_rows
from casemate.core.digest import Digest, digest_value
from casemate.core.errors import EngineFailed, WrongUsage
from casemate.stages.generate import Completion, Model, Request

READINGS = ("last_line", "anywhere")
"""How a reply is read: as the protocol has it, and generously."""

_GIVE_UP = 5  # failures in a row, before anything was answered, after which the engine is not asked on


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a model is asked; the defaults are those that published figures use.

    Args:
        trials: times each question is asked, each with a seed of its own.
        temperature: 0 or more.
        max_tokens: generated tokens of one reply.
        seed: of the first trial; the next have the next numbers.
        seconds: time limit of one reply.
        adapter: of the model, if it has any; empty for the base.
    """

    trials: int = 5
    temperature: float = 0.3
    max_tokens: int = 512
    seed: int = 42
    seconds: float = 300.0
    adapter: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One row of a table: its place (from 0) and address, what it asks about, its prompt, and the published answer."""

    number: int
    id: str
    text: str
    prompt: str
    truth: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model wrote to one question in one trial; `failed` says why there is no reply, else it is empty."""

    number: int
    trial: int
    text: str
    finish: str = "stop"
    failed: str = ""
    prompt_tokens: int = 0
    generated_tokens: int = 0
    seconds: float = 0.0


def subject_of(task: str) -> Subject:
    """Return how a task is read and scored; `WrongUsage` for a name that is none."""
    if task not in SUBJECTS:
        raise WrongUsage(f"{task} is no task of CTI-Bench", way_out=f"one of: {', '.join(SUBJECTS)}")
    return SUBJECTS[task]


def read_prompts(task: str, path: Path, limit: int | None = None) -> list[Question]:
    """Read the rows of a published table that can be scored, the first `limit` rows of it; `WrongUsage` if it is none.

    A row whose published answer is not in the form of the task (a CVSS v2 vector, say) is left out.
    """
    subject = subject_of(task)
    rows = read_table(path, ("URL", subject.column, "Prompt", "GT"))[:limit]
    asked = [
        Question(number, row["URL"].rsplit("/", 1)[-1] or row["URL"], row[subject.column], row["Prompt"], row["GT"])
        for number, row in enumerate(rows)
    ]
    return [
        Question(one.number, one.id, one.text, one.prompt, subject.truth(one.truth))
        for one in asked
        if subject.truth(one.truth)
    ]


def estimate_prompt(question: Question) -> int:
    """Estimate how many tokens a prompt costs, rather too many than too few: one for every two characters."""
    return len(question.prompt) // 2 + 64


def build_request(prompt: str, protocol: Protocol, trial: int) -> Request:
    """Ask one prompt as it stands, with nothing before or after it; `trial` counts from 0."""
    return Request(
        prompt,
        "",
        None,
        max_tokens=protocol.max_tokens,
        temperature=protocol.temperature,
        seed=protocol.seed + trial,
        seconds=protocol.seconds,
        adapter=protocol.adapter,
    )


def read_reply(task: str, text: str) -> dict[str, str]:
    """Return the answer that each of `READINGS` finds in a reply, in the form of the truth; "" where it finds none."""
    subject = subject_of(task)
    return {"last_line": subject.last_line(text), "anywhere": subject.anywhere(text)}


def ask_all(
    questions: Sequence[Question],
    model: Model,
    protocol: Protocol,
    file: Path,
    *,
    prompt_of: Callable[[Question], str] = lambda question: question.prompt,
    parallel: int = 1,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Reply]:
    """Ask every question in every trial, except those that `file` holds a reply to; return all replies in order.

    Args:
        questions: what is asked.
        model: who is asked.
        protocol: how.
        file: JSON lines, one a reply, added to as they come. Lines of another model, protocol or prompt are left alone.
        prompt_of: what to ask instead of the published prompt; part of what names a line.
        parallel: requests at a time.
        progress: told how far it is.

    `EngineFailed` when the engine answers nothing at all; a single failure is a reply with `failed` set, and is asked
    again the next time.
    """
    prompts = {(one.number, trial): prompt_of(one) for trial in range(protocol.trials) for one in questions}
    keys = {place: _key(prompt, model.digest, protocol, place[1]) for place, prompt in prompts.items()}
    held = _read_replies(file, set(keys.values()))
    done = {place: held[key] for place, key in keys.items() if key in held}
    missing = [place for place in prompts if place not in done]
    progress(f"asking {model.name}: {len(done)} of {len(prompts)} replies are there")

    def ask(place: tuple[int, int]) -> Reply:
        return _reply(model, build_request(prompts[place], protocol, place[1]), place)

    failures = 0
    with appending(file) as write, ThreadPoolExecutor(max_workers=max(parallel, 1)) as pool:
        try:
            for number, reply in enumerate(pool.map(ask, missing), 1):
                place = (reply.number, reply.trial)
                done[place] = reply
                write(json.dumps({"key": keys[place], "model": model.name} | asdict(reply)))
                failures = failures + 1 if reply.failed else -len(prompts)
                if failures >= _GIVE_UP:
                    raise EngineFailed(f"{model.name} answers nothing: {reply.failed}", way_out="see that it runs")
                progress(f"asking {model.name}: {len(prompts) - len(missing) + number} of {len(prompts)} replies")
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return [done[place] for place in prompts]


def _key(prompt: str, model: Digest, protocol: Protocol, trial: int) -> str:
    request = build_request(prompt, protocol, trial)
    return digest_value([request.digest, model])[:24]


def _reply(model: Model, request: Request, place: tuple[int, int]) -> Reply:
    try:
        told: Completion = model.complete(request)
    except EngineFailed as error:
        return Reply(*place, "", failed=error.message)
    return Reply(
        *place,
        told.text,
        told.finish,
        prompt_tokens=told.prompt_tokens,
        generated_tokens=told.generated_tokens,
        seconds=round(told.seconds, 3),
    )


def _read_replies(file: Path, wanted: set[str]) -> dict[str, Reply]:
    names = Reply.__dataclass_fields__
    rows = read_rows(file, wanted)
    return {
        key: Reply(**{name: row[name] for name in names if name in row})
        for key, row in rows.items()
        if not row.get("failed") and {"number", "trial", "text"} <= set(row)
    }


def score_replies(
    task: str, questions: Sequence[Question], replies: Iterable[Reply], protocol: Protocol
) -> dict[str, Any]:
    """Score the replies by both readings.

    Each reading gives the mean of the trials' scores, their standard deviation (sample; 0 with one trial), the trials,
    how many replies could not be read, and the score over those that could. Tokens are counted over all replies.
    """
    subject = subject_of(task)
    held = list(replies)
    report: dict[str, Any] = {
        "task": task,
        "n": len(questions),
        "metric": subject.metric,
        "protocol": asdict(protocol),
        "failed": sum(bool(one.failed) for one in held),
        "cut_short": sum(one.finish != "stop" for one in held),
        "prompt_tokens": sum(one.prompt_tokens for one in held),
        "generated_tokens": sum(one.generated_tokens for one in held),
        "seconds_per_reply": round(statistics.fmean([one.seconds for one in held] or [0.0]), 3),
    }
    for reading in READINGS:
        report[reading] = _score_reading(subject, reading, questions, held)
    return report


def _score_reading(
    subject: Subject, reading: str, questions: Sequence[Question], replies: Sequence[Reply]
) -> dict[str, Any]:
    scores, readable, unread = [], [], 0
    for answers in answers_by_trial(subject.name, reading, replies):
        pairs = [(answers.get(one.number, ""), one.truth) for one in questions]
        scores.append(subject.score(pairs))
        readable += [pair for pair in pairs if pair[0]]
        unread += sum(not answer for answer, _ in pairs)
    return {
        "score": round(statistics.fmean(scores), 4) if scores else 0.0,
        "deviation": round(statistics.stdev(scores), 4) if len(scores) > 1 else 0.0,
        "trials": [round(score, 4) for score in scores],
        "unparsable": unread,
        "score_of_parsed": round(subject.score(readable), 4) if readable else None,
    }


def answers_by_trial(task: str, reading: str, replies: Iterable[Reply]) -> Iterator[Mapping[int, str]]:
    """Yield, trial by trial, the answer to each question by its number."""
    trials: dict[int, dict[int, str]] = {}
    for reply in replies:
        trials.setdefault(reply.trial, {})[reply.number] = read_reply(task, reply.text)[reading]
    yield from (trials[trial] for trial in sorted(trials))
