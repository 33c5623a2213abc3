"""How an answer is read from what a language model wrote, and how the answers to each CTI-Bench task are scored.

An answer is text in the form of the published one: `CWE-79`, `C`, a CVSS v3.1 base vector, technique ids in order
joined by commas. "" is no answer. The scores are those of Alam et al. 2024, "CTIBench".
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from casemate.stages.classify.cvss_score import METRICS, base_score, parse_vector

Pairs = Sequence[tuple[str, str]]
"""(answer, truth) of every question."""

_THOUGHT = re.compile(r"^.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_OPEN_THOUGHT = re.compile(r"<think(?:ing)?>.*", re.DOTALL | re.IGNORECASE)
_DRESS = re.compile(r"[*_`~\"“”]+|\\boxed\{|\$|\}|^\s*(?:>+|[-•#]+)\s+")
_CWE = re.compile(r"\bCWE[\s\-‑–—_:]{0,3}(\d{1,5})\b", re.IGNORECASE)
_TECHNIQUE = re.compile(r"\bT(\d{4})(?:\.\d{3})?\b", re.IGNORECASE)
_METRIC = re.compile(r"(?<![A-Za-z])(AV|AC|PR|UI|S|C|I|A)\s?:\s?([A-Z])(?![A-Za-z])")
_LETTER_LINE = re.compile(
    r"(?:(?:so|therefore|thus|hence)?[,\s]*(?:the|my)?\s*(?:final|best|correct|right)?\s*(?:answer|option|choice)?"
    r"(?:\s+is)?\s*[:=]?\s*(?:option\s+)?)\(?([A-E])\)?(?:[).:,]\s?.*|\s*[-–]\s.*)?\.?",
    re.IGNORECASE,
)
_LETTER = re.compile(r"(?<![\w'’&/-])([A-E])(?![\w'’&/-])")
_ARTICLE = re.compile(r"A\s+(?!is\b|because\b|and\b|as\b|since\b)[a-z]")


@dataclass(frozen=True, slots=True)
class Subject:
    """One task.

    Args:
        name: as the command line has it.
        column: the column that holds what is asked about.
        metric: what the score is.
        truth: brings a published answer into one form; "" for what cannot be scored.
        last_line: the answer in the last line of a reply, if that line gives exactly one.
        anywhere: the answer the reply gives wherever it stands.
        score: over all questions.
    """

    name: str
    column: str
    metric: str
    truth: Callable[[str], str]
    last_line: Callable[[str], str]
    anywhere: Callable[[str], str]
    score: Callable[[Pairs], float]


def spoken(text: str) -> str:
    """Return a reply without what the model thought aloud before it."""
    return _OPEN_THOUGHT.sub("", _THOUGHT.sub("", text))


def last_line(text: str) -> str:
    """Return the last line of a reply that says something, without mark-up."""
    for line in reversed(spoken(text).splitlines()):
        bare = _DRESS.sub("", line).strip()
        if any(char.isalnum() for char in bare):
            return bare
    return ""


def _weaknesses(text: str) -> list[str]:
    return [f"CWE-{int(number)}" for number in _CWE.findall(text)]


def _weakness_of_last_line(text: str) -> str:
    named = set(_weaknesses(last_line(text)))
    return named.pop() if len(named) == 1 else ""


def _weakness_anywhere(text: str) -> str:
    return _weakness_of_last_line(text) or next(reversed(_weaknesses(spoken(text))), "")


def _letter_of_last_line(text: str) -> str:
    found = _LETTER_LINE.fullmatch(last_line(text))
    return found[1].upper() if found and not _ARTICLE.match(found[0]) else ""


def _first_letter(text: str) -> str:
    said = _DRESS.sub("", spoken(text))
    return next((one[1] for one in _LETTER.finditer(said) if not _ARTICLE.match(said, one.start())), "")


def _vectors(text: str) -> list[str]:
    """Return the base vectors that stand in a text: runs of the eight metrics in any order, each given once."""
    found: list[str] = []
    held: dict[str, str] = {}
    for metric in _METRIC.finditer(text):
        name, value = metric[1], metric[2]
        if value not in METRICS[name]:
            held = {}
            continue
        if name in held:
            held = {} if name != "AV" else held
        if name == "AV":
            held = {}
        held[name] = value
        if len(held) == len(METRICS):
            found.append(_written(held))
            held = {}
    return found


def _written(values: Mapping[str, str]) -> str:
    return "CVSS:3.1/" + "/".join(f"{name}:{values[name]}" for name in METRICS)


def _vector_of_truth(text: str) -> str:
    values = parse_vector(text)
    return "" if values is None else _written(values)


def _vector_of_last_line(text: str) -> str:
    found = set(_vectors(last_line(text)))
    return found.pop() if len(found) == 1 else ""


def _vector_anywhere(text: str) -> str:
    return _vector_of_last_line(text) or next(reversed(_vectors(_DRESS.sub("", spoken(text)))), "")


def _techniques(text: str) -> str:
    return ", ".join(sorted({f"T{number}" for number in _TECHNIQUE.findall(text)}))


def _techniques_of_last_line(text: str) -> str:
    return _techniques(last_line(text))


def _techniques_anywhere(text: str) -> str:
    return _techniques(spoken(text))


def accuracy(pairs: Pairs) -> float:
    """Return the share of answers that are the published one."""
    return sum(answer == truth for answer, truth in pairs) / len(pairs) if pairs else 0.0


def deviation_of(answer: str, truth: str) -> float:
    """Return how far the base score of an answer is from the true one; no answer is as far away as there is."""
    real, said = parse_vector(truth), parse_vector(answer)
    score = 0.0 if real is None else base_score(real)
    return max(score, 10 - score) if said is None else abs(base_score(said) - score)


def mean_deviation(pairs: Pairs) -> float:
    """Return the mean absolute deviation of the base score."""
    return sum(deviation_of(*pair) for pair in pairs) / len(pairs) if pairs else 0.0


def technique_f1(pairs: Pairs) -> float:
    """Return F1 of the main techniques over all rows together."""
    sets = [(set(filter(None, answer.split(", "))), set(filter(None, truth.split(", ")))) for answer, truth in pairs]
    given = sum(len(answer) + len(truth) for answer, truth in sets)
    return 2 * sum(len(answer & truth) for answer, truth in sets) / given if given else 0.0


SUBJECTS: Mapping[str, Subject] = {
    subject.name: subject
    for subject in (
        Subject(
            "cti-rcm",
            "Description",
            "accuracy",
            lambda text: next(iter(_weaknesses(text)), ""),
            _weakness_of_last_line,
            _weakness_anywhere,
            accuracy,
        ),
        Subject(
            "cti-mcq",
            "Question",
            "accuracy",
            lambda text: text.strip().upper()[:1],
            _letter_of_last_line,
            _first_letter,
            accuracy,
        ),
        Subject(
            "cti-vsp",
            "Description",
            "mean absolute deviation of the base score",
            _vector_of_truth,
            _vector_of_last_line,
            _vector_anywhere,
            mean_deviation,
        ),
        Subject(
            "cti-ate",
            "Description",
            "F1 of main techniques over all rows",
            _techniques,
            _techniques_of_last_line,
            _techniques_anywhere,
            technique_f1,
        ),
    )
}
"""Task -> how its replies are read and scored."""
