"""What the readers of reference formats hand on: records, facts, warning lists, and the edition they belong to."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from casemate.core.errors import NotTrusted

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is (0 when that is unknown)."""

WAY_OUT = "fetch the file again from its publisher, or import another edition; the index is unchanged"


@dataclass(frozen=True, slots=True)
class Record:
    """One entry as a reader found it; `uuid` is the second id by which other sources may link to it."""

    id: str
    kind: str
    names: tuple[str, ...]
    text: str
    uuid: str = ""
    state: str = ""
    successor: str = ""
    url: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Facts about an id that another source describes, such as an EPSS score of a CVE."""

    id: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class WarningList:
    """One MISP warning list: `matching` is cidr, hostname, string, substring or regex; `types` are STIX names."""

    name: str
    matching: str
    types: tuple[str, ...]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What a source says about an entry beside its description; `other` is a second entry that it is about, or empty.

    `heading` says what it is: `consequence`, or, between two entries, the verb that joins them, such as `mitigates`.
    """

    id: str
    other: str
    heading: str
    text: str


Item = Record | Note | WarningList | Paragraph


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition of one source, being read.

    `source` is the key under which a later import replaces it; `rank` decides which edition describes an id that
    several hold (the higher one), and editions of the same ten merge their facts and links.
    """

    source: str
    name: str
    version: str
    rank: int
    notice: str
    items: Iterable[Item]


def distrust(name: str, place: str, reason: str) -> NotTrusted:
    """Make the error for a reference file that cannot be relied on, naming the file, the place and the reason."""
    where = f"{name}, {place}" if place else name
    return NotTrusted(f"{where}: {reason}", way_out=WAY_OUT)


_CITATION = re.compile(r"\s*\(Citation: [^)]*\)")
_LINKED = re.compile(r"\[([^\]\[]*)\]\((?:https?:|/)[^)\s]*\)")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_BLANKS = re.compile(r"[ \t\r\f\v]+")
_BREAKS = re.compile(r" ?\n ?(?:\n ?)+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def tidy(text: str) -> str:
    """Make running text of a description: citations, link targets, tags and control characters go, words stay."""
    if "(" in text:
        text = _CITATION.sub("", _LINKED.sub(r"\1", text))
    text = _CONTROL.sub("", _TAG.sub(" ", text) if "<" in text else text)
    return _BREAKS.sub("\n\n", _BLANKS.sub(" ", text)).strip()


def distinct(values: Iterable[str]) -> tuple[str, ...]:
    """Keep the first of equal non-empty strings, in order, each on one line without control characters."""
    return tuple(dict.fromkeys(clean for value in values if (clean := _CONTROL.sub("", " ".join(value.split())))))


def text_of(value: object) -> str:
    """Return a JSON value if it is a string, else the empty string."""
    return value if isinstance(value, str) else ""


def list_of(value: object) -> list[object]:
    """Return a JSON value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def object_of(value: object) -> dict[str, object]:
    """Return a JSON value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects_of(value: object) -> list[dict[str, object]]:
    """Return the objects in a JSON list, without its other members."""
    return [item for item in list_of(value) if isinstance(item, dict)]


def texts_of(value: object) -> list[str]:
    """Return the strings in a JSON list; a bare string counts as a list of one."""
    return [value] if isinstance(value, str) else [item for item in list_of(value) if isinstance(item, str)]
