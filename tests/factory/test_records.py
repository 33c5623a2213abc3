"""What an evaluation measured is what the gate reads."""

from pathlib import Path

from casemate.factory.gate import Measured, read_evaluation
from casemate.factory.records import write_records

SUMMARY = {"n": 10, "schema_valid": 0.9, "sentences": 40, "grounded_rate": 0.5, "summary_stands": 0.2, "seconds": 3.0}
READ = {"n": 100, "metric": "accuracy", "last_line": {"score": 0.6, "deviation": 0.01}, "anywhere": {"score": 0.7}}
FIGURES = {
    "summary": SUMMARY,
    "cti-rcm": READ,
    "cti-vsp": {"n": 100, "metric": "mean absolute deviation", "last_line": {"score": 0.9}},
    "silence": {"n": 0, "refuses_unanswerable": 1.0},
}


def test_a_report_becomes_a_record_for_each_contestant(tmp_path: Path) -> None:
    report = {"contestants": {"base": FIGURES, "base+cti": FIGURES, "../evil": {}}}
    written = write_records(tmp_path / "report.json", report, {"base": "a" * 64, "base+cti": "b" * 64})
    assert [path.name for path in written] == [
        "report.base.record.json",
        "report.base+cti.record.json",
        "report...-evil.record.json",
    ]
    adapted = read_evaluation(written[1])
    assert (adapted.model, adapted.digest) == ("base+cti", "b" * 64)
    assert adapted.tasks == {
        "summary.schema_valid": Measured(0.9, 10),
        "summary.grounded_rate": Measured(0.5, 10),
        "summary.summary_stands": Measured(0.2, 10),
        "cti-rcm.last_line": Measured(0.6, 100),
        "cti-rcm.anywhere": Measured(0.7, 100),
    }
    assert read_evaluation(written[2]).digest == ""
