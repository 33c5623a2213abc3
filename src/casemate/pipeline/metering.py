"""Count what a language model takes, in the audit chain of the store, and stop at the policy's quota."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime

from casemate.audit import NewAuditEvent
from casemate.core.audit import AuditEvent
from casemate.core.cost import Cost
from casemate.core.digest import Digest
from casemate.core.errors import QuotaReached
from casemate.pipeline.tools import Tools
from casemate.policy import Quota
from casemate.stages.generate.metered import Metered
from casemate.store import ASKED, Store


def meter(tools: Tools, store: Store, case_id: str, actor: str, task: str) -> Tools:
    """Give the same tools with a model whose every request is counted for this case, and refused past the quota."""
    model = tools.model
    if model is None:
        return tools
    today = UseOfDay(store, tools.clock)

    def check() -> None:
        check_quota(tools.policy.quota, lambda: sum_costs(store.history(case_id)), today.cost)

    def record(cost: Cost, adapter: Digest | None) -> None:
        body = (("task", task), ("model", str(model.digest)), ("adapter", str(adapter or "")), *_written(cost))
        name = f"{model.name} {str(model.digest)[:12]}"
        store.record_use(NewAuditEvent(actor, ASKED, case_id, body), name, task, cost)

    return replace(tools, model=Metered(model, check, record))


def check_quota(quota: Quota, of_case: Callable[[], Cost], of_day: Callable[[], Cost]) -> None:
    """Raise `QuotaReached` when the use of a case or of the day has reached the quota."""
    case = of_case() if quota.tokens_per_case or quota.seconds_per_case else Cost()
    day = of_day() if quota.tokens_per_day else Cost()
    for name, used, limit, unit in (
        ("tokens_per_case", case.tokens, quota.tokens_per_case, "tokens of this case"),
        ("seconds_per_case", case.seconds, quota.seconds_per_case, "seconds of this case"),
        ("tokens_per_day", day.tokens, quota.tokens_per_day, "tokens of this day (UTC)"),
    ):
        if limit and used >= limit:
            raise QuotaReached(
                f"the language model's quota is used up: {used:,.0f} of {limit:,.0f} {unit}",
                way_out=f"a person who may decide this raises quota.{name} in the policy; what was finished is kept, "
                "and --model none goes on without a model",
            )


class UseOfDay:
    """Sums what the store's chain says of the current UTC day; each event is read once."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._day: datetime | None = None
        self._seen, self._cost = 0, Cost()

    def cost(self) -> Cost:
        """Give the cost of all requests of this day so far, of every process that uses the store."""
        day = self._clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if day != self._day:
            self._day, self._seen, self._cost = day, 0, Cost()
        for event in self._store.events_since(day, self._seen):
            self._seen = max(self._seen, event.number)
            self._cost += _cost(event)
        return self._cost


def sum_costs(events: Iterable[AuditEvent]) -> Cost:
    """Sum what the requests among these events took."""
    return sum((_cost(event) for event in events), start=Cost())


def costs_by_task(events: Iterable[AuditEvent]) -> dict[str, Cost]:
    """Sum what the requests among these events took, by task, in the order in which the tasks began."""
    costs: dict[str, Cost] = {}
    for event in events:
        if event.action == ASKED:
            task = dict(event.body).get("task", "")
            costs[task] = costs.get(task, Cost()) + _cost(event)
    return costs


def _written(cost: Cost) -> tuple[tuple[str, str], ...]:
    numbers = {
        "prompt_tokens": str(cost.prompt_tokens),
        "cached_tokens": str(cost.cached_tokens),
        "generated_tokens": str(cost.generated_tokens),
        "seconds": f"{cost.seconds:.3f}",
        "peak_bytes": str(cost.peak_bytes),
        "joules": "" if cost.joules is None else f"{cost.joules:.3f}",
    }
    return tuple(numbers.items())


def _cost(event: AuditEvent) -> Cost:
    if event.action != ASKED:
        return Cost()
    said = dict(event.body)
    return Cost(
        1,
        int(said["prompt_tokens"]),
        int(said["cached_tokens"]),
        int(said["generated_tokens"]),
        float(said["seconds"]),
        int(said["peak_bytes"]),
        float(said["joules"]) if said["joules"] else None,
    )
