"""PDF: text by page, links, damage. The samples are written here by hand, object by object."""

import io
import random

import pypdf
import pytest

from casemate.core.text import locate
from casemate.policy.limits import Limits

from .parts import NARROW, read_bytes


def make_pdf(pages: list[str], link: str = "http://link.example/x") -> bytes:
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.launchURL\\('http://js.example'\\))>>>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>"
        % (len(pages), b" ".join(b"%d 0 R" % (4 + 2 * i) for i in range(len(pages)))),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for number, text in enumerate(pages):
        annotation = b"<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/A<</S/URI/URI(%s)>>>>" % link.encode()
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 500 500]/Resources<</Font<</F1 3 0 R>>>>"
            b"/Contents %d 0 R/Annots[%s]>>" % (5 + 2 * number, annotation)
        )
        content = b"BT /F1 12 Tf 20 400 Td (%s) Tj ET" % text.encode("latin-1")
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(content), content))
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    return (
        out + head + table + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(out))
    )


SAMPLE = make_pdf(["The C2 was 198.51.100.7", "Second page"])


def test_pages_links_and_scripts_come_out() -> None:
    reading = read_bytes(SAMPLE)
    part = reading.parts[0]
    assert part.opened.format == "pdf"
    assert [piece.note for chunk in part.chunks for piece in chunk.pieces] == ["metadata", "page 1", "page 2"]
    assert "app.launchURL('http://js.example')" in part.text
    assert "The C2 was 198.51.100.7\nhttp://link.example/x\nSecond page\n" in part.text
    assert not reading.issues
    start = part.text.index("Second")
    assert locate(part.chunks[0], start, start + 6).note == "page 2"


def test_a_locked_document_is_told() -> None:
    writer = pypdf.PdfWriter(io.BytesIO(SAMPLE))
    writer.encrypt("secret", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    (issue,) = read_bytes(out.getvalue()).issues
    assert issue.code == "encrypted"
    assert issue.way_out


def test_a_document_cut_short_is_told_or_mended() -> None:
    for size in (20, 400, len(SAMPLE) - 300):
        reading = read_bytes(SAMPLE[:size] + b"\0\1\2\3\4\5 1 0 obj")
        assert reading.issues or "198.51.100.7" in reading.parts[0].text


def test_pages_and_size_are_bounded() -> None:
    assert "pdf-pages" in read_bytes(SAMPLE, Limits(pdf_pages=1)).codes
    reading = read_bytes(SAMPLE, Limits(pdf_bytes=100))
    assert "pdf-bytes" in reading.codes
    assert not reading.parts[0].closed.complete


def test_a_document_that_takes_too_long_is_stopped() -> None:
    reading = read_bytes(make_pdf(["text"] * 50), Limits(pdf_seconds=0.01))
    assert "pdf-stopped" in reading.codes


@pytest.mark.slow
def test_damaged_documents_never_raise() -> None:
    chance = random.Random(3)
    for _ in range(12):
        data = bytearray(SAMPLE)
        for _ in range(chance.randrange(1, 12)):
            data[chance.randrange(9, len(data))] = chance.randrange(256)
        read_bytes(bytes(data), NARROW)
