"""The observables of a case as a table for spreadsheets, in which nothing from evidence can be a formula."""

import csv
import io
import re

from casemate.core.case import Case
from casemate.core.observable import Observable
from casemate.core.plain import plain
from casemate.core.text import Texts
from casemate.stages.export.plain import defang
from casemate.stages.export.view import review_word, sources, where

COLUMNS = (
    "case",
    "review",
    "marking",
    "type",
    "hash",
    "value",
    "defanged",
    "raw",
    "count",
    "flags",
    "layers",
    "source",
    "place",
    "line",
    "start",
    "end",
)

# OWASP, "CSV Injection": what spreadsheets take for a formula, full-width forms (U+FF1D, ...) and DDE's bar and
# percent sign included; white space in front does not stop them.
_FORMULA = re.compile(r"\s*[-=+@|%＝＋－＠｜％−﹢﹣﹦﹫]")


def render_csv(case: Case, texts: Texts) -> bytes:
    """Write one row for each observable: RFC 4180, every cell quoted, UTF-8, a header line.

    Control characters and line ends inside a cell are shown as escapes. A cell that a spreadsheet could take for a
    formula begins with an apostrophe, which is not part of the value. `source`, `place`, `line`, `start` and `end` tell
    where the observable was seen first.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    names = sources(case)
    for seen in case.observables:
        first = seen.spans[0] if seen.spans else None
        place, line = where(texts, first) if first else ("", "")
        source = names.get(first.evidence, first.evidence) if first else ""
        start, end = (first.start, first.end) if first else ("", "")
        row = (*_leading(case, seen), source, place, line, start, end)
        writer.writerow([cell(str(value)) for value in row])
    return out.getvalue().encode("utf-8")


def cell(text: str) -> str:
    """Make one cell of hostile text: printable, on one line, and never a formula."""
    shown = plain(text)
    return f"'{shown}" if _FORMULA.match(text) or _FORMULA.match(shown) else shown


def _leading(case: Case, seen: Observable) -> tuple[object, ...]:
    return (
        case.id,
        review_word(case),
        case.marking.label,
        seen.type,
        seen.hash,
        seen.value,
        defang(seen.type, seen.value),
        seen.raw,
        seen.count,
        "; ".join(seen.flags),
        " > ".join(seen.layers),
    )
