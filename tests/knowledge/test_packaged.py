"""What the packages of the default knowledge bring: a part of CAPEC, and ATT&CK as it was before v18."""

import pytest

from casemate.core.errors import NotTrusted
from casemate.knowledge.records import Paragraph, Record
from casemate.knowledge.sources.attack import read_attack
from casemate.knowledge.sources.threatlib import read_threats

THREATS = [
    {
        "SID": "X1",
        "description": "Lantern Spoofing - ServerSide",
        "details": "The attacker paints lanterns.",
        "Likelihood Of Attack": "High",
        "severity": "Low",
        "prerequisites": "A lantern burns.The watcher sleeps.",
        "mitigations": "Wake the watcher.",
        "example": "A cutter passes at night.",
        "references": "https://capec.mitre.org/data/definitions/901.html, http://cwe.mitre.org/data/definitions/79.html",
    },
    {"SID": "X2", "description": "Twice", "references": "https://capec.mitre.org/data/definitions/901.html"},
    {"SID": "X3", "description": "Of nobody", "references": ""},
]


def test_threats_become_attack_patterns():
    edition = read_threats(THREATS, "1.4.0", "threats.json")
    record, *paragraphs = edition.items
    assert isinstance(record, Record)
    assert (record.id, record.names, record.kind) == ("CAPEC-901", ("Lantern Spoofing",), "attack-pattern")
    assert ("weakness", "CWE-79") in record.links
    assert ("likelihood", "High") in record.facts
    assert [(one.heading, one.text) for one in paragraphs if isinstance(one, Paragraph)] == [
        ("prerequisite", "A lantern burns. The watcher sleeps."),
        ("mitigation", "Wake the watcher."),
        ("example", "A cutter passes at night."),
    ]
    assert edition.source == "capec"
    assert "The MITRE Corporation" in edition.notice


@pytest.mark.parametrize("document", [[], {}, None, [{"references": "nothing"}], "text"])
def test_a_library_without_patterns_is_refused(document: object):
    with pytest.raises(NotTrusted, match=r"threats\.json"):
        read_threats(document, "1", "threats.json")


def test_what_attack_said_before_v18_is_kept():
    number = [
        {"source_name": "mitre-attack", "external_id": "T9001", "url": "https://attack.mitre.org/techniques/T9001"}
    ]
    bundle = {
        "type": "bundle",
        "objects": [
            {
                "type": "attack-pattern",
                "id": "attack-pattern--1",
                "name": "Lantern Painting",
                "external_references": number,
                "x_mitre_detection": "Look at the lanterns.(Citation: Somebody)",
                "x_mitre_permissions_required": ["Administrator"],
                "x_mitre_data_sources": ["Harbour: Harbour Log"],
                "x_mitre_defense_bypassed": ["Watchmen"],
            }
        ],
    }
    record, paragraph = read_attack(bundle, "bundle.json").items
    assert isinstance(record, Record)
    assert {
        ("permission", "Administrator"),
        ("data-source", "Harbour: Harbour Log"),
        ("defense-bypassed", "Watchmen"),
    } <= set(record.facts)
    assert paragraph == Paragraph("T9001", "", "detection", "Look at the lanterns.")
