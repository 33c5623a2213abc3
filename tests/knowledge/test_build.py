import contextlib
import gzip
import io
import json
import lzma
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.errors import NotTrusted, WrongUsage
from casemate.knowledge import Knowledge, build_default, fold_name, forget, import_file
from casemate.knowledge.openers import parse_json
from casemate.knowledge.records import tidy
from casemate.knowledge.sources.recognise import JSON_READERS, read_edition
from casemate.policy import Limits
from tests.knowledge.samples import (
    ATTACK,
    CAPEC,
    CVE,
    CWE,
    CWE_CSV,
    EPSS,
    GALAXY,
    KEV,
    LISTS,
    MALWARE,
    NOW,
    NVD,
    REJECTED,
    put,
)


def _bytes(content: object) -> bytes:
    return (content if isinstance(content, str) else json.dumps(content)).encode()


def _zip(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "version", "entries"),
    [
        (ATTACK, "ATT&CK Enterprise", "18.1", 7),
        (CAPEC, "CAPEC", "3.9", 2),
        (CWE, "CWE", "4.14", 3),
        (CWE_CSV, "CWE view", "unversioned CSV", 1),
        (KEV, "CISA KEV", "2025.08.25", 1),
        (EPSS, "EPSS", "v2025.03.14 of 2025-08-25", 2),
        (NVD, "NVD", "2025-08-26", 1),
        (CVE, "CVE Program", "2024-02-01", 1),
        ([CVE, REJECTED], "CVE Program", "2024-02-01", 2),
        (json.dumps(CVE) + "\n" + json.dumps(REJECTED) + "\n", "CVE Program", "2024-02-01", 2),
        (GALAXY, "MISP galaxy threat-actor", "336", 2),
        (LISTS[0], "Test public resolvers", "1", 1),
    ],
)
@pytest.mark.parametrize("packing", ["plain", "gzip", "xz", "zip"])
def test_imports_each_format_in_each_packing(
    tmp_path: Path, content: object, name: str, version: str, entries: int, packing: str
) -> None:
    data = _bytes(content)
    packed = {
        "plain": lambda: data,
        "gzip": lambda: gzip.compress(data),
        "xz": lambda: lzma.compress(data),
        "zip": lambda: _zip({"README.md": b"hello", "inside": data}),
    }[packing]()
    (tmp_path / "file").write_bytes(packed)
    release = import_file(tmp_path / "index", tmp_path / "file", now=NOW)
    assert (release.name, release.version, release.entries, release.imported) == (name, version, entries, NOW)


def test_a_zip_of_records_is_one_edition(tmp_path: Path) -> None:
    inner = _zip({"cves/2024/CVE-2024-0001.json": _bytes(CVE), "cves/2024/CVE-2024-0002.json": _bytes(REJECTED)})
    (tmp_path / "file").write_bytes(_zip({"cves/delta.json": b"{}", "cves.zip": inner}))
    assert import_file(tmp_path / "index", tmp_path / "file").entries == 2


def test_a_newer_edition_replaces_the_older_one(tmp_path: Path) -> None:
    import_file(tmp_path / "index", put(tmp_path, "a", KEV))
    newer = {
        **KEV,
        "catalogVersion": "2026.01.01",
        "vulnerabilities": [{"cveID": "CVE-2025-0001", "dateAdded": "2026-01-01"}],
    }
    import_file(tmp_path / "index", put(tmp_path, "b", newer))
    with Knowledge.open(tmp_path / "index") as knowledge:
        assert [release.version for release in knowledge.releases()] == ["2026.01.01"]
        assert knowledge.entry("CVE-2021-44228") is None
        assert knowledge.exploited("CVE-2025-0001")
        assert knowledge.search("Log4j2") == ()


def test_the_official_edition_wins_and_forgetting_it_brings_the_other_back(tmp_path: Path) -> None:
    cluster = {
        "type": "mitre-intrusion-set",
        "uuid": "10df003c-7831-11e7-bdb9-971cdd1218df",
        "version": 1,
        "values": [
            {"value": "APT99 - G0999", "uuid": "00000000-0000-4000-8000-000000000004", "meta": {"external_id": "G0999"}}
        ],
    }
    index = tmp_path / "index"
    import_file(index, put(tmp_path, "a", ATTACK))
    import_file(index, put(tmp_path, "b", cluster))
    with Knowledge.open(index) as knowledge:
        entry = knowledge.entry("G0999")
        assert entry is not None
        assert entry.fact("source") == "enterprise-attack"
        assert len(knowledge.named("APT99")) == 1
    forget(index, "enterprise-attack")
    with Knowledge.open(index) as knowledge:
        entry = knowledge.entry("g0999")
        assert entry is not None
        assert (entry.name, entry.fact("source")) == ("APT99", "mitre-intrusion-set")
        assert knowledge.entry("T1059") is None


def test_forgetting_what_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    import_file(tmp_path / "index", put(tmp_path, "a", KEV))
    with pytest.raises(WrongUsage, match="nothing-like-it"):
        forget(tmp_path / "index", "nothing-like-it")


BAD = {
    "cut-off": (_bytes(ATTACK)[:400], "line 1"),
    "cut gzip": (gzip.compress(_bytes(CWE))[:-30], "damaged"),
    "not well-formed": (CWE.replace("</Weaknesses>", "").encode(), "line"),
    "entity": (b'<!DOCTYPE x [<!ENTITY a "b">]><Weakness_Catalog Version="1"/>', "not safe"),
    "number missing": (CWE.replace('ID="89"', 'ID="x"').encode(), "Weakness x"),
    "score": (EPSS.replace("0.00042", "high").encode(), "line 4"),
    "score above one": (EPSS.replace("0.00042", "1.5").encode(), "line 4"),
    "kev": (_bytes({**KEV, "vulnerabilities": [*KEV["vulnerabilities"], {}]}), r"vulnerabilities\[1\]"),
    "nvd": (_bytes({"format": "NVD_CVE", "vulnerabilities": [{"cve": {}}]}), r"vulnerabilities\[0\]"),
    "cve": (_bytes([CVE, {"dataType": "CVE_RECORD"}]), "record 2"),
    "cve lines": (_bytes(json.dumps(CVE) + "\n{oops\n"), "line 2"),
    "galaxy value": (_bytes({**GALAXY, "values": [{"value": "x"}]}), r"values\[0\]"),
    "galaxy of other things": (_bytes({**GALAXY, "type": "sector"}), "no use"),
    "list": (_bytes({**LISTS[0], "list": [1]}), "no text"),
    "stix object": (_bytes({"type": "bundle", "objects": [*ATTACK["objects"], {"type": "tool"}]}), r"objects\[11\]"),
    "csv": (CWE_CSV.replace("20,", "x,").encode(), "line 2"),
    "unknown JSON": (b'{"a": 1}', "none of"),
    "unknown": (b"\x7fELF....", "none of the formats"),
    "empty": (b"", "none of the formats"),
    "empty zip": (_zip({}), "nothing in it"),
    "two sources in one zip": (_zip({"a": _bytes(KEV), "b": _bytes(CAPEC)}), "one by one"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_with_its_place_and_changes_nothing(tmp_path: Path, case: str) -> None:
    index = tmp_path / "index"
    import_file(index, put(tmp_path, "good", MALWARE))
    before = index.read_bytes()
    data, reason = BAD[case]
    (tmp_path / "bad-file").write_bytes(data)
    with pytest.raises(NotTrusted, match=reason) as caught:
        import_file(index, tmp_path / "bad-file")
    assert "bad-file" in caught.value.message
    assert caught.value.way_out
    assert index.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad-file", "good", "index", "index.seal"]


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb").write_bytes(gzip.compress(b"[" + b" " * 3_000_000))
    with pytest.raises(NotTrusted, match="limit"):
        import_file(tmp_path / "index", tmp_path / "bomb", limits=Limits(unpacked_bytes=1_000_000))
    with pytest.raises(NotTrusted, match="more than"):
        import_file(tmp_path / "index", tmp_path / "bomb", limits=Limits(json_document_bytes=1_000_000))
    assert not (tmp_path / "index").exists()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotTrusted, match="nowhere"):
        import_file(tmp_path / "index", tmp_path / "nowhere")


def test_the_same_imports_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        for place, content in enumerate((ATTACK, GALAXY, LISTS[0])):
            import_file(tmp_path / name, put(tmp_path, f"sample{place}", content), now=NOW)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


_KEYS = re.findall(
    r"\w+",
    "type objects id name external_references source_name external_id vulnerabilities cve cveID catalogVersion "
    "dataType containers cna cveMetadata cveId values uuid value meta related list metrics descriptions",
)


_json = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.sampled_from(["CVE-1-1", "bundle", "cidr"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(_KEYS),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(document=_json, flavour=st.sampled_from(sorted(JSON_READERS)))
def test_no_json_breaks_a_reader(document: object, flavour: str) -> None:
    recognises, read = JSON_READERS[flavour]
    recognises(document)
    for sample in (ATTACK, CAPEC, KEV, NVD, CVE, MALWARE, LISTS[0]):
        if recognises(sample) and isinstance(document, dict):
            mixed = {**sample, **{key: value for key, value in document.items() if key != "type"}}
            if recognises(mixed):
                with contextlib.suppress(NotTrusted):
                    list(read(mixed, "mixed").items)


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"<Weakness_Catalog>", b"cve,epss,percentile\n", b"CWE-ID,Name,\n", b"{", b"PK\x03\x04"]),
)
def test_no_bytes_break_the_reading(tmp_path_factory: pytest.TempPathFactory, data: bytes, head: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(head + data)
    with contextlib.suppress(NotTrusted):
        list(read_edition(path, Limits()).items)


def test_json_errors_have_a_place() -> None:
    with pytest.raises(NotTrusted, match="line 2 column 6"):
        parse_json(b'{\n"a": x}', "file")


def test_descriptions_become_running_text() -> None:
    raw = "[APT1](https://a.b/c) ran <code>x</code>.(Citation: A)(Citation: B)\n\n\n* one\x07\u202e"
    assert tidy(raw) == "APT1 ran x .\n\n* one"


@pytest.mark.slow
def test_the_default_knowledge(tmp_path: Path) -> None:
    said: list[str] = []
    releases = build_default(tmp_path / "index", lambda what, _done, _total: said.append(what), now=NOW)
    assert [release.name for release in releases] == [
        "CWE",
        "MISP galaxy",
        "CAPEC (in part, by pytm)",
        "ATT&CK Enterprise",
        "ATT&CK ICS",
        "ATT&CK Mobile",
        "MISP warning lists",
    ]
    assert all(
        "The MITRE Corporation" in release.notice for release in releases if release.name != "MISP warning lists"
    )
    assert said
    with Knowledge.open(tmp_path / "index") as knowledge:
        technique = knowledge.entry("T1059.001")
        assert technique is not None
        assert technique.fact("tactic") == "execution"
        assert [entry.id for entry in knowledge.resolve("T1086")] == ["T1086", "T1059.001"]
        assert technique.release == next(one.digest for one in releases if one.name == "MISP galaxy")
        assert knowledge.search("LSASS memory", ("procedure",))
        assert all(passage.kind != "procedure" for passage in knowledge.search("LSASS memory"))
        campaign, pattern = knowledge.entry("C0014"), knowledge.entry("CAPEC-102")
        assert campaign is not None
        assert pattern is not None
        assert ("weakness", "CWE-294") in pattern.links
        weakness = knowledge.entry("CWE-79")
        assert weakness is not None
        assert "List of known URL Shorteners domains" in knowledge.flags("url", "https://bit.ly/abc")
        assert knowledge.candidates("APT28")[0][0].id == "G0007"
        quiet = (
            "ping the net at 8, play music in Cuba, route add, reg query, an empire; cmd /c echo; spark.Manager max 3"
        )
        assert [match.text for match in knowledge.names_in(quiet)] == []
        loud = [
            match.text
            for match in knowledge.names_in("Emotet dropped Cobalt Strike; mimikatz.exe ran. Cuba ransomware")
        ]
        assert loud == ["Emotet", "Cobalt Strike", "mimikatz", "Cuba"]


@pytest.mark.slow
def test_aliases_of_several_actors_are_all_ambiguous(tmp_path: Path) -> None:
    from importlib.util import find_spec

    spec = find_spec("pymispgalaxies")
    assert spec is not None
    assert spec.submodule_search_locations
    file = Path(spec.submodule_search_locations[0], "data/misp-galaxy/clusters/threat-actor.json")
    import_file(tmp_path / "index", file)
    bearers: dict[str, set[str]] = {}
    for value in json.loads(file.read_bytes())["values"]:
        for name in (value["value"], *value.get("meta", {}).get("synonyms", [])):
            bearers.setdefault(fold_name(name), set()).add(value["uuid"])
    ambiguous = {name: held for name, held in bearers.items() if len(held) > 1}
    assert len(ambiguous) >= 20
    with Knowledge.open(tmp_path / "index") as knowledge:
        for name, held in ambiguous.items():
            assert {entry.id for entry in knowledge.named(name)} == held
            assert len(knowledge.candidates(name)) == len(held)


OFFICIAL = {
    "attack/enterprise-attack.json.gz": ("ATT&CK Enterprise", 15_000),
    "attack/mobile-attack.json.gz": ("ATT&CK Mobile", 1_000),
    "attack/ics-attack.json.gz": ("ATT&CK ICS", 500),
    "cwe/cwec_v4.14.xml.gz": ("CWE", 1_400),
    "cwe/view_1003.csv.gz": ("CWE view", 100),
    "capec/stix-capec-2.1.json.gz": ("CAPEC", 600),
    "kev/known_exploited_vulnerabilities.json.gz": ("CISA KEV", 1_400),
    "misp/galaxy/threat-actor.json.gz": ("MISP galaxy threat-actor", 800),
}


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("file", OFFICIAL)
def test_official_files(shared_data: Path, tmp_path: Path, file: str) -> None:
    name, least = OFFICIAL[file]
    release = import_file(tmp_path / "index", shared_data / "knowledge" / file)
    assert release.name == name
    assert release.entries >= least
