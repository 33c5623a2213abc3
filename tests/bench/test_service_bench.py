"""The bench of the service, small, in a database that is named: what it measures is there."""

import math
from pathlib import Path

import pytest

from casemate.bench.service import Load, measure_service
from casemate.core.errors import WrongUsage

SMALL = Load(alerts=300, groups=30, big_mb=1, workers=2, clients=2)


@pytest.mark.slow
@pytest.mark.data
def test_everything_is_measured(
    shared_data: Path, knowledge_file: Path, prepared_home: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CASEMATE_HOME", str(prepared_home))
    measured = measure_service(shared_data, knowledge_file, SMALL, postgres_url)
    assert measured["stream"]["alerts"] == 300
    assert measured["stream"]["groups"] > 1
    assert measured["inbox"]["alerts"] == 300
    for part in measured.values():
        assert all(math.isfinite(value) and value > 0 for value in part.values()), part
    with pytest.raises(WrongUsage, match="not empty"):
        measure_service(shared_data, knowledge_file, SMALL, postgres_url)
