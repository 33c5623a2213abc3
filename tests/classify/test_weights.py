import io
import json
from pathlib import Path

import pytest

from casemate.core.errors import NotTrusted
from casemate.stages.classify.weights import open_weights, seal_weights

np = pytest.importorskip("numpy")


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    (tmp_path / "a.bin").write_bytes(b"weights")
    held = io.BytesIO()
    np.savez(held, table=np.arange(4))
    (tmp_path / "b.npz").write_bytes(held.getvalue())
    seal_weights("thing", tmp_path, ["a.bin", "b.npz"], {"classes": ["x"]})
    return tmp_path


def test_sealed_files_open_with_their_papers(sealed: Path) -> None:
    weights = open_weights("thing", sealed)
    assert weights.files["a.bin"] == b"weights"
    assert weights.papers == {"classes": ["x"]}
    assert weights.arrays("b.npz")["table"].tolist() == [0, 1, 2, 3]
    assert len(weights.digest) == 64


def test_an_altered_file_is_refused(sealed: Path) -> None:
    (sealed / "a.bin").write_bytes(b"weightz")
    with pytest.raises(NotTrusted, match=r"a\.bin"):
        open_weights("thing", sealed)


def test_a_missing_file_is_refused_with_a_way_out(sealed: Path) -> None:
    (sealed / "a.bin").unlink()
    with pytest.raises(NotTrusted, match="missing") as caught:
        open_weights("thing", sealed)
    assert "factory train" in caught.value.way_out


def test_no_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotTrusted):
        open_weights("thing", tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"files": 3}', b"\xff\xfe", b'{"files": {"a.bin": 1}}'])
def test_a_broken_manifest_is_refused(sealed: Path, content: bytes) -> None:
    (sealed / "thing.manifest.json").write_bytes(content)
    with pytest.raises(NotTrusted):
        open_weights("thing", sealed)


def test_a_manifest_cannot_name_a_file_elsewhere(sealed: Path) -> None:
    manifest = json.loads((sealed / "thing.manifest.json").read_text())
    manifest["files"] = {"../../etc/passwd": {"sha256": "0" * 64}}
    (sealed / "thing.manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(NotTrusted):
        open_weights("thing", sealed)


def test_a_pickled_array_is_not_read(tmp_path: Path) -> None:
    held = io.BytesIO()
    np.savez(held, table=np.asarray([{"a": 1}], dtype=object))
    (tmp_path / "b.npz").write_bytes(held.getvalue())
    seal_weights("thing", tmp_path, ["b.npz"], {})
    with pytest.raises(ValueError, match="pickle"):
        open_weights("thing", tmp_path).arrays("b.npz")
