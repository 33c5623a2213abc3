import json
from hashlib import sha256
from pathlib import Path

import pytest

from casemate.core.digest import Digest
from casemate.core.errors import NotTrusted
from casemate.policy import Policy
from casemate.stages.generate.choose import open_model
from casemate.stages.generate.model_store import find_model, verify_model
from casemate.stages.generate.shipped import FOLDER, list_shipped, shipped_beside
from casemate.tasks.summary import TASK

MOST = 25_000_000


def test_every_shipped_adapter_is_small_and_what_its_manifest_says() -> None:
    for one in list_shipped():
        data = one.path.read_bytes()
        assert sha256(data).hexdigest() == one.digest
        assert data[:4] == b"GGUF"
        assert len(data) <= MOST
    assert len(list(FOLDER.glob("*.gguf"))) == len(list(list_shipped()))


def test_a_manifest_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.gguf.json").write_text("{}", "utf-8")
    with pytest.raises(NotTrusted, match=r"x\.gguf\.json"):
        list(list_shipped(tmp_path))


@pytest.mark.model
def test_a_shipped_adapter_is_offered_for_its_base_unless_it_was_altered(embedded_model: Path, tmp_path: Path) -> None:
    home = embedded_model.parent
    shipped = list(list_shipped())
    assert {TASK.adapter} <= {one.name for one in shipped}, "what a task names is there"
    stored = find_model(home, shipped[0].base)
    header, _ = verify_model(home, stored, Policy())
    (good, *_) = shipped_beside(stored.digest, header, Policy().limits)
    assert good.fault is None
    assert shipped_beside(Digest("0" * 64), header, Policy().limits) == []
    altered = tmp_path / "casemate.gguf"
    altered.write_bytes(shipped[0].path.read_bytes()[:-1] + b"\x00x")
    manifest = {"sha256": shipped[0].digest, "base_sha256": shipped[0].base}
    (tmp_path / "casemate.gguf.json").write_text(json.dumps(manifest), "utf-8")
    (bad,) = shipped_beside(stored.digest, header, Policy().limits, tmp_path)
    assert bad.fault is not None
    assert "altered" in bad.fault.message
    model = open_model(stored.name, home, Policy())
    try:
        assert shipped[0].name in model.adapters  # type: ignore[attr-defined]  # an embedded model has them
    finally:
        model.close()  # type: ignore[attr-defined]  # its process has not been started
