"""The process that reads a PDF, so that a file which makes the reader hang or grow can be stopped.

Run as a program: `pdf_worker.py PAGES SECONDS`, the PDF as a file on standard input. Standard output: one line of JSON
for each page, `{"page": number, "text": text, "problem": text}`, page 0 for what belongs to the whole document, and
`{"end": pages, "problem": code}` at last.
"""

import io
import json
import logging
import resource
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the library is loaded when the bounds are set
    from pypdf import PageObject, PdfReader

MEMORY_BYTES = 2 * 1024 * 1024 * 1024
PAGE_CHARS = 4 * 1024 * 1024
VALUES_PER_PAGE = 5000
NESTING = 12


def say(line: dict[str, object]) -> None:
    """Write one line of the answer."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def values_in(value: object, depth: int = 0) -> Iterator[str]:
    """Yield the addresses, file names and scripts in an action or an annotation (ISO 32000-1 section 12.6)."""
    from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject

    if isinstance(value, IndirectObject):
        value = value.get_object()
    if depth > NESTING:
        return
    if isinstance(value, ArrayObject):
        for item in value[:VALUES_PER_PAGE]:
            yield from values_in(item, depth + 1)
    if not isinstance(value, DictionaryObject):
        return
    for name in ("/URI", "/JS", "/F", "/UF", "/Contents", "/Launch"):
        found = value.get(name)
        found = found.get_object() if isinstance(found, IndirectObject) else found
        if isinstance(found, StreamObject):
            yield found.get_data()[:PAGE_CHARS].decode("utf-8", "replace")
        elif isinstance(found, str):
            yield str(found)
    for name in ("/A", "/AA", "/Next", "/FS", "/O", "/C", "/F", "/E", "/D", "/U"):
        if name in value and not isinstance(value.get(name), str):
            yield from values_in(value.get(name), depth + 1)


def lines_of(values: Iterable[str]) -> str:
    """Write each value once, on a line of its own."""
    seen: dict[str, None] = {}
    for value in values:
        if len(seen) >= VALUES_PER_PAGE:
            break
        if value.strip():
            seen[value.strip()] = None
    return "".join(f"{value}\n" for value in seen)


def whole_document(reader: "PdfReader") -> str:
    """Return what belongs to no page: the information dictionary, and actions that run when it is opened."""
    information = dict(reader.metadata or {})
    values = [f"{str(name).lstrip('/')}: {value}" for name, value in information.items()]
    root = reader.root_object
    for name in ("/OpenAction", "/AA"):
        values.extend(values_in(root.get(name)))
    scripts = inside(inside(root, "/Names"), "/JavaScript")
    values.extend(values_in(inside(scripts, "/Names")))
    return lines_of(values)


def inside(value: object, name: str) -> object:
    """Return what a dictionary holds under a name, references followed; None when it is no dictionary."""
    from pypdf.generic import DictionaryObject, IndirectObject

    found = value.get(name) if isinstance(value, DictionaryObject) else None
    return found.get_object() if isinstance(found, IndirectObject) else found


def text_of_page(reader: "PdfReader", index: int) -> str:
    """Return the text of a page, and after it the values of its annotations and actions."""
    page: PageObject = reader.pages[index]
    text = page.extract_text()[:PAGE_CHARS]
    hidden = lines_of([*values_in(page.get("/Annots")), *values_in(page.get("/AA"))])
    return f"{text}\n{hidden}" if text and not text.endswith("\n") else text + hidden


def attempt(number: int, make: Callable[[], str]) -> None:
    """Answer one page; what goes wrong in it is said in words."""
    try:
        text, problem = make(), ""
    except Exception as error:  # noqa: BLE001 - the library raises what the file makes it raise; this process reports it
        text, problem = "", f"{type(error).__name__}: {error}"[:300]
    say({"page": number, "text": text, "problem": problem})


def main() -> None:
    """Read the PDF on standard input page by page."""
    most, seconds = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.CRITICAL)
    from pypdf import PdfReader

    try:
        reader = PdfReader(io.BytesIO(sys.stdin.buffer.read()), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            say({"end": 0, "problem": "encrypted"})
            return
        pages = len(reader.pages)
    except Exception as error:  # noqa: BLE001 - as above
        say({"end": 0, "problem": f"{type(error).__name__}: {error}"[:300]})
        return
    attempt(0, lambda: whole_document(reader))
    for number in range(min(pages, most)):
        attempt(number + 1, partial(text_of_page, reader, number))
    say({"end": pages, "problem": ""})


if __name__ == "__main__":
    main()
