"""Adapters are kept beside their base, verified, refused when they do not fit, and switched per request."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from casemate.core.errors import NotTrusted, WrongUsage
from casemate.policy import Policy
from casemate.stages.generate import Completion, Request, choose_adapter
from casemate.stages.generate.adapters import check_adapter
from casemate.stages.generate.choose import open_model
from casemate.stages.generate.embedded import Embedded, EngineOptions
from casemate.stages.generate.gguf import read_model_file
from casemate.stages.generate.model_store import (
    StoredModel,
    add_model,
    default_model,
    find_model,
    find_stored,
    list_adapters,
    list_models,
    model_path,
    remove_model,
    verify_stored,
)
from casemate.stages.generate.scripted import Scripted
from tests.generate.tiny_gguf import PAIRS as MODEL_PAIRS
from tests.generate.tiny_gguf import build, tensor
from tests.generate.tiny_lora import PAIRS, lora

POLICY = Policy()


def base(tmp_path: Path) -> StoredModel:
    path = tmp_path / "base.gguf"
    path.write_bytes(build(MODEL_PAIRS, [tensor("blk.0.attn_q.weight", (32, 32), 0, 0)], bytes(4096)))
    return add_model(tmp_path, str(path), POLICY, name="base")


def add(tmp_path: Path, data: bytes, name: str = "one", adapter_of: str = "base") -> StoredModel:
    path = tmp_path / f"{name}.gguf"
    path.write_bytes(data)
    return add_model(tmp_path, str(path), POLICY, name=name, adapter_of=adapter_of)


def test_added_listed_verified_removed(tmp_path: Path) -> None:
    model = base(tmp_path)
    adapter = add(tmp_path, lora(1, 32))
    assert (adapter.base, adapter.turns) == (model.digest, "")
    assert list_models(tmp_path) == [model]
    assert list_adapters(tmp_path, model) == [adapter]
    assert default_model(tmp_path) == model
    assert find_stored(tmp_path, "one") == adapter
    with pytest.raises(NotTrusted, match="no model 'one'"):
        find_model(tmp_path, "one")
    verify_stored(tmp_path, adapter, POLICY)
    verify_stored(tmp_path, model, POLICY)
    with pytest.raises(WrongUsage, match="the base of 1 adapters: one"):
        remove_model(tmp_path, "base")
    assert remove_model(tmp_path, "one") == adapter
    assert remove_model(tmp_path, "base") == model


def test_adapter_alone_is_no_model_and_a_name_is_taken_once(tmp_path: Path) -> None:
    base(tmp_path)
    with pytest.raises(WrongUsage, match="an adapter, no model"):
        add(tmp_path, lora(1, 32), adapter_of="")
    add(tmp_path, lora(1, 32))
    add(tmp_path, lora(1, 32))  # the same again
    with pytest.raises(WrongUsage, match="another adapter 'one'"):
        add(tmp_path, lora(1, 32, seed=1))
    with pytest.raises(NotTrusted, match="no model 'nobody'"):
        add(tmp_path, lora(1, 32), adapter_of="nobody")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lora(1, 32, pairs={**PAIRS, "general.architecture": "qwen3"}), "an adapter for qwen3, the base is llama"),
        (lora(1, 32, pairs={**PAIRS, "adapter.type": "other"}), "no LoRA adapter"),
        (lora(1, 32, pairs={**PAIRS, "general.type": "model"}), "no LoRA adapter"),
        (lora(1, 64), r"is \(32, 32\) in the base, the adapter has \(64, 4\)"),
        (lora(2, 32), "the base has no weight 'blk.1.attn_q.weight'"),
        (build(PAIRS, [], b""), "an adapter without weights"),
        (build(PAIRS, [tensor("blk.0.attn_q.weight.lora_a", (32, 4), 0, 0)], bytes(512)), "one half only"),
        (build(PAIRS, [tensor("blk.0.attn_q.weight", (32, 4), 0, 0)], bytes(512)), "no half of a low-rank weight"),
        (lora(1, 32)[:-9], "tensor data up to byte"),
        (b"no adapter at all", "does not begin with GGUF"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path, data: bytes, reason: str) -> None:
    model = base(tmp_path)
    with pytest.raises(NotTrusted, match=reason):
        add(tmp_path, data)
    assert list_adapters(tmp_path, model) == []


def test_token_embedding_is_checked_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "base.gguf").write_bytes(
        build(MODEL_PAIRS, [tensor("token_embd.weight", (32, 64), 0, 0)], bytes(32 * 64 * 4))
    )
    halves = [
        tensor("token_embd.weight.lora_a", (4, 64), 0, 0),
        tensor("token_embd.weight.lora_b", (4, 32), 0, 1024),
    ]
    (tmp_path / "lora.gguf").write_bytes(build(PAIRS, halves, bytes(1536)))
    model, adapter = read_model_file(tmp_path / "base.gguf"), read_model_file(tmp_path / "lora.gguf")
    check_adapter(adapter, model, "lora.gguf")


def test_altered_adapter_is_refused_when_it_is_named_and_the_base_still_opens(tmp_path: Path) -> None:
    base(tmp_path)
    adapter = add(tmp_path, lora(1, 32))
    with model_path(tmp_path, adapter).open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    with pytest.raises(NotTrusted, match="altered since it was added"):
        verify_stored(tmp_path, adapter, POLICY)
    model = open_model("base", tmp_path, POLICY)
    for name in ("one", adapter.digest):
        with pytest.raises(NotTrusted, match="altered since it was added"):
            model.complete(Request("x", "", adapter=name))
    with pytest.raises(WrongUsage, match=r"no adapter 'two' \(it has: one\)"):
        model.complete(Request("x", "", adapter="two"))


def test_task_takes_the_first_adapter_the_model_has(tmp_path: Path) -> None:
    base(tmp_path)
    add(tmp_path, lora(1, 32))
    model = open_model("base", tmp_path, POLICY)
    assert choose_adapter(model, ["other", "one"]) == "one"
    assert choose_adapter(model, ["other"]) == ""
    assert choose_adapter(Scripted([]), ["one"]) == ""


def test_request_without_adapter_keeps_its_digest() -> None:
    assert Request("a", "b").digest == Request("a", "b", seconds=1).digest
    assert Request("a", "b", adapter="x").digest != Request("a", "b").digest


@pytest.fixture(scope="module")
def with_two(tmp_path_factory: pytest.TempPathFactory, home_with_model: Path) -> Iterator[Embedded]:
    home = tmp_path_factory.mktemp("home")
    stored = default_model(home_with_model)
    assert stored is not None
    model = add_model(home, str(model_path(home_with_model, stored)), POLICY, turns=stored.turns)
    for name, seed, size in (("one", 1, 0.3), ("two", 2, 0.3), ("nothing", 3, 0.0)):
        path = home / f"{name}.gguf"
        path.write_bytes(lora(seed=seed, size=size))
        add_model(home, str(path), POLICY, name=name, adapter_of=model.name)
    opened = open_model(None, home, POLICY, EngineOptions(threads=1))
    assert isinstance(opened, Embedded)
    with opened:
        yield opened


@pytest.mark.model
@pytest.mark.slow
def test_engine_switches_per_request_and_comes_back_to_the_base(with_two: Embedded) -> None:
    def ask(adapter: str) -> Completion:
        return with_two.complete(Request("Tell a story.", "", max_tokens=12, adapter=adapter))

    plain, one, two, nothing = ask(""), ask("one"), ask("two"), ask("nothing")
    assert len({plain.text, one.text, two.text}) == 3
    assert nothing.text == plain.text
    assert ask("").text == plain.text
    assert ask("one").text == one.text
    assert (plain.adapter, bool(one.adapter)) == (None, True)
    answers = with_two.complete_all(
        [Request("Tell a story.", "", max_tokens=12, adapter=name) for name in ("one", "", "two", "", "one")]
    )
    texts = [answer.text for answer in answers if isinstance(answer, Completion)]
    assert texts == [one.text, plain.text, two.text, plain.text, one.text]
