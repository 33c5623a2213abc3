"""The evidence around each citation, as numbered lines in which the cited words are marked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from casemate.core.case import Case
from casemate.core.digest import Digest
from casemate.core.evidence import Evidence
from casemate.core.text import Span, Texts
from casemate.stages.export.view import Note

LINES_AROUND = 2
CHARS_AROUND = 480  # where lines are long


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of characters of one line: marked when a citation covers it; `anchors` are citations that begin here."""

    text: str
    marked: bool
    anchors: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A line of evidence and what leads back to it (its number as received, or `page 3`)."""

    label: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive lines around one or more citations; `begun` and `broken` when the first or last line is cut."""

    lines: tuple[Line, ...]
    begun: bool
    broken: bool


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What is shown of one piece of evidence; `quoted` are citations whose text could not be read back or shown."""

    evidence: Evidence
    windows: tuple[Window, ...]
    quoted: tuple[Note, ...]


def excerpts_of(case: Case, texts: Texts, notes: dict[Span, Note], limit: int) -> list[Excerpt]:
    """Cut the windows around all citations out of the evidence, at most `limit` characters in all.

    Citations over the limit, and those whose evidence cannot be read back, are given as bare quotes, so every number
    still leads somewhere.
    """
    left = limit
    made = []
    for evidence in case.evidence:
        own = sorted((note for span, note in notes.items() if span.evidence == evidence.id), key=_place)
        windows: list[Window] = []
        quoted: list[Note] = []
        for start, end, group in _ranges(evidence.id, own, texts):
            text = texts.slice(evidence.id, start, end) if end - start <= left else ""
            if not text:
                quoted += group
                continue
            left -= len(text)
            begun = start > 0 and texts.slice(evidence.id, start - 1, start) != "\n"
            broken = texts.slice(evidence.id, end, end + 1) not in {"", "\n", "\r"}
            windows.append(Window(tuple(_lines(evidence.id, text, start, group, texts)), begun, broken))
        made.append(Excerpt(evidence, tuple(windows), tuple(quoted)))
    return made


def _place(note: Note) -> tuple[int, int]:
    return note.citation.span.start, note.citation.span.end


def _ranges(evidence: Digest, notes: Sequence[Note], texts: Texts) -> Iterator[tuple[int, int, list[Note]]]:
    """Join the windows of neighbouring citations; each range comes with the citations in it."""
    held: tuple[int, int, list[Note]] | None = None
    for note in notes:
        span = note.citation.span
        before = texts.slice(evidence, max(span.start - CHARS_AROUND, 0), span.start)
        after = texts.slice(evidence, span.end, span.end + CHARS_AROUND)
        start, end = span.start - len(_tail(before)), span.end + len(_head(after))
        if held and start <= held[1] + 1:
            held = (held[0], max(held[1], end), [*held[2], note])
            continue
        if held:
            yield held
        held = (start, end, [note])
    if held:
        yield held


def _tail(before: str) -> str:
    """Keep the begun line and the whole lines before it."""
    parts = before.split("\n")
    kept = parts[-1 - LINES_AROUND :]
    if len(kept) == len(parts) and len(before) >= CHARS_AROUND:
        kept = kept[1:] or kept  # the first line is cut somewhere; show it only when it is the cited one
    return "\n".join(kept)


def _head(after: str) -> str:
    parts = after.split("\n")
    kept = parts[: 1 + LINES_AROUND]
    if len(kept) == len(parts) and len(after) >= CHARS_AROUND:
        kept = kept[:-1] or kept
    return "\n".join(kept)


def _lines(evidence: Digest, text: str, start: int, notes: Sequence[Note], texts: Texts) -> Iterator[Line]:
    offset = start
    last = ""
    waiting = sorted(notes, key=_place)
    rows = text.split("\n")
    for number, row in enumerate(rows):
        place = texts.place(evidence, offset, offset + len(row))
        label = place.note or str(place.line)
        final = number == len(rows) - 1
        here = [note for note in waiting if final or note.citation.span.start <= offset + len(row)]
        waiting = waiting[len(here) :]
        if final and number and not row and not here:  # the line end before it was the last character
            return
        yield Line("" if label == last else label, tuple(_segments(row.removesuffix("\r"), offset, here, notes)))
        last = label
        offset += len(row) + 1


def _segments(row: str, offset: int, beginning: Sequence[Note], notes: Sequence[Note]) -> Iterator[Segment]:
    """Cut a row wherever a citation begins or ends."""
    end = offset + len(row)
    edges = {offset, end}
    for note in notes:
        edges |= {edge for edge in (note.citation.span.start, note.citation.span.end) if offset < edge < end}
    waiting = list(beginning)
    order = sorted(edges)
    for left, right in zip(order, order[1:] or [end], strict=False):
        anchors = [note.number for note in waiting if note.citation.span.start <= left]
        waiting = [note for note in waiting if note.citation.span.start > left]
        marked = any(note.citation.span.start <= left and right <= note.citation.span.end for note in notes)
        yield Segment(row[left - offset : right - offset], marked and left < right, tuple(anchors))
    if waiting:
        yield Segment("", marked=False, anchors=tuple(note.number for note in waiting))
