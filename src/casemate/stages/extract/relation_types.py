"""Which relationships STIX 2.1 has between which two types, and which of them a verb may mean."""

from collections.abc import Mapping

ADDRESSES = ("ipv4-addr", "ipv6-addr", "domain-name", "url")

_VICTIMS = ("identity", "location", "vulnerability")
_MEANS = ("attack-pattern", "infrastructure", "malware", "tool")

SPECIFIED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "attack-pattern": {"delivers": ("malware",), "targets": _VICTIMS, "uses": ("malware", "tool")},
    "campaign": {
        "attributed-to": ("intrusion-set", "threat-actor"),
        "compromises": ("infrastructure",),
        "originates-from": ("location",),
        "targets": _VICTIMS,
        "uses": _MEANS,
    },
    "intrusion-set": {
        "attributed-to": ("threat-actor",),
        "compromises": ("infrastructure",),
        "hosts": ("infrastructure",),
        "owns": ("infrastructure",),
        "originates-from": ("location",),
        "targets": _VICTIMS,
        "uses": _MEANS,
    },
    "threat-actor": {
        "attributed-to": ("identity",),
        "compromises": ("infrastructure",),
        "hosts": ("infrastructure",),
        "owns": ("infrastructure",),
        "impersonates": ("identity",),
        "located-at": ("location",),
        "targets": _VICTIMS,
        "uses": _MEANS,
    },
    "malware": {
        "authored-by": ("intrusion-set", "threat-actor"),
        "beacons-to": ("infrastructure",),
        "exfiltrates-to": ("infrastructure",),
        "communicates-with": ADDRESSES,
        "controls": ("malware",),
        "downloads": ("malware", "tool", "file"),
        "drops": ("malware", "tool", "file"),
        "exploits": ("vulnerability",),
        "originates-from": ("location",),
        "targets": ("identity", "infrastructure", "location", "vulnerability"),
        "uses": _MEANS,
        "variant-of": ("malware",),
    },
    "tool": {
        "delivers": ("malware",),
        "drops": ("malware",),
        "has": ("vulnerability",),
        "targets": ("identity", "infrastructure", "location", "vulnerability"),
        "uses": ("infrastructure",),
    },
    "infrastructure": {
        "communicates-with": ("infrastructure", *ADDRESSES),
        "controls": ("infrastructure", "malware"),
        "delivers": ("malware",),
        "has": ("vulnerability",),
        "hosts": ("tool", "malware"),
        "located-at": ("location",),
        "uses": ("infrastructure",),
    },
    "domain-name": {"resolves-to": ("domain-name", "ipv4-addr", "ipv6-addr")},
    "ipv4-addr": {"belongs-to": ("autonomous-system",), "resolves-to": ("mac-addr",)},
    "ipv6-addr": {"belongs-to": ("autonomous-system",), "resolves-to": ("mac-addr",)},
}
"""Source type -> relationship -> target types (STIX 2.1, OASIS Standard of 10 June 2021, sections 4, 6, appendix B)."""

RELATED = "related-to"
"""The relationship that STIX allows between any two objects; here only where a verb says more than STIX can."""

MEANINGS: Mapping[str, tuple[str, ...]] = {
    "use": ("uses",),
    "deploy": ("uses", "drops", "delivers"),
    "deliver": ("delivers", "drops", "uses"),
    "drop": ("drops", "delivers", "uses"),
    "download": ("downloads", "delivers", "uses"),
    "exploit": ("exploits", "targets"),
    "target": ("targets",),
    "communicate": ("communicates-with",),
    "attribute": ("attributed-to", "authored-by"),
    "author": ("authored-by",),
    "vary": ("variant-of",),
    "originate": ("originates-from",),
    "resolve": ("resolves-to",),
    "host": (RELATED,),
}
"""What a verb means -> the relationships it may be, the most exact first."""

_FROM_ADDRESSES = frozenset({"malware", "tool", "file"})


def is_allowed(source: str, relationship: str, target: str) -> bool:
    """Tell whether STIX 2.1 has this relationship between these types; `related-to` it has between any two."""
    return relationship == RELATED or target in SPECIFIED.get(source, {}).get(relationship, ())


def choose_relationship(meaning: str, source: str, target: str) -> str:
    """Choose the relationship that a meaning has between two types, empty where STIX has none."""
    for relationship in MEANINGS.get(meaning, ()):
        if relationship == RELATED:
            return relationship if source in _FROM_ADDRESSES and target in ADDRESSES else ""
        if is_allowed(source, relationship, target):
            return relationship
    return ""


RELATIONSHIPS = tuple(
    sorted(
        {name for kinds in SPECIFIED.values() for name in kinds} & {one for many in MEANINGS.values() for one in many}
    )
)
"""The relationships that can be extracted, without `related-to`."""
