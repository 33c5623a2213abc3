"""A quantised model carries everything over but the last bits of its weights, and says how many."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest

from casemate.core.errors import WrongUsage
from casemate.factory.gguf_file import digest_of_file
from casemate.factory.quantise import KINDS, kind_for, quantise
from casemate.stages.generate.gguf import read_model_file
from tests.factory.tiny_llama import read_back, weights, write_tiny

ERRORS = {"F32": 0.0, "F16": 0.0005, "BF16": 0.005, "Q8_0": 0.01, "Q5_1": 0.04, "Q5_0": 0.05, "Q4_1": 0.08, "Q4_0": 0.1}
"""The most that normally distributed weights may lose, relative; each kind must also lose more than the one before."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("source") / "tiny.gguf")


@pytest.mark.parametrize("kind", KINDS)
def test_error_is_what_is_told_and_within_bounds(tmp_path: Path, source: Path, kind: str) -> None:
    done = quantise(source, kind, tmp_path / "out.gguf")
    again, change, size = read_back(done.file), 0.0, 0.0
    for name, values in weights().items():
        change += float(np.square(again[name] - values).sum())
        size += float(np.square(values).sum())
    assert done.error == pytest.approx((change / size) ** 0.5, rel=1e-3, abs=1e-9)
    assert done.error <= ERRORS[kind]
    assert json.loads((tmp_path / "out.gguf.json").read_text())["parent_sha256"] == digest_of_file(source)


def test_smaller_kinds_lose_more(tmp_path: Path, source: Path) -> None:
    errors = [quantise(source, kind, tmp_path / kind).error for kind in ("F32", "F16", "Q8_0", "Q5_1", "Q4_1", "Q4_0")]
    assert errors == sorted(errors)


@pytest.mark.parametrize("kind", ["Q8_0", "Q5_1", "Q4_1"])
def test_everything_else_is_carried_over(tmp_path: Path, source: Path, kind: str) -> None:
    out = quantise(source, kind, tmp_path / "out.gguf").file
    before, after = gguf.GGUFReader(source), gguf.GGUFReader(out)
    changed = {"general.file_type", "general.quantization_version"}
    kept = [key for key in before.fields if not key.startswith("GGUF.") and key not in changed]
    assert len(kept) > 15
    for key in kept:
        assert after.fields[key].contents() == before.fields[key].contents(), key
        assert after.fields[key].types == before.fields[key].types, key
    header = read_model_file(out)
    assert (header.quantisation, header.control_tokens, header.chat_template) == (
        kind,
        read_model_file(source).control_tokens,
        "{{ messages }}",
    )


def test_vectors_stay_exact_and_outer_matrices_at_eight_bits() -> None:
    assert kind_for("blk.0.attn_norm.weight", (64,), "Q4_1") == "F32"
    assert kind_for("token_embd.weight", (32, 64), "Q4_1") == "Q8_0"
    assert kind_for("blk.0.ffn_up.weight", (96, 64), "Q4_1") == "Q4_1"
    assert kind_for("blk.0.odd.weight", (96, 63), "Q4_1") == "F16"


def test_errors_do_not_pile_up_unseen(tmp_path: Path, source: Path) -> None:
    small = quantise(source, "Q5_1", tmp_path / "small.gguf").file
    with pytest.raises(WrongUsage, match="quantised already"):
        quantise(small, "Q4_1", tmp_path / "smaller.gguf")
    back = quantise(small, "F32", tmp_path / "back.gguf")
    assert back.error == 0.0
    assert quantise(back.file, "Q5_1", tmp_path / "again.gguf").error < 0.001
    with pytest.raises(WrongUsage, match="not made here"):
        quantise(source, "Q4_K_M", tmp_path / "k.gguf")


def test_the_same_source_gives_the_same_bytes(tmp_path: Path, source: Path) -> None:
    one, two = (quantise(source, "Q8_0", tmp_path / name).file.read_bytes() for name in ("one", "two"))
    assert one == two
