"""Lessons in answering a question from evidence, and in saying that the evidence does not say."""

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from casemate.factory.lessons import Lesson
from casemate.tasks.case_question.asking import INSTRUCTION

_KEYED = re.compile(r'^(?P<key>[A-Za-z][\w. -]{2,30})"? ?: ?"?')
_ASKS = (
    "What is the {key}?",
    "Which {key} does the evidence give?",
    "What does the evidence name as {key}?",
    "Tell me the {key}.",
)
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}(?: [A-Z][a-z]+)?")
_ABOUT = ("What is said about {name}?", "What does the evidence say about {name}?", "What do we know about {name}?")
_ALIEN = (
    "Who is the owner of the laptop?",
    "Was the ransom paid?",
    "How many employees opened the mail?",
    "Which antivirus product was installed?",
    "When was the backup restored?",
    "What was the cost of the incident?",
    "Which building is the server in?",
    "Who approved the change request?",
)


def make_silence(summaries: Sequence[Lesson], count: int, seed: int) -> Iterator[Lesson]:
    """Make so many lessons out of the evidence of summary lessons, half of them about what does not stand in it.

    The question of the other half is put to evidence that holds its answer; the first half asks what is answered in
    another piece of evidence, and whose words do not occur in this one.
    """
    chance = random.Random(f"{seed}:silence")  # noqa: S311 - a repeatable draw, no secret
    asked = [(lesson, made) for lesson in summaries if (made := _question(lesson, chance)) is not None]
    chance.shuffle(asked)
    for number, (lesson, (question, word, pair)) in enumerate(asked[:count]):
        if number % 2:
            yield _lesson(lesson, f"answered:{number}", question, [pair])
            continue
        others = [(text, key) for _, (text, key, _) in chance.sample(asked, min(len(asked), 12)) if key != word]
        alien = [text for text, key in others if key.casefold() not in lesson.about.casefold()]
        yield _lesson(lesson, f"silent:{number}", chance.choice([*alien, chance.choice(_ALIEN)]), [])


def _question(lesson: Lesson, chance: random.Random) -> tuple[str, str, dict[str, str]] | None:
    """Ask for one sentence of a summary: its field, or a proper name in it."""
    pairs = json.loads(lesson.answer)["sentences"]
    chance.shuffle(pairs)
    for pair in pairs:
        keyed = _KEYED.match(pair["quote"])
        if keyed:
            return chance.choice(_ASKS).format(key=keyed["key"]), keyed["key"], pair
        names = _NAME.findall(pair["quote"])
        if names:
            name = chance.choice(names)
            return chance.choice(_ABOUT).format(name=name), name, pair
    return None


def _lesson(lesson: Lesson, name: str, question: str, pairs: Sequence[dict[str, str]]) -> Lesson:
    return replace(
        lesson,
        id=f"silence:{name}",
        task="silence",
        instruction=INSTRUCTION,
        evidence=f"The question: {question}\n\n{lesson.evidence}",
        answer=json.dumps({"sentences": list(pairs)}, ensure_ascii=False),
        about=f"{question} {lesson.about}",
        truth="" if pairs else "silent",
    )
