"""Compressed streams and archives: sound, damaged, hostile."""

import bz2
import io
import lzma
import random
import stat
import struct
import tarfile
import zipfile
from dataclasses import replace

import pytest
import zstandard

from casemate.core.digest import digest_bytes
from casemate.policy.limits import Limits

from .parts import NARROW, make_gzip, make_tar, make_zip, read_bytes

LOG = b"2024-01-02 03:04:05 host app: something happened at 198.51.100.7\n" * 200
PACKERS = {
    "gzip": make_gzip,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("name", PACKERS)
def test_what_was_packed_comes_out(name: str) -> None:
    reading = read_bytes(PACKERS[name](LOG))
    assert reading.parts[0].opened.format == name
    assert reading.parts[1].text == LOG.decode()
    assert reading.parts[1].closed.id == digest_bytes(LOG)
    assert reading.parts[0].text == ""
    assert not reading.issues


@pytest.mark.parametrize("name", PACKERS)
def test_streams_after_each_other_are_one(name: str) -> None:
    pack = PACKERS[name]
    assert read_bytes(pack(b"first half,\n") + pack(b"second half\n")).parts[1].text == "first half,\nsecond half\n"


@pytest.mark.parametrize("name", PACKERS)
def test_a_stream_cut_short_gives_what_is_there(name: str) -> None:
    packed = PACKERS[name](random.Random(5).randbytes(50_000).hex().encode())
    reading = read_bytes(packed[:-1000])
    assert f"{name}-truncated" in reading.codes
    assert not reading.parts[1].closed.complete
    assert not reading.parts[0].closed.complete
    if name in {"gzip", "xz"}:
        assert reading.parts[1].closed.size > 80_000


def test_a_wrong_checksum_loses_nothing() -> None:
    packed = bytearray(make_gzip(LOG))
    packed[-6] ^= 1
    reading = read_bytes(bytes(packed))
    assert "gzip-damaged" in reading.codes
    assert reading.parts[1].text == LOG.decode()


def test_bytes_after_a_stream_are_told() -> None:
    assert "gzip-trailing" in read_bytes(make_gzip(LOG) + b"MZ appended").codes
    assert not read_bytes(make_gzip(LOG) + bytes(512)).codes


def test_a_gzip_member_is_named_as_its_header_says() -> None:
    assert read_bytes(make_gzip(LOG, "../../etc/passwd")).parts[1].opened.source == "x!passwd"
    assert read_bytes(make_gzip(LOG), name="a/b.log.gz").parts[1].opened.source == "a/b.log.gz!b.log"


@pytest.mark.parametrize("name", PACKERS)
def test_a_bomb_is_stopped_by_its_ratio(name: str) -> None:
    limits = Limits(unpack_ratio_floor=1 << 20, unpack_ratio=20)
    reading = read_bytes(PACKERS[name](b"\n" * (64 << 20)), limits)
    assert "unpack-ratio" in reading.codes
    assert reading.parts[1].closed.size < 40 << 20
    assert not reading.parts[1].closed.complete


def test_a_zip_bomb_of_many_members_is_stopped() -> None:
    bomb = make_zip({f"{i}.txt": bytes(1 << 20) for i in range(40)})
    reading = read_bytes(bomb, Limits(unpack_ratio_floor=4 << 20, unpack_ratio=20))
    assert "unpack-ratio" in reading.codes
    assert sum(part.closed.size for part in reading.parts.values()) < 12 << 20


def test_everything_unpacked_is_bounded_together() -> None:
    reading = read_bytes(make_zip({f"{i}.log": LOG for i in range(20)}), Limits(unpacked_bytes=50_000))
    assert "unpacked-bytes" in reading.codes


def test_archives_in_archives_end_at_a_depth() -> None:
    data = LOG
    for _ in range(9):
        data = make_gzip(data)
    reading = read_bytes(data)
    assert "unpack-depth" in reading.codes
    assert len(reading.parts) == 7


def test_members_are_bounded() -> None:
    reading = read_bytes(make_zip({f"{i}": b"text here" for i in range(30)}), replace(Limits(), archive_members=10))
    assert len(reading.parts) == 11
    assert "archive-members" in reading.codes


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_zip_gives_its_members(method: int) -> None:
    reading = read_bytes(make_zip({"a/b.log": LOG, "ü.txt": b"text\n"}, method=method), NARROW)
    assert reading.named("x!a/b.log").text == LOG.decode()
    assert reading.named("x!ü.txt").text == "text\n"
    assert not reading.issues


def test_a_zip_made_in_a_stream_is_read() -> None:
    class OneWay(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]  # narrower on purpose
            self.data += bytes(data)
            return len(data)

    out = OneWay()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.log", LOG)
        archive.writestr("b.log", LOG)
    assert read_bytes(out.data).named("x!b.log").text == LOG.decode()
    cut = read_bytes(out.data[: out.data.rindex(b"PK\1\2") - 60])
    assert "zip-truncated" in cut.codes
    assert cut.named("x!a.log").text == LOG.decode()


def test_names_that_lead_outside_are_noted_and_read_as_data() -> None:
    for data in (make_zip({"../../evil.txt": LOG}), make_tar({"/etc/cron.d/evil": LOG})):
        reading = read_bytes(data)
        assert "member-path" in reading.codes
        assert reading.parts[1].text == LOG.decode()


def test_a_link_in_a_zip_is_noted() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    reading = read_bytes(out.getvalue())
    assert "member-link" in reading.codes
    assert reading.parts[1].text == "/etc/passwd"


def test_an_encrypted_member_is_told_and_the_others_are_read() -> None:
    data = bytearray(make_zip({"secret.txt": LOG, "open.txt": b"text\n"}))
    local, central = data.index(b"PK\3\4"), data.index(b"PK\1\2")
    struct.pack_into("<H", data, local + 6, 1)
    struct.pack_into("<H", data, central + 8, 1)
    reading = read_bytes(bytes(data))
    (issue,) = reading.issues
    assert (issue.code, issue.source) == ("encrypted", "x!secret.txt")
    assert issue.way_out
    assert reading.named("x!open.txt").text == "text\n"


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_tar_gives_its_members(kind: int) -> None:
    long = "folder/" * 12 + "näme.log"
    reading = read_bytes(make_tar({"a.log": LOG, long: b"text\n", "empty": b""}, kind=kind))
    assert reading.named("x!a.log").text == LOG.decode()
    assert reading.named(f"x!{long}").text == "text\n"
    assert reading.codes == {"empty"}


def test_links_and_devices_in_a_tar_are_noted_and_not_followed() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("tty", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type = kind
            info.linkname = "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("after.txt")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"text\n"))
    reading = read_bytes(out.getvalue())
    assert [issue.code for issue in reading.issues] == ["member-link", "member-link", "member-device"]
    assert [part.opened.source for part in reading.parts.values()] == ["x", "x!after.txt"]


def test_a_tar_cut_short_gives_what_is_there() -> None:
    reading = read_bytes(make_tar({"a.log": LOG})[:5000])
    assert "tar-truncated" in reading.codes
    assert reading.parts[1].closed.size == 5000 - 512


def test_a_damaged_tar_header_stops_the_archive() -> None:
    data = bytearray(make_tar({"a.log": b"text\n", "b.log": b"text\n"}))
    data[1024 + 10] ^= 0xFF
    reading = read_bytes(bytes(data))
    assert "tar-damaged" in reading.codes
    assert reading.named("x!a.log").text == "text\n"


SAMPLES = {
    **{name: pack(LOG) for name, pack in PACKERS.items()},
    "zip": make_zip({"a.log": LOG, "b.zip": make_zip({"c.txt": b"inner\n"})}),
    "tar": make_tar({"a.log": LOG[:700], "long" * 40: b"text\n"}),
    "tar.gz": make_gzip(make_tar({"a.log": LOG})),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_containers_never_raise(name: str) -> None:
    chance = random.Random(name)
    for _ in range(60):
        data = bytearray(SAMPLES[name])
        for _ in range(chance.randrange(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        read_bytes(bytes(data), NARROW)
