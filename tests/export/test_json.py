import dataclasses
import json
from pathlib import Path

import jsonschema
from hypothesis import given, settings

from casemate.core.text import Span
from casemate.stages import export
from casemate.stages.export import case_schema, render

from .cases import hostile_cases
from .sample import reviewed, sample

SCHEMA = Path(export.__file__).parent / "case.schema.json"


def test_the_schema_file_is_what_the_code_writes() -> None:
    assert json.loads(SCHEMA.read_text("utf-8")) == json.loads(json.dumps(case_schema())), (
        "write it again: casemate.stages.export.case_schema() as JSON, two spaces deep"
    )


def test_the_contract_s_keys_are_there() -> None:
    case, texts = sample()
    made = json.loads(render(case, "json", texts))
    for key in (
        "evidence",
        "observables",
        "findings",
        "summary",
        "disposition",
        "issues",
        "related",
        "run",
        "timeline",
        "passages",
        "questions",
        "reviews",
        "state",
        "reviewed",
        "marking",
        "id",
        "title",
    ):
        assert key in made, key
    assert made["reviewed"] is False
    assert made["marking"] == "amber+strict"
    assert made["disposition"] == "true-positive"
    assert set(made["summary"][0]["citations"][0]) >= {"evidence", "start", "end", "quote"}
    assert made["findings"][0]["review"] == "unreviewed"


def test_a_review_is_carried() -> None:
    case, texts = sample()
    made = json.loads(render(reviewed(case), "json", texts))
    assert made["reviewed"] is True
    assert made["reviews"][0]["reviewer"] == "mara.lindqvist"
    assert {one["id"]: one["review"] for one in made["findings"]}["F8"] == "rejected"


def test_same_case_same_bytes() -> None:
    assert render(sample()[0], "json", sample()[1]) == render(sample()[0], "json", sample()[1])


@settings(max_examples=40, deadline=None)
@given(hostile_cases())
def test_any_case_reads_back_fits_the_schema_and_quotes_its_text(made) -> None:
    case, texts = made
    data = render(case, "json", texts)
    assert all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in data)
    read = json.loads(data)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(read)
    assert read["title"] == case.title
    assert [one["value"] for one in read["observables"]] == [seen.value for seen in case.observables]
    for sentence in read["summary"]:
        for one in sentence["citations"]:
            assert texts.slice(*dataclasses.astuple(Span(one["evidence"], one["start"], one["end"]))) == one["quote"]
