import dataclasses
import json

import pytest
import stix2
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stix2validator import ValidationOptions, validate_instance

from casemate.core.marking import Marking
from casemate.core.observable import Observable
from casemate.stages.export import render
from casemate.stages.export.stix_observables import objects_of

from .cases import HASHES, TYPES, hostile_cases, values
from .sample import reviewed, sample

OPTIONS = ValidationOptions(version="2.1", enforce_refs=False)
CLASSES = {
    "ipv4-addr": stix2.v21.IPv4Address,
    "ipv6-addr": stix2.v21.IPv6Address,
    "domain-name": stix2.v21.DomainName,
    "url": stix2.v21.URL,
    "file": stix2.v21.File,
    "directory": stix2.v21.Directory,
    "email-addr": stix2.v21.EmailAddress,
    "mac-addr": stix2.v21.MACAddress,
    "autonomous-system": stix2.v21.AutonomousSystem,
    "windows-registry-key": stix2.v21.WindowsRegistryKey,
    "mutex": stix2.v21.Mutex,
    "user-account": stix2.v21.UserAccount,
}


def bundle_of(case, texts) -> dict:
    return json.loads(render(case, "stix", texts))


def check(bundle: dict) -> None:
    """Hold a bundle against the OASIS validator and the OASIS library."""
    result = validate_instance(bundle, OPTIONS)
    errors = [error for each in (result if isinstance(result, list) else [result]) for error in (each.errors or [])]
    assert result.is_valid, [str(error)[:400] for error in errors]
    stix2.parse(bundle, version="2.1")
    ids = [one["id"] for one in bundle["objects"]]
    assert len(ids) == len(set(ids))
    for one in bundle["objects"]:
        for ref in [*one.get("object_refs", []), *one.get("object_marking_refs", []), one.get("parent_directory_ref")]:
            assert ref is None or ref in ids


def by_type(bundle: dict, type_: str) -> list[dict]:
    return [one for one in bundle["objects"] if one["type"] == type_]


def test_the_sample_is_valid_and_complete() -> None:
    case, texts = sample()
    bundle = bundle_of(case, texts)
    check(bundle)
    grouping = by_type(bundle, "grouping")[0]
    assert grouping["labels"] == ["unreviewed"]
    assert grouping["description"].startswith("UNREVIEWED DRAFT")
    assert all("unreviewed" in one["labels"] for one in bundle["objects"] if "created_by_ref" in one)
    assert not by_type(bundle, "indicator")
    assert not by_type(bundle, "report")
    assert {one["name"] for one in by_type(bundle, "intrusion-set")} == {"APT29"}
    guessed = next(one for one in by_type(bundle, "attack-pattern") if one.get("confidence") == 97)
    assert guessed["external_references"][0]["external_id"] == "T1110.001"
    assert guessed["kill_chain_phases"] == [{"kill_chain_name": "mitre-attack", "phase_name": "credential-access"}]
    address = next(one for one in by_type(bundle, "ipv4-addr") if one["value"] == "203.0.113.77")
    held = next(one for one in by_type(bundle, "observed-data") if address["id"] in one["object_refs"])
    assert held["number_observed"] == 101
    assert held["first_observed"] == "2026-08-03T02:09:11.000Z"
    assert held["last_observed"] == "2026-08-03T02:15:49.000Z"
    assert "warning-list" in held["labels"]
    other = next(one for one in by_type(bundle, "note") if "no object for" in one["abstract"])
    assert "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq" in other["content"]


def test_a_closed_case_is_a_report_without_what_was_rejected() -> None:
    case, texts = sample()
    bundle = bundle_of(reviewed(case), texts)
    check(bundle)
    report = by_type(bundle, "report")[0]
    assert "labels" not in report
    assert report["published"] == "2026-08-03T11:14:07.000Z"
    assert not by_type(bundle, "malware")
    labels = {one["external_references"][0]["external_id"]: one["labels"] for one in by_type(bundle, "attack-pattern")}
    assert labels["T1110.001"] == ["accepted"]
    assert labels["T1078"] == ["unreviewed"]


@pytest.mark.parametrize("marking", list(Marking))
def test_every_object_carries_the_marking(marking: Marking) -> None:
    case, texts = sample()
    bundle = bundle_of(dataclasses.replace(case, marking=marking), texts)
    check(bundle)
    definition = by_type(bundle, "marking-definition")[0]
    assert definition["name"] == marking.label
    (extension,) = definition["extensions"].values()
    assert extension["tlp_2_0"] == marking.value
    unmarked = [one["type"] for one in bundle["objects"] if one.get("object_marking_refs") != [definition["id"]]]
    assert unmarked == ["identity", "marking-definition"]


def test_a_whole_rule_in_the_evidence_is_an_indicator_and_a_cut_one_is_not() -> None:
    case, texts = sample()
    rule = dataclasses.replace(case.findings[3], id="F20", kind="rule", reference="yara:x", title="YARA rule: x")
    whole = dataclasses.replace(rule.citations[0], quote="rule x { condition: true }")
    cut = dataclasses.replace(rule.citations[0], quote="rule x { condition: tr")
    for citation, number in ((whole, 1), (cut, 0)):
        finding = dataclasses.replace(rule, citations=(citation,))
        bundle = bundle_of(dataclasses.replace(case, findings=(finding,)), texts)
        check(bundle)
        assert len(by_type(bundle, "indicator")) == number


def test_same_case_same_bytes_and_ids_of_observables_are_the_same_in_every_case() -> None:
    case, texts = sample()
    assert render(case, "stix", texts) == render(sample()[0], "stix", sample()[1])
    other = bundle_of(dataclasses.replace(case, id="another"), texts)
    mine = bundle_of(case, texts)
    for type_ in CLASSES:
        assert {one["id"] for one in by_type(mine, type_)} == {one["id"] for one in by_type(other, type_)}
    assert by_type(mine, "grouping")[0]["id"] != by_type(other, "grouping")[0]["id"]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(TYPES), values, st.sampled_from(HASHES))
@example("url", "https://evil.example/a b|c{d}[e]#x#y%zz", "")
@example("file", "d" * 64, "SHA-256")
@example("mutex", 'quote " back \\ tab \t bell \x07 é 漢 😀', "")
def test_ids_are_those_of_the_oasis_library(type_: str, value: str, hash_: str) -> None:
    made = objects_of(Observable(type_, value, value, 1, (), hash_))
    for one in made:
        properties = {name: each for name, each in one.items() if name not in {"type", "spec_version", "id"}}
        assert CLASSES[one["type"]](**properties).id == one["id"]


@settings(max_examples=25, deadline=None)
@given(hostile_cases())
def test_any_case_is_valid(made) -> None:
    bundle = bundle_of(*made)
    check(bundle)
    container = by_type(bundle, "report") if made[0].reviewed else by_type(bundle, "grouping")
    assert len(container) == 1
