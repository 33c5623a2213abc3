"""The table of what a model took: sums, dashes for what is not known, prices of the user."""

from casemate.cli.cost import cost_lines
from casemate.core.cost import Cost
from casemate.policy import Price


def test_table_with_total_and_prices():
    costs = {"triage": Cost(1, 500, 0, 90, 9.75, 287_000_000, None), "summary": Cost(2, 1_200, 400, 10, 0.25, 0, 3.0)}
    prices = (Price("hosted \x1b[31m", 2.0, 10.0), Price("box", machine_hour=3.6, currency="EUR"))
    assert list(cost_lines(costs, prices)) == [
        "         requests  prompt  cached  written  seconds  peak MB  joules",
        "triage          1     500       0       90      9.8      287       -",
        "summary         2   1,200     400       10      0.2        -     3.0",
        "total           3   1,700     400      100     10.0      287       -",
        "at hosted \\x1b[31m: 0.004400 USD",
        "at box: 0.010000 EUR",
    ]


def test_one_line_needs_no_total_and_no_prices_are_said():
    lines = list(cost_lines({"serve": Cost(1, 2, 3, 4, 5.0)}, ()))
    assert len(lines) == 3
    assert "[[prices]]" in lines[-1]
