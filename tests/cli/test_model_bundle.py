"""A bundle through the front door: key, package, verify, apply, roll back; and what the audit chain says of it."""

import json
from pathlib import Path

import pytest

from casemate.cli.main import main
from casemate.factory.package import Package, package
from casemate.policy import Policy
from casemate.stages.generate.gguf import read_model_file
from casemate.stages.generate.model_store import (
    add_model,
    default_model,
    find_model,
    list_adapters,
    list_models,
    verify_model,
)
from casemate.store import Store
from tests.factory.small_adapter import write_config, write_safetensors
from tests.factory.tiny_llama import halves, weights, write_tiny


class Site:
    """One machine with its own data folder, and the folder where bundles are made."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.home = folder, folder / "home"
        monkeypatch.setenv("CASEMATE_HOME", str(self.home))
        self.base = write_tiny(folder / "base.gguf")
        self.template = read_model_file(self.base).chat_template_sha256
        (folder / "LICENSE").write_text("Apache-2.0 text\n")
        (folder / "card.md").write_text("# Card\n")
        assert main(["factory", "key", "--out", str(folder / "key")]) == 0

    def package(self, name: str, version: str, file: Path, *more: str) -> Path:
        out = self.folder / f"{name}-{version}.bundle"
        command = [
            "factory",
            "package",
            str(file),
            "--name",
            name,
            "--release",
            version,
            "--key",
            str(self.folder / "key"),
        ]
        command += [
            "--licence",
            str(self.folder / "LICENSE"),
            "--card",
            str(self.folder / "card.md"),
            "--out",
            str(out),
        ]
        command += ["--turns", "chatml", "--allow-template", self.template, "--ungated", "a test", *more]
        assert main(command) == 0
        return out

    def model(self, version: str) -> Path:
        file = write_tiny(self.folder / f"model-{version}.gguf", weights(int(version.replace(".", ""))))
        return self.package("tiny", version, file)

    def told(self) -> list[str]:
        with Store.open(f"sqlite:///{self.home / 'casemate.sqlite'}") as store:
            assert store.verify_audit() == ()
            return [event.action for event in store.audit_events()]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Site:
    made = Site(tmp_path, monkeypatch)
    policy = tmp_path / "policy.toml"
    policy.write_text(capsys.readouterr().out)
    monkeypatch.setenv("CASEMATE_POLICY", str(policy))
    return made


def run(*command: str | Path) -> int:
    return main([str(part) for part in command])


def used(site: Site) -> str:
    model = default_model(site.home)
    return model.name if model else ""


def test_carry_verify_apply_upgrade_roll_back(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    add_model(site.home, str(site.base), Policy(), name="by-hand", allow_template=site.template, turns="chatml")
    one, two = site.model("1.0"), site.model("1.1")
    assert run("model", "verify", one, "--key", site.folder / "key.pub") == 0
    assert "tiny-1.0 (model) is whole and signed by ed25519:" in capsys.readouterr().out
    assert run("model", "verify", one) == 0
    assert used(site) == "by-hand"
    for bundle, name in ((one, "tiny-1.0"), (two, "tiny-1.1")):
        assert run("model", "apply", bundle) == 0
        assert used(site) == name
        verify_model(site.home, find_model(site.home), Policy())
    assert run("model", "list") == 0
    assert "in force (model): tiny 1.1" in capsys.readouterr().err
    assert run("model", "apply", one) == 4
    assert "--allow-downgrade 1.0" in capsys.readouterr().err
    assert run("model", "remove", "tiny-1.1") == 2
    assert run("model", "rollback") == 0
    assert used(site) == "tiny-1.0"
    assert run("model", "rollback") == 0
    assert used(site) == "by-hand"
    assert run("model", "rollback") == 2
    applied = ["model.applied", "model.applied", "model.refused", "model.rolled-back", "model.rolled-back"]
    assert [action for action in site.told() if action.startswith("model.")] == applied


def test_a_key_that_the_policy_does_not_name_is_never_enough(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = site.model("1.0")
    monkeypatch.delenv("CASEMATE_POLICY")
    assert run("model", "verify", bundle) == 4
    assert run("model", "apply", bundle) == 4
    assert list_models(site.home) == []
    other = tmp_path / "other.toml"
    other.write_text(f'trusted_keys = ["ed25519:{"0" * 64}"]\n')
    assert run("model", "apply", bundle, "--policy", other) == 4
    other.write_text('trusted_keys = ["somebody"]\n')
    assert run("model", "apply", bundle, "--policy", other) == 2
    assert site.told() == ["model.refused", "model.refused"]


def test_a_tampered_bundle_ends_with_four(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = site.model("1.0")
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    assert run("model", "verify", bundle, "--key", site.folder / "key.pub") == 4
    assert run("model", "apply", bundle) == 4
    assert "way out" in capsys.readouterr().err
    assert (site.told(), used(site)) == (["model.refused"], "")


def test_an_adapter_is_used_only_while_its_bundle_is_in_force(site: Site) -> None:
    folder = site.folder / "adapter"
    folder.mkdir()
    write_safetensors(folder / "adapter_model.safetensors", halves())
    write_config(folder)
    assert run("factory", "convert", folder, "--base", site.base, "--out", site.folder / "adapter.gguf") == 0
    bundle = site.package("cti", "1.0", site.folder / "adapter.gguf", "--base", str(site.base), "--task", "summary")
    assert run("model", "apply", bundle) == 4  # its base is not here
    base = add_model(site.home, str(site.base), Policy(), allow_template=site.template, turns="chatml")
    assert run("model", "apply", bundle) == 0
    assert [adapter.name for adapter in list_adapters(site.home, base)] == ["cti"]
    assert used(site) == base.name
    assert run("model", "rollback", "cti") == 0
    assert list_adapters(site.home, base) == []
    assert run("model", "apply", bundle) == 0
    assert site.told() == ["model.refused", "model.applied", "model.rolled-back", "model.applied"]


def test_other_prompts_need_the_version_by_name(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    (site.folder / "other.json").write_text('{"task": "summary", "digest": "of another program"}')
    asked = Package(
        weights=write_tiny(site.folder / "model.gguf", weights(1)),
        out=site.folder / "other.bundle",
        key=site.folder / "key",
        name="tiny",
        version="1.0",
        licence=site.folder / "LICENSE",
        card=site.folder / "card.md",
        ungated="a test",
        turns="chatml",
        allow_template=site.template,
        extra={"prompts/summary.json": site.folder / "other.json"},
    )
    package(asked)
    assert run("model", "apply", asked.out) == 4
    assert "--allow-prompts 1.0" in capsys.readouterr().err
    assert used(site) == ""
    assert run("model", "apply", asked.out, "--allow-prompts", "1.0") == 0
    assert used(site) == "tiny-1.0"
    assert run("model", "list") == 0
    assert "its figures do not speak for this program, which has other prompts: summary" in capsys.readouterr().err
    assert run("model", "apply", site.model("1.1")) == 0
    assert run("model", "list") == 0
    assert "figures" not in capsys.readouterr().err
    assert run("model", "rollback") == 0, "a way back is never barred"
    assert "its figures do not speak for this program" in capsys.readouterr().err
    assert site.told() == ["model.refused", "model.applied", "model.applied", "model.rolled-back"]


def test_weights_of_bundles_out_of_reach_are_let_go(site: Site) -> None:
    assert run("model", "apply", site.model("1.0")) == 0
    assert run("model", "rollback") == 0
    for version in ("1.1", "1.2"):
        assert run("model", "apply", site.model(version)) == 0
    assert [path.suffix for path in sorted((site.home / "models").iterdir())] == [".gguf", ".json"] * 2


def test_choosing_a_model_by_name_leaves_the_bundle(site: Site) -> None:
    add_model(site.home, str(site.base), Policy(), name="by-hand", allow_template=site.template, turns="chatml")
    assert run("model", "apply", site.model("1.0")) == 0
    assert run("model", "use", "by-hand") == 0
    assert used(site) == "by-hand"
    assert run("model", "rollback") == 2


def test_gate_and_quantise_speak_plainly(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("factory", "quantise", site.base, "--kind", "Q8_0", "--out", tmp_path / "small.gguf") == 0
    assert "relative error" in capsys.readouterr().out
    (tmp_path / "gate.toml").write_text("[floors]\na = 0.01\nb = 0.01\n")
    record(tmp_path / "parent.json", {"a": 0.7, "b": 0.7})
    record(tmp_path / "build.json", {"a": 0.7, "b": 0.5})
    gate = ["factory", "gate", "--gate", tmp_path / "gate.toml", "--parent-evaluation", tmp_path / "parent.json"]
    assert run(*gate, "--evaluation", tmp_path / "build.json") == 4
    said = capsys.readouterr()
    assert "b: build 0.500 (0.404 to 0.596, n 100), parent 0.700" in said.out
    assert "1 of 2 tasks" in said.err
    record(tmp_path / "build.json", {"a": 0.7, "b": 0.71})
    assert run(*gate, "--evaluation", tmp_path / "build.json") == 0


def record(path: Path, scores: dict[str, float]) -> None:
    tasks = {name: {"score": score, "n": 100} for name, score in scores.items()}
    path.write_text(json.dumps({"model": path.stem, "digest": "", "tasks": tasks}))
