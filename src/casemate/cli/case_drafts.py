"""casemate case ask, compare and relations: tasks that need the store itself, other cases or formats of their own."""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from casemate.cli.drafts import FORMATS, add_draft_options, open_tools, show_draft
from casemate.cli.home import actor, add_store_option, find_case, note_reading, open_policy, open_store
from casemate.cli.terminal import Progress, write_result
from casemate.core.draft import Draft
from casemate.core.marking import Marking
from casemate.core.plain import json_escaped

if TYPE_CHECKING:
    from casemate.core.case import Case
    from casemate.pipeline.relating import Relations
    from casemate.pipeline.tools import Tools
    from casemate.policy import Policy
    from casemate.store import Store, StoredTexts


class Room(NamedTuple):
    """What a task on a stored case works with."""

    policy: "Policy"
    store: "Store"
    case: "Case"
    texts: "StoredTexts"
    tools: "Tools"
    progress: Progress


@contextmanager
def _open(arguments: argparse.Namespace) -> Iterator[Room]:
    from casemate.pipeline.metering import meter

    policy = open_policy(arguments)
    with open_store(arguments.store, policy) as store:
        case = find_case(store, arguments.id)
        note_reading(store, case)
        with open_tools(arguments, policy) as opened, Progress() as progress:
            tools = meter(opened, store, case.id, actor(), arguments.action)
            yield Room(policy, store, case, store.texts_of(case.id), tools, progress)


def _keep(made: Draft, room: Room) -> None:
    from casemate.audit import NewAuditEvent

    counts = (("proposed", str(made.proposed)), ("dropped", str(made.dropped)))
    body = (("task", made.task), ("model", str(made.model or "none")), *counts)
    room.store.save_draft(made, NewAuditEvent(actor(), "case.drafted", made.case, body))


def _add_ask(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("question", metavar="QUESTION", help="what you want to know of this case")
    add_draft_options(parser)


def _ask(arguments: argparse.Namespace) -> int:
    from casemate.pipeline.case_questions import ask_case

    with _open(arguments) as room:
        made = ask_case(
            arguments.question,
            room.case,
            room.store,
            room.texts,
            room.tools,
            seed=arguments.seed,
            progress=room.progress,
        )
        _keep(made, room)
    show_draft(made, arguments.format, arguments.output)
    return 0


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--with", dest="others", nargs="+", default=[], metavar="CASE", help="(default: related ones)")
    add_draft_options(parser)


def _compare(arguments: argparse.Namespace) -> int:
    from casemate.pipeline.comparing import compare_cases
    from casemate.pipeline.drafting import draft
    from casemate.tasks.compare import TASK, build_material
    from casemate.tasks.summary import citer

    with _open(arguments) as room:
        index = room.store.cleared(Marking.RED).features(proposed=True)
        find = partial(find_case, room.store)
        beside = compare_cases(room.case, arguments.others, find, index, room.texts, room.policy.limits)
        for one in beside:
            note_reading(room.store, one.other)
        material = build_material(room.case, beside, citer(room.texts, room.policy.limits.quote_chars))
        made = draft(TASK, material, room.tools, room.texts, seed=arguments.seed, progress=room.progress)
        _keep(made, room)
    show_draft(made, arguments.format, arguments.output)
    return 0


RELATION_FORMATS = (*FORMATS, "jsonl", "stix")


def _add_relations(parser: argparse.ArgumentParser) -> None:
    add_draft_options(parser, RELATION_FORMATS)


def _relations(arguments: argparse.Namespace) -> int:
    from casemate.pipeline.relating import relate

    with _open(arguments) as room:
        made = relate(room.case, room.texts, room.tools, seed=arguments.seed, progress=room.progress)
        _keep(made.draft, room)
    if arguments.format == "stix":
        write_result(_as_stix(room.case, made), arguments.output)
    elif arguments.format == "jsonl":
        write_result(_as_lines(made), arguments.output)
    else:
        show_draft(made.draft, arguments.format, arguments.output)
    return 0


def _as_lines(made: "Relations") -> bytes:
    rows = []
    for one in made.found:
        relation, quote = one.relation, one.citation
        ends = {
            name: {"type": end.type, "name": end.name, "id": end.reference or None}
            for name, end in (("subject", relation.subject), ("object", relation.object))
        }
        cited = {"evidence": quote.span.evidence, "start": quote.span.start, "end": quote.span.end, "line": quote.line}
        row = {
            "subject": ends["subject"],
            "relation": relation.relationship,
            "object": ends["object"],
            "hedged": relation.hedged,
            "basis": one.basis,
            "reviewed": False,
            "citation": {**cited, "quote": quote.quote},
        }
        rows.append(json_escaped(json.dumps(row, ensure_ascii=False)) + "\n")
    return "".join(rows).encode()


def _as_stix(case: "Case", made: "Relations") -> bytes:
    from casemate.stages.export.stix_relations import End, Told, render_relations

    told = []
    for one in made.found:
        subject, target = (
            End(end.type, end.name, end.reference) for end in (one.relation.subject, one.relation.object)
        )
        told.append(Told(subject, one.relation.relationship, target, one.citation, one.basis, one.relation.hedged))
    return render_relations(case, told)


ACTIONS: Mapping[str, tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]] = {
    "ask": ("a question about the case, answered from its evidence or not at all", _add_ask, _ask),
    "compare": ("this case beside earlier ones: what they share and what not", _add_compare, _compare),
    "relations": ("who uses, drops or targets what, each with its sentence", _add_relations, _relations),
}
"""Action -> its line in the help, what adds its options, and what runs it."""


def add_actions(parser: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add every action to the actions of `casemate case`."""
    for name, (text, add, _) in ACTIONS.items():
        action = parser.add_parser(name, help=text, description=text)
        action.add_argument("id", metavar="CASE")
        add(action)
        add_store_option(action)
