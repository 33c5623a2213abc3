"""A language model beside the specialist on the same rows, and a cascade of both.

In the cascade the specialist answers where its probability reaches a cut and it does not abstain; elsewhere the model
is asked, and where the reply cannot be read the specialist's first guess stands.
"""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from casemate.bench.calibration import figures_by_class
from casemate.bench.cti_model import (
    READINGS,
    Protocol,
    Question,
    Reply,
    answers_by_trial,
    ask_all,
    read_prompts,
    score_replies,
    subject_of,
)
from casemate.bench.cti_replies import Subject
from casemate.stages.generate import Model

CUTS: Mapping[str, float] = {"cti-rcm": 0.7, "cti-mcq": 0.5, "cti-vsp": 0.5, "cti-ate": 0.6}
"""Task -> the probability from which the specialist is believed alone, if nobody says otherwise."""

CURVE = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)
"""Cuts at which the cascade is told as well: the first is the specialist alone, the last the model alone."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the specialist says of one question: an answer in the form of the truth, how sure, and if it abstains."""

    answer: str
    probability: float
    abstained: bool

    def holds(self, cut: float) -> bool:
        """Tell whether it answers alone."""
        return not self.abstained and self.probability >= cut


def read_verdicts(task: str, per_item: Path) -> dict[int, Verdict]:
    """Read the per-item file that measuring the specialists left: question number -> verdict."""
    subject = subject_of(task)
    verdicts = {}
    for line in per_item.read_text("utf-8").splitlines():
        row = json.loads(line)
        answer = ", ".join(row["answer"]) if isinstance(row["answer"], list) else row["answer"]
        abstained = bool(row.get("abstained", not row["answer"]))
        verdicts[row["number"]] = Verdict(subject.truth(answer), row["probability"], abstained)
    return verdicts


def measure_beside(
    task: str,
    path: Path,
    model: Model,
    protocol: Protocol,
    per_item: Path,
    replies: Path,
    *,
    limit: int | None = None,
    cut: float | None = None,
    only_unsure: bool = False,
    parallel: int = 1,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Ask a model the rows that the specialists were measured on, and set both side by side.

    Args:
        task: as the command line has it.
        path: the published table.
        model: who is asked, under `protocol`.
        per_item: what measuring the specialists left.
        replies: the file of replies, which is added to and read again.
        limit: so many rows of the table, the first.
        cut: of the cascade; None for that of `CUTS`.
        only_unsure: ask the model only where the cascade would, which spares the rest of the time; its own score is
            then over these rows alone.
        parallel: requests at a time.
        progress: told how far it is.

    Returns `model` (its scores by both readings) and `together` (agreement and cascade by both readings).
    """
    cut = CUTS[task] if cut is None else cut
    verdicts = read_verdicts(task, per_item)
    questions = [one for one in read_prompts(task, path, limit) if one.number in verdicts]
    asked = [one for one in questions if not verdicts[one.number].holds(cut)] if only_unsure else questions
    told = ask_all(asked, model, protocol, replies, parallel=parallel, progress=progress)
    alone = {"name": model.name, "digest": model.digest, "replies": str(replies), "only_unsure": only_unsure}
    both = {reading: _compare(task, reading, questions, asked, verdicts, told, cut) for reading in READINGS}
    return {"model": alone | score_replies(task, asked, told, protocol), "together": {"cut": cut, **both}}


def _compare(
    task: str,
    reading: str,
    questions: Sequence[Question],
    asked: Sequence[Question],
    verdicts: Mapping[int, Verdict],
    replies: Sequence[Reply],
    cut: float,
) -> dict[str, Any]:
    subject = subject_of(task)
    trials = list(answers_by_trial(task, reading, replies))
    whole = len(asked) == len(questions)
    report = _agreement(subject, asked, verdicts, trials)
    report["cascade"] = _cascade(subject, questions, verdicts, trials, cut)
    if whole:
        report["cuts"] = [{"cut": one, **_cascaded(subject, questions, verdicts, trials, one)} for one in CURVE]
    return report


def _agreement(
    subject: Subject, asked: Sequence[Question], verdicts: Mapping[int, Verdict], trials: Sequence[Mapping[int, str]]
) -> dict[str, Any]:
    """Compare answer by answer over all trials; a reply that cannot be read is neither agreement nor disagreement."""
    said = [(verdicts[one.number].answer, trial.get(one.number, ""), one.truth) for trial in trials for one in asked]
    same = [one for one in said if one[1] and one[0] == one[1]]
    other = [one for one in said if one[1] and one[0] != one[1]]
    return {
        "agreement": round(len(same) / len(said), 4) if said else 0.0,
        "disagreement": round(len(other) / len(said), 4) if said else 0.0,
        "unparsable": round(1 - (len(same) + len(other)) / len(said), 4) if said else 0.0,
        "score_when_agreed": _scored(subject, [(own, truth) for own, _, truth in same]),
        "specialist_when_disagreed": _scored(subject, [(own, truth) for own, _, truth in other]),
        "model_when_disagreed": _scored(subject, [(its, truth) for _, its, truth in other]),
    }


def _cascade(
    subject: Subject,
    questions: Sequence[Question],
    verdicts: Mapping[int, Verdict],
    trials: Sequence[Mapping[int, str]],
    cut: float,
) -> dict[str, Any]:
    sure = [one for one in questions if verdicts[one.number].holds(cut)]
    unsure = [one for one in questions if not verdicts[one.number].holds(cut)]
    its = [(trial.get(one.number, ""), one.truth) for trial in trials for one in unsure]
    return _cascaded(subject, questions, verdicts, trials, cut) | {
        "specialist_above_cut": _scored(subject, [(verdicts[one.number].answer, one.truth) for one in sure]),
        "specialist_below_cut": _scored(subject, [(verdicts[one.number].answer, one.truth) for one in unsure]),
        "model_below_cut": _scored(subject, its),
    }


def _cascaded(
    subject: Subject,
    questions: Sequence[Question],
    verdicts: Mapping[int, Verdict],
    trials: Sequence[Mapping[int, str]],
    cut: float,
) -> dict[str, Any]:
    scores = []
    for trial in trials:
        pairs = []
        for one in questions:
            verdict = verdicts[one.number]
            answer = verdict.answer if verdict.holds(cut) else trial.get(one.number, "") or verdict.answer
            pairs.append((answer, one.truth))
        scores.append(subject.score(pairs))
    unsure = sum(not verdicts[one.number].holds(cut) for one in questions)
    return {
        "asked": round(unsure / len(questions), 4) if questions else 0.0,
        "score": round(statistics.fmean(scores), 4) if scores else _specialist(subject, questions, verdicts),
        "deviation": round(statistics.stdev(scores), 4) if len(scores) > 1 else 0.0,
    }


def _specialist(subject: Subject, questions: Sequence[Question], verdicts: Mapping[int, Verdict]) -> float:
    return round(subject.score([(verdicts[one.number].answer, one.truth) for one in questions]), 4)


def _scored(subject: Subject, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {"n": len(pairs), "score": round(subject.score(pairs), 4) if pairs else None}


def tell_classes(task: str, per_item: Path) -> dict[str, dict[str, float]]:
    """Read the specialists' per-item file by class: weaknesses, letters, techniques, or values of each CVSS metric."""
    subject = subject_of(task)
    pairs = []
    for line in per_item.read_text("utf-8").splitlines():
        row = json.loads(line)
        texts = [", ".join(one) if isinstance(one, list) else one for one in (row["answer"], row["truth"])]
        answer, truth = (_classes(task, subject.truth(text)) for text in texts)
        pairs.append((answer, truth))
    return figures_by_class(pairs)


def _classes(task: str, answer: str) -> list[str]:
    if task == "cti-vsp":
        return answer.split("/")[1:]
    return [one for one in answer.split(", ") if one]
