"""Any OpenAI-compatible server the site's policy allows: vLLM, llama.cpp's own, and the like."""

import dataclasses
import ipaddress
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from casemate.core.digest import Digest, digest_value
from casemate.core.errors import EngineFailed, RefusedByPolicy, WrongUsage
from casemate.policy import Policy
from casemate.stages.generate.fence import defuse
from casemate.stages.generate.inorder import answer_in_order
from casemate.stages.generate.model import Answer, Completion, Request
from casemate.stages.generate.shares import Shares

if TYPE_CHECKING:
    import httpx

_ANSWER_BYTES = 8 * 1024 * 1024
_WAY_OUT = "see that the server runs and serves this model, or use --model none"


class Served:
    """A model behind `POST URL/chat/completions`.

    The host must be in `policy.engine_hosts`, as it is written: a name is as good as what resolves it, so the default
    list has loopback only. No proxy, no redirect, no cookie, no credentials from the environment; `key` is sent as a
    bearer token if given. The digest names address and model, for the weights behind a server cannot be seen.
    `adapters` are LoRA adapters that the server offers as models of these names, which is how vLLM does it; a queue
    keeps `at_once` requests with the server.
    """

    def __init__(
        self,
        url: str,
        model: str,
        policy: Policy,
        key: str = "",
        transport: "httpx.BaseTransport | None" = None,
        adapters: Sequence[str] = (),
        at_once: int = 8,
    ) -> None:
        self._url = _checked_url(url, policy)
        self._model, self._key, self._retries = model, key, policy.retries
        self._transport, self.at_once, self._shares = transport, at_once, Shares(joules=lambda: None)
        self.adapters = tuple(adapters)
        self.name = f"{model}@{urlsplit(self._url).netloc}"
        self.digest: Digest = digest_value(["server", self._url, model])

    def complete(self, request: Request) -> Completion:
        """Answer a request; `EngineFailed` when the server cannot be reached, refuses, or gives no answer in time.

        `WrongUsage` for an adapter that was not named when the server was.
        """
        if request.adapter and request.adapter not in self.adapters:
            raise WrongUsage(
                f"{self.name} has no adapter {request.adapter!r}",
                way_out="name what the server offers: server:URL#MODEL,ADAPTER",
            )
        token = self._shares.begin()
        try:
            completion = self._ask(request)
        finally:
            share = self._shares.end(token)
        adapter = digest_value(["server", self._url, request.adapter]) if request.adapter else None
        return dataclasses.replace(completion, engine_seconds=share.seconds, adapter=adapter)

    def complete_all(self, requests: Iterable[Request], retries: int = 1) -> Iterator[Answer]:
        """Answer a queue in order, several requests at once."""
        return answer_in_order(self.complete, requests, self.at_once, retries)

    def _ask(self, request: Request) -> Completion:
        import httpx

        began = time.monotonic()
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
        with httpx.Client(trust_env=False, follow_redirects=False, transport=self._transport) as client:
            for attempt in range(self._retries + 1):
                left = request.seconds - (time.monotonic() - began)
                try:
                    answer = self._post(client, headers, self._body(request), left)
                    return _completion(answer, time.monotonic() - began)
                except (httpx.RequestError, httpx.InvalidURL) as error:
                    if attempt == self._retries or isinstance(error, httpx.TimeoutException):
                        reason = str(error) or type(error).__name__
                        raise EngineFailed(f"{self._url}: {reason}", way_out=_WAY_OUT) from error
        raise EngineFailed(f"{self._url}: not asked", way_out="policy.retries must be 0 or more")

    def _body(self, request: Request) -> dict[str, Any]:
        # The server applies the model's template, which we do not know: the usual control tokens are broken once more.
        content = f"{request.instruction}\n\n{defuse(request.evidence)}" if request.evidence else request.instruction
        body: dict[str, Any] = {
            "model": request.adapter or self._model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            "stream": False,
        }
        if request.schema is not None:
            shape = {"name": "answer", "strict": True, "schema": dict(request.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        return body

    def _post(self, client: "httpx.Client", headers: Mapping[str, str], body: object, seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        address = f"{self._url}/chat/completions"
        with client.stream("POST", address, json=body, headers=headers, timeout=max(seconds, 0.001)) as response:
            data = bytearray()
            for block in response.iter_raw():
                data += block
                if len(data) > _ANSWER_BYTES:
                    raise EngineFailed(f"{self._url}: an answer of more than {_ANSWER_BYTES} bytes", way_out=_WAY_OUT)
                if time.monotonic() > deadline:
                    raise EngineFailed(f"{self._url}: no whole answer within the time limit", way_out=_WAY_OUT)
        if response.status_code != 200:
            said = "".join(c if c.isprintable() else " " for c in bytes(data[:300]).decode("utf-8", "replace"))
            raise EngineFailed(f"{self._url}: HTTP {response.status_code}: {said}", way_out=_WAY_OUT)
        try:
            return json.loads(bytes(data))
        except (ValueError, RecursionError) as error:
            raise EngineFailed(f"{self._url}: the answer is no JSON", way_out=_WAY_OUT) from error


def _checked_url(url: str, policy: Policy) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise WrongUsage(f"{url!r} is no address", way_out="write http://127.0.0.1:8000/v1") from error
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.query or parts.fragment:
        raise WrongUsage(f"{url!r} is no plain http(s) address", way_out="write http://127.0.0.1:8000/v1")
    if host not in policy.engine_hosts:
        raise RefusedByPolicy(
            f"the policy does not allow a language model on {host}",
            way_out="a person who may decide this adds the host to engine_hosts in the policy",
        )
    literal = f"[{host}]" if _is_ipv6(host) else host
    return f"{parts.scheme}://{literal}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def _completion(answer: object, seconds: float) -> Completion:
    try:
        choice = answer["choices"][0]  # type: ignore[index]  # whatever is wrong with the shape is caught below
        text, finish = choice["message"]["content"], choice.get("finish_reason")
        usage = answer.get("usage") or {}  # type: ignore[attr-defined]  # as above
        details = usage.get("prompt_tokens_details") or {}
        if not isinstance(text, str):
            raise EngineFailed("the server's answer has no text", way_out=_WAY_OUT)
        return Completion(
            text=text,
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            cached_tokens=int(details.get("cached_tokens") or 0),
            generated_tokens=int(usage.get("completion_tokens") or 0),
            seconds=seconds,
            finish="length" if finish == "length" else "stop",
        )
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise EngineFailed("the server's answer is no chat completion", way_out=_WAY_OUT) from error
