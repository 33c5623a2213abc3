"""Docs that cannot lie: code blocks run, tables match the code, links lead somewhere."""

import dataclasses
import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from casemate.connectors.settings import INCOMING, OUTGOING, load_connectors
from casemate.policy import Policy, load_policy
from casemate.stages.extract.types import TYPES
from casemate.stages.validate import CHECKS

from .tables import commands_table, exit_codes_table, limits_table

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
POSTGRES = "postgresql://casemate@db.corp.example/casemate"
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(language: str) -> list[object]:
    found = []
    for path in PAGES:
        for number, block in enumerate(BLOCK.finditer(path.read_text("utf-8")), 1):
            if block[1] == language:
                found.append(pytest.param(block[2], id=f"{path.relative_to(ROOT)}-{number}"))
    return found


def steps(block: str) -> list[tuple[str, str]]:
    """Split a console block into commands (lines that begin with `$ `) and what they print."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def as_printed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n"


def of_any_store(console: list[object]) -> list[object]:
    """Leave out the blocks that tell one story on a server of its own: test_backup_on_postgresql.py runs those."""
    return [one for one in console if "monday/audit.tar" not in one.values[0]]  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("block", of_any_store(blocks("console")))
def test_a_console_block_prints_what_it_shows(
    block: str, prepared_home: Path, tmp_path: Path, request: pytest.FixtureRequest
):
    if POSTGRES in block:
        block = block.replace(POSTGRES, shlex.quote(request.getfixturevalue("postgres_url")))
    environment = dict(os.environ, CASEMATE_HOME=str(prepared_home), COLUMNS="100", NO_COLOR="1")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment.pop("CASEMATE_PROGRESS", None)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for command, expected in steps(block):
        if shlex.split(command)[0] == "make":
            continue  # these two are what runs this test and the demo's own test
        done = subprocess.run(  # the project's own docs
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        printed = as_printed(done.stdout + done.stderr)
        wanted = as_printed(expected)
        same = doctest.OutputChecker().check_output(wanted, printed, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        assert same, f"$ {command}\nexpected:\n{wanted}\nprinted:\n{printed}"


@pytest.mark.parametrize("block", blocks("toml"))
def test_a_policy_in_the_docs_is_one(block: str, tmp_path: Path):
    file = tmp_path / "policy.toml"
    file.write_text(block, "utf-8")
    if re.search(r"^\[(in|out)\.", block, re.MULTILINE):
        assert load_connectors(file) is not None
        return
    assert load_policy(file) != Policy()


@pytest.mark.parametrize("block", blocks("python"))
def test_a_python_block_runs(block: str, tmp_path: Path):
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_limits_stand_in_the_docs():
    assert limits_table() in page("docs/policy.md"), f"put this into docs/policy.md:\n{limits_table()}"


def test_the_settings_stand_in_the_docs():
    text = page("docs/policy.md")
    for field in dataclasses.fields(Policy):
        assert field.name == "limits" or f"| `{field.name}` |" in text, f"docs/policy.md does not tell of {field.name}"


def test_the_connectors_stand_in_the_docs():
    coming, going = page("docs/connectors.md").split("## Cases out")
    for kind, settings in INCOMING.items():
        (row,) = [line for line in coming.splitlines() if line.startswith(f"| `{kind}` |")]
        for field in dataclasses.fields(settings):
            assert field.name in {"name", "marking", "every"} or f"`{field.name}`" in row, f"{kind}: {field.name}"
    rows = going.splitlines()
    for out, settings_out in OUTGOING.items():
        (row,) = [line for line in rows if line.startswith(f"| `{out}` |")]
        own = {field.name for field in dataclasses.fields(settings_out)} - {"name", "server", "up_to", "dispositions"}
        assert all(f"`{name}`" in row for name in own - {"every"}), out


def test_commands_and_exit_codes_stand_in_the_docs():
    text = page("docs/commands.md")
    assert commands_table() in text, f"put this into docs/commands.md:\n{commands_table()}"
    assert exit_codes_table() in text, f"put this into docs/commands.md:\n{exit_codes_table()}"


def test_every_check_code_and_observable_type_stands_in_the_docs():
    for code in CHECKS:
        assert f"`{code}`" in page("docs/triage.md")
    for name in TYPES:
        assert f"`{name}`" in page("docs/observables.md")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(path: Path):
    for target in LINK.findall(path.read_text("utf-8")):
        assert (path.parent / target).exists(), f"{path.relative_to(ROOT)}: {target}"
