"""casemate map: one narrow question, answered by a specialist."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any

from casemate.cli.map_actor import add_actor, open_actor
from casemate.cli.map_attack import add_attack, open_attack
from casemate.cli.terminal import tell, visible
from casemate.core.errors import WrongUsage
from casemate.core.plain import json_escaped

MAX_LINE = 8_000_000
"""A longer line of the input is cut; what a specialist reads of a text is far shorter."""

Answer = Callable[[list[str]], list[dict[str, Any]]]
"""Takes texts and gives for each the fields of its line of JSON (without `id`)."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    names = parser.add_subparsers(dest="question", metavar="QUESTION", required=True)
    for name, (text, add, _) in QUESTIONS.items():
        question = names.add_parser(name, help=text, description=text)
        question.add_argument(
            "text", nargs="*", metavar="TEXT", help="the text itself; - or nothing reads standard input"
        )
        question.add_argument("--input", metavar="FILE", help='lines of JSON with "id" and "text"; - is standard input')
        question.add_argument("--format", choices=("text", "jsonl"), help="default: text, and jsonl with --input")
        question.add_argument("--weights", metavar="FOLDER", help="weights made by `casemate factory train`")
        add(question)


def run(arguments: argparse.Namespace) -> int:
    """Answer every text and print as the answers come."""
    _, _, open_question = QUESTIONS[arguments.question]
    answer = open_question(arguments)
    form = arguments.format or ("jsonl" if arguments.input else "text")
    unread = 0
    for batch in _batches(_texts(arguments)):
        good = [(name, text) for name, text in batch if text is not None]
        unread += len(batch) - len(good)
        for (name, _), found in zip(good, answer([text for _, text in good]), strict=True):
            line = {"id": name} | found
            print(json_escaped(json.dumps(line, ensure_ascii=False)) if form == "jsonl" else _as_text(line))
    return 3 if unread else 0


def _texts(arguments: argparse.Namespace) -> Iterator[tuple[object, str | None]]:
    """Yield (id, text); None for a line that is none, which is told on standard error."""
    if arguments.input is None:
        given = " ".join(arguments.text)
        piped = given in {"", "-"}
        yield "", (sys.stdin.buffer.read(MAX_LINE).decode("utf-8", "replace") if piped else given)
        return
    try:
        file = sys.stdin.buffer if arguments.input == "-" else Path(arguments.input).open("rb")  # noqa: SIM115  closed below
    except OSError as error:
        raise WrongUsage(f"{arguments.input}: {error.strerror}", way_out="name a file of JSON lines") from error
    with file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE), b""), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                yield row.get("id", number), str(row["text"])
            except (ValueError, KeyError, AttributeError, RecursionError):
                tell(f'casemate: {arguments.input}: line {number} is no JSON object with "text"; it is passed over')
                yield number, None


def _batches(texts: Iterator[tuple[object, str | None]], size: int = 256) -> Iterator[list[tuple[object, str | None]]]:
    batch: list[tuple[object, str | None]] = []
    for one in texts:
        batch.append(one)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _as_text(line: Mapping[str, Any]) -> str:
    """Write an answer for a person: a line for each field, a line for each thing in a list, its own lists below it."""
    return visible("\n".join(_lines(line, "")))


def _lines(line: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in line.items():
        if isinstance(value, list | tuple):
            for one in value if name not in _NOT_SHOWN else ():
                if isinstance(one, Mapping):
                    cells = (_cell(part) for part in one.values() if not isinstance(part, list | tuple | NoneType))
                    yield f"{indent}{name}: " + "  ".join(cells)
                    lists = {key: part for key, part in one.items() if isinstance(part, list | tuple)}
                    yield from _lines(lists, indent + "  ")
                else:
                    yield f"{indent}{name}: {_cell(one)}"
        elif value is not None and value != "":
            yield f"{indent}{name}: {_cell(value)}"


_NOT_SHOWN = frozenset({"aliases"})
"""Lists that would fill the screen; --format jsonl has them."""


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _add_cwe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--labels", choices=("nvd", "cna"), help="whose habit of labelling to follow (default: both)")


def _open_cwe(arguments: argparse.Namespace) -> Answer:
    from casemate.stages.classify.cwe import CweSpecialist

    specialist = CweSpecialist.open(_folder(arguments), threads=2)

    def answer(texts: list[str]) -> list[dict[str, Any]]:
        return [
            {
                "cwe": [{"id": name, "probability": chance} for name, chance in one.candidates],
                "abstained": one.abstained,
                "reason": one.reason,
            }
            for one in specialist.rank(texts, arguments.labels)
        ]

    return answer


def _add_cvss(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--labels", choices=("nvd", "cna"), default="nvd", help="whose habit of scoring to follow (default: nvd)"
    )


def _open_cvss(arguments: argparse.Namespace) -> Answer:
    from casemate.stages.classify.cvss import CvssSpecialist

    specialist = CvssSpecialist.open(_folder(arguments), threads=2)

    def answer(texts: list[str]) -> list[dict[str, Any]]:
        return [
            {
                "vector": one.vector,
                "score": one.score,
                "probability": one.probability,
                "abstained": one.abstained,
                "reason": one.reason,
            }
            for one in specialist.score(texts, arguments.labels)
        ]

    return answer


def _folder(arguments: argparse.Namespace) -> Path | None:
    return Path(arguments.weights) if arguments.weights else None


Question = tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], Answer]]

QUESTIONS: dict[str, Question] = {
    "cwe": ("which weakness (CWE) a vulnerability text describes", _add_cwe, _open_cwe),
    "attack": ("the ATT&CK techniques that the sentences of a text show", add_attack, open_attack),
    "cvss": ("the CVSS v3.1 base vector and score a vulnerability text suggests", _add_cvss, _open_cvss),
    "actor": ("which actor, malware or tool a text means", add_actor, open_actor),
}
"""Question -> its line in the help, what adds its options, and what opens its specialist."""
