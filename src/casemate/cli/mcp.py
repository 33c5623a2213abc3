"""casemate mcp: read-only tools for an agent, over the Model Context Protocol on standard input and output."""

import argparse
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from casemate.cli.ask import as_json
from casemate.cli.home import actor, add_store_option, cache_folder, open_knowledge, open_policy, open_store_to_read
from casemate.cli.map import QUESTIONS, Answer
from casemate.cli.terminal import tell
from casemate.core.marking import Marking

if TYPE_CHECKING:
    from casemate.core.case import Case
    from casemate.knowledge import Knowledge
    from casemate.policy import Policy
    from casemate.store import Cleared, Store


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--clearance",
        choices=[marking.value for marking in Marking],
        default=Marking.CLEAR.value,
        help="strictest TLP marking the agent may see; a case above it does not exist for it (default: clear)",
    )
    add_store_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve the agent at the other end of the pipe until it closes it."""
    from casemate.connectors.agent_tools import Desk
    from casemate.connectors.mcp import serve_agent
    from casemate.stages.extract.scanner import Scanner

    policy = open_policy(arguments)
    clearance = Marking(arguments.clearance)

    @cache
    def knowledge() -> "Knowledge":
        return open_knowledge()

    @cache
    def scanner() -> Scanner:
        return Scanner(cache=cache_folder())

    @cache
    def opened() -> "Store | None":
        return open_store_to_read(arguments.store, policy)

    def ask(question: str, options: Sequence[str]) -> dict[str, Any]:
        from casemate.tasks.ask import answer_question

        return as_json(answer_question(question, options, knowledge().pieces))

    def cases() -> "Cleared | None":
        store = opened()
        if store is None:
            opened.cache_clear()  # the first case may come while the agent is here
            return None
        return store.cleared(clearance)

    def note(case: "Case") -> None:
        if case.marking is Marking.RED:
            _record(case, arguments.store, policy)

    maps = {name: _opened_once(name) for name in QUESTIONS}
    serve_agent(Desk(policy.limits, scanner, maps, ask, cases, note), tell)
    return 0


def _opened_once(question: str) -> Answer:
    """Open a specialist when it is first asked; it answers as `casemate map` does when that is given no options."""
    options = argparse.Namespace(weights=None, no_knowledge=False, labels="nvd" if question == "cvss" else None)
    opened: Callable[[], Answer] = cache(lambda: QUESTIONS[question][2](options))

    def answer(texts: list[str]) -> list[dict[str, Any]]:
        return opened()(texts)

    return answer


def _record(case: "Case", named: str | None, policy: "Policy") -> None:
    """Record that an agent read a case marked red; the only thing that this command ever writes."""
    from casemate.audit import NewAuditEvent
    from casemate.cli.home import open_store

    with open_store(named, policy) as store:
        store.record(NewAuditEvent(actor(), "evidence.viewed", case.id, (("by", "an agent over MCP"),)))
