"""Extract the relations of a stored case: by code first, more from a model, disagreements told."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from casemate.core.case import Case
from casemate.core.digest import Digest, digest_value
from casemate.core.draft import Draft
from casemate.core.issue import Issue
from casemate.core.text import Span, Texts
from casemate.pipeline.asking import Asking, Told, read_all
from casemate.pipeline.drafting import Progress, add_told, draft
from casemate.pipeline.tools import Tools
from casemate.stages.validate import Excerpt, check_citations
from casemate.stages.validate.opinions import Opinion, find_disagreement
from casemate.tasks.excerpts import PROSE, read_through
from casemate.tasks.relations.asking import TASK, build_material, make_part, relation_of
from casemate.tasks.relations.named import Scan
from casemate.tasks.relations.reading import CitedRelation, join_relations, read_relations
from casemate.tasks.summary import citer

if TYPE_CHECKING:  # NumPy takes a while to import
    from casemate.stages.classify.attack import TechniqueSpecialist

MOST = 2_000
"""Relations of one case."""
READ_CHARS = 4_000_000
"""Characters of one piece of evidence that are read."""
PIECE = 200_000
"""Characters read at a time, ended at a line end."""


@dataclass(frozen=True, slots=True)
class Relations:
    """The relations of a case and the draft that tells them."""

    found: tuple[CitedRelation, ...]
    draft: Draft


def relate(case: Case, texts: Texts, tools: Tools, *, seed: int = 0, progress: Progress = lambda _: None) -> Relations:
    """Read the relations of the prose of a case; every citation is compared with the stored text."""
    started = time.monotonic()
    scan = _scan(tools)
    cite = citer(texts, tools.policy.limits.quote_chars)
    read: list[CitedRelation] = []
    prose = [item for item in case.evidence if item.format in PROSE and item.length]
    for number, item in enumerate(prose, 1):
        progress(f"reading {number} of {len(prose)}")
        for span, text in _pieces(item.id, min(item.length, READ_CHARS), texts):
            read += read_relations(text, span, tools.knowledge, scan, cite)
    told = _ask(case, texts, tools, seed, progress)
    proposed = []
    for kept in told.kept:
        quotes = kept.sentence.citations
        relation = relation_of(quotes[0].quote, kept.fields, tools.knowledge, scan) if quotes else None
        if relation is not None:
            proposed.append(CitedRelation(relation, quotes[0], "model"))
    joined = join_relations([*read, *proposed], MOST)
    found = tuple(one for one in joined if not check_citations((one.citation,), texts))
    made = draft(TASK, build_material(case, found), tools, texts, seed=seed, progress=progress)
    issues = (*told.issues, *_differences(found, tools), *made.issues)
    made = replace(add_told(made, told, TASK, started), issues=tuple(dict.fromkeys(issues)))
    return Relations(found, made)


def _scan(tools: Tools) -> Scan:
    return lambda text: tools.scanner.scan(text, 0)


def _pieces(evidence: Digest, length: int, texts: Texts) -> Iterator[tuple[Span, str]]:
    """Give a text piece by piece, each ended at an empty line or a line end where there is one."""
    start = 0
    while start < length:
        text = texts.slice(evidence, start, min(start + PIECE, length))
        if not text:
            return
        if start + len(text) < length:
            cut = max(text.rfind("\n\n"), 0) or text.rfind("\n") + 1
            text = text[:cut] if cut > 0 else text
        yield Span(evidence, start, start + len(text)), text
        start += len(text)


def _ask(case: Case, texts: Texts, tools: Tools, seed: int, progress: Progress) -> Told:
    if tools.model is None:
        return Told()
    excerpts: Sequence[Excerpt] = read_through(case.evidence, texts, ())
    if not excerpts:
        return Told()
    part = make_part(tools.knowledge, _scan(tools))
    run = digest_value([case.id, TASK.name])
    asking = Asking(seed, run, frozenset(one.value for one in case.observables))
    return read_all(TASK, part, excerpts, asking, tools, progress)


def _differences(found: Sequence[CitedRelation], tools: Tools) -> tuple[Issue, ...]:
    """Tell where a model and the specialist read different techniques off the same sentence."""
    chosen = [one for one in found if one.basis == "model" and one.relation.object.type == "attack-pattern"]
    specialist: TechniqueSpecialist | None = tools.specialists.techniques() if chosen and tools.model else None
    if specialist is None or tools.model is None:
        return ()
    issues = []
    for one in chosen:
        shown = [technique for technique in specialist.read(one.citation.quote).found if technique.accepted]
        opinions = [Opinion(f"the model {tools.model.name}", one.relation.object.reference or one.relation.object.name)]
        opinions += [Opinion("the specialist", technique.id, technique.probability) for technique in shown]
        issues.append(find_disagreement(f"the technique of line {one.citation.line}", opinions))
    return tuple(issue for issue in issues if issue is not None)
