"""CISA's catalogue of known exploited vulnerabilities, JSON (cisa.gov, schema known_exploited_vulnerabilities)."""

from collections.abc import Iterator

from casemate.knowledge.kinds import KEV_NOTICE
from casemate.knowledge.records import (
    Edition,
    Record,
    distinct,
    distrust,
    object_of,
    objects_of,
    text_of,
    texts_of,
    tidy,
)

_FACTS = (
    ("kev-date-added", "dateAdded"),
    ("kev-due-date", "dueDate"),
    ("kev-ransomware", "knownRansomwareCampaignUse"),
    ("kev-required-action", "requiredAction"),
    ("vendor", "vendorProject"),
    ("product", "product"),
)


def is_kev(document: object) -> bool:
    """Tell the catalogue by its catalogue version beside its list."""
    catalogue = object_of(document)
    return "catalogVersion" in catalogue and isinstance(catalogue.get("vulnerabilities"), list)


def read_kev(document: object, name: str) -> Edition:
    """Read the catalogue."""
    catalogue = object_of(document)
    version = text_of(catalogue.get("catalogVersion"))
    return Edition("kev", "CISA KEV", version, 57, KEV_NOTICE, _records(catalogue, name))


def _records(catalogue: dict[str, object], name: str) -> Iterator[Record]:
    for place, item in enumerate(objects_of(catalogue["vulnerabilities"])):
        cve = text_of(item.get("cveID"))
        if not cve.startswith("CVE-"):
            raise distrust(name, f"vulnerabilities[{place}]", "no cveID")
        facts = tuple((label, tidy(text_of(item.get(field)))) for label, field in _FACTS if item.get(field))
        yield Record(
            id=cve,
            kind="vulnerability",
            names=distinct([text_of(item.get("vulnerabilityName"))]),
            text=tidy(text_of(item.get("shortDescription"))),
            url=f"https://nvd.nist.gov/vuln/detail/{cve}",
            facts=facts,
            links=tuple(("weakness", weakness) for weakness in texts_of(item.get("cwes"))),
        )
