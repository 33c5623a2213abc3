"""A store in a file, as users have it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from casemate.store import Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/home/casemate.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened
