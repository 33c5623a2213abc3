"""The scanner: every type's example is found, spans select what they say, parts give what the whole gives."""

import random
import re
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.errors import WrongUsage
from casemate.stages.extract.engine_hyperscan import HyperscanEngine
from casemate.stages.extract.engine_re import ReEngine
from casemate.stages.extract.patterns import ANCHORS, KIND_BITS, KIND_MASK, any_of
from casemate.stages.extract.scanner import READERS, Scanner
from casemate.stages.extract.types import TYPES

FRAGMENTS = [
    "evil[.]com",
    "hxxps[:]//a.evil[.]com:8443/x?y=1",
    "http://1.2.3.4/a",
    "1.2.3[.]4",
    "10.0.0.0/8",
    "8.8.8.8:53",
    "::1",
    "2001:db8::1",
    "user@evil.com",
    "user[at]evil[dot]com",
    "d41d8cd98f00b204e9800998ecf8427e",
    "/etc/passwd",
    "/var/log/x.log",
    r"C:\Windows\Temp\a b.exe",
    r"HKLM\Software\Foo Bar\Run",
    "CVE-2021-44228",
    "T1059.001",
    "(S0154)",
    "AS64496",
    "Mutex: abc-d",
    "User-Agent: x/1.0",
    "Mozilla/5.0 (X11; Linux) Firefox/1.0",
    "00:11:22:aa:bb:cc",
    "Event ID 4625",
    "S-1-5-21-1-2-3",
    "v1.2.3.4",
    "evil.com.",
    "(evil.com)",
    "foo.py",
    "os.path",
    "münchen.de",
    "пример.рф",
    "evil\u200b.com",
    "e．com",
    "www.x.co.uk/a",
    "\\\\srv\\share\\x",
    "hxxp\n[:]//",
    "mutex\n: x-1",
    "[",
    "]",
    "(",
    ")",
    "://",
    ":",
    "/",
    "@",
    ".",
    " dot ",
    "\\",
    "?",
    "\xe9",
    "\u4e2d",
    "\t",
    '"',
    "'",
    ",",
    "|",
    "0x",
    "-",
    "_",
    "=",
    "%",
    "\x00",
]

hostile = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=6)), max_size=14).map("".join)
spaced = st.lists(st.sampled_from([*FRAGMENTS, "\n", " "]), max_size=20).map(" ".join)
lines = st.lists(st.one_of(spaced, hostile), max_size=6)


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner("hyperscan")


@pytest.fixture(scope="module")
def portable() -> Scanner:
    return Scanner("re")


@pytest.mark.parametrize(("kind", "example"), [(kind, one) for kind, several in TYPES.items() for one in several])
@pytest.mark.parametrize("around", ["{}", "x: {}, and", "- {}\r\nnext", "<{}>"])
def test_every_example_is_found(scanner, kind, example, around):
    if kind == "mutex" or example.example.startswith("User-Agent"):  # these run on to the end of what is quoted
        around = "{}"
    found = scanner.scan(around.format(example.example))
    assert (kind, example.value, example.hash) in {(one.type, one.value, one.hash) for one in found}


def test_only_described_types_come_out(scanner):
    text = "\n".join(one.example for several in TYPES.values() for one in several)
    assert {one.type for one in scanner.scan(text)} == set(TYPES)


def test_every_anchor_has_its_reader():
    assert {anchor.name for anchor in ANCHORS} == set(READERS)
    assert len(ANCHORS) <= KIND_MASK


def test_an_unknown_engine_is_a_usage_fault_with_a_way_out():
    with pytest.raises(WrongUsage) as raised:
        Scanner("quantum")
    assert "hyperscan" in raised.value.way_out


def test_auto_takes_the_fast_engine_where_it_is_installed():
    assert Scanner().engine == "hyperscan"


@settings(max_examples=150, deadline=None)
@given(st.one_of(hostile, spaced), st.integers(0, 10**12))
def test_spans_select_raw_and_come_sorted(scanner, text, start):
    found = scanner.scan(text, start)
    for one in found:
        assert text[one.start - start : one.end - start] == one.raw != ""
        assert "\n" not in one.raw
        assert one.value
        assert one.type in TYPES
    assert [one.start for one in found] == sorted(one.start for one in found)
    assert len(set(found)) == len(found)


@settings(max_examples=100, deadline=None)
@given(st.one_of(hostile, spaced))
def test_both_engines_give_the_same(scanner, portable, text):
    assert portable.scan(text) == scanner.scan(text)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_both_engines_find_the_same_anchors_in_any_bytes(data):
    assert ReEngine().hits(data) == _FAST.hits(data)


_FAST = HyperscanEngine()


@settings(max_examples=100, deadline=None)
@given(lines)
def test_parts_cut_at_line_ends_give_what_the_whole_gives(scanner, parts):
    whole = scanner.scan("".join(f"{part}\n" for part in parts))
    apart, start = [], 0
    for part in parts:
        apart += scanner.scan(f"{part}\n", start)
        start += len(part) + 1
    assert apart == whole


def test_hits_are_ends_of_anchors_in_order():
    hits = HyperscanEngine().hits(b"\n1.2.3.4 CVE-2021-44228\n")
    assert hits == sorted(hits)
    ends = {ANCHORS[hit & KIND_MASK].name: hit >> KIND_BITS for hit in hits}
    assert ends["ipv4"] == len(b"\n1.2.3.4 ")
    assert ends["cve"] == len(b"\n1.2.3.4 CVE-2021-4422")


def test_long_lines_without_a_break_stay_quick(scanner):
    generator = random.Random(7)
    letters = string.ascii_letters + string.digits + ".:/@[]-_%\\ "
    noise = "".join(generator.choices(letters, k=200_000))
    for text in (
        noise,
        "a[.]" * 50_000,
        "a[at]" * 40_000,
        "1.2.3.4/" * 20_000,
        "::" * 60_000,
        "a." * 100_000,
        "[.]" * 60_000,
        "http://" * 30_000,
        "/a" * 100_000,
        "1." * 100_000,
        "x@" * 100_000,
    ):
        assert isinstance(scanner.scan(text), list)


@pytest.mark.data
def test_engines_agree_on_real_reports_and_logs(scanner, portable, shared_data):
    import io
    import tarfile

    read = 0
    for name in ("ioc/unit42_timely_gpl3.tar.gz", "ioc/eset_malware_ioc_bsd2.tar.gz"):
        with tarfile.open(shared_data / name) as archive:
            members = [one for one in archive if one.isfile() and one.name.endswith((".txt", ".adoc"))]
            for member in members[::40]:
                stream = archive.extractfile(member) or io.BytesIO()
                text = stream.read()[:40_000].decode("utf-8", "replace")
                assert portable.scan(text) == scanner.scan(text), member.name
                read += 1
    assert read > 5


@given(st.lists(st.text(alphabet="abc1", max_size=4), max_size=12))
def test_a_tree_of_letters_matches_its_words_and_no_other(words):
    words = [word for word in words if word]
    pattern = re.compile(any_of(words))
    for word in ["", *words, *(word + "a" for word in words), *(word[:-1] for word in words)]:
        assert bool(pattern.fullmatch(word)) == (word in words or (not words and not word))
