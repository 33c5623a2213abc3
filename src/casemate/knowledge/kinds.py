"""The kinds of entry, which of them have names that occur in prose, and the notices that must stand with the text."""

KINDS = (
    "technique",
    "tactic",
    "mitigation",
    "procedure",
    "detection",
    "weakness",
    "weakness-category",
    "weakness-view",
    "attack-pattern",
    "vulnerability",
    "actor",
    "campaign",
    "malware",
    "tool",
    "data-source",
    "data-component",
    "asset",
)
"""What an entry can be; `procedure` is one described use of a technique by an actor or a piece of software."""

NAMED_KINDS = ("actor", "campaign", "malware", "tool", "technique")
"""The kinds that `names_in` looks for in free text."""

ENTERPRISE_TACTICS = (
    ("reconnaissance", "TA0043", "Reconnaissance"),
    ("resource-development", "TA0042", "Resource Development"),
    ("initial-access", "TA0001", "Initial Access"),
    ("execution", "TA0002", "Execution"),
    ("persistence", "TA0003", "Persistence"),
    ("privilege-escalation", "TA0004", "Privilege Escalation"),
    ("defense-evasion", "TA0005", "Defense Evasion"),
    ("credential-access", "TA0006", "Credential Access"),
    ("discovery", "TA0007", "Discovery"),
    ("lateral-movement", "TA0008", "Lateral Movement"),
    ("collection", "TA0009", "Collection"),
    ("command-and-control", "TA0011", "Command and Control"),
    ("exfiltration", "TA0010", "Exfiltration"),
    ("impact", "TA0040", "Impact"),
)
"""Short name, id and name of the enterprise tactics in the order of the matrix (ATT&CK v18)."""

ATTACK_NOTICE = (
    "ATT&CK® content © The MITRE Corporation, reproduced and distributed with its permission; ATT&CK is a registered "
    "trademark of The MITRE Corporation."
)
CWE_NOTICE = "CWE™ content © The MITRE Corporation, used under the CWE Terms of Use; CWE is a trademark of MITRE."
CAPEC_NOTICE = (
    "CAPEC™ content © The MITRE Corporation, used under the CAPEC Terms of Use; CAPEC is a trademark of MITRE."
)
GALAXY_NOTICE = "MISP galaxy clusters, CC0 1.0 or 2-clause BSD. " + ATTACK_NOTICE
WARNING_LIST_NOTICE = "MISP warning lists, CC0 1.0 or 2-clause BSD."
CVE_NOTICE = "CVE® records © The MITRE Corporation, used under the CVE Terms of Use."
NVD_NOTICE = "This product uses data of the NVD but is not endorsed or certified by the NVD."
KEV_NOTICE = "CISA Known Exploited Vulnerabilities catalogue, CC0 1.0."
EPSS_NOTICE = "EPSS scores from FIRST.org, free to use with attribution."
