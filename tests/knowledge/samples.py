"""Small faithful samples of every format the knowledge reads."""

import json
from datetime import UTC, datetime
from pathlib import Path

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _external(number: str, page: str) -> list[dict]:
    return [{"source_name": "mitre-attack", "external_id": number, "url": f"https://attack.mitre.org/{page}"}]


ATTACK = {
    "type": "bundle",
    "id": "bundle--1",
    "objects": [
        {
            "type": "x-mitre-collection",
            "id": "x-mitre-collection--1",
            "name": "Enterprise ATT&CK",
            "x_mitre_version": "18.1",
            "modified": "2025-11-12T00:00:00.000Z",
        },
        {
            "type": "x-mitre-matrix",
            "id": "x-mitre-matrix--1",
            "name": "Enterprise ATT&CK",
            "external_references": _external("enterprise-attack", "matrices/enterprise"),
        },
        {
            "type": "attack-pattern",
            "id": "attack-pattern--00000000-0000-4000-8000-000000000001",
            "name": "Command and Scripting Interpreter",
            "description": "Adversaries may abuse interpreters.(Citation: Somebody 2020)",
            "external_references": _external("T1059", "techniques/T1059"),
            "kill_chain_phases": [{"kill_chain_name": "mitre-attack", "phase_name": "execution"}],
            "x_mitre_platforms": ["Windows", "Linux"],
            "x_mitre_domains": ["enterprise-attack"],
        },
        {
            "type": "attack-pattern",
            "id": "attack-pattern--00000000-0000-4000-8000-000000000002",
            "name": "PowerShell",
            "description": "See [PowerShell](https://attack.mitre.org/x) <code>-enc</code>. It runs commands.",
            "external_references": _external("T1059.001", "techniques/T1059/001"),
            "x_mitre_is_subtechnique": True,
        },
        {
            "type": "attack-pattern",
            "id": "attack-pattern--00000000-0000-4000-8000-000000000003",
            "name": "PowerShell",
            "revoked": True,
            "description": "Old.",
            "external_references": _external("T1086", "techniques/T1086"),
        },
        {
            "type": "intrusion-set",
            "id": "intrusion-set--00000000-0000-4000-8000-000000000004",
            "name": "APT99",
            "aliases": ["APT99", "Fuzzy Badger"],
            "description": "[APT99](https://attack.mitre.org/groups/G0999) is a group.",
            "external_references": _external("G0999", "groups/G0999"),
        },
        {
            "type": "course-of-action",
            "id": "course-of-action--00000000-0000-4000-8000-000000000005",
            "name": "PowerShell Mitigation",
            "x_mitre_deprecated": True,
            "description": "Numbered like the technique it answers.",
            "external_references": _external("T1086", "mitigations/T1086"),
        },
        {
            "type": "tool",
            "id": "tool--00000000-0000-4000-8000-000000000006",
            "name": "Empire",
            "description": "A framework.",
            "external_references": _external("S0363", "software/S0363"),
        },
        {
            "type": "relationship",
            "id": "relationship--00000000-0000-4000-8000-000000000007",
            "relationship_type": "uses",
            "source_ref": "intrusion-set--00000000-0000-4000-8000-000000000004",
            "target_ref": "attack-pattern--00000000-0000-4000-8000-000000000002",
            "description": "[APT99](https://attack.mitre.org/groups/G0999) ran encoded commands.(Citation: X)",
        },
        {
            "type": "relationship",
            "id": "relationship--00000000-0000-4000-8000-000000000008",
            "relationship_type": "revoked-by",
            "source_ref": "attack-pattern--00000000-0000-4000-8000-000000000003",
            "target_ref": "attack-pattern--00000000-0000-4000-8000-000000000002",
        },
        {
            "type": "relationship",
            "id": "relationship--00000000-0000-4000-8000-000000000009",
            "relationship_type": "subtechnique-of",
            "source_ref": "attack-pattern--00000000-0000-4000-8000-000000000002",
            "target_ref": "attack-pattern--00000000-0000-4000-8000-000000000001",
        },
    ],
}
CAPEC = {
    "type": "bundle",
    "id": "bundle--2",
    "objects": [
        {
            "type": "attack-pattern",
            "id": "attack-pattern--10000000-0000-4000-8000-000000000001",
            "name": "SQL Injection",
            "description": "Statements are made of input.",
            "external_references": [
                {"source_name": "capec", "external_id": "CAPEC-66"},
                {"source_name": "cwe", "external_id": "CWE-89"},
            ],
            "x_capec_version": "3.9",
            "x_capec_prerequisites": ["A database behind the input."],
        },
        {
            "type": "attack-pattern",
            "id": "attack-pattern--10000000-0000-4000-8000-000000000002",
            "name": "Old Injection",
            "description": "Deprecated, please refer to CAPEC-66 : SQL Injection.",
            "external_references": [{"source_name": "capec", "external_id": "CAPEC-411"}],
            "x_capec_status": "Deprecated",
        },
    ],
}
CWE = """<?xml version="1.0"?>
<Weakness_Catalog Name="CWE" Version="4.14" Date="2024-02-29" xmlns="http://cwe.mitre.org/cwe-7"
  xmlns:xhtml="http://www.w3.org/1999/xhtml">
 <Weaknesses>
  <Weakness ID="89" Name="SQL Injection" Abstraction="Base" Status="Stable">
   <Description>Commands are built from input.</Description>
   <Extended_Description><xhtml:p>Without <xhtml:b>quoting</xhtml:b>.</xhtml:p></Extended_Description>
   <Related_Weaknesses><Related_Weakness Nature="ChildOf" CWE_ID="943" View_ID="1000"/></Related_Weaknesses>
   <Alternate_Terms><Alternate_Term><Term>SQLi</Term></Alternate_Term></Alternate_Terms>
   <Related_Attack_Patterns><Related_Attack_Pattern CAPEC_ID="66"/></Related_Attack_Patterns>
  </Weakness>
  <Weakness ID="592" Name="DEPRECATED: Old Bypass" Abstraction="Class" Status="Deprecated">
   <Description>Deprecated; use CWE-89 instead.</Description>
  </Weakness>
 </Weaknesses>
 <Categories><Category ID="16" Name="Configuration" Status="Obsolete"><Summary>Old.</Summary></Category></Categories>
</Weakness_Catalog>
"""
CWE_CSV = (
    "CWE-ID,Name,Weakness Abstraction,Status,Description,Extended Description,Related Weaknesses\n"
    '20,"Improper Input Validation",Class,Stable,"Unchecked input.","",::NATURE:ChildOf:CWE ID:707:VIEW ID:1000::\n'
)
KEV = {
    "title": "CISA Catalog of Known Exploited Vulnerabilities",
    "catalogVersion": "2025.08.25",
    "vulnerabilities": [
        {
            "cveID": "CVE-2021-44228",
            "vendorProject": "Apache",
            "product": "Log4j2",
            "vulnerabilityName": "Apache Log4j2 Remote Code Execution Vulnerability",
            "dateAdded": "2021-12-10",
            "shortDescription": "Log4j2 looks up what an attacker writes.",
            "knownRansomwareCampaignUse": "Known",
            "dueDate": "2021-12-24",
            "cwes": ["CWE-20"],
        }
    ],
}
EPSS = (
    "#model_version:v2025.03.14,score_date:2025-08-25T12:55:00Z\n"
    "cve,epss,percentile\n"
    "CVE-2021-44228,0.94358,0.99957\n"
    "CVE-2020-0001,0.00042,0.12000\n"
)
NVD = {
    "resultsPerPage": 1,
    "format": "NVD_CVE",
    "version": "2.0",
    "timestamp": "2025-08-26T00:00:00.000",
    "vulnerabilities": [
        {
            "cve": {
                "id": "CVE-2021-44228",
                "published": "2021-12-10T10:15:09.143",
                "lastModified": "2025-04-03T20:53:22.977",
                "vulnStatus": "Analyzed",
                "descriptions": [
                    {"lang": "es", "value": "No esto."},
                    {"lang": "en", "value": "JNDI features do not protect against endpoints."},
                ],
                "metrics": {
                    "cvssMetricV2": [
                        {
                            "type": "Primary",
                            "cvssData": {"version": "2.0", "vectorString": "AV:N/AC:M", "baseScore": 9.3},
                        }
                    ],
                    "cvssMetricV31": [
                        {
                            "type": "Primary",
                            "cvssData": {
                                "version": "3.1",
                                "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H",
                                "baseScore": 10.0,
                            },
                        }
                    ],
                },
                "weaknesses": [{"type": "Primary", "description": [{"lang": "en", "value": "CWE-917"}]}],
            }
        }
    ],
}
CVE = {
    "dataType": "CVE_RECORD",
    "dataVersion": "5.1",
    "cveMetadata": {
        "cveId": "CVE-2024-0001",
        "state": "PUBLISHED",
        "assignerShortName": "acme",
        "datePublished": "2024-01-01T00:00:00",
        "dateUpdated": "2024-02-01T00:00:00",
    },
    "containers": {
        "cna": {
            "title": "Overflow in Acme",
            "descriptions": [{"lang": "en", "value": "A heap overflow in Acme allows code execution."}],
            "affected": [{"vendor": "Acme", "product": "Server"}],
            "problemTypes": [{"descriptions": [{"lang": "en", "cweId": "CWE-122", "type": "CWE"}]}],
            "metrics": [{"cvssV4_0": {"version": "4.0", "vectorString": "CVSS:4.0/AV:N", "baseScore": 9.2}}],
        },
        "adp": [
            {
                "metrics": [
                    {
                        "other": {
                            "type": "ssvc",
                            "content": {"options": [{"Exploitation": "poc"}, {"Automatable": "yes"}]},
                        }
                    }
                ]
            }
        ],
    },
}
REJECTED = {
    "dataType": "CVE_RECORD",
    "cveMetadata": {"cveId": "CVE-2024-0002", "state": "REJECTED"},
    "containers": {"cna": {"rejectedReasons": [{"lang": "en", "value": "Not used."}]}},
}
GALAXY = {
    "name": "Threat Actor",
    "type": "threat-actor",
    "uuid": "698774c7-8022-42c4-917f-8d6e4f06ada3",
    "version": 336,
    "values": [
        {
            "value": "APT99",
            "uuid": "20000000-0000-4000-8000-000000000001",
            "description": "The same group, as MISP has it.",
            "meta": {"synonyms": ["Fuzzy Badger", "TA999"], "country": "XX", "refs": ["https://example.com/a"]},
            "related": [{"dest-uuid": "00000000-0000-4000-8000-000000000004", "type": "similar"}],
        },
        {
            "value": "Grim Otter",
            "uuid": "20000000-0000-4000-8000-000000000002",
            "meta": {"synonyms": ["TA-999", "Play"]},
        },
    ],
}
MALWARE = {
    "name": "Malpedia",
    "type": "malpedia",
    "uuid": "5fc98d08-90a4-498a-ad2e-0edf50ef374e",
    "version": 1,
    "values": [
        {"value": "Zorbokit", "uuid": "30000000-0000-4000-8000-000000000001", "description": "A loader."},
        {"value": "Scarlet Zorbo", "uuid": "30000000-0000-4000-8000-000000000002"},
    ],
}
LISTS = [
    {
        "name": "Test public resolvers",
        "type": "cidr",
        "version": 1,
        "list": ["8.8.8.8", "9.9.9.0/24", "2620:fe::/48"],
        "matching_attributes": ["ip-src", "ip-dst"],
    },
    {
        "name": "Test dynamic names",
        "type": "hostname",
        "version": 2,
        "list": [".dyn.test-zone.net", "whole.example-host.org"],
        "matching_attributes": ["domain", "hostname", "url"],
    },
    {
        "name": "Test empty hashes",
        "type": "string",
        "version": 3,
        "list": ["D41D8CD98F00B204E9800998ECF8427E"],
        "matching_attributes": ["md5", "sha1"],
    },
    {
        "name": "Test throw-away mail",
        "type": "substring",
        "version": 4,
        "list": ["mail.com"],
        "matching_attributes": ["email-src"],
    },
    {
        "name": "Test contacts",
        "type": "regex",
        "version": 5,
        "list": ["/^(abuse|security)\\@.*$/i", "/(broken/"],
        "matching_attributes": ["email-src"],
    },
]


def put(folder: Path, name: str, content: object) -> Path:
    """Write a sample to a file and return its path."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path
