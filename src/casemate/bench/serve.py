"""casemate bench serve: how fast the engine serves, as ratios within one run, and whether it repeats itself."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from casemate.bench.serve_bare import Bare
from casemate.bench.serve_work import LISTS, alert_requests, prefix_requests, story_requests
from casemate.core.cost import Cost
from casemate.core.errors import EngineFailed
from casemate.policy import Policy
from casemate.stages.generate import Completion, Request
from casemate.stages.generate.chat_templates import Turns
from casemate.stages.generate.embedded import Embedded, EngineOptions, usable_cpus
from casemate.stages.generate.gguf import ModelFile
from casemate.stages.generate.metered import cost_of
from casemate.stages.generate.model_store import StoredModel, find_model, model_path, verify_model

TARGETS = {"engine_ratio": 0.95, "queue_speedup": 3.0, "constrained_ratio": 0.85, "ttft_speedup": 5.0}
"""What each ratio should reach at least."""

_CONTEXT = 1_600
_SECONDS = 300.0

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Amount:
    """How much is measured: alerts in the queue, of them asked one by one, pairs of each comparison, slots."""

    alerts: int = 200
    sample: int = 20
    pairs: int = 8
    slots: int = 4


@dataclass(slots=True)
class Engines:
    """Opens engines over one verified model and adds up what they take."""

    path: Path
    stored: StoredModel
    header: ModelFile
    turns: Turns
    policy: Policy
    threads: int
    cost: Cost = field(default_factory=Cost)

    @contextmanager
    def open(self, slots: int = 1, *, cache: bool = True) -> Iterator[Embedded]:
        """Open an engine, started, with the model loaded."""
        limits = replace(self.policy.limits, prompt_tokens=_CONTEXT)
        options = EngineOptions(self.threads, slots, cache)
        with Embedded(
            self.path, self.stored.name, self.stored.digest, self.header, self.turns, limits, options
        ) as engine:
            engine.engine.start()
            yield engine

    def ask(self, engine: Embedded, request: Request) -> Completion:
        """Answer one request and count it."""
        completion = engine.complete(request)
        self.cost += cost_of(completion)
        return completion


def measure_serve(
    home: Path, name: str | None, policy: Policy, amount: Amount | None = None, told: Told = lambda _: None
) -> dict[str, Any]:
    """Measure the five figures with a stored model, by default the one in use; ratios above 1 are for the engine.

    Whatever is compared runs alternately in one run, so that a machine that gets slower or faster meanwhile does not
    decide. One by one without a cache is measured on a sample of the alerts, half before the queue and half after it,
    and both are told in seconds for an alert. Takes some minutes; raises what opening a model raises.
    """
    amount = amount or Amount()
    stored = find_model(home, name)
    header, turns = verify_model(home, stored, policy)
    engines = Engines(model_path(home, stored), stored, header, turns, policy, usable_cpus())
    began = time.perf_counter()
    results: dict[str, Any] = {}
    details: dict[str, Any] = {"model": stored.name, "digest": stored.digest, "threads": engines.threads}
    for key, measure in _MEASURES.items():
        told(f"measuring {key.replace('_', ' ')}")
        results[key], details[key] = measure(engines, amount)
    results["replay_identical"] = bool(results["replay_identical"])
    missed = [key for key, least in TARGETS.items() if results[key] < least]
    missed += [] if results["replay_identical"] else ["replay_identical"]
    cost = engines.cost
    taken = {
        "requests": cost.requests,
        "prompt_tokens": cost.prompt_tokens,
        "cached_tokens": cost.cached_tokens,
        "generated_tokens": cost.generated_tokens,
        "seconds": round(cost.seconds, 1),
        "peak_bytes": cost.peak_bytes,
        "joules": cost.joules,
        "prices": {price.name: [round(price.of(cost), 6), price.currency] for price in policy.prices},
    }
    seconds = round(time.perf_counter() - began, 1)
    return {**results, "missed": missed, "details": details, "cost": taken, "seconds": seconds}


def _engine_ratio(engines: Engines, amount: Amount) -> tuple[float, dict[str, Any]]:
    """Tokens a second of the engine against bare xllamacpp, alternately: the same prompts, threads and context."""
    requests = story_requests(amount.pairs + 1)
    ours, bare = [0, 0.0], [0, 0.0]
    settings = {"path": str(engines.path), "threads": engines.threads}
    with engines.open() as engine, Bare({**settings, "context": engine.context}) as peer:
        for number, request in enumerate(requests):
            prompt = engines.turns.before + request.prompt + engines.turns.after
            began = time.perf_counter()
            completion = engines.ask(engine, request)
            seconds = time.perf_counter() - began
            tokens, peer_seconds = peer.ask(prompt, request.max_tokens)
            if number:  # the first one warms both
                ours = [ours[0] + completion.generated_tokens, ours[1] + seconds]
                bare = [bare[0] + tokens, bare[1] + peer_seconds]
    rates = ours[0] / ours[1], bare[0] / bare[1]
    return round(rates[0] / rates[1], 3), {
        "tokens_per_s": round(rates[0], 2),
        "bare_tokens_per_s": round(rates[1], 2),
        "tokens": [int(ours[0]), int(bare[0])],
    }


def _queue_speedup(engines: Engines, amount: Amount) -> tuple[float, dict[str, Any]]:
    requests = alert_requests(amount.alerts, seconds=_SECONDS)
    sample = requests[:: max(len(requests) // amount.sample, 1)][: amount.sample]
    half = len(sample) // 2
    before, last = _one_by_one(engines, sample[:half])
    with engines.open(amount.slots) as engine:
        began = time.perf_counter()
        answers = _whole(engine.complete_all(requests))
        queue = (time.perf_counter() - began) / len(requests)
    engines.cost = sum(map(cost_of, answers), start=engines.cost)
    after, last = _one_by_one(engines, sample[half:])
    single = (before + after) / len(sample)
    return round(single / queue, 2), {
        "alerts": len(requests),
        "slots": amount.slots,
        "queue_s_per_alert": round(queue, 3),
        "one_by_one_s_per_alert": round(single, 3),
        "one_by_one_alerts": len(sample),
        "prompt_tokens": last.prompt_tokens,
        "cached_tokens": round(statistics.mean(answer.cached_tokens for answer in answers)),
        "generated_tokens": round(statistics.mean(answer.generated_tokens for answer in answers), 1),
    }


def _one_by_one(engines: Engines, requests: Sequence[Request]) -> tuple[float, Completion]:
    with engines.open(cache=False) as engine:
        engines.ask(engine, replace(requests[0], max_tokens=1))  # the schema's first use, which the queue pays once
        began = time.perf_counter()
        answers = [engines.ask(engine, request) for request in requests]
        return time.perf_counter() - began, answers[-1]


def _whole(answers: Iterable[object]) -> list[Completion]:
    whole = []
    for answer in answers:
        if not isinstance(answer, Completion):
            raise EngineFailed(f"a request of the queue failed: {answer}", way_out="measure on an idle machine")
        whole.append(answer)
    return whole


def _constrained_ratio(engines: Engines, amount: Amount) -> tuple[float, dict[str, Any]]:
    """Tokens a second while decoding, free and by schema, alternately; the time before the first token is left out."""
    free, bound = [0, 0.0], [0, 0.0]
    with engines.open() as engine:
        began = time.perf_counter()
        for number, request in enumerate(story_requests(amount.pairs + 1, tokens=96)):
            for sums, asked in ((free, request), (bound, replace(request, schema=LISTS))):
                completion = engines.ask(engine, asked)
                if number == 0:
                    first_use = time.perf_counter() - began
                    continue
                sums[0] += completion.generated_tokens - 1
                sums[1] += completion.seconds - completion.first_token_seconds
    rates = free[0] / free[1], bound[0] / bound[1]
    return round(rates[1] / rates[0], 3), {
        "free_tokens_per_s": round(rates[0], 2),
        "constrained_tokens_per_s": round(rates[1], 2),
        "tokens": [int(free[0]), int(bound[0])],
        "warm_up_s": round(first_use, 2),
    }


def _ttft_speedup(engines: Engines, amount: Amount) -> tuple[float, dict[str, Any]]:
    times: list[tuple[float, float]] = []
    with engines.open() as engine:
        engines.ask(engine, story_requests(1, tokens=1)[0])
        for number in range(max(amount.pairs // 2, 2)):
            first, second = (engines.ask(engine, request) for request in prefix_requests(number))
            times.append((first.first_token_seconds, second.first_token_seconds))
    first_s, second_s = (statistics.median(column) for column in zip(*times, strict=True))
    return round(first_s / second_s, 2), {
        "first_s": round(first_s, 3),
        "second_s": round(second_s, 3),
        "pairs": len(times),
        "prompt_tokens": second.prompt_tokens,
        "cached_tokens": second.cached_tokens,
    }


def _replay_identical(engines: Engines, amount: Amount) -> tuple[bool, dict[str, Any]]:
    """Ask the same on one slot: at once again, in another order, and of a new process."""
    alerts = alert_requests(amount.alerts)[:3]
    requests = [*alerts, replace(alerts[0], schema=None, temperature=0.8, seed=7), story_requests(1, tokens=24)[0]]
    with engines.open() as engine:
        first = [engines.ask(engine, request).text for request in requests]
        second = [engines.ask(engine, request).text for request in requests]
        third = [engines.ask(engine, request).text for request in reversed(requests)][::-1]
    with engines.open() as engine:
        fourth = [engines.ask(engine, request).text for request in requests]
    return first == second == third == fourth, {"requests": len(requests), "times": 4}


_MEASURES: dict[str, Callable[[Engines, Amount], tuple[Any, dict[str, Any]]]] = {
    "engine_ratio": _engine_ratio,
    "queue_speedup": _queue_speedup,
    "constrained_ratio": _constrained_ratio,
    "ttft_speedup": _ttft_speedup,
    "replay_identical": _replay_identical,
}
