"""Applying is one switch: killed anywhere, the old or the new is in force, and the chain comes to know."""

import contextlib
import os
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest

from casemate.bundle.apply import Disk, apply_bundle, roll_back, settle
from casemate.bundle.manifest import BundleRefused, read_manifest, version_key
from casemate.bundle.state import MODEL_SLOT, bundles_folder, choose_plain, read_state, state_path, weights_path
from casemate.core.digest import digest_bytes
from casemate.core.errors import NotTrusted, StoreFailed, WrongUsage
from tests.bundle.bundles import FILES, OTHER_KEY, World, make_bundle

OLD_MODEL = "a" * 64


def weights(version: str) -> dict[str, bytes]:
    return {**FILES, "model.gguf": b"GGUF" + version.encode()}


def adapter(tmp_path: Path, name: str, version: str, base: str) -> Path:
    files = {key: data for key, data in FILES.items() if key != "model.gguf"} | {"adapter.gguf": version.encode()}
    return make_bundle(tmp_path / f"{name}-{version}", files, name=name, version=version, kind="adapter", base=base)


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "one", weights("1"), version="1.0")


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "two", weights("2"), version="2.0")


def now(world: World) -> str:
    applied = read_state(world.home).in_force(MODEL_SLOT)
    return applied.version or applied.weights if applied else ""


def leftovers(world: World) -> list[str]:
    return sorted(path.name for path in bundles_folder(world.home).glob(".staging-*"))


def test_apply_upgrade_and_roll_all_the_way_back(tmp_path: Path, one: Path, two: Path) -> None:
    world = World(tmp_path / "home", used=OLD_MODEL, models=[OLD_MODEL])
    applied = apply_bundle(one, world.how())
    assert (applied.version, now(world)) == ("1.0", "1.0")
    assert weights_path(world.home, applied).read_bytes() == weights("1")["model.gguf"]
    kept = bundles_folder(world.home) / applied.bundle / "manifest.json"
    assert read_manifest(kept.read_bytes()).title == "tiny-1.0"
    apply_bundle(two, world.how())
    left, instead = roll_back(world.how())
    assert (left.version, instead and instead.version, now(world)) == ("2.0", "1.0", "1.0")
    left, instead = roll_back(world.how())
    assert (left.version, instead and instead.weights, now(world)) == ("1.0", OLD_MODEL, OLD_MODEL)
    with pytest.raises(WrongUsage, match="no bundle is in force"):
        roll_back(world.how())
    assert world.told == ["model.applied", "model.applied", "model.rolled-back", "model.rolled-back"]
    assert leftovers(world) == []


def test_the_chain_hears_what_and_by_whose_key(tmp_path: Path, one: Path) -> None:
    world = World(tmp_path / "home")
    applied = apply_bundle(one, world.how())
    ((action, subject, body),) = world.chain
    assert (action, subject) == ("model.applied", applied.bundle)
    assert body["weights-sha256"] == digest_bytes(weights("1")["model.gguf"])
    assert body["key"].startswith("ed25519:")


def test_applying_twice_changes_nothing(tmp_path: Path, one: Path) -> None:
    world = World(tmp_path / "home")
    assert apply_bundle(one, world.how()) == apply_bundle(one, world.how())
    assert world.told == ["model.applied"]


def test_a_downgrade_needs_its_version_by_name(tmp_path: Path, one: Path, two: Path) -> None:
    world = World(tmp_path / "home")
    apply_bundle(two, world.how())
    for allowed in ("", "2.0", "1"):
        with pytest.raises(BundleRefused, match=r"older than 2\.0") as caught:
            apply_bundle(one, world.how(), allowed)
        assert caught.value.code == "downgrade"
        assert "--allow-downgrade 1.0" in caught.value.way_out
    assert now(world) == "2.0"
    assert apply_bundle(one, world.how(), "1.0").version == "1.0"
    refused = [(subject, body) for action, subject, body in world.chain if action == "model.refused"]
    assert refused == [(digest_bytes(one.read_bytes()), {"reason": "downgrade"})] * 3


def test_a_version_that_was_rolled_back_still_counts(tmp_path: Path, one: Path, two: Path) -> None:
    world = World(tmp_path / "home")
    apply_bundle(one, world.how())
    apply_bundle(two, world.how())
    roll_back(world.how())
    between = make_bundle(tmp_path / "between", weights("1.5"), version="1.5")
    with pytest.raises(BundleRefused, match=r"older than 2\.0"):
        apply_bundle(between, world.how())
    assert apply_bundle(two, world.how()).version == "2.0"


def test_the_same_version_with_other_content_is_refused(tmp_path: Path, one: Path) -> None:
    world = World(tmp_path / "home")
    apply_bundle(one, world.how())
    other = make_bundle(tmp_path / "other", weights("x"), version="1.0.0")
    with pytest.raises(BundleRefused) as caught:
        apply_bundle(other, world.how())
    assert caught.value.code == "version-reused"
    assert apply_bundle(other, world.how(), "1.0.0").weights == digest_bytes(weights("x")["model.gguf"])


def test_versions_compare_as_numbers() -> None:
    assert version_key("1.10") > version_key("1.9") > version_key("1") == version_key("1.0.0")
    for wrong in ("", "1.", "v1", "1.0-rc1", "1..2", "1.2.3.4.5", "01", "٣"):
        with pytest.raises(ValueError, match="no version"):
            version_key(wrong)


def test_what_is_refused_leaves_nothing_behind(tmp_path: Path, one: Path) -> None:
    world = World(tmp_path / "home")
    strange = make_bundle(tmp_path / "strange", key=OTHER_KEY)
    with pytest.raises(BundleRefused):
        apply_bundle(strange, world.how())
    with pytest.raises(NotTrusted, match="no key is trusted"):
        apply_bundle(one, world.how(trusted=()))
    assert [body["reason"] for _, _, body in world.chain] == ["key-not-trusted", "not-trusted"]
    assert [path.name for path in bundles_folder(world.home).iterdir()] == [".lock"]
    assert (world.installed, read_state(world.home).change) == ([], 0)


def test_an_adapter_needs_its_base_and_has_a_slot_of_its_own(tmp_path: Path, one: Path) -> None:
    world = World(tmp_path / "home")
    base = digest_bytes(weights("1")["model.gguf"])
    with pytest.raises(BundleRefused) as caught:
        apply_bundle(adapter(tmp_path, "cti", "1.0", base), world.how())
    assert caught.value.code == "base-missing"
    apply_bundle(one, world.how())
    apply_bundle(adapter(tmp_path, "cti", "1.0", base), world.how())
    apply_bundle(adapter(tmp_path, "logs", "3", base), world.how())
    assert [one.title for one in read_state(world.home).adapters] == ["cti 1.0", "logs 3"]
    with pytest.raises(WrongUsage, match="several") as several:
        roll_back(world.how())
    assert "cti, logs, tiny" in several.value.way_out
    left, instead = roll_back(world.how(), "cti")
    assert (left.name, instead) == ("cti", None)
    assert [one.name for one in read_state(world.home).adapters] == ["logs"]


def test_choosing_a_model_by_name_can_be_rolled_over_but_not_forgotten(tmp_path: Path, one: Path, two: Path) -> None:
    world = World(tmp_path / "home", used=OLD_MODEL)
    choose_plain(world.home, "b" * 64)
    assert not state_path(world.home).exists()
    apply_bundle(two, world.how())
    choose_plain(world.home, "b" * 64)
    assert now(world) == "b" * 64
    with pytest.raises(WrongUsage, match="no bundle is in force"):
        roll_back(world.how())
    with pytest.raises(BundleRefused, match="older"):
        apply_bundle(one, world.how())


def test_bundles_out_of_reach_are_let_go(tmp_path: Path, one: Path, two: Path) -> None:
    world = World(tmp_path / "home")
    apply_bundle(one, world.how())
    apply_bundle(two, world.how())
    roll_back(world.how())
    three = apply_bundle(make_bundle(tmp_path / "three", weights("3"), version="3"), world.how())
    kept = {path.name for path in bundles_folder(world.home).iterdir() if path.is_dir()}
    assert kept == {applied.bundle for applied in read_state(world.home).slots[MODEL_SLOT]}
    assert (len(kept), three.bundle in kept) == (2, True)


def test_what_is_rolled_back_to_must_still_be_whole(tmp_path: Path, one: Path, two: Path) -> None:
    world = World(tmp_path / "home")
    applied = apply_bundle(one, world.how())
    apply_bundle(two, world.how())
    weights_path(world.home, applied).write_bytes(b"something else")
    with pytest.raises(NotTrusted, match=r"not what was applied any more: model\.gguf"):
        roll_back(world.how())
    assert now(world) == "2.0"
    assert apply_bundle(one, world.how(), "1.0").version == "1.0"  # applying it again mends it


def test_a_state_that_cannot_be_read_is_not_trusted(tmp_path: Path, one: Path) -> None:
    world = World(tmp_path / "home")
    apply_bundle(one, world.how())
    for content in (b"", b"{}x", b'{"change": 1, "more": 2}', b"[" * 10_000):
        state_path(world.home).write_bytes(content)
        with pytest.raises(NotTrusted, match="cannot be read"):
            apply_bundle(one, world.how())


class FullDisk(Disk):
    """A disk on which nothing can be renamed any more."""

    def rename(self, path: Path, target: Path) -> None:
        raise OSError(28, "No space left on device", str(target))


def test_a_full_disk_is_told_plainly_and_changes_nothing(tmp_path: Path, one: Path, two: Path) -> None:
    world = World(tmp_path / "home")
    apply_bundle(one, world.how())
    with pytest.raises(StoreFailed, match="No space left"):
        apply_bundle(two, world.how(FullDisk()))
    assert (now(world), leftovers(world)) == ("1.0", [])


class DyingDisk(Disk):
    """A disk whose machine loses power at the given step, before it or after it; no clean-up runs."""

    def __init__(self, step: int, *, after: bool) -> None:
        self.step, self.after, self.count = step, after, 0

    def _begin(self) -> None:
        self.count += 1
        if self.count == self.step and not self.after:
            os._exit(9)

    def _end(self) -> None:
        if self.count == self.step and self.after:
            os._exit(9)

    def make_folder(self, path: Path) -> None:
        self._begin()
        super().make_folder(path)
        self._end()

    @contextlib.contextmanager
    def create(self, path: Path) -> Iterator[BinaryIO]:
        self._begin()
        with super().create(path) as file:
            yield file
        self._end()

    def rename(self, path: Path, target: Path) -> None:
        self._begin()
        super().rename(path, target)
        self._end()

    def remove(self, path: Path) -> None:
        self._begin()
        super().remove(path)
        self._end()


def in_a_process_that_dies(world: World, change: Callable[[Disk], object], step: int, *, after: bool) -> bool:
    """Make a change in a process of its own that is gone at the given step; false when it never came that far."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        change(DyingDisk(step, after=after))
        os.write(into, pickle.dumps((world.chain, world.models)))
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as told:
        data = told.read()
    os.waitpid(child, 0)
    if data:
        world.chain, world.models = pickle.loads(data)
    return not data


def applied_on(world: World, bundle: Path, disk: Disk) -> object:
    return apply_bundle(bundle, world.how(disk))


def rolled_back_on(world: World, disk: Disk) -> object:
    return roll_back(world.how(disk))


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_step_of_an_apply_the_old_or_the_new_is_in_force(
    tmp_path: Path, one: Path, two: Path, *, after: bool
) -> None:
    seen: list[str] = []
    for step in range(1, 100):
        world = World(tmp_path / f"home-{step}")
        apply_bundle(one, world.how())
        died = in_a_process_that_dies(world, partial(applied_on, world, two), step, after=after)
        seen.append(now(world))
        # Whatever is in force is whole, and the chain comes to say the same.
        applied = read_state(world.home).in_force(MODEL_SLOT)
        assert applied is not None
        assert digest_bytes(weights_path(world.home, applied).read_bytes()) == applied.weights
        settle(world.how())
        settle(world.how())
        assert world.told == ["model.applied"] * (1 if seen[-1] == "1.0" else 2)
        assert apply_bundle(two, world.how()).version == "2.0"
        assert world.told == ["model.applied"] * 2
        assert leftovers(world) == []
        if not died:
            break
    assert seen == sorted(seen)
    assert {"1.0", "2.0"} == set(seen)
    assert len(seen) > 10


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_step_of_a_rollback_the_old_or_the_new_is_in_force(
    tmp_path: Path, one: Path, two: Path, *, after: bool
) -> None:
    seen: list[str] = []
    for step in range(1, 100):
        world = World(tmp_path / f"home-{step}")
        apply_bundle(one, world.how())
        apply_bundle(two, world.how())
        died = in_a_process_that_dies(world, partial(rolled_back_on, world), step, after=after)
        seen.append(now(world))
        settle(world.how())
        assert world.told[2:] == (["model.rolled-back"] if seen[-1] == "1.0" else [])
        if not died:
            break
    assert seen == sorted(seen, reverse=True)
    assert {"1.0", "2.0"} == set(seen)
