"""What `casemate map` shows a person."""

from casemate.cli.map import _as_text


def test_nested_answers_are_lines_below_each_other():
    candidate = {"name": "APT29", "attack_id": "G0016", "aliases": ["The Dukes"], "score": 0.5}
    line = {"id": "", "actors": [{"name": None, "matched": "Cozy\x1b[2J", "candidates": [candidate]}], "cut": False}
    assert _as_text(line).splitlines() == [
        "actors: Cozy\\x1b[2J",
        "  candidates: APT29  G0016  0.500",
        "cut: False",
    ]


def test_a_flat_answer_is_one_line_a_candidate():
    line = {"id": "a", "cwe": [{"id": "CWE-89", "probability": 0.99}], "abstained": False}
    assert _as_text(line).splitlines() == ["id: a", "cwe: CWE-89  0.990", "abstained: False"]
