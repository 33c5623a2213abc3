"""Shared fixtures: where the real data is, and what must not be skipped."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder with the real public data, or skip and say so."""
    folder = Path(os.environ.get("CASEMATE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data is absent: {folder} is no folder (set CASEMATE_DATA to read it from elsewhere)")
    return folder
