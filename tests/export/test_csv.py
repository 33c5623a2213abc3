import csv
import io
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.stages.export import render
from casemate.stages.export.csv import COLUMNS, cell

from .cases import hostile_cases
from .sample import HOSTILE, reviewed, sample

FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")


def rows_of(case, texts) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render(case, "csv", texts).decode("utf-8"), newline="")))


def test_one_row_for_each_observable_with_marking_and_review() -> None:
    case, texts = sample()
    rows = rows_of(case, texts)
    assert len(rows) == len(case.observables)
    assert {row["review"] for row in rows} == {"unreviewed"}
    assert {row["marking"] for row in rows} == {"TLP:AMBER+STRICT"}
    first = rows[0]
    assert (first["type"], first["value"], first["defanged"]) == ("ipv4-addr", "203.0.113.77", "203[.]0[.]113[.]77")
    assert (first["source"], first["line"], first["count"]) == ("examples/web01/auth.log", "1", "101")
    assert rows_of(reviewed(case), texts)[0]["review"] == "reviewed"


def test_known_formulas_are_defused() -> None:
    for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "＋1", "－1", "＠x", "|calc", "%0"):
        assert cell(text).startswith("'"), text
    assert cell("evil.example") == "evil.example"


@settings(max_examples=40, deadline=None)
@given(hostile_cases())
def test_no_cell_is_a_formula_and_every_row_is_one_line(made) -> None:
    case, texts = made
    data = render(case, "csv", texts)
    assert data.count(b"\n") == data.count(b"\r\n") == len(case.observables) + 1
    table = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
    assert all(len(row) == len(COLUMNS) for row in table)
    for row in table:
        for value in row:
            assert not FORMULA.match(value)
            assert value.isprintable()


@given(st.one_of(st.text(), st.sampled_from(HOSTILE)))
def test_a_cell_is_printable_and_never_a_formula(text: str) -> None:
    assert cell(text).isprintable()
    assert not FORMULA.match(cell(text))
