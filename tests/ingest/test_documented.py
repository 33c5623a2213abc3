"""docs/evidence.md names every format, every limit of reading and every issue code of this room."""

import re
from pathlib import Path

from casemate.stages.ingest.readers import READERS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "evidence.md").read_text("utf-8")
ROOM = ROOT / "src" / "casemate" / "stages" / "ingest"
CODE = re.compile(r'(?:[iI]ssue|Damage|_stop|Slice)\([^"]*?"([a-z0-9]+(?:-[a-z0-9]+)*)"')


def test_every_format_is_documented() -> None:
    assert {name for name in READERS if f"`{name}`" not in PAGE} == set()


def test_every_issue_code_is_documented() -> None:
    codes = {code for path in ROOM.glob("*.py") for code in CODE.findall(path.read_text("utf-8"))}
    assert len(codes) > 20
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()
