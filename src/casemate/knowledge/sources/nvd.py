"""NVD vulnerabilities, JSON 2.0: the API's answers and the yearly feeds (nvd.nist.gov, schema nvd_cve_json_2.0)."""

from collections.abc import Iterator

from casemate.knowledge.kinds import NVD_NOTICE
from casemate.knowledge.records import Edition, Record, distrust, object_of, objects_of, text_of, tidy
from casemate.knowledge.sources.vulnerability import cvss_facts


def is_nvd(document: object) -> bool:
    """Tell a feed by its format, or by a list of objects that each hold a `cve`."""
    answer = object_of(document)
    listed = objects_of(answer.get("vulnerabilities"))
    return answer.get("format") == "NVD_CVE" or (bool(listed) and "cve" in listed[0])


def read_nvd(document: object, name: str) -> Edition:
    """Read a feed or an answer; several (a zip of years) are joined by the importer into one edition."""
    answer = object_of(document)
    version = text_of(answer.get("timestamp"))[:10] or "undated"
    return Edition("nvd", "NVD", version, 58, NVD_NOTICE, _records(answer, name))


def _records(answer: dict[str, object], name: str) -> Iterator[Record]:
    for place, item in enumerate(objects_of(answer.get("vulnerabilities"))):
        cve = object_of(item.get("cve"))
        number = text_of(cve.get("id"))
        if not number.startswith("CVE-"):
            raise distrust(name, f"vulnerabilities[{place}]", "no CVE id")
        yield _record(cve, number)


def _record(cve: dict[str, object], number: str) -> Record:
    english = [item for item in objects_of(cve.get("descriptions")) if text_of(item.get("lang")).startswith("en")]
    metrics = [entry for group in object_of(cve.get("metrics")).values() for entry in objects_of(group)]
    metrics.sort(key=lambda entry: entry.get("type") != "Primary")
    status = text_of(cve.get("vulnStatus"))
    facts = [("published", text_of(cve.get("published"))[:10]), ("modified", text_of(cve.get("lastModified"))[:10])]
    facts += [("nvd-status", status)]
    facts += cvss_facts([object_of(entry.get("cvssData")) for entry in metrics])
    facts += [
        ("kev-date-added", text_of(cve.get("cisaExploitAdd"))),
        ("kev-due-date", text_of(cve.get("cisaActionDue"))),
    ]
    weaknesses = [
        text_of(description.get("value"))
        for weakness in objects_of(cve.get("weaknesses"))
        for description in objects_of(weakness.get("description"))
    ]
    return Record(
        id=number,
        kind="vulnerability",
        names=(),
        text=tidy(text_of(english[0].get("value"))) if english else "",
        state="revoked" if status == "Rejected" else "",
        url=f"https://nvd.nist.gov/vuln/detail/{number}",
        facts=tuple(fact for fact in facts if fact[1]),
        links=tuple(dict.fromkeys(("weakness", item) for item in weaknesses if item.startswith("CWE-"))),
    )
