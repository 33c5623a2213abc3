"""Real evidence, packed as it was published: every part is read, and nothing in it surprises the frame."""

from pathlib import Path

import pytest

from casemate.core.evidence import Opened
from casemate.core.issue import Issue
from casemate.core.text import Chunk
from casemate.stages.ingest import read, source_of

pytestmark = pytest.mark.data


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("ioc/unit42_timely_gpl3.tar.gz", 340),
        ("ioc/eset_malware_ioc_bsd2.tar.gz", 130),
        ("ioc/volexity_bsd2.tar.gz", 5),
        ("logs/loghub_2k_corrected.tar.gz", 10),
    ],
)
def test_published_archives_are_read_to_the_end(shared_data: Path, name: str, members: int) -> None:
    parts, issues, length = 0, [], 0
    for item in read(source_of(str(shared_data / name)), events=False):
        if isinstance(item, Opened):
            parts += 1
            length = 0
        elif isinstance(item, Issue):
            issues.append(item)
        elif isinstance(item, Chunk):
            assert item.start == length
            assert sum(piece.length for piece in item.pieces) == len(item.text)
            length += len(item.text)
    assert parts >= members
    assert {issue.code for issue in issues} <= {"bad-encoding", "empty"}
