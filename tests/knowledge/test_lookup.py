import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.errors import NotTrusted
from casemate.knowledge import KINDS, Knowledge


def test_looks_up_an_entry_by_id_in_any_case_and_by_uuid(knowledge: Knowledge) -> None:
    entry = knowledge.entry(" t1059.001 ")
    assert entry is not None
    assert (entry.id, entry.kind, entry.name, entry.state) == ("T1059.001", "technique", "PowerShell", "")
    assert "Command and Scripting Interpreter: PowerShell" in entry.names
    assert entry.text == "See PowerShell -enc . It runs commands."
    assert ("subtechnique-of", "T1059") in entry.links
    assert knowledge.entry("attack-pattern--00000000-0000-4000-8000-000000000002") == entry


def test_unknown_ids_give_none(knowledge: Knowledge) -> None:
    assert knowledge.entry("T9999") is None
    assert knowledge.entry("") is None
    assert knowledge.entry("\ud800") is None


@pytest.mark.parametrize(
    ("id_", "state", "successor"),
    [
        ("T1086", "revoked", "T1059.001"),
        ("CAPEC-411", "deprecated", "CAPEC-66"),
        ("CWE-592", "deprecated", "CWE-89"),
        ("CVE-2024-0002", "revoked", ""),
    ],
)
def test_withdrawn_entries_name_their_successor(knowledge: Knowledge, id_: str, state: str, successor: str) -> None:
    entry = knowledge.entry(id_)
    assert entry is not None
    assert (entry.state, entry.successor) == (state, successor)
    chain = knowledge.resolve(id_)
    assert [one.id for one in chain] == ([id_, successor] if successor else [id_])


def test_a_mitigation_numbered_like_a_technique_does_not_hide_it(knowledge: Knowledge) -> None:
    entry = knowledge.entry("T1086")
    assert entry is not None
    assert entry.kind == "technique"


def test_facts_of_kev_nvd_and_epss_are_joined(knowledge: Knowledge) -> None:
    entry = knowledge.entry("CVE-2021-44228")
    assert entry is not None
    assert entry.fact("kev-date-added") == "2021-12-10"
    assert entry.fact("kev-ransomware") == "Known"
    assert entry.fact("epss") == "0.94358"
    assert entry.fact("epss-percentile") == "0.99957"
    assert entry.fact("cvss-score") == "10.0"
    assert entry.fact("cvss-vector").startswith("CVSS:3.1/")
    assert entry.text == "JNDI features do not protect against endpoints."
    assert {("weakness", "CWE-917"), ("weakness", "CWE-20")} <= set(entry.links)
    assert knowledge.exploited("cve-2021-44228")
    assert not knowledge.exploited("CVE-2024-0001")


def test_a_cve_that_only_epss_knows_has_its_score(knowledge: Knowledge) -> None:
    entry = knowledge.entry("cve-2020-0001")
    assert entry is not None
    assert (entry.id, entry.kind, entry.fact("epss")) == ("CVE-2020-0001", "vulnerability", "0.00042")


def test_an_ambiguous_alias_lists_every_candidate(knowledge: Knowledge) -> None:
    assert {entry.name for entry in knowledge.named("ta 999")} == {"APT99", "Grim Otter"}
    assert len(knowledge.candidates("TA999")) == 2


def test_entries_of_two_sources_about_one_actor_are_one_candidate(knowledge: Knowledge) -> None:
    groups = knowledge.candidates("fuzzy-badger")
    assert [[entry.fact("source") for entry in group] for group in groups] == [["enterprise-attack", "threat-actor"]]


def test_releases_carry_version_digest_and_notice(knowledge: Knowledge) -> None:
    attack = knowledge.sources()["enterprise-attack"]
    assert (attack.name, attack.version) == ("ATT&CK Enterprise", "18.1")
    assert "The MITRE Corporation" in attack.notice
    entry = knowledge.entry("G0999")
    assert entry is not None
    assert entry.release == attack.digest
    assert len(knowledge.releases()) == len(knowledge.sources())


def test_search_finds_by_words_and_by_id(knowledge: Knowledge) -> None:
    assert knowledge.search("commands built from input")[0].id == "CWE-89"
    assert knowledge.search("CAPEC-66", ("attack-pattern",))[0].id == "CAPEC-66"
    passage = knowledge.search("encoded commands", ("procedure",))[0]
    assert passage.quote == "APT99 ran encoded commands."
    assert passage.release == knowledge.sources()["enterprise-attack"].digest


def test_search_ranks_and_limits(knowledge: Knowledge) -> None:
    passages = knowledge.search("injection group loader commands", limit=3)
    assert len(passages) == 3
    assert [passage.score for passage in passages] == sorted((one.score for one in passages), reverse=True)
    assert knowledge.search("injection", limit=0) == ()


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200), st.sampled_from([(), *((kind,) for kind in KINDS), ("'; DROP TABLE entry; --",)]))
def test_no_query_breaks_the_search(knowledge: Knowledge, query: str, kinds: tuple[str, ...]) -> None:
    for passage in knowledge.search(query, kinds):
        entry = knowledge.entry(passage.id)
        assert entry is not None
        assert passage.quote in entry.text


@pytest.mark.parametrize(
    "query", ['"', 'a" OR "b', "NEAR(a b)", "title:x*", "^a", "a AND NOT b", "{x} : y", "\0", "\ud800x"]
)
def test_query_syntax_is_only_words(knowledge: Knowledge, query: str) -> None:
    knowledge.search(query)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_no_text_breaks_a_look_up(knowledge: Knowledge, text: str) -> None:
    knowledge.entry(text)
    knowledge.resolve(text)
    knowledge.named(text)


def test_a_missing_index_is_not_trusted(tmp_path: Path) -> None:
    with pytest.raises(NotTrusted) as caught:
        Knowledge.open(tmp_path / "nothing.sqlite")
    assert caught.value.way_out


def _copy(index: Path, folder: Path) -> Path:
    for suffix in ("", ".seal"):
        shutil.copy(f"{index}{suffix}", folder / f"copy{suffix}")
    return folder / "copy"


def test_a_copied_index_is_trusted(index: Path, tmp_path: Path) -> None:
    with Knowledge.open(_copy(index, tmp_path)) as knowledge:
        assert knowledge.entry("CWE-89")


def test_an_altered_index_is_not_trusted(index: Path, tmp_path: Path) -> None:
    copy = _copy(index, tmp_path)
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(bytes(data))
    with pytest.raises(NotTrusted, match="altered"):
        Knowledge.open(copy)


def test_an_index_without_its_seal_is_not_trusted(index: Path, tmp_path: Path) -> None:
    copy = _copy(index, tmp_path)
    copy.with_name("copy.seal").unlink()
    with pytest.raises(NotTrusted, match="seal"):
        Knowledge.open(copy)


def test_another_schema_is_not_trusted(index: Path, tmp_path: Path) -> None:
    from casemate.knowledge.seal import put_in_place

    copy = _copy(index, tmp_path)
    connection = sqlite3.connect(copy)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    copy.replace(tmp_path / "made")
    put_in_place(tmp_path / "made", copy)
    with pytest.raises(NotTrusted, match="schema 999"):
        Knowledge.open(copy)


def test_something_sealed_that_is_no_database_is_not_trusted(tmp_path: Path) -> None:
    from casemate.knowledge.seal import put_in_place

    (tmp_path / "made").write_bytes(b"this is no database at all, but long enough to look at" * 40)
    put_in_place(tmp_path / "made", tmp_path / "index")
    with pytest.raises(NotTrusted):
        Knowledge.open(tmp_path / "index")
