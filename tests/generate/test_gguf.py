"""The GGUF header is read exactly, and anything that does not fit is refused with file and byte."""

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casemate.core.errors import NotTrusted
from casemate.policy import Limits
from casemate.stages.generate.gguf import ModelFile, read_model_file
from casemate.stages.generate.model_store import StoredModel, model_path
from tests.generate.tiny_gguf import DATA, PAIRS, TENSORS, build, tensor, text


def read(tmp_path: Path, data: bytes, limits: Limits | None = None) -> ModelFile:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(data)
    return read_model_file(path, limits)


def test_sound_file(tmp_path: Path) -> None:
    data = build()
    model = read(tmp_path, data)
    assert model == ModelFile(
        architecture="llama",
        name="Tiny",
        parameters=128,
        quantisation="Q4_K_M",
        context_length=64,
        chat_template="",
        chat_template_sha256="",
        licence="apache-2.0",
        control_tokens=("<|im_start|>", "<|im_end|>"),
        newline_token=2,
        tensors=2,
        header_bytes=data.index(TENSORS[1]) + len(TENSORS[1]),
        file_bytes=len(data),
    )


def test_version_2_is_read_and_the_heaviest_type_names_the_quantisation(tmp_path: Path) -> None:
    pairs = {key: item for key, item in PAIRS.items() if key != "general.file_type"}
    assert read(tmp_path, build(pairs, version=2)).quantisation == "F32"


BROKEN = {
    "empty": (b"", "goes past the end"),
    "magic": (build(magic=b"GGML"), "byte 0: does not begin with GGUF"),
    "version 1": (build(version=1), "byte 4: GGUF version 1"),
    "big-endian": (build(version=3 << 24), "GGUF version 50331648"),
    "pair count": (build(counts=(2, 2**62)), "goes past the end"),
    "tensor count": (build(counts=(2**62, len(PAIRS))), "goes past the end"),
    "no architecture": (build({}, []), "general.architecture is missing"),
    "architecture no name": (build({"general.architecture": "../x"}, []), "general.architecture"),
    "architecture a number": (build({"general.architecture": 3}, []), "wrong type"),
    "alignment": (build({**PAIRS, "general.alignment": 33}), "alignment of 33"),
    "split": (build({**PAIRS, "split.count": 2}), "one part of a split model"),
    "token types": (build({**PAIRS, "tokenizer.ggml.token_type": [1]}), "5 tokens but 1 token types"),
    "eos": (build({**PAIRS, "tokenizer.ggml.eos_token_id": 5}), "is 5 in a vocabulary of 5"),
    "key": (build({**PAIRS, "a b": 1}), "not plain ASCII"),
    "data cut": (build(data=DATA[:-1]), "tensor data up to byte"),
    "tensor twice": (build(tensors=[TENSORS[0], tensor("a", (64,), 3, 256)]), "name of its own"),
    "tensor gap": (build(tensors=[TENSORS[0], tensor("b", (64,), 3, 288)]), "at 288, expected at 256"),
    "tensor huge": (build(tensors=[tensor("a", (2**40, 2**20), 0, 0)]), "past the end of the file"),
    "tensor overflow": (build(tensors=[tensor("a", (2**33, 2**33), 0, 0)]), "cannot be"),
    "tensor row": (build(tensors=[tensor("a", (33,), 3, 0)]), "cannot be"),
    "tensor zero": (build(tensors=[tensor("a", (0,), 0, 0)]), "cannot be"),
    "tensor type": (build(tensors=[tensor("a", (32,), 4, 0)]), "tensor type 4"),
    "dimensions": (build(tensors=[tensor("a", (1, 1, 1, 1, 1), 0, 0)]), "5 dimensions"),
    "tensor name": (build(tensors=[tensor("a" * 65, (32,), 0, 0)]), "string of 65 bytes"),
}


@pytest.mark.parametrize(("data", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_file_is_refused_with_file_and_byte(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(NotTrusted) as caught:
        read(tmp_path, data)
    assert reason in caught.value.message
    assert "tiny.gguf: byte " in caught.value.message
    assert caught.value.way_out


def raw(pair: bytes) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair + bytes(64)


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (text("k") + struct.pack("<I", 13), "value type 13"),
        (text("k") + struct.pack("<IB", 7, 2), "2 is no truth value"),
        (text("k") + struct.pack("<IQ", 8, 2**63), "a string of"),
        (text("k") + struct.pack("<IIQ", 9, 4, 2**61), "goes past"),
        (text("k") + struct.pack("<IIQ", 9, 8, 2**61), "goes past"),
        (text("k") + struct.pack("<IIQ", 9, 99, 0), "array type 99"),
        (text("k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 5, "nested deeper"),
        (struct.pack("<Q", 2**40), "a string of"),
    ],
)
def test_broken_pair_is_refused(tmp_path: Path, pair: bytes, reason: str) -> None:
    with pytest.raises(NotTrusted, match=reason):
        read(tmp_path, raw(pair))


def test_header_and_file_stay_inside_the_limits(tmp_path: Path) -> None:
    with pytest.raises(NotTrusted, match=r"limits\.model_header_bytes"):
        read(tmp_path, build(), Limits(model_header_bytes=100))
    with pytest.raises(NotTrusted, match="bytes"):
        read(tmp_path, build(), Limits(model_file_bytes=100))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(NotTrusted, match="No such file"):
        read_model_file(tmp_path / "none.gguf")
    with pytest.raises(NotTrusted, match="directory"):
        read_model_file(tmp_path)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), max_size=4), st.integers(0, 1200))
def test_mutated_file_is_read_or_refused(tmp_path: Path, changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(build())
    for place, byte in changes:
        data[place % len(data)] = byte
    try:
        model = read(tmp_path, bytes(data[: min(length, len(data))]))
    except NotTrusted:
        return
    assert model.file_bytes <= len(data)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_are_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(NotTrusted):
        read(tmp_path, b"GGUF\x03\x00\x00\x00" + data)


@pytest.mark.model
def test_real_model(home_with_model: Path, stored_model: StoredModel) -> None:
    model = read_model_file(model_path(home_with_model, stored_model))
    assert model.parameters == 134_515_008
    assert model.quantisation == "Q4_1"
    assert model.context_length == 8192
    assert model.newline_token == 198
    assert "<|im_start|>" in model.control_tokens
