"""Times as logs write them, turned into aware UTC; anything that is no time gives None, never an error."""

import re
from datetime import UTC, datetime, timedelta, timezone

MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_TEXT_LIMIT = 64  # no timestamp is longer; keeps hostile values out of the parsers
_YEARS_BACK = 8  # the longest wait for a 29 February (1896 to 1904, 2096 to 2104)
_ZONE_SLACK = timedelta(days=1)  # a sender's zone may be up to 14 hours ahead
_NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,12})?")
_FRACTION = re.compile(r"([.,]\d{6})\d+")
_RFC3164 = re.compile(r"([A-Z][a-z]{2}) +(\d{1,2}) (\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?(?: (\d{4}))?")
_CLF = re.compile(r"(\d{1,2})/([A-Za-z]{3})/(\d{4}):(\d{2}):(\d{2}):(\d{2})(?: ([+-])(\d{2})(\d{2}))?")
_CTIME = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))? (\d{4})")


def time_of(value: object) -> datetime | None:
    """Read a timestamp out of a record: ISO 8601 / RFC 3339 text, or seconds since 1970 as a number or digits.

    Numbers above 10^11 are taken for milliseconds, above 10^14 for microseconds, above 10^17 for nanoseconds. A text
    without a zone is taken as UTC.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _from_number(value)
    if not isinstance(value, str) or not value or len(value) > _TEXT_LIMIT:
        return None
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return _from_number(float(text)) if len(text) >= 9 else None
    return _from_iso(text) or clf_time(text) or ctime_time(text)


def _from_number(value: float) -> datetime | None:
    size = abs(value)
    divisor = 1.0
    for limit, scale in ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3)):
        if size > limit:
            divisor = scale
            break
    try:
        seconds = value / divisor
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None


def _from_iso(text: str) -> datetime | None:
    if len(text) < 10 or not text[:4].isdigit():
        return None
    cut = text.removesuffix(" UTC").removesuffix("Z").removesuffix("z")
    cut = _FRACTION.sub(r"\1", cut)
    try:
        found = datetime.fromisoformat(cut)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _made(parts: tuple[int, int, int, int, int, int], micro: str | None, zone: timezone = UTC) -> datetime | None:
    try:
        return datetime(*parts, int((micro or "").ljust(6, "0")), tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def rfc3164_time(text: str, now: datetime) -> datetime | None:
    """Read the `Mon dd hh:mm:ss` of RFC 3164 (section 4.1.2), which has neither year nor zone.

    Taken as UTC, in the latest year that does not put it more than a day after `now` (a sender's zone may be ahead); a
    year that follows the time, as some systems write, is used.
    """
    match = _RFC3164.fullmatch(text)
    if match is None:
        return None
    month = MONTHS.get(match[1].lower())
    if month is None:
        return None
    day, hour, minute, second = (int(match[group]) for group in (2, 3, 4, 5))
    if match[7]:
        return _made((int(match[7]), month, day, hour, minute, second), match[6])
    latest = now + _ZONE_SLACK
    for year in range(latest.year, latest.year - _YEARS_BACK - 1, -1):
        found = _made((year, month, day, hour, minute, second), match[6])
        if found is not None and found <= latest:
            return found
    return None


def clf_time(text: str) -> datetime | None:
    """Read the `10/Oct/2000:13:55:36 -0700` of the Common Log Format."""
    match = _CLF.fullmatch(text)
    if match is None or match[2].lower() not in MONTHS:
        return None
    zone = UTC
    if match[7]:
        ahead = timedelta(hours=int(match[8]), minutes=int(match[9]))
        if ahead >= timedelta(days=1):
            return None
        zone = timezone(-ahead if match[7] == "-" else ahead)
    day, hour, minute, second = (int(match[group]) for group in (1, 4, 5, 6))
    return _made((int(match[3]), MONTHS[match[2].lower()], day, hour, minute, second), None, zone)


def ctime_time(text: str) -> datetime | None:
    """Read the `Sun Dec 04 04:47:44 2005` of C's `ctime`, with or without a fraction; taken as UTC."""
    match = _CTIME.fullmatch(text)
    if match is None or match[1].lower() not in MONTHS:
        return None
    hour, minute, second = (int(part) for part in match[3].split(":"))
    return _made((int(match[5]), MONTHS[match[1].lower()], int(match[2]), hour, minute, second), match[4])
