"""What CAPEC says of an attack pattern beside its description: flow, consequences, skills, examples, ..."""

from collections.abc import Iterator

from casemate.knowledge.records import Paragraph, object_of, text_of, texts_of, tidy

Stix = dict[str, object]

_LISTS = (
    ("x_capec_prerequisites", "prerequisite"),
    ("x_capec_resources_required", "resources required"),
    ("x_capec_example_instances", "example"),
    ("x_capec_alternate_terms", "alternate term"),
)


def capec_paragraphs(item: Stix, number: str, mitigations: list[str]) -> Iterator[Paragraph]:
    """Yield one paragraph for each thing said of an attack pattern."""
    for field, heading in _LISTS:
        for text in texts_of(item.get(field)):
            yield Paragraph(number, "", heading, tidy(text))
    for text in mitigations:
        yield Paragraph(number, "", "mitigation", text)
    skills = object_of(item.get("x_capec_skills_required"))
    for level, needed in skills.items():
        yield Paragraph(number, "", "skills required", f"{level}: {tidy(text_of(needed))}")
    lines = [
        f"{scope.replace('_', ' ')}: {', '.join(tidy(text) for text in texts_of(impacts))}"
        for scope, impacts in object_of(item.get("x_capec_consequences")).items()
    ]
    if lines:
        yield Paragraph(number, "", "consequences and technical impact", "\n".join(lines))
    flow = tidy(text_of(item.get("x_capec_execution_flow")))
    if flow:
        yield Paragraph(number, "", "execution flow", flow)
