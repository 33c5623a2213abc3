"""The scripted model answers in order or by digest, and says what it lacks."""

import json
from pathlib import Path

import pytest

from casemate.core.errors import EngineFailed, WrongUsage
from casemate.stages.generate import Completion, Model, Request
from casemate.stages.generate.scripted import Scripted, read_script

ASK = Request("Say what you see.", "BEGIN EVIDENCE x\nlogin failed\nEND EVIDENCE x", {"type": "object"})


def test_answers_in_order_then_fails() -> None:
    model: Model = Scripted(["one", Completion("two", finish="length"), EngineFailed("dead")])
    assert model.complete(ASK).text == "one"
    assert model.complete(ASK).finish == "length"
    with pytest.raises(EngineFailed, match="dead"):
        model.complete(ASK)
    with pytest.raises(EngineFailed, match="no answer for request 4"):
        model.complete(ASK)


def test_answers_by_digest(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({ASK.digest: "found"}))
    model = read_script(path)
    assert model.complete(ASK).text == "found"
    with pytest.raises(EngineFailed, match="no answer"):
        model.complete(Request("another", ""))


def test_digest_ignores_the_time_limit_and_sees_everything_else() -> None:
    assert Request("a", "b", seconds=1).digest == Request("a", "b", seconds=2).digest
    others = [
        Request("a", "b"),
        Request("b", "b"),
        Request("a", "c"),
        Request("a", "b", {}),
        Request("a", "b", max_tokens=1),
        Request("a", "b", temperature=0.5),
        Request("a", "b", seed=1),
    ]
    assert len({request.digest for request in others}) == len(others)


@pytest.mark.parametrize("content", ["", "{", "1", '["a", 1]', '{"a": []}', "[" * 100_000])
def test_no_script(tmp_path: Path, content: str) -> None:
    path = tmp_path / "script.json"
    path.write_text(content)
    with pytest.raises(WrongUsage, match=r"script\.json"):
        read_script(path)


def test_missing_script(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="No such file"):
        read_script(tmp_path / "none.json")
