"""Mail: headers, bodies, attachments, damage."""

import random
from email.message import EmailMessage
from email.policy import SMTP

from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.text import locate
from casemate.policy.limits import Limits

from .parts import NARROW, check_verbatim, make_gzip, read_bytes

SUBJECT = "Grüße aus der Rechnungsabteilung: bitte sofort öffnen und überweisen, vielen Dank"
LONG_URL = "http://evil.example/login?session=" + "a" * 100


def make_mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Jörg <joerg@mail.example>"
    mail["To"] = "victim@corp.example"
    mail["Subject"] = SUBJECT
    mail["Received"] = "from mx.example ([198.51.100.7])"
    mail.set_content(f"Hällo,\nbitte hier: {LONG_URL}\nDanke\n")
    mail.add_alternative("<html><body><a href='http://x.example/'>hier</a></body></html>", subtype="html")
    inner = EmailMessage()
    inner["From"] = "inner@mail.example"
    inner["Subject"] = "forwarded"
    inner.set_content("inside the forwarded one\n")
    mail.add_attachment(inner)
    mail.add_attachment(make_gzip(b"log line\n"), maintype="application", subtype="gzip", filename="../rechnung ü.gz")
    return mail


def test_headers_and_text_are_the_text_of_the_mail() -> None:
    data = make_mail().as_bytes()
    part = read_bytes(data).parts[0]
    assert part.opened.format == "email"
    assert f"Subject: {SUBJECT}" in part.text
    assert "From: Jörg <joerg@mail.example>" in part.text
    assert f"bitte hier: {LONG_URL}\n" in part.text
    check_verbatim(part, data)


def test_everything_else_is_child_evidence() -> None:
    reading = read_bytes(make_mail().as_bytes(policy=SMTP))
    assert "http://x.example/\n" in reading.named("x!part-1.html").text
    assert "inside the forwarded one" in reading.named("x!part-2.eml").text
    assert reading.named("x!../rechnung ü.gz!rechnung ü").text == "log line\n"
    assert not reading.issues


def test_a_span_in_quoted_printable_leads_to_its_lines() -> None:
    data = make_mail().as_bytes()
    chunk = read_bytes(data).parts[0].chunks[0]
    start = chunk.text.index(LONG_URL)
    place = locate(chunk, start, start + len(LONG_URL))
    raw = data[place.byte : place.byte_end]
    assert raw.startswith(b"bitte hier: http://evil.example/login?session=3D")
    assert place.line == data[: place.byte].count(b"\n") + 1


def test_base64_text_in_another_charset_is_decoded() -> None:
    mail = EmailMessage()
    mail["From"] = "a@b.example"
    mail["Message-ID"] = "<1@b.example>"
    mail.set_content("Счёт на оплату: http://c.example/\n", charset="koi8-r", cte="base64")
    assert "Счёт на оплату: http://c.example/" in read_bytes(mail.as_bytes()).parts[0].text


def test_a_mailbox_gives_its_messages() -> None:
    one = b"From a@b.example Mon Jan  1 00:00:00 2024\nFrom: a@b.example\nTo: c@d.example\nSubject: s\n\ntext %d\n\n"
    reading = read_bytes(b"".join(one % number for number in range(3)))
    assert [part.opened.source for part in reading.parts.values()][1:] == [f"x!message-{n}.eml" for n in (1, 2, 3)]
    assert "text 2" in reading.named("x!message-3.eml").text


def test_a_mail_cut_short_gives_what_is_there() -> None:
    data = make_mail().as_bytes()
    reading = read_bytes(data[: data.index(b"http://x.example")])
    assert "email-truncated" in reading.codes
    assert "bitte hier" in reading.parts[0].text


def test_parts_and_nesting_are_bounded() -> None:
    many = (
        b"From: a@b.example\nTo: b\nContent-Type: multipart/mixed; boundary=b\n\n"
        + b"--b\n\ntext\n" * 2000
        + b"--b--\n"
    )
    assert "email-parts" in read_bytes(many).codes
    deep = b"From: a@b.example\nTo: b\n"
    for number in range(60):
        deep += b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (number, number)
    assert "email-nesting" in read_bytes(deep).codes


def test_a_mail_over_the_limit_is_cut_and_told() -> None:
    data = make_mail().as_bytes()
    assert "email-bytes" in read_bytes(data, Limits(email_bytes=len(data) - 1)).codes
    assert "email-bytes" not in read_bytes(data, Limits(email_bytes=len(data))).codes


def test_damaged_mail_never_raises() -> None:
    chance = random.Random(7)
    sample = make_mail().as_bytes()
    for _ in range(60):
        data = bytearray(sample)
        for _ in range(chance.randrange(1, 20)):
            data[chance.randrange(40, len(data))] = chance.choice(b"\n\r=;:\"'?-*%\0\xff ax")
        for part in read_bytes(bytes(data), NARROW).parts.values():
            if part.opened.part == 0:
                check_verbatim(part, bytes(data))


@given(
    st.lists(st.sampled_from(["=?utf-8?B?", "w6Q=", "?=", "=?x?q?", "=C3=A4", '";', "*0*=", "a'b'%C3", "\n ", "--b"]))
)
@settings(max_examples=100, deadline=None)
def test_hostile_headers_never_raise(pieces: list[str]) -> None:
    made = "".join(pieces)
    header = f"From: a@b.example\nTo: c\nSubject: {made}\nContent-Type: multipart/mixed; boundary=b; x{made}\n"
    data = f"{header}\n--b\n{made}\n".encode()
    check_verbatim(read_bytes(data, NARROW).parts[0], data)
