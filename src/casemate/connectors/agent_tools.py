"""What an agent may ask: tools that read and change nothing, each a function of its checked arguments."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from casemate.core.case import Case
from casemate.core.errors import WrongUsage
from casemate.core.evidence import Opened
from casemate.core.issue import Issue, Severity
from casemate.core.observable import Sighting
from casemate.core.text import Chunk
from casemate.pipeline.tools import Scan
from casemate.policy import Limits
from casemate.stages.export.json import case_form, write_form
from casemate.stages.extract.payloads import find_payloads
from casemate.stages.extract.rows import lines_of, rows_jsonl
from casemate.stages.ingest import Source, read
from casemate.stages.retrieve import features_of, find_related
from casemate.store import Cleared

Question = Literal["cwe", "cvss", "attack", "actor"]
Part = Literal[
    "summary", "findings", "timeline", "observables", "related", "questions", "issues", "passages", "evidence",
    "reviews", "run", "drafts",
]  # fmt: skip
CaseId = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_-]+$", description="such as C-6d5d583a12b1")]
HEAD = ("id", "title", "created", "marking", "state", "reviewed", "disposition", "proposal")

_CONFIG = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class ExtractArguments:
    """Arguments of `extract`."""

    __pydantic_config__ = _CONFIG

    text: Annotated[str, Field(description="the text itself, of any format that casemate reads; never a path")]
    payloads: Annotated[bool, Field(description="also decode hidden payloads and look inside (slower)")] = False


@dataclass(frozen=True, slots=True)
class MapArguments:
    """Arguments of `map`."""

    __pydantic_config__ = _CONFIG

    question: Annotated[
        Question,
        Field(
            description="cwe: the weakness a vulnerability text describes; cvss: its CVSS v3.1 base vector; attack: "
            "the ATT&CK techniques its sentences show; actor: which actor, malware or tool it means"
        ),
    ]
    text: str


@dataclass(frozen=True, slots=True)
class AskArguments:
    """Arguments of `ask`."""

    __pydantic_config__ = _CONFIG

    question: str
    options: Annotated[
        list[str], Field(max_length=26, description="possible answers; the first is A, and so on; none: a quotation")
    ] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CaseShowArguments:
    """Arguments of `case_show`."""

    __pydantic_config__ = _CONFIG

    id: CaseId
    parts: Annotated[list[Part], Field(max_length=12, description="only these parts of the case; none means all")] = (
        field(default_factory=list)
    )


@dataclass(frozen=True, slots=True)
class CaseSimilarArguments:
    """Arguments of `case_similar`."""

    __pydantic_config__ = _CONFIG

    id: CaseId


@dataclass(frozen=True, slots=True)
class Desk:
    """What the tools work with. `maps` and `ask` answer as `casemate map` and `casemate ask` do.

    `cases` opens what the clearance may see, None where there is no store yet; `note` records that evidence marked red
    was read, and is called before it is given.
    """

    limits: Limits
    scanner: Callable[[], Scan]
    maps: Mapping[str, Callable[[list[str]], list[dict[str, Any]]]]
    ask: Callable[[str, Sequence[str]], dict[str, Any]]
    cases: Callable[[], Cleared | None]
    note: Callable[[Case], None]


def extract(desk: Desk, given: ExtractArguments) -> dict[str, Any]:
    """Find the observables of a text, in the rows of `casemate extract --format jsonl`."""
    _check_size(desk, given.text)
    data = given.text.encode("utf-8", "replace")
    scanner = desk.scanner()
    rows: list[dict[str, Any]] = []
    issues: list[dict[str, str]] = []
    names: dict[int, str] = {}
    for item in read(Source("text", lambda: io.BytesIO(data)), desk.limits, events=False):
        if isinstance(item, Opened):
            names[item.part] = item.source
        elif isinstance(item, Chunk):
            found = _sightings(item, scanner, desk.limits, payloads=given.payloads)
            lines = rows_jsonl(found, names[item.part], lines_of(item)).decode("utf-8", "surrogatepass")
            rows += map(json.loads, lines.splitlines())
        elif isinstance(item, Issue) and item.severity is not Severity.NOTE:
            issues.append({"code": item.code, "source": item.source, "message": item.message})
    return {"observables": rows, "issues": issues}


def _sightings(chunk: Chunk, scanner: Scan, limits: Limits, *, payloads: bool) -> list[Sighting]:
    found = list(scanner.scan(chunk.text, chunk.start))
    for payload in find_payloads(chunk.text, chunk.start, limits) if payloads else ():
        inside = scanner.scan(payload.text, 0)
        found += [one._replace(start=payload.start, end=payload.end, layers=payload.layers) for one in inside]
    return found


def map_text(desk: Desk, given: MapArguments) -> dict[str, Any]:
    """Answer one narrow question about a text, as `casemate map` does."""
    _check_size(desk, given.text)
    return {"id": "", **desk.maps[given.question]([given.text])[0]}


def ask(desk: Desk, given: AskArguments) -> dict[str, Any]:
    """Answer a question from the knowledge, as `casemate ask` does."""
    _check_size(desk, given.question, *given.options)
    return {"id": "", **desk.ask(given.question, given.options)}


def case_show(desk: Desk, given: CaseShowArguments) -> dict[str, Any]:
    """Show a case in the JSON of `casemate triage --format json`, whole or in parts."""
    seen, case = _case(desk, given.id)
    whole: dict[str, Any] = json.loads(write_form(case_form(case, seen.drafts(case.id))))
    if given.parts:
        return {name: whole[name] for name in (*HEAD, *dict.fromkeys(given.parts))}
    return whole


def case_similar(desk: Desk, given: CaseSimilarArguments) -> dict[str, Any]:
    """Tell which earlier cases share something rare with a case, among those that may be seen with their proposals."""
    seen, case = _case(desk, given.id)
    features = () if seen.withheld(case.id) else features_of(case.observables, case.findings)
    related = find_related(features, seen.features(proposed=True), desk.limits, exclude=case.id)
    return {
        "id": case.id,
        "related": [
            {
                "id": one.id,
                "title": one.title,
                "created": one.created.isoformat(),
                "shared": [{"kind": it.kind, "value": it.value, "cases": it.cases} for it in one.shared],
            }
            for one in related
        ],
    }


def _case(desk: Desk, case_id: str) -> tuple[Cleared, Case]:
    seen = desk.cases()
    found = seen.case_at(case_id) if seen is not None else None
    if seen is None or found is None:
        raise WrongUsage(f"there is no case {case_id}", way_out="ask the person you work for which case they mean")
    desk.note(found[0])
    return seen, found[0]


def _check_size(desk: Desk, *texts: str) -> None:
    most = desk.limits.agent_text_chars
    if sum(map(len, texts)) > most:
        raise WrongUsage(f"the text is longer than {most:,} characters", way_out="give a part of it at a time")


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: what it is for (an agent reads it), the type of its arguments, and what answers."""

    purpose: str
    arguments: type
    answer: Callable[[Desk, Any], dict[str, Any]]


TOOLS: Mapping[str, Tool] = {
    "extract": Tool(
        "Find the observables (addresses, domains, URLs, hashes, CVE and ATT&CK ids, ...) of a text, exactly, with no "
        "model. start and end are character offsets in the text as read, line counts from 1.",
        ExtractArguments,
        extract,
    ),
    "map": Tool(
        "Answer one narrow question about a text with a small trained model or the reference knowledge: cwe, cvss, "
        "attack or actor. Probabilities mean what they say; abstained means that no answer is given.",
        MapArguments,
        map_text,
    ),
    "ask": Tool(
        "Answer a question of threat intelligence from the local knowledge (ATT&CK, CWE, CAPEC, actors), with the "
        "passages behind the answer; with options, which of them.",
        AskArguments,
        ask,
    ),
    "case_show": Tool(
        "Show a stored case: cited findings, summary, timeline, observables, what people decided. While reviewed is "
        "false everything in it is a proposal.",
        CaseShowArguments,
        case_show,
    ),
    "case_similar": Tool(
        "Tell which earlier cases share something rare with a case, and what it is.", CaseSimilarArguments, case_similar
    ),
}
"""Every tool there is, by name."""
