"""Choose what a model sees of the evidence: whole lines, the most telling first, and none that talks to a model."""

from collections.abc import Callable, Iterable, Sequence

from casemate.core.case import TimelineEntry
from casemate.core.evidence import Evidence
from casemate.core.finding import Finding
from casemate.core.text import Span, Texts
from casemate.stages.extract.injections import find_injections
from casemate.stages.validate import Excerpt

UNTOLD = frozenset({"injection", "payload"})
"""Kinds of finding whose lines are not shown to the model; what they are is told by code."""

OPENING = 600
"""Characters of the beginning of each piece of evidence that the model may see, cut at a line end."""

CONTEXT = 160
"""Characters shown to the model on either side of what a finding cites, cut at line ends."""

MOST = 60
"""Excerpts chosen at most."""

PROSE = frozenset({"text", "markdown", "html", "pdf", "email"})
"""Formats that are read by people: what they say stands anywhere in them, so all of it may be shown."""

READ_CHARS = 60_000
"""Characters of one report that are offered to the model, in order, after what the findings cite."""

_PARAGRAPH = 1_200  # characters of a report offered as one excerpt, ended at a line end


Talks = Callable[[str], bool]


def talks_to_a_model(text: str) -> bool:
    """Tell whether a text holds words that are meant for a language model."""
    return any(True for _ in find_injections(text, 0))


def choose_excerpts(
    evidence: Sequence[Evidence],
    findings: Sequence[Finding],
    timeline: Sequence[TimelineEntry],
    texts: Texts,
    leave_out: Talks = talks_to_a_model,
) -> tuple[Excerpt, ...]:
    """Choose what the model sees: lines that findings cite, the gravest first, then the timeline, then beginnings.

    Encoded payloads are left out, which cost many tokens and say nothing, and lines that talk to a model, as
    `leave_out` tells which these are.
    """
    spans = cited_spans(findings)
    spans += [entry.span for entry in timeline]
    spans += [Span(item.id, 0, min(item.length, OPENING)) for item in evidence if item.length]
    return excerpts_around(spans, texts, MOST, leave_out)


def cited_spans(findings: Iterable[Finding]) -> list[Span]:
    """Give the first place of each finding that may be shown, in the order of the findings."""
    return [one.citations[0].span for one in findings if one.citations and one.kind not in UNTOLD]


def read_through(
    evidence: Sequence[Evidence], texts: Texts, held: Sequence[Excerpt], leave_out: Talks = talks_to_a_model
) -> tuple[Excerpt, ...]:
    """Give the reports among the evidence from beginning to end, in pieces of whole lines, without what is held."""
    pieces: list[Excerpt] = []
    for item in evidence:
        if item.format not in PROSE:
            continue
        start, last = 0, min(item.length, READ_CHARS)
        while start < last:
            text = texts.slice(item.id, start, min(start + _PARAGRAPH, last))
            if not text:
                break
            cut = text.rfind("\n") + 1
            if cut and start + len(text) < item.length:
                text = text[:cut]
            span = Span(item.id, start, start + len(text))
            start = span.end
            pieces.extend(_kept_lines(span, text, texts, held, leave_out))
    return tuple(pieces)


def _kept_lines(span: Span, text: str, texts: Texts, held: Sequence[Excerpt], leave_out: Talks) -> Iterable[Excerpt]:
    """Leave out of a stretch the lines that talk to a model and those shown already."""
    first = texts.place(span.evidence, span.start, span.end).line
    at, begun, number = 0, 0, first
    lines = text.splitlines(keepends=True)
    bad = leave_out(text)
    for index, line in enumerate(lines):
        here = Span(span.evidence, span.start + at, span.start + at + len(line))
        out = any(overlap(here, other.span) for other in held) or (
            bad and leave_out("".join(lines[max(index - 1, 0) : index + 2]))
        )
        if out:
            if text[begun:at].strip():
                yield Excerpt(Span(span.evidence, span.start + begun, span.start + at), text[begun:at], number)
            begun = at + len(line)
            number = first + index + 1
        at += len(line)
    if text[begun:].strip():
        yield Excerpt(Span(span.evidence, span.start + begun, span.end), text[begun:], number)


def excerpts_around(
    spans: Iterable[Span], texts: Texts, most: int, leave_out: Talks = talks_to_a_model
) -> tuple[Excerpt, ...]:
    """Give the lines around each span, none twice, without those that talk to a model."""
    excerpts: list[Excerpt] = []
    for span in spans:
        excerpt = lines_around(span, texts)
        known = any(overlap(excerpt.span, other.span) for other in excerpts)
        if excerpt.text.strip() and not known and not leave_out(excerpt.text):
            excerpts.append(excerpt)
        if len(excerpts) >= most:
            break
    return tuple(excerpts)


def overlap(one: Span, other: Span) -> bool:
    """Tell whether two spans share a character."""
    return one.evidence == other.evidence and one.start < other.end and other.start < one.end


def lines_around(span: Span, texts: Texts) -> Excerpt:
    """Widen a span to whole lines, at most `CONTEXT` characters on either side."""
    begin = max(span.start - CONTEXT, 0)
    before = texts.slice(span.evidence, begin, span.start)
    after = texts.slice(span.evidence, span.end, span.end + CONTEXT)
    start = span.start - len(before) + before.rfind("\n") + 1 if "\n" in before or begin == 0 else span.start
    end = span.end + (after.find("\n") if "\n" in after else len(after))
    place = texts.place(span.evidence, start, end)
    return Excerpt(Span(span.evidence, start, end), texts.slice(span.evidence, start, end), place.line)
