"""Ask a model for one part of a task and keep what the evidence carries; every task goes this one way."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from casemate.core.assessment import Sentence
from casemate.core.errors import EngineFailed, QuotaReached
from casemate.core.issue import Issue, Severity
from casemate.pipeline.tools import Tools
from casemate.stages.generate import Completion, Model, Request, marker_of
from casemate.stages.validate import Claim, Excerpt
from casemate.tasks.excerpts import talks_to_a_model
from casemate.tasks.prompt import Proposed, build_request, estimate_tokens, pack_excerpts
from casemate.tasks.task import Part, Task

_CUTS = {"length": "limits.answer_tokens", "time": "limits.answer_seconds"}


@dataclass(frozen=True, slots=True)
class Kept:
    """A sentence that passed every check, and what else the schema asked for with it."""

    sentence: Sentence
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What a model contributed: what holds, what was dropped and why, and what it cost; `failed` when it died."""

    kept: tuple[Kept, ...] = ()
    issues: tuple[Issue, ...] = ()
    requests: int = 0
    proposed: int = 0
    dropped: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    failed: bool = False

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """The sentences that hold."""
        return tuple(one.sentence for one in self.kept)

    def __add__(self, other: "Told") -> "Told":
        """Join what two requests gave."""
        return Told(
            without_repeats((*self.kept, *other.kept)),
            (*self.issues, *other.issues),
            self.requests + other.requests,
            self.proposed + other.proposed,
            self.dropped + other.dropped,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.generated_tokens + other.generated_tokens,
            self.failed or other.failed,
        )


@dataclass(frozen=True, slots=True)
class Asking:
    """What stays the same over the requests of one draft: seed, a name for the run, and what extraction saw.

    `prompt_tokens` bounds each request; 0 stands for the policy's limit. `adapter` is one that the model has, or empty.
    """

    seed: int
    run: str
    seen: frozenset[str]
    prompt_tokens: int = 0
    given: str = ""
    question: str = ""
    adapter: str = ""


def ask(part: Part, excerpts: Sequence[Excerpt], asking: Asking, tools: Tools) -> Told:
    """Ask one request with as many excerpts as its budget holds and keep the sentences that pass every check.

    An engine that fails is asked again as often as the policy says; then nothing is told, with a note.
    """
    model = tools.model
    if model is None or not excerpts:
        return Told()
    limits = tools.policy.limits
    request, shown = build_request(
        part.instruction,
        part.schema,
        excerpts,
        marker_of(asking.seed, asking.run),
        seed=asking.seed,
        prompt_tokens=asking.prompt_tokens or limits.prompt_tokens,
        answer_tokens=min(part.answer_tokens, limits.answer_tokens),
        seconds=limits.answer_seconds,
        given=asking.given,
        question=asking.question,
    )
    completion, failure = _complete(model, replace(request, adapter=asking.adapter), tools.policy.retries)
    if completion is None:
        return Told(issues=(failure,) if failure else (), requests=1, failed=True)
    proposed, unread = part.read(completion.text)
    if completion.finish in _CUTS:
        message = f"the model's answer was cut at {_CUTS[completion.finish]}; its whole sentences were looked at"
        way_out = "raise the limit or take a faster model"
        unread = (*unread, Issue("answer-cut", Severity.NOTE, message, way_out=way_out))
    kept, dropped = tools.defences.check([_claim(one, shown, asking, tools) for one in proposed], part.checks)
    return Told(
        without_repeats(tuple(_keep(claim) for claim in kept)),
        (*unread, *dropped),
        1,
        len(proposed),
        len(dropped),
        completion.prompt_tokens,
        completion.cached_tokens,
        completion.generated_tokens,
    )


def _keep(claim: Claim) -> Kept:
    citations = (claim.citation,) if claim.citation is not None else ()
    return Kept(Sentence(claim.text.strip(), citations, "model"), claim.fields)


def _complete(model: Model, request: Request, retries: int) -> tuple[Completion | None, Issue | None]:
    failure = None
    started = time.monotonic()
    for _ in range(retries + 1):
        if time.monotonic() - started >= request.seconds:
            break  # an engine that is too slow once is too slow twice
        try:
            return model.complete(request), None
        except EngineFailed as error:
            message = (
                f"the language model gave no answer ({error.message}); what it was asked for is composed without it"
            )
            failure = Issue("engine-failed", Severity.WARNING, message, way_out=error.way_out)
        except QuotaReached as error:
            message = f"{error.message}; what it was asked for is composed without it"
            return None, Issue("quota-reached", Severity.WARNING, message, way_out=error.way_out)
    return None, failure


def _claim(proposed: Proposed, shown: Sequence[Excerpt], asking: Asking, tools: Tools) -> Claim:
    return Claim(
        text=proposed.text,
        citation=tools.defences.locate(proposed.quote, shown),
        seen=asking.seen,
        scan=lambda text: tools.scanner.scan(text, 0),
        known=lambda identifier: tools.knowledge.entry(identifier) is not None,
        suspicious=talks_to_a_model,
        given=asking.given,
        fields=proposed.fields,
    )


def without_repeats(kept: Sequence[Kept]) -> tuple[Kept, ...]:
    """Keep the first of the sentences that say the same."""
    first: dict[tuple[str, tuple[tuple[str, str], ...]], Kept] = {}
    for one in kept:
        first.setdefault((one.sentence.text.casefold(), one.fields), one)
    return tuple(first.values())


def read_all(
    task: Task, part: Part, excerpts: Sequence[Excerpt], asking: Asking, tools: Tools, told: Callable[[str], None]
) -> Told:
    """Map and reduce: ask for each batch of excerpts, then once more over what the kept sentences quote.

    At most `limits.draft_requests` batches are read; an issue tells what was left out. The last request sees nothing
    but quotations that were located in the evidence, so whatever it says is cited there again. When too little of it
    holds, the sentences of the first requests are kept, in the order of the excerpts.
    """
    limits = tools.policy.limits
    asking = replace(asking, prompt_tokens=min(task.prompt_tokens, limits.prompt_tokens))
    fixed = (part.instruction, asking.question, asking.given)
    room = asking.prompt_tokens - sum(map(estimate_tokens, fixed))
    batches = pack_excerpts(excerpts, max(room, 1))
    result = Told()
    for number, batch in enumerate(batches[: limits.draft_requests], 1):
        told(f"asking the model, {number} of {min(len(batches), limits.draft_requests)}")
        result += ask(part, batch, asking, tools)
        if result.failed:
            return result
    if len(batches) > limits.draft_requests:
        result = replace(result, issues=(*result.issues, _left_out(len(batches), limits.draft_requests)))
    if len(batches) > 1 and len(result.kept) > part.most:
        told("asking the model to choose")
        again = ask(part, _quoted(result), asking, tools)
        enough = len(again.kept) >= min(part.enough, part.most)
        kept = again.kept if enough else result.kept
        result = replace(result + again, kept=kept, failed=False)
    return result


def _quoted(told: Told) -> tuple[Excerpt, ...]:
    cited = dict.fromkeys(one for sentence in told.sentences for one in sentence.citations)
    return tuple(Excerpt(one.span, one.quote, one.line) for one in cited)


def _left_out(batches: int, read: int) -> Issue:
    message = f"the model saw the first {read} of {batches} parts of the evidence, the most telling first"
    return Issue("evidence-left-out", Severity.NOTE, message, way_out="raise limits.draft_requests or prompt_tokens")
