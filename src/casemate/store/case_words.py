"""The words of cases, and which cases hold all the words that somebody looks for."""

import re
from collections.abc import Iterator

from sqlalchemy import Connection, Select, delete, insert, select

from casemate.core.case import Case
from casemate.core.errors import StoreFailed
from casemate.store.codec import case_from_json
from casemate.store.packing import storable, unpack
from casemate.store.tables import case_words, cases

WORD_CHARS = 64
WORDS_OF_A_CASE = 50_000
WORDS_ASKED = 8

_WORD = re.compile(r"[^\W_]+(?:[.:@/_-]+[^\W_]+)*")
_INNER = re.compile(r"[^\W_]+")


_NEW_WORDS = insert(case_words)


def put_words(connection: Connection, number: int, case: Case, *, anew: bool = True) -> None:
    """Write the words of a case, `anew` when it may have some already."""
    if anew:
        connection.execute(delete(case_words).where(case_words.c.case == number))
    words = sorted(words_of(case))
    if words:
        connection.execute(_NEW_WORDS, [{"word": word, "case": number} for word in words])


def words_of(case: Case) -> set[str]:
    """Collect what a case can be found by: its title, summary, findings, evidence names, and values of observables."""
    words: set[str] = set()
    for text in _texts(case):
        words.update(split_words(text))
        if len(words) >= WORDS_OF_A_CASE:
            break
    return words


def split_words(text: str) -> Iterator[str]:
    """Give the words of a text in lower case: what hangs together (`cdn-update.example`), and each part of it."""
    for match in _WORD.finditer(storable(text.casefold())):
        word = match[0]
        yield word[:WORD_CHARS]
        if not word.isalnum():
            yield from (inner[0][:WORD_CHARS] for inner in _INNER.finditer(word))


def _texts(case: Case) -> Iterator[str]:
    yield from (case.id, case.title)
    yield from (sentence.text for sentence in case.assessment.summary)
    for finding in case.findings:
        yield from (finding.title, finding.reference, finding.detail)
    yield from (item.source[-500:] for item in case.evidence)
    yield from (item.value[:500] for item in case.observables)
    yield from (entry.event.rule for entry in case.timeline)


def cases_with(text: str) -> Select[tuple[int]] | None:
    """Make the query for the numbers of the cases that hold every word of `text`, the last one as a beginning."""
    wanted = list(dict.fromkeys(match[0][:WORD_CHARS] for match in _WORD.finditer(storable(text.casefold()))))
    wanted = wanted[:WORDS_ASKED]
    if not wanted:
        return None
    query = select(case_words.c.case).where(
        case_words.c.word >= wanted[-1], case_words.c.word < wanted[-1] + "\U0010ffff"
    )
    for word in wanted[:-1]:
        query = query.where(case_words.c.case.in_(select(case_words.c.case).where(case_words.c.word == word)))
    return query


def index_all_cases(connection: Connection) -> None:
    """Write the words of every case; one that cannot be read is left for `casemate audit verify` to name."""
    for number, data in connection.execute(select(cases.c.number, cases.c.data)).all():
        try:
            put_words(connection, number, case_from_json(unpack(data, f"case {number}")))
        except StoreFailed:
            continue
