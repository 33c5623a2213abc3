"""Evaluate: a base model and its adapter side by side, as JSON and as a table.

They are asked CTI-Bench, held-out lessons, and to summarise evidence that holds attacks.

    evaluate(job, model, adapter, folder_of_tables...) -> report, written to OUT.json and OUT.md

Answers are kept beside the report in OUT.answers.jsonl and OUT.replies.jsonl, so a run that was stopped goes on.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from casemate import __version__
from casemate.bench.cti_model import Protocol, Question, ask_all, read_prompts, score_replies
from casemate.bench.cti_table import read_table
from casemate.bench.injection import OUTCOMES, SETTINGS, Ground, measure_injection
from casemate.bench.injection_sets import Attack
from casemate.core.errors import WrongUsage
from casemate.factory.corpus_files import read_manifest
from casemate.factory.judging import Adapted, ask_lessons, judge
from casemate.factory.lessons import Lesson, read_lessons
from casemate.factory.lessons_options import INSTRUCTION, put_question
from casemate.knowledge import Knowledge
from casemate.stages.extract.scanner import Scanner
from casemate.stages.generate import Model, marker_of
from casemate.tasks.ask import answer_question

Progress = Callable[[str], None]

_OPTIONS = ("Option A", "Option B", "Option C", "Option D")


@dataclass(frozen=True, slots=True)
class Exam:
    """What is asked.

    Args:
        out: the report; `.md` and the answers get names of their own beside it.
        corpus: the folder with `held.jsonl`, None for no lessons.
        tables: the folder with CTI-Bench's TSV files, None for no benchmark.
        tasks: of CTI-Bench.
        protocol: how CTI-Bench is asked.
        limit: rows of each table and lessons of each task; 0 for all.
        knowledge: where passages come from for CTI-MCQ with passages; None leaves that out.
        attacks: planted in evidence, each taken the whole path with the model and every defence on; needs `ground`.
        ground: tools without a model, and the evidence that attacks are planted in.
    """

    out: Path
    corpus: Path | None
    tables: Path | None
    tasks: tuple[str, ...] = ("cti-rcm", "cti-mcq")
    protocol: Protocol = field(default_factory=Protocol)
    limit: int = 0
    knowledge: Knowledge | None = None
    attacks: tuple[Attack, ...] = ()
    ground: Ground | None = None


def evaluate(exam: Exam, model: Model, adapters: Sequence[str], progress: Progress = lambda _: None) -> dict[str, Any]:
    """Measure the base and each adapter and write the report; the base is always first in every table."""
    if exam.corpus is None and exam.tables is None and not exam.attacks:
        raise WrongUsage("nothing to ask", way_out="name --corpus FOLDER, --cti-bench FOLDER or --injections FOLDER")
    contestants = [Adapted(model, adapter) for adapter in ("", *adapters)]
    report: dict[str, Any] = {
        "stage": "evaluate",
        "version": __version__,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": model.name,
        "model_digest": model.digest,
        "adapters": list(adapters),
        "protocol": asdict(exam.protocol),
        "limit": exam.limit,
        "contestants": {},
    }
    if exam.corpus is not None:
        report["corpus"] = read_manifest(exam.corpus)["files"]["held.jsonl"]
    for one in contestants:
        figures: dict[str, Any] = {}
        if exam.corpus is not None:
            lessons = take(list(read_lessons(exam.corpus / "held.jsonl")), exam.limit)
            given = ask_lessons(lessons, one, beside(exam.out, "answers.jsonl"), exam.protocol.seconds, progress)
            figures |= judge(lessons, given, Scanner())
        if exam.tables is not None:
            figures |= _ask_tables(exam, exam.tables, one, progress)
        if exam.attacks and exam.ground is not None:
            kept = beside(exam.out, f"attacks-{one.digest[:12]}.jsonl")
            figures["injection"] = _attack(exam.attacks, exam.ground, one, kept, progress)
        report["contestants"][one.name] = figures
        write_report(exam.out, report)  # after each, so that nothing that was measured is lost
    return report


def beside(out: Path, name: str) -> Path:
    """Name a file beside the report."""
    return out.with_name(f"{out.stem}.{name}")


def take(lessons: Sequence[Lesson], limit: int) -> list[Lesson]:
    """Take the first `limit` lessons of each task; 0 takes all."""
    counts: dict[str, int] = {}
    taken = []
    for lesson in lessons:
        counts[lesson.task] = counts.get(lesson.task, 0) + 1
        if not limit or counts[lesson.task] <= limit:
            taken.append(lesson)
    return taken


def _ask_tables(exam: Exam, tables: Path, model: Model, progress: Progress) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    replies = beside(exam.out, "replies.jsonl")
    for task in exam.tasks:
        path = tables / f"{task}.tsv"
        questions = read_prompts(task, path, exam.limit or None)
        told = ask_all(questions, model, exam.protocol, replies, progress=progress)
        figures[task] = score_replies(task, questions, told, exam.protocol)
        if task == "cti-mcq" and exam.knowledge is not None:
            prompts = passage_prompts(path, exam.knowledge, questions)
            told = ask_all(questions, model, exam.protocol, replies, prompt_of=_by_number(prompts), progress=progress)
            figures["cti-mcq, with passages"] = score_replies(task, questions, told, exam.protocol)
    return figures


def _attack(
    attacks: Sequence[Attack], ground: Ground, model: Model, per_item: Path, progress: Progress
) -> dict[str, Any]:
    """Count what attacks achieve against this model; `attacks_withstood` is the share that achieved nothing at all."""
    told = measure_injection(attacks, ground, model=model, settings=SETTINGS[:1], per_item=per_item, progress=progress)
    found = told["models"][model.name][SETTINGS[0].name]
    shares = {name: round(found[name] / found["attacks"], 4) for name in OUTCOMES}
    return {
        "n": found["attacks"],
        "reached": found["reached_the_model"],
        "attacks_withstood": round(1 - found["with_any_outcome"] / found["attacks"], 4),
        **shares,
    }


def _by_number(prompts: Mapping[int, str]) -> Callable[[Question], str]:
    return lambda question: prompts[question.number]


def passage_prompts(path: Path, knowledge: Knowledge, questions: Sequence[Question]) -> Mapping[int, str]:
    """Write each question of CTI-MCQ with the passages that the product finds for it, as the lessons have it."""
    rows = read_table(path, ("Question", *_OPTIONS))
    library = knowledge.pieces
    prompts = {}
    for question in questions:
        row = rows[question.number]
        options = [row[name] for name in _OPTIONS]
        passages = answer_question(row["Question"], options, library).passages
        evidence = put_question(row["Question"], options, passages, marker_of(0, row["Question"]))
        prompts[question.number] = f"{INSTRUCTION}\n\n{evidence}"
    return prompts


def write_report(out: Path, report: Mapping[str, Any]) -> None:
    """Write the report as JSON and, beside it, as a table in Markdown."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    out.with_suffix(".md").write_text(make_table(report), encoding="utf-8")


_SHOWN = (
    "schema_valid",
    "grounded_rate",
    "summary_stands",
    "refuses_unanswerable",
    "answers_answerable",
    "attacks_withstood",
    "instructions_followed",
    "last_line",
    "anywhere",
    "generated_tokens",
    "seconds",
    "seconds_per_reply",
)


def make_table(report: Mapping[str, Any]) -> str:
    """Set the contestants side by side: a row for each figure of each task, with its n."""
    names = list(report["contestants"])
    lines = [f"| task | n | figure | {' | '.join(names)} |", f"|---|---|---|{'---|' * len(names)}"]
    tasks = dict.fromkeys(task for name in names for task in report["contestants"][name])
    for task in tasks:
        held = [report["contestants"][name].get(task, {}) for name in names]
        count = next((one["n"] for one in held if one), 0)
        for figure in _SHOWN:
            if any(figure in one for one in held):
                cells = " | ".join(_cell(one.get(figure)) for one in held)
                lines.append(f"| {task} | {count} | {figure.replace('_', ' ')} | {cells} |")
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, dict):  # a score of several trials
        return f"{value['score']:.3f} ± {value['deviation']:.3f}"
    return "" if value is None else f"{value:,.3f}" if value < 10 else f"{value:,.1f}"
