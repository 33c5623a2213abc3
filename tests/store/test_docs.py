import re
from pathlib import Path

import pytest

from casemate import audit
from casemate.audit import verify

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("page", ["store.md", "audit.md"])
def test_the_programs_on_the_page_do_what_it_says(page: str) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {"__name__": "docs"})


def test_every_fault_that_can_be_told_is_on_the_page() -> None:
    folders = [Path(audit.__file__).parent, Path(__file__).resolve().parents[2] / "src" / "casemate" / "store"]
    source = "\n".join(path.read_text("utf-8") for folder in folders for path in folder.glob("*.py"))
    told = set(re.findall(r'ChainFault\(\s*[^,]+,\s*"([a-z-]+)"', source))
    assert len(told) >= 10
    assert told == set(re.findall(r"`([a-z]+-[a-z]+)`", re.sub(r"(?s)^.*\| fault \|", "", page_part("audit.md"))))


def page_part(page: str) -> str:
    return (DOCS / page).read_text("utf-8").split("## What it does not prove")[0]


def test_the_steps_are_numbered_alike_in_the_page_and_in_the_code() -> None:
    assert verify.__doc__ is not None
    in_code = re.findall(r"^(\d)\. (.*)$", verify.__doc__, re.MULTILINE)
    steps = page_part("audit.md").split("## The steps of a verification")[1]
    in_page = re.findall(r"^(\d)\. (.*)$", steps, re.MULTILINE)
    assert [number for number, _ in in_code] == [number for number, _ in in_page] == [str(n) for n in range(1, 9)]
    source = Path(verify.__file__).read_text("utf-8")
    assert all(f"# step {number}" in source for number, _ in in_code)
