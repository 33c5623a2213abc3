"""What ATT&CK says in its relationships and analytics: advice against a technique, tools of an actor, detections."""

from collections.abc import Iterator

from casemate.knowledge.records import Paragraph, objects_of, text_of, texts_of, tidy

Stix = dict[str, object]

_TOLD_WITH = ("mitigates", "attributed-to", "detects")


def attack_paragraphs(objects: list[Stix], known: dict[str, Stix], ids: dict[str, str]) -> Iterator[Paragraph]:
    """Yield the described relationships that are no procedures, and how each technique is detected.

    Before ATT&CK v18 a technique told in a field of its own how it is detected; since then analytics do.
    """
    for key, item in known.items():
        detection = tidy(text_of(item.get("x_mitre_detection")))
        if item.get("type") == "attack-pattern" and detection and not _withdrawn(item):
            yield Paragraph(ids[key], "", "detection", detection)
    for item in objects:
        if item.get("type") != "relationship" or _withdrawn(item):
            continue
        source, target = text_of(item.get("source_ref")), text_of(item.get("target_ref"))
        if source not in known or target not in known or _withdrawn(known[source]) or _withdrawn(known[target]):
            continue
        relation, text = text_of(item.get("relationship_type")), tidy(text_of(item.get("description")))
        is_use = relation == "uses" and known[target].get("type") != "attack-pattern"
        if text and (is_use or relation in _TOLD_WITH):
            yield Paragraph(ids[source], ids[target], relation.replace("-", " "), text)
        if relation == "detects":
            yield from _analytics(known[source], ids[target], known)


def _analytics(strategy: Stix, technique: str, known: dict[str, Stix]) -> Iterator[Paragraph]:
    for reference in texts_of(strategy.get("x_mitre_analytic_refs")):
        analytic = known.get(reference)
        if analytic is None or _withdrawn(analytic):
            continue
        platforms = ", ".join(texts_of(analytic.get("x_mitre_platforms")))
        logs = objects_of(analytic.get("x_mitre_log_source_references"))
        components = dict.fromkeys(
            text_of(known[text_of(log.get("x_mitre_data_component_ref"))].get("name"))
            for log in logs
            if text_of(log.get("x_mitre_data_component_ref")) in known
        )
        sources = dict.fromkeys(text_of(log.get("name")) for log in logs)
        parts = [tidy(text_of(analytic.get("description")))]
        parts += [f"Data components: {', '.join(components)}."] if components else []
        parts += [f"Log sources: {', '.join(sources)}."] if sources else []
        yield Paragraph(technique, "", f"detection on {platforms}" if platforms else "detection", "\n".join(parts))


def _withdrawn(item: Stix) -> bool:
    return item.get("revoked") is True or item.get("x_mitre_deprecated") is True
