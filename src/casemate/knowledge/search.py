"""Turn any text into a full-text query, and cut the quotable part out of what was found."""

import re
from importlib.resources import files

STOP_WORDS = frozenset(files("casemate.knowledge").joinpath("stop_words.txt").read_text("utf-8").split())
_TOKEN = re.compile(r"[^\W_]+(?:[.\-][^\W_]+)*")
_WORD = re.compile(r"[^\W_]+")
_SENTENCE = re.compile(r"[^\n.!?]*(?:[.!?](?!\s|$)[^\n.!?]*)*[.!?]?(?:\s+|$)")
_MOST_TERMS = 48
_LONGEST_TERM = 64
QUOTE_CHARS = 400


def match_expression(query: str) -> tuple[str, frozenset[str]]:
    """Make an FTS5 expression of a query's words, each quoted, any of them enough; and the words as a set.

    `T1059.001` or `CVE-2021-44228` become phrases. Quoting is what keeps a hostile query from being syntax.
    """
    tokens = dict.fromkeys(
        token for token in _TOKEN.findall(query.casefold()) if len(token) <= _LONGEST_TERM and token not in STOP_WORDS
    )
    chosen = [token for token in tokens if _plain(token)][:_MOST_TERMS]
    words = frozenset(word for token in chosen for word in _WORD.findall(token))
    return " OR ".join(f'"{token}"' for token in chosen), words


def _plain(token: str) -> bool:
    return '"' not in token and "\0" not in token and not any("\ud800" <= letter <= "\udfff" for letter in token)


def quote_of(text: str, words: frozenset[str], most: int = QUOTE_CHARS) -> str:
    """Cut out the sentences that hold most of the words: at most `most` characters, verbatim from `text`."""
    if len(text) <= most:
        return text.strip()
    spans = [found.span() for found in _SENTENCE.finditer(text) if found.end() > found.start()]
    hits = [{stem for word in _WORD.findall(text[start:end].casefold()) if (stem := word[:6])} for start, end in spans]
    stems = {word[:6] for word in words}
    best, chosen = -1.0, (0, min(most, len(text)))
    for first, (start, _) in enumerate(spans):
        held: set[str] = set()
        end = start
        for (_, stop), found in zip(spans[first:], hits[first:], strict=True):
            if stop - start > most:
                break
            held |= found & stems
            end = stop
        score = len(held) - first / (10 * len(spans))  # of two equal ones the earlier
        if end > start and score > best:
            best, chosen = score, (start, end)
    return text[chosen[0] : chosen[1]].strip()
