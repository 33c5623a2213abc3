"""Shared fixtures: where the real data is, and what must not be skipped."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Server, shared_server

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


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a PostgreSQL server, or skip and say why."""
    with shared_server(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give a database of its own with casemate's tables; its audit folder is `home/audit` as that of a file is."""
    monkeypatch.setenv("CASEMATE_HOME", str(tmp_path / "home"))
    url = postgres_server.make()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Give a file."""
    return f"sqlite:///{tmp_path}/home/casemate.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Give a database of each kind in turn."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))
