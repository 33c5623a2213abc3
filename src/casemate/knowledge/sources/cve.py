"""CVE records, JSON 5.x (github.com/CVEProject/cve-schema): one, a list, or JSON lines."""

from collections.abc import Iterator

from casemate.knowledge.kinds import CVE_NOTICE
from casemate.knowledge.records import Edition, Record, distinct, distrust, object_of, objects_of, text_of, tidy
from casemate.knowledge.sources.vulnerability import cvss_facts


def is_cve(document: object) -> bool:
    """Tell a record by its `dataType`; of a list, the first one counts."""
    first = document[0] if isinstance(document, list) and document else document
    return object_of(first).get("dataType") == "CVE_RECORD"


def read_cve(document: object, name: str) -> Edition:
    """Read one record or a list of them."""
    records = objects_of(document) if isinstance(document, list) else [object_of(document)]
    dates = [text_of(object_of(record.get("cveMetadata")).get("dateUpdated"))[:10] for record in records]
    return Edition("cve", "CVE Program", max(dates, default=""), 59, CVE_NOTICE, _records(records, name))


def _records(records: list[dict[str, object]], name: str) -> Iterator[Record]:
    for place, record in enumerate(records):
        number = text_of(object_of(record.get("cveMetadata")).get("cveId"))
        if not number.startswith("CVE-") or not object_of(object_of(record.get("containers")).get("cna")):
            raise distrust(name, f"record {place + 1}", "no CVE id or no container of the numbering authority")
        yield _record(record, number)


def _record(record: dict[str, object], number: str) -> Record:
    metadata = object_of(record["cveMetadata"])
    containers = object_of(record["containers"])
    cna = object_of(containers["cna"])
    every = [cna, *objects_of(containers.get("adp"))]
    metrics = [metric for container in every for metric in objects_of(container.get("metrics"))]
    rejected = metadata.get("state") == "REJECTED"
    described = objects_of(cna.get("rejectedReasons" if rejected else "descriptions"))
    english = [item for item in described if text_of(item.get("lang")).lower().startswith("en")]
    facts = [
        ("published", text_of(metadata.get("datePublished"))[:10]),
        ("modified", text_of(metadata.get("dateUpdated"))[:10]),
        ("assigner", text_of(metadata.get("assignerShortName"))),
        *cvss_facts([object_of(value) for metric in metrics for key, value in metric.items() if key[:4] == "cvss"]),
        *_other_facts(metrics),
    ]
    for affected in objects_of(cna.get("affected"))[:10]:
        facts += [("vendor", text_of(affected.get("vendor"))), ("product", text_of(affected.get("product")))]
    weaknesses = [
        text_of(description.get("cweId"))
        for container in every
        for problem in objects_of(container.get("problemTypes"))
        for description in objects_of(problem.get("descriptions"))
    ]
    return Record(
        id=number,
        kind="vulnerability",
        names=distinct([text_of(cna.get("title"))]),
        text=tidy(text_of(english[0].get("value"))) if english else "",
        state="revoked" if rejected else "",
        url=f"https://www.cve.org/CVERecord?id={number}",
        facts=tuple(dict.fromkeys(fact for fact in facts if fact[1])),
        links=tuple(dict.fromkeys(("weakness", item) for item in weaknesses if item.startswith("CWE-"))),
    )


def _other_facts(metrics: list[dict[str, object]]) -> Iterator[tuple[str, str]]:
    """Yield what CISA adds: its SSVC answers, and the day a vulnerability came into its catalogue."""
    for metric in metrics:
        other = object_of(metric.get("other"))
        content = object_of(other.get("content"))
        if other.get("type") == "ssvc":
            for option in objects_of(content.get("options")):
                for question, answer in option.items():
                    yield f"ssvc-{question.lower().replace(' ', '-')}", text_of(answer)
        elif other.get("type") == "kev":
            yield "kev-date-added", text_of(content.get("dateAdded"))
