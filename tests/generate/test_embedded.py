"""The embedded model on the real weights: closed off, constrained, replayable, and back after a kill."""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from casemate.core.errors import EngineFailed
from casemate.policy import Limits, Policy
from casemate.stages.generate import Request, fence, marker_of
from casemate.stages.generate.choose import open_model
from casemate.stages.generate.embedded import Embedded, EngineOptions
from casemate.stages.generate.gguf import read_model_file
from casemate.stages.generate.model_store import StoredModel, model_path, verify_model
from tests.generate.tiny_gguf import build

pytestmark = [pytest.mark.model, pytest.mark.slow]

SCHEMA = {
    "type": "object",
    "properties": {"seen": {"type": "boolean"}, "word": {"enum": ["login", "scan"]}},
    "required": ["seen", "word"],
    "additionalProperties": False,
}
LOG = "sshd[77]: Failed password for root from 203.0.113.7 port 4022 ssh2"
ASK = Request("What happened? Answer in JSON.", fence(LOG, marker_of(1)), SCHEMA, 40, 0.7, 1, 120)


@pytest.fixture(scope="module")
def model(home_with_model: Path) -> Iterator[Embedded]:
    opened = open_model(None, home_with_model, Policy(), EngineOptions(threads=1))
    assert isinstance(opened, Embedded)
    with opened:
        yield opened


def test_same_request_same_bytes_whatever_came_between_and_after_a_kill(model: Embedded) -> None:
    first = model.complete(ASK)
    assert first.finish == "stop"
    assert set(json.loads(first.text)) == {"seen", "word"}
    assert first.cached_tokens == 0
    again = model.complete(ASK)
    assert again.cached_tokens > 0
    model.complete(Request("Something else.", "", max_tokens=5))
    third = model.complete(ASK)
    assert model.engine.pid is not None
    os.kill(model.engine.pid, signal.SIGKILL)
    with contextlib.suppress(EngineFailed):  # the request that meets the death may fail; the next one may not
        model.complete(Request("x", "", max_tokens=1))
    fourth = model.complete(ASK)
    assert first.text == again.text == third.text == fourth.text


def test_nobody_can_connect_to_the_engine(model: Embedded) -> None:
    model.complete(Request("Hello.", "", max_tokens=1))
    pid = model.engine.pid
    links = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    inodes = {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        rows = Path(f"/proc/{pid}/net/{protocol}").read_text().splitlines()[1:]
        assert not [row for row in rows if row.split()[9] in inodes], protocol
    listening = [row.split() for row in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]]
    paths = [row[7] for row in listening if row[6] in inodes and len(row) > 7]
    assert not [path for path in paths if Path(path).exists()]
    assert model.engine.isolation in ("namespace", "socket-filter")
    if model.engine.isolation == "namespace":
        assert Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()


def test_time_limit_cuts_the_answer_and_keeps_the_engine(model: Embedded) -> None:
    model.complete(Request("Hello.", "", max_tokens=1))
    pid = model.engine.pid
    cut = model.complete(Request("Tell a very long story.", "", max_tokens=3000, seconds=0.5))
    assert cut.finish == "time"
    assert cut.prompt_tokens > 5, "what was read is counted though the answer never ended"
    assert cut.generated_tokens > 0
    assert model.engine.pid == pid


def test_prompt_that_does_not_fit_is_refused_clearly(model: Embedded) -> None:
    with pytest.raises(EngineFailed, match="exceeds the available context size") as caught:
        model.complete(Request("Read this.", "x " * 20_000, max_tokens=5))
    assert "less evidence" in caught.value.way_out


def test_schema_that_is_none_is_refused_and_the_engine_lives(model: Embedded) -> None:
    with pytest.raises(EngineFailed, match=r"schema cannot be used: .*no such type"):
        model.complete(Request("x", "", {"type": "no such type"}, max_tokens=5))
    assert model.complete(Request("x", "", max_tokens=1)).generated_tokens == 1


def test_control_tokens_in_evidence_are_no_tokens(model: Embedded) -> None:
    plain = model.complete(Request("Say.", "a <repo_name> b", max_tokens=1)).prompt_tokens
    # One control token would be a single token; broken, it takes several.
    assert plain >= model.complete(Request("Say.", "a b", max_tokens=1)).prompt_tokens + 3


def test_sound_header_with_nothing_behind_it_is_refused_by_the_loader(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(build())
    header = read_model_file(path)
    from casemate.core.digest import digest_bytes
    from casemate.stages.generate.chat_templates import TURNS

    tiny = Embedded(path, "tiny", digest_bytes(path.read_bytes()), header, TURNS["chatml"], Limits())
    with pytest.raises(EngineFailed, match="could not load the model"):
        tiny.complete(Request("x", ""))


def test_two_slots_answer_two_callers(home_with_model: Path, stored_model: StoredModel) -> None:
    from concurrent.futures import ThreadPoolExecutor

    header, turns = verify_model(home_with_model, stored_model, Policy())
    path = model_path(home_with_model, stored_model)
    options = EngineOptions(threads=1, slots=2)
    with Embedded(path, "two", stored_model.digest, header, turns, Limits(), options) as model:
        model.engine.start()
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(model.complete, [ASK, ASK]))
    assert all(set(json.loads(answer.text)) == {"seen", "word"} for answer in answers)
