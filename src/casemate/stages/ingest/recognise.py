"""What the first bytes of a part say: its encoding, its first lines, and which reader takes it."""

import codecs
import re
from collections.abc import Mapping

from casemate.stages.ingest.reader import Head, Reader

HEAD_BYTES = 65536
HEAD_LINES = 100
ODD_SHARE = 0.02  # control characters that text has at most, apart from NUL
NUL_SHARE = 0.30  # NULs that a text log has at most (blocks that a crash or a rotation left unwritten)
CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1b\b\0") | {0x7F})
HIGH = bytes(range(128, 256))
ODD_CHARS = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9f\ud800-\uf8ff\ufff0-\uffff]")
C1 = re.compile(rb"[\x80-\x9f]")
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def recognise(head: Head, readers: Mapping[str, Reader]) -> Reader:
    """Choose the first reader whose `matches` says yes; one of them must take anything."""
    return next(reader for reader in readers.values() if reader.matches(head))


def look(data: bytes, name: str) -> Head:
    """Describe the beginning of a part; `data` is its first `HEAD_BYTES`, or all of it when it is shorter."""
    encoding, bom, binary = detect(data)
    text = data[bom:].decode(encoding, "replace")
    lines = [line.strip() for line in text.splitlines()[:HEAD_LINES]]
    whole = len(data) < HEAD_BYTES
    return Head(data, text, encoding, bom, name, tuple(line for line in lines if line), binary, whole)


def detect(data: bytes) -> tuple[str, int, bool]:
    """Say in which encoding bytes are written, how long the byte order mark is, and whether they are no text.

    `utf-8`, `utf-16-le`, `utf-16-be`, `cp1252` or `latin-1`. UTF-16 without a mark is recognised by where its zeros
    stand; bytes that are no UTF-8 but hold some characters of it are damaged UTF-8.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return encoding, len(mark), False
    if (wide := _wide(data)) is not None:
        return wide, 0, False
    nuls = data.count(0)
    odd = len(data) - len(data.translate(None, CONTROLS))
    high = len(data) - len(data.translate(None, HIGH))
    encoding = _narrow(data)
    binary = odd > ODD_SHARE * len(data) or nuls > NUL_SHARE * len(data)
    if encoding != "utf-8":
        binary = binary or high > 0.6 * len(data) or (nuls > 0 and high > 0.05 * len(data))
    return encoding, 0, binary


def _wide(data: bytes) -> str | None:
    even = len(data) & ~1
    if even < 4:
        return None
    zeros = (data[0:even:2].count(0), data[1:even:2].count(0))
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if zeros[first] >= 0.4 * (even // 2) and zeros[1 - first] <= 0.02 * (even // 2):
            text = data[:even].decode(encoding, "replace")
            if len(ODD_CHARS.findall(text)) <= 0.05 * len(text):
                return encoding
    return None


def _narrow(data: bytes) -> str:
    try:
        codecs.utf_8_decode(data, "strict", len(data) < HEAD_BYTES)
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8"
    kept = data.decode("utf-8", "ignore")
    bad = len(data) - len(kept.encode())
    good = len(kept) - len(kept.encode("ascii", "ignore"))
    if good >= bad or (good == 0 and bad <= 3 and len(data) > 1000):
        return "utf-8"
    return "cp1252" if C1.search(data) else "latin-1"
