"""One file with all that belongs to a model, the same bytes each time, and never one that the gate refused."""

import dataclasses
import json
from pathlib import Path

import pytest

from casemate.bundle.manifest import MANIFEST_FILE, SIGNATURE_FILE
from casemate.bundle.read import Verified, read_bundle
from casemate.bundle.signature import make_key, read_public_key
from casemate.core.errors import NotTrusted, WrongUsage
from casemate.factory.convert import convert_adapter
from casemate.factory.gguf_file import digest_of_file
from casemate.factory.package import Package, package
from casemate.policy import Limits
from casemate.stages.generate.gguf import read_model_file
from casemate.tasks.registry import TASKS
from tests.bundle.bundles import members
from tests.factory.small_adapter import write_config, write_safetensors
from tests.factory.tiny_llama import halves, write_tiny


@pytest.fixture
def asked(tmp_path: Path) -> Package:
    weights = write_tiny(tmp_path / "tiny.gguf")
    make_key(tmp_path / "key", tmp_path / "key.pub")
    (tmp_path / "LICENSE").write_text("do what is right\n")
    (tmp_path / "card.md").write_text("# Tiny\n")
    (tmp_path / "gate.toml").write_text("[floors]\ncti-rcm = 0.01\n")
    for name, score, digest in (("build", 0.695, digest_of_file(weights)), ("parent", 0.7, "p")):
        record = {"model": name, "digest": digest, "tasks": {"cti-rcm": {"score": score, "n": 200}}}
        (tmp_path / f"{name}.json").write_text(json.dumps(record))
    return Package(
        weights=weights,
        out=tmp_path / "tiny.bundle",
        key=tmp_path / "key",
        name="tiny",
        version="1.0",
        licence=tmp_path / "LICENSE",
        card=tmp_path / "card.md",
        evaluation=tmp_path / "build.json",
        parent=tmp_path / "parent.json",
        recipe=tmp_path / "gate.toml",
        allow_template=read_model_file(weights).chat_template_sha256,
        turns="chatml",
        datasets=("a data set",),
    )


def changed(asked: Package, **more: object) -> Package:
    return dataclasses.replace(asked, **more)  # type: ignore[arg-type]  # the names are those of the class


def read(asked: Package) -> tuple[Verified, dict[str, bytes]]:
    key = read_public_key(asked.key.with_suffix(".pub"))
    verified = read_bundle(asked.out, [key], Limits())
    parts = [content for _, content in members(asked.out)]
    names = [SIGNATURE_FILE, MANIFEST_FILE, *(file.name for file in verified.manifest.files)]
    return verified, dict(zip(names, parts, strict=True))


def test_everything_that_belongs_to_it_is_in_it(asked: Package) -> None:
    done = package(asked)
    assert done.verdict is not None
    verified, files = read(asked)
    assert set(files) >= {
        "LICENSE",
        "MODEL_CARD.md",
        "bom.cdx.json",
        "chat_template.jinja",
        "evaluation.json",
        "evaluation.parent.json",
        "gate.toml",
        "model.gguf",
        "prompts/summary.json",
        "tokenizer.json",
    }
    assert verified.manifest.licence == "Apache-2.0"
    assert "cti-rcm 0.695 (0.628 to 0.755, n 200) against 0.700" in verified.manifest.gate
    assert files["chat_template.jinja"] == b"{{ messages }}"
    assert json.loads(files["tokenizer.json"])["merges"] == ["a b", "c d"]
    assert json.loads(files["prompts/summary.json"])["parts"][0]["instruction"] == TASKS["summary"].parts[0].instruction


def test_the_same_inputs_give_the_same_bytes(asked: Package, tmp_path: Path) -> None:
    package(asked)
    package(changed(asked, out=tmp_path / "again"))
    assert (tmp_path / "again").read_bytes() == asked.out.read_bytes()


def test_the_bill_of_materials_names_weights_scores_and_files(asked: Package) -> None:
    package(asked)
    verified, files = read(asked)
    bom = json.loads(files["bom.cdx.json"])
    component = bom["metadata"]["component"]
    assert (bom["specVersion"], component["type"]) == ("1.6", "machine-learning-model")
    assert component["hashes"] == [{"alg": "SHA-256", "content": verified.manifest.weights.sha256}]
    (metric,) = component["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert (metric["type"], metric["value"]) == ("cti-rcm", "0.6950")
    assert {one["name"] for one in bom["components"]} == set(files) - {
        "model.gguf",
        "bom.cdx.json",
        "manifest.json",
        "model.sig",
    }


def test_a_build_that_fell_too_far_is_not_packaged(asked: Package, tmp_path: Path) -> None:
    record = json.loads((tmp_path / "build.json").read_text())
    record["tasks"]["cti-rcm"]["score"] = 0.6
    (tmp_path / "build.json").write_text(json.dumps(record))
    with pytest.raises(NotTrusted, match=r"cti-rcm: build 0\.600.*parent 0\.700"):
        package(asked)
    assert not asked.out.exists()


def test_an_evaluation_of_another_file_does_not_count(asked: Package, tmp_path: Path) -> None:
    with pytest.raises(NotTrusted, match="of another file"):
        package(changed(asked, evaluation=tmp_path / "parent.json"))


def test_without_a_gate_the_bundle_says_why_for_ever(asked: Package) -> None:
    bare = changed(asked, evaluation=None, parent=None, recipe=None)
    with pytest.raises(WrongUsage, match="the gate needs"):
        package(bare)
    package(changed(bare, ungated="the first of its line"))
    assert read(asked)[0].manifest.gate == "not judged: the first of its line"
    with pytest.raises(WrongUsage, match="judged or not judged"):
        package(changed(asked, ungated="no time"))


def test_an_adapter_is_bound_to_its_base(asked: Package, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    write_safetensors(folder / "adapter_model.safetensors", halves())
    write_config(folder)
    weights = convert_adapter(folder, asked.weights, tmp_path / "adapter.gguf")
    of_adapter = changed(asked, weights=weights, evaluation=None, parent=None, recipe=None, ungated="a test")
    with pytest.raises(WrongUsage, match="is an adapter"):
        package(of_adapter)
    with pytest.raises(WrongUsage, match="is a whole model"):
        package(changed(asked, base=asked.weights))
    package(changed(of_adapter, base=asked.weights, tasks=("summary",)))
    verified, files = read(asked)
    assert (verified.manifest.kind, verified.manifest.tasks) == ("adapter", ("summary",))
    assert verified.manifest.base == digest_of_file(asked.weights)
    assert "adapter.gguf" in files
    assert (
        json.loads(files["bom.cdx.json"])["metadata"]["component"]["pedigree"]["ancestors"][0]["name"] == "Tiny Llama"
    )


def test_what_is_missing_is_named(asked: Package, tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=r"none\.md"):
        package(changed(asked, card=tmp_path / "none.md"))
    with pytest.raises(NotTrusted, match="not on the allow-list"):
        package(changed(asked, allow_template=""))
    with pytest.raises(NotTrusted, match="name or version"):
        package(changed(asked, version="one"))
    with pytest.raises(WrongUsage, match="no private key"):
        package(changed(asked, key=tmp_path / "key.pub"))
