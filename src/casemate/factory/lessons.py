"""Lessons: rows of instruction, evidence and answer that a language model is taught with."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from casemate.core.errors import WrongUsage


@dataclass(frozen=True, slots=True)
class Lesson:
    """One row, in the two parts in which the product asks: the static `instruction` and the fenced `evidence`.

    `task` is the recipe's name of what is asked. `about` is the raw text the row rests on, which is compared with the
    benchmarks, and `ids` are the public ids in it. `origin` is the file it was made from: rows of one origin are never
    on both sides of the split. `truth` is the short right answer where there is one; `held` lessons are
    measured on and never learnt from.
    """

    id: str
    task: str
    instruction: str
    evidence: str
    answer: str
    about: str
    origin: str
    ids: tuple[str, ...] = ()
    truth: str = ""
    held: bool = False

    @property
    def chars(self) -> int:
        """Count the characters of prompt and answer."""
        return len(self.instruction) + len(self.evidence) + len(self.answer)


def write_lessons(path: Path, lessons: Iterable[Lesson]) -> None:
    """Write lessons as JSON lines."""
    with path.open("w", encoding="utf-8") as file:
        for lesson in lessons:
            file.write(json.dumps(asdict(lesson), ensure_ascii=False) + "\n")


def read_lessons(path: Path) -> Iterator[Lesson]:
    """Read lessons back; `WrongUsage` for a file that holds none."""
    names = {one.name for one in fields(Lesson)}
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                kept = {name: row[name] for name in names if name in row}
                yield Lesson(**(kept | {"ids": tuple(row.get("ids", ()))}))
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror}", way_out="make it first: casemate factory corpus") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise WrongUsage(f"{path} holds no lessons: {error}", way_out="make it again") from error
