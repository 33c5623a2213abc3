"""The page on observables says what is so."""

import re
from pathlib import Path

from casemate.stages.extract.types import TYPES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "observables.md"


def test_the_python_on_the_page_runs():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), {})


def test_the_page_names_every_type():
    text = PAGE.read_text("utf-8")
    assert [kind for kind in TYPES if f"`{kind}`" not in text] == []
