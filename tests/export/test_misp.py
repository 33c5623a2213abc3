import dataclasses
import json

from hypothesis import given, settings
from pymisp import MISPEvent

from casemate.core.assessment import Disposition
from casemate.stages.export import render

from .cases import hostile_cases
from .sample import reviewed, sample


def event_of(case, texts) -> MISPEvent:
    event = MISPEvent()
    event.load(render(case, "misp", texts).decode())
    return event


def test_a_draft_is_tagged_initial_and_detects_nothing() -> None:
    event = event_of(*sample())
    tags = {tag.name for tag in event.tags}
    assert {"tlp:amber+strict", 'casemate:review="unreviewed"', 'workflow:state="draft"'} <= tags
    assert 'misp-galaxy:mitre-attack-pattern="Password Guessing - T1110.001"' in tags
    assert 'misp-galaxy:mitre-malware="Cobalt Strike - S0154"' in tags
    assert event.info.startswith("UNREVIEWED DRAFT")
    assert (int(event.analysis), event.published, int(event.distribution)) == (0, False, 0)
    assert not any(attribute.to_ids for attribute in event.attributes)
    assert "UNREVIEWED DRAFT" in event.event_reports[0].content


def test_a_reviewed_true_positive_detects_what_no_list_knows() -> None:
    case, texts = sample()
    event = event_of(reviewed(case), texts)
    detects = {attribute.value: attribute.to_ids for attribute in event.attributes}
    assert detects["evil-updates.example"] is True
    assert detects["203.0.113.77"] is False  # flagged
    assert int(event.analysis) == 2
    tags = {tag.name for tag in event.tags}
    assert 'casemate:disposition="true-positive"' in tags
    assert not any("mitre-malware" in tag for tag in tags)  # rejected
    review = dataclasses.replace(reviewed(case).reviews[0], disposition=Disposition.FALSE_POSITIVE)
    harmless = event_of(dataclasses.replace(reviewed(case), reviews=(review,)), texts)
    assert not any(attribute.to_ids for attribute in harmless.attributes)


def test_types() -> None:
    types = {attribute.value: attribute.type for attribute in event_of(*sample()).attributes}
    assert types["203.0.113.77"] == "ip-src"
    assert types["evil-updates.example"] == "domain"
    assert types["098f6bcd4621d373cade4e832627b4f6"] == "md5"
    assert types["CVE-2021-44228"] == "vulnerability"
    assert types["bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"] == "btc"
    assert types["windows-sid: S-1-5-21-1004336348-1177238915-682003330-512"] == "text"


def test_same_case_same_bytes() -> None:
    assert render(sample()[0], "misp", sample()[1]) == render(sample()[0], "misp", sample()[1])


@settings(max_examples=25, deadline=None)
@given(hostile_cases())
def test_any_case_loads_back(made) -> None:
    case, texts = made
    event = event_of(case, texts)
    assert case.reviewed or not any(attribute.to_ids for attribute in event.attributes)
    assert f"tlp:{case.marking.value}" in {tag.name for tag in event.tags}
    uuids = [attribute.uuid for attribute in event.attributes]
    assert len(uuids) == len(set(uuids))
    assert json.loads(render(case, "misp", texts))["Event"]["uuid"] == event.uuid
