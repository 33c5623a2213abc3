import json
from hashlib import sha256
from pathlib import Path

import pytest

from casemate.core.errors import WrongUsage
from casemate.factory.lessons import Lesson, write_lessons
from casemate.factory.recipe import BaseModel, Lora, Recipe, Schedule
from casemate.factory.sft import SftJob, lay_out, order_rows, train_adapter

RECIPE = Recipe("t", BaseModel("m", "smollm2"), Lora(2, 4), Schedule(1e-3, 2, 2, 1, 200), lessons={"weakness": 8})


class Letters:
    """A tokeniser of one token a character, which shows where a layout was cut."""

    eos_token = "$"

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        assert not add_special_tokens
        return {"input_ids": [ord(char) for char in text]}


def lesson(number: int, evidence: str = "Text {n}.") -> Lesson:
    return Lesson(f"w{number}", "weakness", "Name it.", evidence.format(n=number), "CWE-787", "a", "o", (), "CWE-787")


def test_the_loss_is_on_the_answer_and_its_end_alone() -> None:
    row = lay_out(lesson(1), Letters(), "smollm2")
    taught = "".join(chr(token) for token in row["labels"] if token != -100)
    whole = "".join(chr(token) for token in row["input_ids"])
    assert taught == "CWE-787<|im_end|>"
    assert whole.endswith("Name it.\n\nText 1.<|im_end|>\n<|im_start|>assistant\n" + taught)
    assert len(row["labels"]) == len(row["input_ids"])


def test_a_lesson_without_evidence_has_no_empty_line() -> None:
    whole = "".join(chr(token) for token in lay_out(lesson(1, ""), Letters(), "smollm2")["input_ids"])
    assert "Name it.<|im_end|>" in whole


def test_rows_of_like_length_share_a_batch_and_every_row_is_seen_once_an_epoch() -> None:
    rows = [{"input_ids": [number] * (1 + number % 7), "labels": []} for number in range(40)]
    ordered = order_rows(rows, RECIPE, 20)
    assert sorted(row["input_ids"][0] for row in ordered) == list(range(40))
    assert order_rows(rows, RECIPE, 20) == ordered
    pairs = zip(ordered[::2], ordered[1::2], strict=True)
    assert sum(abs(len(one["input_ids"]) - len(two["input_ids"])) for one, two in pairs) <= 20
    assert len(order_rows(rows, RECIPE, 50)) == 100


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    write_lessons(folder / "train.jsonl", [lesson(number) for number in range(8)])
    digest = sha256((folder / "train.jsonl").read_bytes()).hexdigest()
    (folder / "corpus.manifest.json").write_text(json.dumps({"files": {"train.jsonl": digest}}), "utf-8")
    return folder


def test_a_base_that_is_not_there_and_a_finished_run_are_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="no model"):
        train_adapter(SftJob(RECIPE, corpus, tmp_path / "absent.gguf", tmp_path / "run"))
    (tmp_path / "run" / "sft.manifest.json").write_text("{}", "utf-8")
    with pytest.raises(WrongUsage, match="a run already"):
        train_adapter(SftJob(RECIPE, corpus, tmp_path / "absent.gguf", tmp_path / "run"))
    with pytest.raises(WrongUsage, match="no complete corpus"):
        train_adapter(SftJob(RECIPE, tmp_path, tmp_path / "absent.gguf", tmp_path / "other"))


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.timeout(900)
def test_a_few_steps_leave_an_adapter_that_converts(corpus: Path, tmp_path: Path, embedded_model: Path) -> None:
    for package in ("torch", "transformers", "peft", "trl", "datasets", "gguf"):
        pytest.importorskip(package, reason="the train extra is not installed: pip install casemate[train]")
    from casemate.factory.convert import convert_adapter

    base = max(embedded_model.glob("*.gguf"), key=lambda path: path.stat().st_size)
    folder = train_adapter(SftJob(RECIPE, corpus, base, tmp_path / "run", steps=2))
    manifest = json.loads((tmp_path / "run" / "sft.manifest.json").read_text("utf-8"))
    assert manifest["steps"] == 2
    assert manifest["rows"] == 8
    assert manifest["peak_rate"] > 0.1 * RECIPE.train.learning_rate, "the rate is the recipe's, not the library's own"
    made = convert_adapter(folder, base, tmp_path / "adapter.gguf")
    assert made.read_bytes()[:4] == b"GGUF"
    first = manifest["adapter_sha256"]
    (tmp_path / "run" / "sft.manifest.json").unlink()  # as a run that was stopped leaves its folder
    with pytest.raises(WrongUsage, match="a run already"):
        train_adapter(SftJob(RECIPE, corpus, base, tmp_path / "run", steps=4))
    train_adapter(SftJob(RECIPE, corpus, base, tmp_path / "run", steps=4, resume=True))
    resumed = json.loads((tmp_path / "run" / "sft.manifest.json").read_text("utf-8"))
    assert resumed["steps"] == 4
    assert resumed["tokens"] > manifest["tokens"], "what was read before counts"
    assert resumed["adapter_sha256"] != first
