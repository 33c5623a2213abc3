"""Bad input gets a clear answer: the file and the reason are named, the other inputs finish, the exit code is 3."""

import gzip
import io
import json
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

GOOD = "call to hxxp://good-evidence[.]com/x from 203.0.114.9\n"
PDF = b"%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 9"
EVTX_HEAD = b"ElfFile\0" + struct.pack("<QQQIHHHH", 0, 0, 2, 128, 1, 3, 4096, 1)


def zipped(*members: tuple[str, bytes], mode: int = 0o600) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            archive.writestr(info, data)
    return out.getvalue()


def encrypted_zip() -> bytes:
    data = bytearray(zipped(("secret.txt", b"hidden" * 50)))
    data[6] |= 1  # the flag of the local header
    data[data.index(b"PK\x01\x02") + 8] |= 1  # and of the directory
    return bytes(data)


def bomb() -> bytes:
    return gzip.compress(gzip.compress(bytes(300_000_000), 9), 9)


def tarred(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        data = GOOD.encode() if kind == tarfile.REGTYPE else b""
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


BAD: dict[str, tuple[bytes, str]] = {
    "truncated.evtx": (EVTX_HEAD.ljust(4096, b"\0") + b"ElfChnk\0" + bytes(900), "evtx"),
    "truncated.pdf": (PDF, "pdf"),
    "truncated.zip": (zipped(("a.txt", os.urandom(4000)))[:1500], "zip"),
    "truncated.gz": (gzip.compress(GOOD.encode() * 900)[:60], "gz"),
    "truncated.tar": (tarred("a.log")[:530], "tar"),
    "bomb.gz": (bomb(), "bomb"),
    "encrypted.zip": (encrypted_zip(), "encrypted"),
}
"""What cannot be read whole -> a word that its message or its code holds."""

ODD: dict[str, bytes] = {
    "traversal.zip": zipped(("../../etc/cron.d/evil", b"zip: " + GOOD.encode())),
    "symlink.zip": zipped(("link", b"/etc/passwd"), mode=stat.S_IFLNK | 0o777),
    "traversal.tar": tarred("../../../tmp/evil.log"),
    "symlink.tar": tarred("link", tarfile.SYMTYPE, "/etc/shadow"),
    "invalid-utf8.log": b"caf\xe9 \xff\xfe\x80 " + GOOD.encode(),
    "nul.log": GOOD.encode() + b"\0\0\0 then " + GOOD.encode(),
    "utf16-bom.log": ("\ufeff" + GOOD).encode("utf-16-le"),
    "utf16-plain.log": GOOD.encode("utf-16-le"),
    "utf16-big.log": ("\ufeff" + GOOD).encode("utf-16-be"),
    "deep.json": b"[" * 200_000 + b"]" * 200_000,
    "empty.log": b"",
    "escapes.log": b"\x1b]0;title\x07\x1b[2J\x9b31m " + GOOD.encode(),
}  # fmt: skip
"""What can be read, though it is strange: exit code 0."""


def triaged(casemate, folder: Path, *options: object) -> tuple[int, dict, str]:
    done = casemate("triage", folder, "--model", "none", "--store", "none", "--format", "json", *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr.decode()


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_whole_is_named_and_the_rest_is_done(casemate, tmp_path: Path, name: str):
    data, word = BAD[name]
    (tmp_path / name).write_bytes(data)
    (tmp_path / "good.log").write_text(GOOD, "utf-8")
    code, case, told = triaged(casemate, tmp_path)
    issues = [issue for issue in case["issues"] if name in issue["source"]]
    assert issues
    assert any(word in (issue["code"] + issue["message"] + issue["way_out"]).lower() for issue in issues)
    assert all(issue["way_out"] or issue["severity"] == "note" for issue in issues)
    assert "http://good-evidence.com/x" in {item["value"] for item in case["observables"]}
    errors = [issue for issue in issues if issue["severity"] == "error"]
    assert code == (3 if errors else 0)
    assert (name in told) == bool(errors)


def test_what_is_strange_is_read(casemate, tmp_path: Path):
    for name, data in ODD.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_bytes(data)
    code, case, _ = triaged(casemate, tmp_path)
    assert code == 0
    by_name = {item["id"]: item["source"] for item in case["evidence"]}
    read = {name for name in ODD if any(name in source for source in by_name.values())}
    assert read == set(ODD)
    seen = next(item for item in case["observables"] if item["value"] == "http://good-evidence.com/x")
    holders = " ".join(by_name[span["evidence"]] for span in seen["spans"])
    for name in ("invalid-utf8.log", "nul.log", "utf16-bom.log", "utf16-plain.log", "utf16-big.log", "traversal.zip"):
        assert name in holders
    assert not Path("/tmp/evil.log").exists()
    assert "root:" not in json.dumps(case)


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_done(casemate, tmp_path: Path):
    good = tmp_path / "good.log"
    good.write_text(GOOD, "utf-8")
    done = casemate("extract", "/proc/self/mem", good)  # reading it is an error for every user, root too
    assert done.returncode == 3
    assert b"/proc/self/mem" in done.stderr
    assert b"good-evidence.com" in done.stdout
    case = casemate("triage", "/proc/self/mem", good, "--model", "none", "--store", "none", "--format", "json")
    assert case.returncode == 3
    assert b"good-evidence.com" in case.stdout


def test_what_is_no_file_is_named(casemate, tmp_path: Path):
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "good.log").write_text(GOOD, "utf-8")
    done = casemate("extract", tmp_path / "good.log", tmp_path / "dangling", tmp_path / "missing", "/dev/null")
    assert done.returncode == 3
    assert b"good-evidence.com" in done.stdout
    assert b"dangling" in done.stderr
    assert b"missing" in done.stderr


@pytest.mark.slow
def test_a_line_of_200_mb_is_read_in_bounded_memory(casemate, tmp_path: Path):
    file = tmp_path / "line.log"
    with file.open("wb") as out:
        for _ in range(200):
            out.write(b"x1 host-77 203.0.114.9 " * 45_590)
    done = casemate("extract", file, "--output", tmp_path / "out.jsonl")
    assert done.returncode == 0
    with (tmp_path / "out.jsonl").open("rb") as rows:
        row = json.loads(rows.readline())
    assert (row["value"], row["line"]) == ("203.0.114.9", 1)


def test_more_files_than_a_case_holds_are_named(casemate, tmp_path: Path):
    policy = tmp_path / "policy.toml"
    policy.write_text("[limits]\ncase_inputs = 50\ndirectory_files = 70\n", "utf-8")
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(100):
        (folder / f"{number:03}.log").write_text(f"{number} {GOOD}", "utf-8")
    code, case, _ = triaged(casemate, folder, "--policy", policy)
    assert code == 3
    assert len(case["evidence"]) == 50
    assert "case-inputs" in {issue["code"] for issue in case["issues"]}
    done = casemate("extract", folder, "--policy", policy)
    assert len({json.loads(line)["source"] for line in done.stdout.splitlines()}) == 70
    assert b"more than 70 files" in done.stderr
