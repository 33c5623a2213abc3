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


def _installed_home() -> Path:
    return Path(os.environ.get("CASEMATE_HOME", ROOT / ".casemate"))


@pytest.fixture(scope="session")
def knowledge_file() -> Path:
    """Give the default knowledge index, built by `make setup`; its absence is a failure, never a skip."""
    file = _installed_home() / "knowledge.sqlite"
    assert file.is_file(), f"{file} is missing: run `make setup`"
    return file


@pytest.fixture
def prepared_home(tmp_path_factory: pytest.TempPathFactory, knowledge_file: Path) -> Path:
    """Give a data folder of its own with the default knowledge and no model and no case."""
    home = tmp_path_factory.mktemp("home")
    for file in knowledge_file.parent.glob("knowledge.sqlite*"):  # the index and its seal
        (home / file.name).symlink_to(file)  # never written to here: an import replaces the name
    return home


@pytest.fixture(scope="session")
def embedded_model() -> Path:
    """Give the folder of stored models, filled by `make setup`, or skip and say so."""
    folder = _installed_home() / "models"
    if not any(folder.glob("*.gguf")):
        assert not os.environ.get("CASEMATE_REQUIRE_MODEL"), f"no model in {folder}: run `make setup`"
        pytest.skip(f"no model in {folder}: run `make setup`")
    return folder
