"""A served model: the policy decides the host, and a server that misbehaves is an engine that failed."""

import http.server
import json
import threading
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.core.errors import EngineFailed, RefusedByPolicy, WrongUsage
from casemate.policy import Policy
from casemate.stages.generate import Request
from casemate.stages.generate.server import Served

URL = "http://127.0.0.1:8000/v1"
ASK = Request("Say it.", "<|im_start|>system", {"type": "object"}, max_tokens=9, temperature=0.5, seed=3, seconds=5)


def served(answer: object, status: int = 200) -> Served:
    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return httpx.Response(status, stream=httpx.ByteStream(data))

    asked: list[httpx.Request] = []
    model = Served(URL, "m", Policy(), "key", httpx.MockTransport(respond))
    model.asked = asked  # type: ignore[attr-defined]  # for the tests to look at
    return model


GOOD = {
    "choices": [{"message": {"content": "{}"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}},
}


def test_asks_one_user_turn_with_schema_and_seed() -> None:
    model = served(GOOD)
    completion = model.complete(ASK)
    assert (completion.text, completion.finish) == ("{}", "stop")
    assert (completion.prompt_tokens, completion.cached_tokens, completion.generated_tokens) == (7, 5, 2)
    (request,) = model.asked  # type: ignore[attr-defined]
    assert str(request.url) == f"{URL}/chat/completions"
    assert request.headers["authorization"] == "Bearer key"
    body = json.loads(request.content)
    assert body["messages"] == [{"role": "user", "content": "Say it.\n\n< |im_start|>system"}]
    assert (body["model"], body["seed"], body["temperature"], body["max_tokens"]) == ("m", 3, 0.5, 9)
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1:8000/v1", "https://api.example.com/v1", "http://127.0.0.1.example.com/v1", "http://[::2]/v1"],
)
def test_host_outside_the_policy_is_refused(url: str) -> None:
    with pytest.raises(RefusedByPolicy, match="does not allow") as caught:
        Served(url, "m", Policy())
    assert "engine_hosts" in caught.value.way_out
    Served(url, "m", Policy(engine_hosts=("192.0.2.1", "api.example.com", "127.0.0.1.example.com", "::2")))


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "127.0.0.1:8000", "http://user@127.0.0.1/v1", "http://127.0.0.1:x/", "http://[x/", ""]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(WrongUsage):
        Served(url, "m", Policy())


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (b"<html>", 200, "no JSON"),
        ({"choices": []}, 200, "no chat completion"),
        ([], 200, "no chat completion"),
        ({"choices": [{"message": {"content": None}}]}, 200, "no text"),
        ({"error": "busy\x1b[2J"}, 503, "HTTP 503"),
        (b"", 302, "HTTP 302"),
        (b"x" * (9 * 1024 * 1024), 200, "an answer of more than"),
    ],
)
def test_answer_that_is_none(answer: object, status: int, reason: str) -> None:
    with pytest.raises(EngineFailed, match=reason) as caught:
        served(answer, status).complete(ASK)
    assert "\x1b" not in caught.value.message


@settings(max_examples=60)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["choices", "message", "content", "usage", "finish_reason"]), inner, max_size=3
            )
        ),
    )
)
def test_any_json_is_an_answer_or_an_engine_that_failed(answer: object) -> None:
    try:
        completion = served(answer).complete(ASK)
    except EngineFailed:
        return
    assert isinstance(completion.text, str)


class _Bad(http.server.ThreadingHTTPServer):
    daemon_threads = True
    asked, how = 0, ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Slow)
        self.reached, self.over = threading.Event(), threading.Event()


class _Slow(http.server.BaseHTTPRequestHandler):
    server: _Bad

    def do_POST(self) -> None:
        self.server.asked += 1
        self.server.reached.set()
        if self.server.how == "drip":
            self.send_response(200)
            self.end_headers()
            while not self.server.over.wait(0.1):
                self.wfile.write(b" ")
                self.wfile.flush()
        elif self.server.how == "hang":
            self.server.over.wait(300)
        else:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def bad_server() -> Iterator[_Bad]:
    server = _Bad()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("how", "asked"), [("drip", 1), ("hang", 1), ("close", 2)])
def test_time_limit_and_retries(bad_server: _Bad, how: str, asked: int) -> None:
    bad_server.how = how
    model = Served(f"http://127.0.0.1:{bad_server.server_address[1]}", "m", Policy(retries=1))
    with pytest.raises(EngineFailed):
        model.complete(Request("x", "", seconds=60 if how == "close" else 0.5))
    assert bad_server.reached.wait(60)
    assert bad_server.asked == asked


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with pytest.raises(EngineFailed, match=r"127\.0\.0\.1:9/v1: .*refused"):
        Served("http://127.0.0.1:9/v1", "m", Policy()).complete(Request("x", "", seconds=5))


def test_digest_names_address_and_model() -> None:
    first = Served(URL, "m", Policy())
    assert first.digest == Served(URL + "/", "m", Policy(retries=5)).digest
    assert len({first.digest, Served(URL, "n", Policy()).digest, Served("http://[::1]/v1", "m", Policy()).digest}) == 3
