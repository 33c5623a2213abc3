"""casemate ask: answer a question from the knowledge, with the passages behind the answer."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from casemate.cli.home import open_knowledge
from casemate.cli.terminal import tell, visible
from casemate.core.errors import WrongUsage
from casemate.core.plain import json_escaped

if TYPE_CHECKING:
    from casemate.tasks.ask import Answer

MAX_LINE = 8_000_000
"""A longer line of the input is cut, and is then no JSON."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("question", nargs="?", default="", metavar="QUESTION", help="- reads it from standard input")
    parser.add_argument(
        "--option", action="append", default=[], metavar="TEXT", help="one possible answer; the first is A, and so on"
    )
    parser.add_argument(
        "--input", metavar="FILE", help='lines of JSON with "id", "question" and "options"; - is standard input'
    )
    parser.add_argument("--format", choices=("text", "jsonl"), help="default: text, and jsonl with --input")


def run(arguments: argparse.Namespace) -> int:
    """Answer every question and print as the answers come."""
    from casemate.tasks.ask import REASONS, answer_question

    form = arguments.format or ("jsonl" if arguments.input else "text")
    unread = 0
    with open_knowledge() as knowledge:
        notices = {release.digest: release.notice for release in knowledge.releases()}
        for name, question, options in _questions(arguments):
            if question is None:
                unread += 1
                continue
            answer = answer_question(question, options, knowledge.pieces)
            if answer.abstained and arguments.input is None and answer.reason in {"empty", "one-option"}:
                raise WrongUsage(REASONS[answer.reason], way_out='casemate ask "QUESTION" [--option A --option B]')
            if form == "jsonl":
                print(json_escaped(json.dumps({"id": name} | as_json(answer), ensure_ascii=False)))
            else:
                _print(answer, options, REASONS, notices)
    return 3 if unread else 0


def _questions(arguments: argparse.Namespace) -> Iterator[tuple[object, str | None, list[str]]]:
    """Yield id, question and options; None for a line that is no question, which is told on standard error."""
    if arguments.input is None:
        text = arguments.question
        if text == "-":
            text = sys.stdin.buffer.read(MAX_LINE).decode("utf-8", "replace")
        yield "", text, arguments.option
        return
    try:
        file = sys.stdin.buffer if arguments.input == "-" else Path(arguments.input).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise WrongUsage(f"{arguments.input}: {error.strerror}", way_out="name a file of JSON lines") from error
    with file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE), b""), 1):
            if line.strip():
                yield _read(line, number, arguments.input)


def _read(line: bytes, number: int, source: str) -> tuple[object, str | None, list[str]]:
    try:
        row = json.loads(line)
        options = row.get("options") or []
        if isinstance(options, list):
            return row.get("id", number), str(row["question"]), [str(option) for option in options]
    except (ValueError, KeyError, AttributeError, RecursionError):
        pass  # told below, as a list of options that is none
    tell(f'casemate: {source}: line {number} is no JSON object with "question" and a list "options"; it is passed over')
    return number, None, []


def as_json(answer: "Answer") -> dict[str, Any]:
    """Give the fields of an answer's line of JSON, without `id`."""
    return {
        "answer": answer.answer or None,
        "scores": dict(answer.scores),
        "passages": [
            {"id": one.id, "title": one.title, "quote": one.quote, "score": one.score} for one in answer.passages
        ],
        "abstained": answer.abstained,
        "reason": answer.reason,
        "negated": answer.negated,
    }


def _print(answer: "Answer", options: list[str], reasons: dict[str, str], notices: dict[Any, str]) -> None:
    if answer.abstained:
        print(f"no answer: {reasons[answer.reason]}")
    elif options:
        for letter, score in answer.scores.items():
            mark = "*" if letter == answer.answer else " "
            print(f"{mark} {letter} {score:5.2f}  {visible(options[ord(letter) - ord('A')])}")
    else:
        print(visible(answer.answer))
    for place, one in enumerate(answer.passages, 1):
        print(f"\n[{place}] {visible(one.id)}  {visible(one.title)}")
        print(f"    {visible(one.quote)}")
    shown = dict.fromkeys(notices.get(one.release, "") for one in answer.passages)
    print("".join(f"\n{notice}" for notice in shown if notice), end="\n" if any(shown) else "")
