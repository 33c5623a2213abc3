"""PDF (ISO 32000-1), page by page: the text, then the addresses and scripts behind it, each page noted `page N`.

The pages are read in a process of its own (`pdf_worker`) with a bound on its time and memory.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import IO

from casemate.core.issue import Issue, Severity
from casemate.stages.ingest.decode import Run
from casemate.stages.ingest.reader import Head, Intake, Item, Reader
from casemate.stages.ingest.sheet import Sheet
from casemate.stages.ingest.stream import BLOCK_BYTES

MAGIC_WITHIN = 1024  # bytes that may stand before `%PDF-`
LINE_BYTES = 64 * 1024 * 1024  # of the worker's answer for one page
_WORKER = Path(__file__).with_name("pdf_worker.py")
_LIGATURES = dict(zip(range(0xFB00, 0xFB07), ("ff", "fi", "fl", "ffi", "ffl", "st", "st"), strict=True))
_REPAIRS = {**dict.fromkeys(range(0xD800, 0xE000), "\ufffd"), **_LIGATURES}  # typeset names are still names


def _matches(head: Head) -> bool:
    return head.data.find(b"%PDF-", 0, MAGIC_WITHIN) >= 0 and (head.binary or b" obj" in head.data)


def _read(intake: Intake) -> Iterator[Item]:
    limit = intake.limits.pdf_bytes
    size = 0
    with tempfile.TemporaryFile() as file:
        while size <= limit and (block := intake.stream.read(BLOCK_BYTES)):
            file.write(block)
            size += len(block)
        if size > limit:
            intake.complete = False
            message = f"a document of more than {limit} bytes was not read"
            yield intake.issue("pdf-bytes", message, severity=Severity.ERROR, way_out="raise limits.pdf_bytes")
            return
        file.seek(0)
        yield from _pages(intake, file, size)


def _pages(intake: Intake, file: IO[bytes], size: int) -> Iterator[Item]:
    seconds = intake.limits.pdf_seconds
    command = [sys.executable, "-I", str(_WORKER), str(intake.limits.pdf_pages), str(max(int(seconds), 1))]
    sheet = Sheet(intake.part, intake.limits.chunk_chars)
    ended = False
    with subprocess.Popen(  # noqa: S603 - our own program, and nothing of the evidence among its arguments
        command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        timer = Timer(seconds, process.kill)
        timer.start()
        assert process.stdout is not None
        try:
            while line := process.stdout.readline(LINE_BYTES):
                said = _understand(line)
                if said is None:
                    break
                if "end" in said:
                    ended = True
                    yield from _ending(intake, said)
                    break
                yield from _page(intake, sheet, said, size)
                yield from sheet.take_full()
        finally:
            timer.cancel()
            process.kill()
    yield from sheet.take_all()
    if not ended:
        intake.complete = False
        message = f"reading stopped: it takes more than {seconds:.0f} seconds or too much memory"
        way_out = "raise limits.pdf_seconds in the policy, or print it to a new PDF"
        yield intake.issue("pdf-stopped", message, severity=Severity.ERROR, way_out=way_out)


def _understand(line: bytes) -> dict[str, object] | None:
    try:
        said = json.loads(line)
    except ValueError:  # killed in the middle of a line
        return None
    return said if isinstance(said, dict) else None


def _page(intake: Intake, sheet: Sheet, said: dict[str, object], size: int) -> Iterator[Issue]:
    place = f"page {said['page']}" if said["page"] else "the document"
    text = str(said["text"]).translate(_REPAIRS)
    if text:
        note = place if said["page"] else "metadata"
        sheet.add(text, Run(len(text), 0, size, 1, verbatim=False, note=note))
        sheet.break_line(0, size, 1, note)
    if said["problem"]:
        intake.complete = False
        yield intake.issue(
            "pdf-page", f"it could not be read: {said['problem']}", place=place, way_out="open it safely"
        )


def _ending(intake: Intake, said: dict[str, object]) -> Iterator[Issue]:
    pages = said["end"]
    assert isinstance(pages, int)
    if said["problem"] == "encrypted":
        intake.complete = False
        message = "it is encrypted and was not read"
        yield intake.issue(
            "encrypted", message, severity=Severity.ERROR, way_out="remove the password and give it again"
        )
    elif said["problem"]:
        intake.complete = False
        message = f"it is damaged or no PDF: {said['problem']}"
        yield intake.issue("pdf-damaged", message, severity=Severity.ERROR, way_out="get the file again")
    elif pages > intake.limits.pdf_pages:
        intake.complete = False
        message = f"only {intake.limits.pdf_pages} of {pages} pages were read"
        yield intake.issue("pdf-pages", message, way_out="raise limits.pdf_pages in the policy")


PDF = Reader("pdf", _matches, _read)
