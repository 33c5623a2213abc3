"""A text as the specialists read it."""

import re
import unicodedata

MAX_CHARACTERS = 8_000
"""What of a text is read; a description is seldom longer than 2,000."""

_VECTOR = re.compile(
    r"\(?\s*CVSS\s*:?\s*v?[234][.:\d]*\s*/?\s*(?:[A-Za-z]{1,3}:[A-Za-z]{1,2}[/)]?\s*){3,}", re.IGNORECASE
)
_BARE_VECTOR = re.compile(r"\(?AV:[NALP]/AC:[LMH]/(?:[A-Za-z]{1,3}:[A-Za-z]{1,2}/?)+\)?")
_SPACE = re.compile(r"\s+")


def tidy(text: str) -> str:
    """Return the text in one line, NFKC, without a CVSS vector that stands in it (it would give the answer away)."""
    shown = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS])
    shown = _BARE_VECTOR.sub(" ", _VECTOR.sub(" ", shown))
    return _SPACE.sub(" ", shown).strip()
