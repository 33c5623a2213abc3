"""A store as users have it, in a file and on PostgreSQL."""

from collections.abc import Iterator

import pytest

from casemate.store import Store


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened
