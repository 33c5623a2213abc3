"""Model files made to hurt: our reader refuses them, and what it lets through can hurt the engine's process only.

The seeds are fixed, so a failure comes back.
"""

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from casemate.cli.main import NOT_TRUSTED, main
from casemate.core.digest import digest_bytes
from casemate.core.errors import EngineFailed, NotTrusted
from casemate.policy import Limits
from casemate.stages.generate import Completion, Request
from casemate.stages.generate.adapters import check_adapter
from casemate.stages.generate.chat_templates import TURNS
from casemate.stages.generate.embedded import Adapter, Embedded, EngineOptions
from casemate.stages.generate.gguf import ModelFile, read_model_file
from tests.generate.tiny_llama import PAIRS, SHAPES, tiny_llama
from tests.generate.tiny_lora import lora

SOUND = tiny_llama()
ADAPTER = lora(1, 32, rank=2)
LIMITS = Limits(prompt_tokens=100, answer_tokens=20, engine_start_seconds=60, answer_seconds=20)
NUMBERS = (0, 1, 2**7, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1)


def header_end(data: bytes, tmp_path: Path) -> int:
    path = tmp_path / "sound.gguf"
    path.write_bytes(data)
    return read_model_file(path).header_bytes


def flip(data: bytearray, chance: random.Random, end: int) -> None:
    for _ in range(chance.randint(1, 4)):
        data[chance.randrange(end)] ^= 1 << chance.randrange(8)


def number(data: bytearray, chance: random.Random, end: int) -> None:
    """Write a number that programs trip over anywhere in the header: a length, a count, an offset, a type."""
    form = chance.choice(("<I", "<Q"))
    value = chance.choice(NUMBERS) % (2**32 if form == "<I" else 2**64)
    place = chance.randrange(4, end - 8)
    data[place : place + struct.calcsize(form)] = struct.pack(form, value)


def truncate(data: bytearray, chance: random.Random, end: int) -> None:
    del data[chance.choice((chance.randrange(end), chance.randrange(len(data)))) :]


def insert(data: bytearray, chance: random.Random, end: int) -> None:
    place = chance.randrange(end)
    data[place:place] = chance.randbytes(chance.choice((1, 4, 8, 32, 1000)))


def repeat(data: bytearray, chance: random.Random, end: int) -> None:
    start = chance.randrange(end)
    piece = data[start : start + chance.randrange(1, 64)]
    place = chance.randrange(end)
    data[place : place + len(piece)] = piece


MUTATIONS: tuple[Callable[[bytearray, random.Random, int], None], ...] = (flip, number, truncate, insert, repeat)


def mutate(data: bytes, seed: int, end: int) -> bytes:
    chance = random.Random(seed)
    mutated = bytearray(data)
    MUTATIONS[seed % len(MUTATIONS)](mutated, chance, end)
    return bytes(mutated)


def read(path: Path, data: bytes) -> ModelFile | None:
    path.write_bytes(data)
    try:
        return read_model_file(path, LIMITS)
    except NotTrusted as error:
        refusal = error
    assert str(path) in refusal.message
    assert refusal.way_out
    return None


@pytest.mark.parametrize("sound", [SOUND, ADAPTER], ids=["model", "adapter"])
def test_two_hundred_mutated_files_are_read_or_refused_by_name(sound: bytes, tmp_path: Path) -> None:
    end = header_end(sound, tmp_path)
    refused = sum(read(tmp_path / "bad.gguf", mutate(sound, seed, end)) is None for seed in range(200))
    assert refused > 100  # most of them; a changed name or number may make another sound file


def test_mutated_adapter_fits_its_base_or_is_refused(tmp_path: Path) -> None:
    (tmp_path / "base.gguf").write_bytes(SOUND)
    base = read_model_file(tmp_path / "base.gguf")
    end = header_end(ADAPTER, tmp_path)
    for seed in range(200):
        header = read(tmp_path / "bad.gguf", mutate(ADAPTER, seed, end))
        if header is None:
            continue
        try:
            check_adapter(header, base, "bad.gguf")
        except NotTrusted:
            continue
        assert set(header.shapes) == {"blk.0.attn_q.weight.lora_a", "blk.0.attn_q.weight.lora_b"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_command_line_refuses_with_exit_code_4(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CASEMATE_HOME", str(tmp_path / "home"))
    end = header_end(SOUND, tmp_path)
    seed = next(s for s in range(seed * 100, 10_000) if read(tmp_path / "bad.gguf", mutate(SOUND, s, end)) is None)
    assert main(["model", "add", str(tmp_path / "bad.gguf")]) == NOT_TRUSTED
    said = capsys.readouterr().err
    assert "bad.gguf: byte " in said
    assert "way out" in said


def ask(path: Path, data: bytes, adapter: bytes | None = None) -> Completion | str:
    """Let the engine's process load what our reader let through, and answer; whatever it does must be an answer."""
    path.write_bytes(data)
    header = read_model_file(path, LIMITS)
    beside = []
    if adapter is not None:
        path.with_suffix(".lora").write_bytes(adapter)
        beside = [Adapter("beside", digest_bytes(adapter), path.with_suffix(".lora"))]
    with Embedded(
        path, "hostile", digest_bytes(data), header, TURNS["plain"], LIMITS, EngineOptions(threads=1), adapters=beside
    ) as model:
        try:
            return model.complete(
                Request("Say something.", "", max_tokens=4, seconds=20, adapter="beside" if beside else "")
            )
        except EngineFailed as error:
            failure = error
    assert failure.way_out
    assert failure.message.isprintable()
    return failure.message


@pytest.mark.slow
def test_sound_tiny_model_answers_and_its_adapter_too(tmp_path: Path) -> None:
    plain = ask(tmp_path / "m.gguf", SOUND)
    assert isinstance(plain, Completion)
    assert plain.generated_tokens == 4
    with_adapter = ask(tmp_path / "m.gguf", SOUND, ADAPTER)
    assert isinstance(with_adapter, Completion)


def passing(tmp_path: Path, count: int) -> list[bytes]:
    """The first mutated files that our reader lets through, which are few."""
    end, found = header_end(SOUND, tmp_path), []
    for seed in range(10_000):
        data = mutate(SOUND, seed, end)
        if read(tmp_path / "bad.gguf", data) is not None and data != SOUND:
            found.append(data)
        if len(found) == count:
            break
    return found


def nonsense(**pairs: object) -> bytes:
    return tiny_llama({**PAIRS, **{name.replace("__", "."): value for name, value in pairs.items()}})


def damaged_weights(seed: int) -> bytes:
    chance = random.Random(seed)
    data = bytearray(SOUND)
    values = (float("nan"), float("inf"), 3e38, -3e38)
    for _ in range(2_000):
        place = len(data) - 4 * chance.randrange(1, 10_000)
        data[place : place + 4] = struct.pack("<f", chance.choice(values))
    return bytes(data)


WRONG = {
    "no layers": nonsense(llama__block_count=0),
    "too many layers": nonsense(llama__block_count=2**31 - 1),
    "no heads": nonsense(llama__attention__head_count=0),
    "odd heads": nonsense(llama__attention__head_count=7),
    "huge context": nonsense(llama__context_length=2**32 - 1),
    "rope": nonsense(llama__rope__dimension_count=2**20),
    "another architecture": nonsense(general__architecture="mamba"),
    "merges of nothing": nonsense(tokenizer__ggml__merges=["x", "", "a b c"]),
    "no tokenizer": nonsense(tokenizer__ggml__model="none such"),
    "a tensor is missing": tiny_llama(shapes={k: v for k, v in SHAPES.items() if "attn_k" not in k}),
    "a tensor is another shape": tiny_llama(shapes={**SHAPES, "blk.0.attn_k.weight": (32, 64)}),
    "weights that are no numbers": damaged_weights(1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_engine_refuses_or_answers_what_has_a_sound_header_only(name: str, tmp_path: Path) -> None:
    ask(tmp_path / "bad.gguf", WRONG[name])
    sound = ask(tmp_path / "sound.gguf", SOUND)
    assert isinstance(sound, Completion)


@pytest.mark.slow
def test_engine_survives_what_our_reader_let_through(tmp_path: Path) -> None:
    for data in passing(tmp_path, 6):
        ask(tmp_path / "bad.gguf", data)


@pytest.mark.slow
def test_adapter_of_nonsense_hurts_one_request_only(tmp_path: Path) -> None:
    weights = bytearray(ADAPTER)
    for place in range(len(weights) - 400, len(weights), 4):
        weights[place : place + 4] = struct.pack("<f", float("nan"))
    ask(tmp_path / "m.gguf", SOUND, bytes(weights))
    ask(tmp_path / "m.gguf", SOUND, lora(1, 64, rank=2))  # one our own check would have refused
