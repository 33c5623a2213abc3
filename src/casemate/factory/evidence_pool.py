"""Real evidence, cut as the product shows it to a model: whole records and paragraphs, within a token budget."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from casemate.core.digest import digest_bytes
from casemate.core.event import Event
from casemate.core.evidence import Closed, Opened
from casemate.core.text import Chunk, Span
from casemate.factory.rows import draw
from casemate.policy import Limits
from casemate.stages.ingest import read
from casemate.stages.ingest.source import source_of
from casemate.stages.validate import Excerpt

COLLECTIONS = {
    "reports": (
        "ioc/unit42_timely_gpl3.tar.gz",
        "ioc/unit42_articles.tar.gz",
        "techniques/annoctr/report_texts.tar.gz",
    ),
    "alerts": ("logs/ait_ads/aecid_raw_alerts_gpl3.tar.gz",),
    "cloud": ("logs/invictus_cloudtrail_mit.tar.gz",),
    "network": ("logs/zeek_json_bysa.tar.gz",),
    "windows": ("logs/sigma_regression_json.tar.gz",),
}
"""Sort of evidence -> the archives of the prepared data that hold it; an absent one is left out and logged."""

READ_CHARS = 400_000
"""Characters of one file that are looked at."""

SHOWN = 560
"""Characters of one record that the product shows at most: what a finding cites and the context after it."""

HELD_SHARE = 0.2
"""Share of the files that are held out, whole."""

_PARAGRAPHS = 900
_PAPERS = re.compile(r"(?:LICENSE|README|\.ya?ml|metadata\.json)[^/]*$", re.IGNORECASE)  # no evidence


@dataclass(frozen=True, slots=True)
class Text:
    """The normalised text of one file and where its records stand in it."""

    name: str
    text: str
    records: tuple[tuple[int, int], ...]


def read_texts(path: Path, limits: Limits) -> Iterator[Text]:
    """Read a file or an archive as the product does and yield the texts in it, each with its records."""
    opened: dict[int, Opened] = {}
    texts: dict[int, list[str]] = {}
    records: dict[int, list[tuple[int, int]]] = {}
    for item in read(source_of(str(path)), limits):
        if isinstance(item, Opened):
            opened[item.part] = item
        elif isinstance(item, Chunk) and item.start < READ_CHARS:
            texts.setdefault(item.part, []).append(item.text[: READ_CHARS - item.start])
        elif isinstance(item, Event) and item.end <= READ_CHARS:
            records.setdefault(item.part, []).append((item.start, item.end))
        elif isinstance(item, Closed) and item.part in texts:
            text = "".join(texts.pop(item.part))
            name = f"{path.name}:{opened[item.part].source.rpartition('/')[2]}"
            if not _PAPERS.search(name):
                yield Text(name, text, tuple(records.pop(item.part, ())))


def is_held(name: str) -> bool:
    """Tell whether a file is on the held-out side; it depends on the name alone."""
    return draw(name, "lessons") < HELD_SHARE


def cut_windows(text: Text, count: int, chance: random.Random) -> Iterator[tuple[Excerpt, ...]]:
    """Cut so many windows out of a file: a few records in a row each, or of a report a run of whole lines."""
    digest = digest_bytes(text.name.encode())
    for _ in range(count):
        if text.records:
            first = chance.randrange(len(text.records))
            spans = text.records[first : first + chance.randint(1, 6)]
            places = [_record(text.text, start, end, chance) for start, end in spans]
        else:
            places = [_paragraph(text.text, chance)]
        yield tuple(
            Excerpt(Span(digest, start, end), text.text[start:end], text.text.count("\n", 0, start) + 1)
            for start, end in places
            if text.text[start:end].strip()
        )


def _record(text: str, start: int, end: int, chance: random.Random) -> tuple[int, int]:
    """Take the beginning of a record; of one that is long and has lines, sometimes its last part, where the data is."""
    if end - start > 2 * SHOWN and "\n" in text[start:end] and chance.random() < 0.7:
        cut = text.find("\n", end - SHOWN - 60, end) + 1
        return (cut, end) if cut else (end - SHOWN, end)
    return start, min(end, start + chance.choice((300, 420, SHOWN)))


def _paragraph(text: str, chance: random.Random) -> tuple[int, int]:
    """Take a run of whole lines: half of the time the beginning, as the product shows it, else from some line on."""
    start = 0
    if len(text) > _PARAGRAPHS and chance.random() < 0.6:
        start = text.find("\n", chance.randrange(len(text) - _PARAGRAPHS // 2)) + 1
    end = min(start + chance.choice((450, 600, _PARAGRAPHS)), len(text))
    cut = text.rfind("\n", start, end) if end < len(text) else end
    return start, cut if cut > start else end
