"""A name opens the right engine, and only what the policy allows."""

import json
from pathlib import Path

import pytest

from casemate.core.errors import NotTrusted, RefusedByPolicy, WrongUsage
from casemate.policy import Policy
from casemate.stages.generate import Request
from casemate.stages.generate.choose import open_model
from casemate.stages.generate.embedded import Embedded
from casemate.stages.generate.model_store import add_model, model_path
from tests.generate.tiny_gguf import build


def test_script(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps(["yes"]))
    assert open_model(f"scripted:{tmp_path / 's.json'}", tmp_path, Policy()).complete(Request("?", "")).text == "yes"


def test_server(tmp_path: Path) -> None:
    model = open_model("server:http://127.0.0.1:8000/v1#CyberSecQwen-4B", tmp_path, Policy())
    assert model.name == "CyberSecQwen-4B@127.0.0.1:8000"
    with pytest.raises(WrongUsage, match="names no model"):
        open_model("server:http://127.0.0.1:8000/v1", tmp_path, Policy())
    with pytest.raises(RefusedByPolicy, match="engine 'server'"):
        open_model("server:http://127.0.0.1:8000/v1#m", tmp_path, Policy(engines=("embedded",)))


def test_stored_model_is_verified_before_anything_loads_it(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(build())
    stored = add_model(tmp_path, str(tmp_path / "tiny.gguf"), Policy())
    model = open_model(None, tmp_path, Policy())
    assert isinstance(model, Embedded)
    assert (model.name, model.digest, model.engine.pid) == ("Tiny", stored.digest, None)
    with pytest.raises(RefusedByPolicy, match="engine 'embedded'"):
        open_model("Tiny", tmp_path, Policy(engines=("server",)))
    model_path(tmp_path, stored).write_bytes(build(data=bytes(1000)))
    with pytest.raises(NotTrusted, match="altered"):
        open_model("Tiny", tmp_path, Policy())


def test_nothing_installed(tmp_path: Path) -> None:
    with pytest.raises(NotTrusted, match="no language model is installed"):
        open_model("", tmp_path, Policy())
