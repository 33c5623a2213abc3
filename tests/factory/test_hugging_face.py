"""A folder as a publisher leaves it, converted without a parent, computes in llama.cpp what transformers computes."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from casemate.cli.main import main
from casemate.core.errors import WrongUsage
from casemate.factory.hugging_face import convert_folder
from casemate.stages.generate.gguf import read_model_file
from tests.factory.published import SPECIAL, WORDS, config, logits, publish

TEXTS = (
    "the log of 12000 things",
    "It's  in the\n\n police   report: caf\u00e9, na\u00efve; 1234567 \U0001f600",
    "x = {'a': 1}\r\n\t\tif re: on",
    "ICE's police \u0663\u0664 \u4f60\u597d",
)
TOKENS = json.loads((Path(__file__).parent / "published_tokens.json").read_text())
"""What the package tokenizers 0.23.3 makes of these texts with the tokenizers of `published.py`."""

ROUNDING = 0.06  # llama.cpp keeps keys and values in 16 bits
RUN = """
import json, sys
from casemate.stages.generate.engine_child import load
path, asked = json.load(sys.stdin)
server = load({"path": path, "context": 256, "slots": 1, "threads": 1})
for prompt in asked:
    told = []
    body = {"prompt": prompt, "max_tokens": 1, "temperature": 0.0, "logprobs": 288, "cache_prompt": False}
    body["logit_bias"] = [[64, 1000.0]]  # a letter is chosen: with half of one no likelihoods are given
    server.handle_completions({**body, "stream": False}, lambda one: bool(told.append(one)))
    print(json.dumps(told[-1]), flush=True)
"""


def ask(path: Path, asked: list[Any]) -> list[tuple[int, dict[int, float]]]:
    """Give for every prompt, a text or token numbers, how many tokens it had and how likely each next one is."""
    done = subprocess.run(
        [sys.executable, "-c", RUN], input=json.dumps([str(path), asked]), capture_output=True, text=True, timeout=250,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = []
    for line in done.stdout.splitlines():
        told = json.loads(line)
        (first,) = told["choices"][0]["logprobs"]["content"]
        found.append((told["usage"]["prompt_tokens"], {one["id"]: one["logprob"] for one in first["top_logprobs"]}))
    assert len(found) == len(asked)
    return found


def likely(values: Any) -> Any:
    return values - values.max() - np.log(np.exp(values - values.max()).sum())


@pytest.mark.parametrize(
    ("named", "split", "begin", "more"),
    [
        ("LlamaForCausalLM", "smollm", False, {"tie_word_embeddings": True}),
        ("LlamaForCausalLM", "llama-bpe", True, {"attention_bias": True}),
        ("Qwen3ForCausalLM", "qwen2", False, {}),
        ("Qwen3ForCausalLM", "gpt-2", False, {"tie_word_embeddings": True}),
    ],
)
def test_a_converted_model_computes_what_it_computed(
    tmp_path: Path, named: str, split: str, begin: bool, more: dict[str, Any]
):
    told = config(named, **more)
    made = publish(tmp_path / "hub", told, split, begin=begin)
    out = convert_folder(tmp_path / "hub", tmp_path / "out.gguf", kind="F32")
    ids = TOKENS[split]
    answers = ask(out, [*ids, *TEXTS])
    for numbers, text, by_ids, by_text in zip(ids, TEXTS, answers[: len(ids)], answers[len(ids) :], strict=True):
        assert by_ids[0] == by_text[0] == len(numbers), text
        expected = likely(logits(made, told, numbers))
        for _count, found in (by_ids, by_text):
            assert len(found) == WORDS
            worst = max(abs(expected[number] - value) for number, value in found.items())
            assert worst < ROUNDING, text
    wrong = likely(logits(made, {**told, "rope_theta": 10 * told["rope_theta"]}, ids[0]))
    assert max(abs(wrong[number] - value) for number, value in answers[0][1].items()) > 3 * ROUNDING


def test_the_header_says_what_the_folder_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    publish(tmp_path / "hub", config("Qwen3ForCausalLM"), "qwen2", begin=True)
    assert main(["factory", "convert", str(tmp_path / "hub"), "--out", str(tmp_path / "a.gguf"), "--name", "mine"]) == 0
    header = read_model_file(tmp_path / "a.gguf")
    assert (header.architecture, header.name, header.context_length) == ("qwen3", "mine", 256)
    assert set(SPECIAL) <= set(header.control_tokens)
    manifest = json.loads((tmp_path / "a.gguf.json").read_text())
    assert set(manifest["from"]) == {"config.json", "tokenizer.json", "model.safetensors"}
    convert_folder(tmp_path / "hub", tmp_path / "b.gguf", name="mine")
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()
    (tmp_path / "hub" / "adapter_config.json").write_text("{}")
    assert main(["factory", "convert", str(tmp_path / "hub"), "--out", str(tmp_path / "c.gguf")]) == 2
    assert "--base" in capsys.readouterr().err


def changed(name: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        told = json.loads((folder / name).read_text())
        change(told)
        (folder / name).write_text(json.dumps(told))

    return apply


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed("config.json", lambda one: one.update(architectures=["MambaForCausalLM"])), "is not converted"),
        (changed("config.json", lambda one: one.update(rope_scaling={"rope_type": "llama3"})), "rotations are scaled"),
        (changed("config.json", lambda one: one.update(use_sliding_window=True)), "a window"),
        (changed("config.json", lambda one: one.update(quantization_config={"bits": 4})), "are quantised"),
        (changed("config.json", lambda one: one.update(num_hidden_layers=3)), "do not agree"),
        (changed("config.json", lambda one: one.update(num_hidden_layers="x\x1b")), "measures"),
        (changed("config.json", lambda one: one.pop("rms_norm_eps")), "rms_norm_eps"),
        (changed("config.json", lambda one: one.update(tie_word_embeddings=True)), "output matrix of its own"),
        (changed("tokenizer.json", lambda one: one["model"].update(type="Unigram")), "byte-level BPE"),
        (changed("tokenizer.json", lambda one: one["model"].update(ignore_merges=True)), "treated otherwise"),
        (changed("tokenizer.json", lambda one: one.update(normalizer={"type": "Lowercase"})), "changed before"),
        (changed("tokenizer.json", lambda one: one.update(pre_tokenizer={"type": "Whitespace"})), "no name in llama"),
        (changed("tokenizer.json", lambda one: one["added_tokens"][0].update(lstrip=True)), "spaces beside"),
        (changed("tokenizer.json", lambda one: one["added_tokens"][0].update(id=9000)), "rows for them"),
        (changed("tokenizer.json", lambda one: one.pop("model")), "model"),
        (lambda folder: (folder / "tokenizer.json").write_text("[" * 100_000), "no JSON"),
        (lambda folder: (folder / "config.json").unlink(), "No such file"),
    ],
)
def test_what_would_talk_otherwise_is_refused(tmp_path: Path, change: Callable[[Path], object], said: str):
    publish(tmp_path / "hub", config("Qwen3ForCausalLM"), "qwen2")
    change(tmp_path / "hub")
    with pytest.raises(WrongUsage, match=said) as caught:
        convert_folder(tmp_path / "hub", tmp_path / "out.gguf")
    assert caught.value.way_out
    assert list(tmp_path.glob("*.gguf")) == []
