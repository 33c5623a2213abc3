"""The page about events names every reader and family that the code has."""

from pathlib import Path

import pytest

from casemate.stages.ingest.families import FAMILIES
from casemate.stages.ingest.log_lines import LOGS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "events.md").read_text("utf-8")


@pytest.mark.parametrize("name", [*FAMILIES, *(reader.name for reader in LOGS), "evtx", "json"])
def test_the_page_names_it(name: str) -> None:
    assert f"`{name}" in PAGE


@pytest.mark.parametrize("code", ["json-depth", "json-size", "json-broken", "evtx-damaged"])
def test_the_page_names_the_issue(code: str) -> None:
    assert f"`{code}`" in PAGE
