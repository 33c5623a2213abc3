import json

from hypothesis import given, settings

from casemate.stages.export import render

from .cases import hostile_cases
from .sample import reviewed, sample


def layer_of(case, texts) -> dict:
    return json.loads(render(case, "navigator", texts))


def check(layer: dict) -> None:
    """Hold a layer against the required properties of the layer format 4.5."""
    assert layer["versions"]["layer"] == "4.5"
    assert layer["domain"] == "enterprise-attack"
    assert isinstance(layer["name"], str)
    assert layer["name"]
    assert len(layer["gradient"]["colors"]) >= 2
    assert layer["gradient"]["minValue"] < layer["gradient"]["maxValue"]
    for technique in layer["techniques"]:
        assert technique["techniqueID"][0] == "T"
        assert 0 <= technique["score"] <= 100
        assert all(pair["name"] and pair["value"] for pair in technique["metadata"])


def test_techniques_with_scores_and_evidence_lines() -> None:
    layer = layer_of(*sample())
    check(layer)
    scores = {technique["techniqueID"]: technique["score"] for technique in layer["techniques"]}
    assert scores == {"T1110.001": 97, "T1078": 72, "T1053.005": 100, "T1059.001": 88}
    guessed = next(technique for technique in layer["techniques"] if technique["techniqueID"] == "T1110.001")
    assert {"name": "F1 evidence", "value": "examples/web01/auth.log, line 1"} in guessed["metadata"]
    assert layer["versions"]["attack"] == "18"
    assert "UNREVIEWED" in layer["name"]
    assert "UNREVIEWED DRAFT" in layer["description"]
    assert "TLP:AMBER+STRICT" in layer["name"]


def test_a_closed_case_is_no_draft() -> None:
    case, texts = sample()
    layer = layer_of(reviewed(case), texts)
    assert "UNREVIEWED" not in json.dumps(layer)


@settings(max_examples=40, deadline=None)
@given(hostile_cases())
def test_any_case_makes_a_layer(made) -> None:
    layer = layer_of(*made)
    check(layer)
    assert made[0].reviewed or "UNREVIEWED" in layer["name"]
