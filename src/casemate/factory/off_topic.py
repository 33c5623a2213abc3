"""Questions about other things than attackers, to learn when nothing in the knowledge answers."""

import random
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import orjson

from casemate.factory.question_maker import Question
from casemate.knowledge.records import object_of, objects_of, text_of, tidy

CLUSTERS = ("firearms", "china-defence-universities", "nace", "ukhsa-culture-collections", "uavs")
"""Galaxies of the same package that are no part of the knowledge: arms, schools, trades, germs, craft."""

_STEMS = (
    "Which of the following is described by: {}?",
    "What involves {}?",
    "Which term refers to {}?",
    "In the context of {}, what is correct?",
    "Which of these comprises {}?",
)
_FEWEST_WORDS = 5


def make_off_topic(count: int, seed: int = 20) -> list[Question]:
    """Make so many questions out of the clusters; each has a right answer that the knowledge cannot know."""
    draw = random.Random(seed)  # noqa: S311 - a repeatable draw, no secret
    found = find_spec("pymispgalaxies")
    if found is None or not found.submodule_search_locations:
        return []
    folder = Path(next(iter(found.submodule_search_locations))) / "data" / "misp-galaxy" / "clusters"
    pools = [pool for name in CLUSTERS if len(pool := _read(folder / f"{name}.json")) > 8]
    made: dict[str, Question] = {}
    for _ in range(count * 10):
        if not pools or len(made) >= count:
            break
        pool = draw.choice(pools)
        name, text = draw.choice(pool)
        if len(text.split()) < _FEWEST_WORDS:
            continue
        others = [other for other, _ in draw.sample(pool, 6) if other != name][:3]
        options = [name, *others]
        draw.shuffle(options)
        words = [word for word in text.split()[:40] if draw.random() > 0.3 and word.casefold() not in name.casefold()]
        if len(words) < _FEWEST_WORDS:
            continue
        question = draw.choice(_STEMS).format(" ".join(words).strip(" .,;:"))
        made.setdefault(question, Question("off-topic", question, tuple(options), options.index(name), name))
    return list(made.values())


def everyday_questions() -> list[Question]:
    """Read the questions of everyday life that were written for this purpose (`off_topic.txt`)."""
    lines = files("casemate.factory").joinpath("off_topic.txt").read_text("utf-8").splitlines()
    rows = [line.split("|") for line in lines if line]
    return [
        Question("everyday", text, (*wrong[: place % 4], right, *wrong[place % 4 :]), place % 4, text)
        for place, (text, right, *wrong) in enumerate(rows)
    ]


def _read(file: Path) -> list[tuple[str, str]]:
    if not file.is_file():
        return []
    values = objects_of(object_of(orjson.loads(file.read_bytes())).get("values"))
    pairs = {text_of(one.get("value")): tidy(text_of(one.get("description"))) for one in values}
    return [(name, text) for name, text in pairs.items() if name]
