"""Split a log line into its head (time, host, program, level) and the message, whatever program wrote it.

Rules, not formats: a time stamp near the beginning, the tag that syslog puts before a message, a level word, thread and
logger names before a dash or a colon. A line that shows none of these is all message.
"""

import itertools
import re
from functools import lru_cache
from typing import NamedTuple

_HEAD = 240
"""Characters of a line in which a head may stand."""

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_STAMP = re.compile(
    rf"""(?<![^\s\[(|,])(?:
      \d{{4}}[-/.]\d{{2}}[-/.]\d{{2}}
        (?:[T\s_-]\s?\d{{2}}[:.]\d{{2}}[:.]\d{{2}}(?:[.,:]\d{{1,9}})?(?:Z|\s?[+-]\d{{2}}:?\d{{2}})?)?
     |(?:{_DAY},?\s)?{_MONTH}\s{{1,2}}\d{{1,2}}\s(?:\d{{4}}\s)?\d{{2}}:\d{{2}}:\d{{2}}(?:\.\d+)?(?:\s\d{{4}})?
     |\d{{1,2}}/(?:{_MONTH}|\d{{2}})/\d{{2,4}}[:\s]\d{{2}}:\d{{2}}:\d{{2}}(?:\s[+-]\d{{4}})?
     |\d{{2}}[-.]\d{{2}}\s\d{{2}}:\d{{2}}:\d{{2}}(?:\.\d+)?
     |\d{{8}}-\d{{1,2}}:\d{{1,2}}:\d{{1,2}}:\d{{1,3}}
     |\d{{6}}\s\d{{6}}
     |1\d{{9}}(?:\.\d{{1,9}}|\d{{3}})?
    )(?![\w.])""",
    re.VERBOSE,
)
_BETWEEN = re.compile(r"[\])]?(?:\s+[01](?=\s))?[\s,|:]*")  # what closes a stamp; one flag column
_COLUMNS = re.compile(r"(?:[\w.$-]{1,48}\|){1,3}")  # Step_LSC|30002312|
_LEVEL_WORDS = (
    "TRACE|DEBUG|INFO|INFORMATION|NOTICE|WARN|WARNING|ERROR|ERR|SEVERE|FAILURE|FATAL|CRITICAL|CRIT|ALERT|EMERG"
    r"|[VDIWEF](?=\s)|info|notice|warn|error|crit|debug|alert|emerg"
)
_COLUMN = (
    r"(?:-|[A-Z]{2,12}|[\w:./-]{0,60}\d[\w:./-]{0,60})"  # between stamp and level: a host, a process id, a facility
)
_LEVEL = re.compile(rf"(?:{_COLUMN}\s+){{0,4}}\[?(?:{_LEVEL_WORDS})\]?[:,]?\s+")
_BRACKETED = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]{0,80}\]){0,200}\][\s:]*(?:-\s)?\s*")
_LOGGER = re.compile(r"(?P<name>(?:[A-Za-z_][\w$-]*\.)+[\w$-]+|[A-Z]\w{2,40})(?:\([^)\s]*\))?(?:\[[\w.-]*\])?\s?:\s+")
_NAMED = re.compile(r"(?P<name>(?:[a-z_][\w$-]*\.){2,}[\w$-]+|[A-Z]{2,6}(?=\s{2}))\s+(?=\S)")
_SYSLOG = re.compile(
    r"(?:(?P<host>[\w.:/-]{1,255})\s+)?(?P<name>[A-Za-z_][\w./ -]{0,47}?(?:\([\w.-]{1,32}\))?)(?:\[\d{1,10}\]):\s*"
)
_TAGGED = re.compile(r"(?P<host>[\w.-]{1,255})\s+(?P<name>[a-z_][\w./-]{0,47}(?:\([\w.-]{1,32}\))?):\s+")
_WINDOWED = re.compile(r"(?P<name>[\w.-]{1,48}\.exe)(?:\s\*\d\d)?\s-\s")


class Line(NamedTuple):
    """A line taken apart: `time` as written (empty when none), who wrote it (`program`, empty when not told), the rest.

    `start` is where the message begins in the line. `lead` is what stands before the first time stamp, such as the
    client of a web request.
    """

    time: str
    program: str
    message: str
    start: int
    lead: str = ""


def split_line(line: str) -> Line:
    """Take a log line apart; the message is never empty unless the line is."""
    head = line[:_HEAD]
    lead, stamp, at = _last_stamp(head)
    columns = _COLUMNS.match(head, at)
    at = columns.end() if columns else at
    program = ""
    level = _LEVEL.match(head, at) if stamp or line[:1] == "[" else None
    if level is not None:
        at = level.end()
        bracketed = _BRACKETED.match(head, at)
        at = bracketed.end() if bracketed else at
        named = _LOGGER.match(head, at) or _NAMED.match(head, at)
        if named is not None:
            program, at = named["name"], named.end()
            bracketed = _BRACKETED.match(head, at)
            at = bracketed.end() if bracketed else at
    elif stamp and columns is None:
        named = _SYSLOG.match(head, at) or _TAGGED.match(head, at) or _WINDOWED.match(head, at)
        if named is not None:
            program, at = named["name"], named.end()
    if not line[at:].strip():
        return Line(stamp, program, line.strip(), 0, lead)
    return Line(stamp, program, line[at:].strip(), at, lead)


def _last_stamp(head: str) -> tuple[str, str, int]:
    """Find the last of the time stamps that follow each other near the beginning.

    Gives what stands before the first, the first one's text, and where the last one ends.
    """
    lead, first, at = "", "", 0
    for found in _STAMP.finditer(head):
        gap = head[at : found.start()]
        if len(gap.split()) > (4 if not first else 3) or _speaks(gap):
            break
        lead, first = (lead, first) if first else (gap, found[0])
        between = _BETWEEN.match(head, found.end())
        at = between.end() if between else found.end()
        if _COLUMNS.match(head, at):
            break  # what is in columns of its own is no second stamp
    return lead, first, at


@lru_cache(maxsize=4096)
def _speaks(gap: str) -> bool:
    """Whether what stands before a stamp is a message already: two words in a row, or a tag that ends in a colon."""
    words = gap.split()
    if words and words[0].isdigit():
        return False  # a record's number and columns, as in `134681 node-246 unix.hw action start 1077804742 1 ...`
    plain = [word.isalpha() and len(word) > 1 for word in words]
    return any(word.endswith(":") for word in words) or any(one and other for one, other in itertools.pairwise(plain))
