"""casemate case: list, show, compare, review and export cases."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from casemate.cli.case_drafts import ACTIONS as DRAFTING
from casemate.cli.case_drafts import add_actions
from casemate.cli.drafts import CASE_TASKS, add_draft_options, draft_case
from casemate.cli.home import actor, add_store_option, find_case, no_such_case, note_reading, open_policy, open_store
from casemate.cli.terminal import tell, visible, write_result
from casemate.cli.triage import FORMATS
from casemate.core.assessment import Disposition
from casemate.core.case import Answer, Case, Decision, Review, State, Verdict
from casemate.core.draft import Draft
from casemate.core.errors import WrongUsage
from casemate.core.marking import Marking

if TYPE_CHECKING:
    from casemate.store import Store


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="the cases, the newest first")
    listing.add_argument("--state", choices=[state.value for state in State], help="only cases in this state")
    listing.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (default: 50)")

    show = actions.add_parser("show", help="one case as text")
    show.add_argument("id", metavar="CASE")
    show.add_argument("--cost", action="store_true", help="what the language model took instead, beside your prices")

    similar = actions.add_parser("similar", help="earlier cases that share something rare, and what it is")
    similar.add_argument("id", metavar="CASE")

    review = actions.add_parser("review", help="accept or reject findings, set the disposition")
    review.add_argument("id", metavar="CASE")
    review.add_argument("--reviewer", required=True, metavar="NAME", help="the person who decides")
    review.add_argument("--role", default="analyst", metavar="ROLE", help="their role (default: analyst)")
    review.add_argument("--accept", nargs="+", default=[], metavar="FINDING", help="findings that hold (or: all)")
    review.add_argument("--reject", nargs="+", default=[], metavar="FINDING", help="findings that do not hold")
    review.add_argument("--disposition", choices=[item.value for item in Disposition], help="closes the case")
    review.add_argument("--reason", default="", metavar="TEXT", help="why")
    second = review.add_mutually_exclusive_group()
    second.add_argument(
        "--confirm", dest="answer", action="store_const", const=Answer.CONFIRMED, help="as the second person"
    )
    second.add_argument(
        "--send-back", dest="answer", action="store_const", const=Answer.SENT_BACK, help="the same, with --reason"
    )

    export = actions.add_parser("export", help="one case in a format that other tools read")
    export.add_argument("id", metavar="CASE")
    export.add_argument("--format", choices=FORMATS, required=True)
    export.add_argument("--output", metavar="FILE", help="write it there instead of to standard output")

    evidence = actions.add_parser("evidence", help="one piece of evidence of a case as it was received")
    evidence.add_argument("id", metavar="CASE")
    evidence.add_argument("digest", metavar="SHA256", help="the digest of the evidence, or its beginning")
    evidence.add_argument("--output", metavar="FILE", required=True, help="write it there; it is as hostile as it came")
    for action in (listing, show, similar, review, export, evidence):
        add_store_option(action)
    add_actions(actions)
    for name, (text, add, _) in CASE_TASKS.items():
        task = actions.add_parser(name, help=text, description=text)
        task.add_argument("id", metavar="CASE")
        add(task)
        add_draft_options(task)
        add_store_option(task)


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    if arguments.action in DRAFTING:
        return DRAFTING[arguments.action][2](arguments)
    if arguments.action in CASE_TASKS:
        return draft_case(arguments)
    return _ACTIONS[arguments.action](arguments)


def _as_shown(store: "Store", case_id: str) -> tuple[Case, tuple[Draft, ...]]:
    """Read a case and its drafts, without the proposals of one that the service shows without them for now."""
    seen = store.cleared(Marking.RED)
    found = seen.case_at(case_id)
    if found is None:
        raise no_such_case(case_id)
    return found[0], seen.drafts(case_id)


def _list(arguments: argparse.Namespace) -> int:
    from casemate.store import CaseQuery

    with open_store(arguments.store, open_policy(arguments)) as store:
        state = State(arguments.state) if arguments.state else None
        lines = store.cleared(Marking.RED).cases(CaseQuery(state), arguments.limit).rows
    for line in lines:
        when = f"{line.created:%Y-%m-%d %H:%M}"
        disposition = "no proposals" if line.withheld else line.disposition.value
        print(f"{line.id}  {when}  {line.state.value:15}  {disposition:15}  {visible(line.title)[:70]}")
    if not lines:
        tell("no cases yet: `casemate triage PATH` makes one")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    if arguments.cost:
        return _show_cost(arguments)
    from casemate.stages.export import render_text

    with open_store(arguments.store, open_policy(arguments)) as store:
        case, drafts = _as_shown(store, arguments.id)
        note_reading(store, case)
        text = render_text(case, store.texts_of(case.id), drafts, colour=sys.stdout.isatty())
        write_result(text.encode(), None)
    return 0


def _show_cost(arguments: argparse.Namespace) -> int:
    from casemate.cli.cost import cost_lines
    from casemate.pipeline.metering import costs_by_task

    policy = open_policy(arguments)
    with open_store(arguments.store, policy) as store:
        if store.case(arguments.id) is None:
            raise no_such_case(arguments.id)
        costs = costs_by_task(store.history(arguments.id))
    for line in cost_lines(costs, policy.prices) if costs else ():
        print(line)
    if not costs:
        tell("no language model was asked anything for this case")
    return 0


def _similar(arguments: argparse.Namespace) -> int:
    from casemate.stages.retrieve import find_related
    from casemate.tasks.compare import case_features

    policy = open_policy(arguments)
    with open_store(arguments.store, policy) as store:
        case = find_case(store, arguments.id)
        note_reading(store, case)
        features = case_features(case.standing(), store.texts_of(case.id))
        index = store.cleared(Marking.RED).features(proposed=True)
        related = find_related(features, index, policy.limits, exclude=case.id)
    for other in related:
        print(f"{other.id}  {other.created:%Y-%m-%d %H:%M}  {visible(other.title)[:80]}")
        for shared in other.shared:
            number = "1 case" if shared.cases == 1 else f"{shared.cases} cases"
            print(f"    {shared.kind:10} {visible(shared.value)[:100]}  (in {number})")
    if not related:
        tell("no earlier case shares anything rare with it")
    return 0


def _review(arguments: argparse.Namespace) -> int:
    from casemate.pipeline.deciding import review_case

    policy = open_policy(arguments)
    with open_store(arguments.store, policy) as store:
        found = store.case_at(arguments.id)
        if found is None:
            raise no_such_case(arguments.id)
        case, revision = found
        review = _make_review(arguments, case)
        decided = review_case(store, policy, case.id, revision, review).case
        withheld = store.cleared(Marking.RED).withheld(case.id)
    stands = "" if withheld else f": {decided.disposition.value}"
    print(f"{case.id} is now {decided.state.value}{stands}, by {visible(review.reviewer)}")
    return 0


def _make_review(arguments: argparse.Namespace, case: Case) -> Review:
    now = datetime.now(UTC)
    accepted: Sequence[str] = arguments.accept
    if "all" in accepted:
        accepted = [finding.id for finding in case.findings if finding.id not in arguments.reject]
    verdicts = [(name, Verdict.ACCEPTED) for name in accepted] + [(name, Verdict.REJECTED) for name in arguments.reject]
    decisions = tuple(Decision(name, verdict, arguments.reviewer, now, arguments.reason) for name, verdict in verdicts)
    disposition = Disposition(arguments.disposition) if arguments.disposition else None
    said = (arguments.reason, arguments.answer, actor())
    return Review(arguments.reviewer, arguments.role, now, decisions, disposition, *said)


def _export(arguments: argparse.Namespace) -> int:
    from casemate.audit import NewAuditEvent
    from casemate.core.digest import digest_bytes
    from casemate.stages.export import render

    with open_store(arguments.store, open_policy(arguments)) as store:
        case, drafts = _as_shown(store, arguments.id)
        data = render(case, arguments.format, store.texts_of(case.id), drafts)
        body = (("format", arguments.format), ("sha256", digest_bytes(data)), ("reviewed", str(case.reviewed).lower()))
        note_reading(store, case)
        store.record(NewAuditEvent(actor(), "case.exported", case.id, body))
        write_result(data, arguments.output)
    return 0


def _evidence(arguments: argparse.Namespace) -> int:
    from casemate.audit import NewAuditEvent

    with open_store(arguments.store, open_policy(arguments)) as store:
        case = store.case(arguments.id)
        if case is None:
            raise no_such_case(arguments.id)
        found = [item for item in case.evidence if item.id.startswith(arguments.digest.lower())]
        data = store.blob(found[0].id) if len(found) == 1 else None
        if data is None:
            raise WrongUsage(
                f"case {case.id} keeps no original {arguments.digest}",
                way_out="name one digest of its evidence; members of archives and files over limits.original_bytes "
                "are kept as text only",
            )
        note_reading(store, case, found[0].id)
        store.record(NewAuditEvent(actor(), "evidence.given", found[0].id, (("case", case.id),)))
        write_result(data, arguments.output)
    return 0


_ACTIONS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "similar": _similar,
    "review": _review,
    "export": _export,
    "evidence": _evidence,
}
