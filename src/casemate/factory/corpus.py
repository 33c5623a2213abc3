"""The corpus: lessons of every task of a recipe, without near-duplicates and without what a benchmark has, in a folder.

OUT/summary.jsonl ...    the lessons of one task as they were made (used again by the next run)
OUT/decontamination.json what was compared, and every lesson that was dropped for it
OUT/train.jsonl          what is learnt from, shuffled
OUT/held.jsonl           what is measured on, from other files, CVEs and entries
OUT/corpus.manifest.json written last: digests and counts; without it the folder is not complete
"""

import json
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from casemate import __version__
from casemate.core.digest import digest_value
from casemate.core.errors import WrongUsage
from casemate.factory.corpus_files import MANIFEST
from casemate.factory.leaks import drop_near_duplicates, drop_overlaps, read_benchmarks
from casemate.factory.lessons import Lesson, read_lessons, write_lessons
from casemate.factory.lessons_options import make_options
from casemate.factory.lessons_reviewed import make_reviewed
from casemate.factory.lessons_silence import make_silence
from casemate.factory.lessons_summary import make_summaries
from casemate.factory.lessons_weakness import make_weaknesses
from casemate.factory.recipe import Recipe
from casemate.knowledge import Knowledge
from casemate.policy import Policy
from casemate.store import Store

log = logging.getLogger(__name__)

TASKS = ("summary", "weakness", "options", "silence")
"""What a recipe may ask lessons for."""


@dataclass(frozen=True, slots=True)
class CorpusJob:
    """What the corpus is made of: the recipe, the data folder, the benchmarks to keep out, and where it is left.

    `store` holds reviewed cases to learn from, where the policy consents; None leaves them out.
    """

    recipe: Recipe
    data: Path
    out: Path
    against: tuple[Path, ...]
    knowledge: Knowledge
    policy: Policy
    store: Store | None = None


def make_corpus(job: CorpusJob) -> Path:
    """Make the corpus and return its folder; a task whose file is there already is not made again."""
    unknown = set(job.recipe.lessons) - set(TASKS)
    if unknown:
        raise WrongUsage(f"no lessons are made for {', '.join(sorted(unknown))}", way_out=f"some of {', '.join(TASKS)}")
    benchmarks = read_benchmarks(job.against)
    job.out.mkdir(parents=True, exist_ok=True)
    (job.out / MANIFEST).unlink(missing_ok=True)
    made: list[Lesson] = []
    for task in (task for task in TASKS if job.recipe.lessons.get(task)):
        made += _kept(job, task, _makers(job, tuple(made))[task])
    if job.store is not None:  # asked anew each time: consent may have been taken back, cases added
        made += make_reviewed(job.store, job.policy, job.recipe.seed)
    apart = drop_overlaps(made, benchmarks, job.out / "decontamination.json", [path.name for path in job.against])
    lessons, doubles = drop_near_duplicates(apart)
    sides: dict[bool, list[Lesson]] = {False: [], True: []}
    for lesson in lessons:
        sides[lesson.held].append(lesson)
    for rows in sides.values():
        random.Random(job.recipe.seed).shuffle(rows)  # noqa: S311 - a repeatable draw, no secret
    write_lessons(job.out / "train.jsonl", sides[False])
    write_lessons(job.out / "held.jsonl", sides[True])
    facts = {"made": len(made), "in_a_benchmark": len(made) - len(apart), "near_duplicates": doubles}
    _leave_manifest(job, facts, sides)
    return job.out


def _makers(job: CorpusJob, made: Sequence[Lesson]) -> dict[str, Callable[[], Iterator[Lesson]]]:
    counts, held, seed = job.recipe.lessons, job.recipe.held, job.recipe.seed
    summaries = [lesson for lesson in made if lesson.task == "summary"]

    def silence() -> Iterator[Lesson]:
        for side, wanted in ((False, counts.get("silence", 0)), (True, held.get("silence", 0))):
            yield from make_silence([one for one in summaries if one.held is side], wanted, seed + side)

    return {
        "summary": lambda: make_summaries(job.data, counts["summary"], held.get("summary", 0), seed),
        "weakness": lambda: make_weaknesses(job.data, counts["weakness"], held.get("weakness", 0), seed),
        "options": lambda: make_options(job.knowledge, counts["options"], held.get("options", 0), seed),
        "silence": silence,
    }


def _kept(job: CorpusJob, task: str, make: Callable[[], Iterable[Lesson]]) -> list[Lesson]:
    """Make the lessons of one task, or read those that an earlier run left which was asked for the same."""
    asked = [task, job.recipe.lessons.get(task), job.recipe.held.get(task), job.recipe.seed]
    path = job.out / f"{task}.{digest_value(asked)[:12]}.jsonl"
    if not path.exists():
        unfinished = path.with_suffix(".part")
        write_lessons(unfinished, make())
        unfinished.replace(path)
    lessons = list(read_lessons(path))
    log.info("%s: %d lessons", task, len(lessons))
    return lessons


def _leave_manifest(job: CorpusJob, facts: dict[str, int], sides: dict[bool, list[Lesson]]) -> None:
    names = ("train.jsonl", "held.jsonl", "decontamination.json")
    manifest: dict[str, Any] = {
        "stage": "corpus",
        "version": __version__,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": job.recipe.name,
        "recipe_digest": job.recipe.digest,
        "seed": job.recipe.seed,
        **facts,
        "learnt": dict(sorted(Counter(lesson.task for lesson in sides[False]).items())),
        "held": dict(sorted(Counter(lesson.task for lesson in sides[True]).items())),
        "files": {name: sha256((job.out / name).read_bytes()).hexdigest() for name in names},
    }
    (job.out / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
