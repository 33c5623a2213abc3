"""A bundle that was measured with other prompts than this program asks is refused, unless its version is named."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from casemate.bundle.apply import Applying, apply_bundle
from casemate.bundle.manifest import BundleRefused
from casemate.bundle.state import MODEL_SLOT, read_state
from casemate.core.digest import digest_bytes
from casemate.tasks.record import differing, record_of
from casemate.tasks.registry import TASKS
from tests.bundle.bundles import FILES, World, make_bundle


def changed(name: str, **limits: object) -> bytes:
    raw = json.loads(record_of(TASKS[name]))
    raw["parts"][0] |= limits
    return json.dumps(raw).encode()


def asking(world: World) -> Applying:
    return replace(world.how(), differing=differing)


def bundle(tmp_path: Path, records: Mapping[str, bytes], version: str = "1.0") -> Path:
    files = {**FILES, **{f"prompts/{name}.json": data for name, data in records.items()}}
    return make_bundle(tmp_path / f"tiny-{version}", files, version=version)


OTHER = {
    "another instruction": json.dumps({"task": "summary", "digest": "0" * 64, "parts": [{}]}).encode(),
    "no record": b"{}",
    "no JSON": b"\xff[",
    "deep": b"[" * 100_000,
    "too long": b" " * 1_000_001 + record_of(TASKS["summary"]),
    "another share that must hold": changed("summary", rate=0.1),
    "parts that are none": json.dumps({"digest": TASKS["summary"].digest, "parts": 1}).encode(),
}


@pytest.mark.parametrize("what", OTHER)
def test_other_prompts_are_refused_and_the_chain_is_told(tmp_path: Path, what: str) -> None:
    world = World(tmp_path / "home")
    path = bundle(tmp_path, {"summary": OTHER[what], "brief": record_of(TASKS["brief"])})
    for allowed in ("", "2.0"):
        with pytest.raises(BundleRefused, match=r"other prompts than this program asks: summary$") as caught:
            apply_bundle(path, asking(world), allow_prompts=allowed)
        assert caught.value.code == "prompts-differ"
        assert "--allow-prompts 1.0" in caught.value.way_out
    assert world.installed == []
    assert read_state(world.home).in_force(MODEL_SLOT) is None
    assert world.chain == [("model.refused", digest_bytes(path.read_bytes()), {"reason": "prompts-differ"})] * 2


def test_a_version_named_is_applied_and_the_chain_says_what_differs(tmp_path: Path) -> None:
    world = World(tmp_path / "home")
    path = bundle(tmp_path, {"summary": b"{}"})
    assert apply_bundle(path, asking(world), allow_prompts="1.0").version == "1.0"
    assert [body["prompts-differ"] for _, _, body in world.chain] == ["summary"]


OLD = json.loads(record_of(TASKS["summary"]))
OLD["parts"] = [{name: part[name] for name in ("instruction", "schema")} for part in OLD["parts"]]


@pytest.mark.parametrize(
    "records",
    [
        {name: record_of(task) for name, task in TASKS.items()},
        {"summary": json.dumps(OLD).encode()},  # of before the limits were recorded
        {"summary": record_of(TASKS["summary"]), "fortune": b"of another program"},
    ],
    ids=["all tasks", "without limits", "a task that is not here"],
)
def test_the_programs_own_prompts_are_no_hindrance(tmp_path: Path, records: Mapping[str, bytes]) -> None:
    world = World(tmp_path / "home")
    assert apply_bundle(bundle(tmp_path, records), asking(world)).version == "1.0"
    assert all("prompts-differ" not in body for _, _, body in world.chain)


def test_what_is_asked_is_what_was_signed(tmp_path: Path) -> None:
    """The records are given as they are, each under its task's name, and nothing else of the bundle."""
    seen: list[Mapping[str, bytes]] = []

    def look(records: Mapping[str, bytes]) -> Sequence[str]:
        seen.append(records)
        return ()

    world = World(tmp_path / "home")
    apply_bundle(make_bundle(tmp_path / "one"), replace(world.how(), differing=look))
    assert seen == [{"summary": FILES["prompts/summary.json"]}]
