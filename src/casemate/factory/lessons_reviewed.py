"""Lessons of the reader's own reviewed cases: what a person accepted or put into words, said again with its citation.

Only where the policy says so (`learn_from_reviews`), and never from a case marked TLP:RED.
"""

import logging
import random
from collections.abc import Iterator

from casemate.core.case import Case, State, Verdict
from casemate.core.errors import RefusedByPolicy
from casemate.core.finding import Finding
from casemate.core.marking import Marking
from casemate.core.text import Texts
from casemate.factory.lessons import Lesson
from casemate.factory.lessons_summary import answer_of, checker
from casemate.factory.restating import LONGEST_TEXT, restate
from casemate.policy import Policy
from casemate.stages.extract.scanner import Scanner
from casemate.stages.generate import marker_of
from casemate.store import Store
from casemate.tasks.excerpts import cited_spans, excerpts_around
from casemate.tasks.prompt import build_request
from casemate.tasks.summary import PART

log = logging.getLogger(__name__)

_QUOTE = 110
_PAGE = 200


def make_reviewed(store: Store, policy: Policy, seed: int) -> Iterator[Lesson]:
    """Make a lesson of each closed case in which a person accepted findings; `RefusedByPolicy` without consent."""
    if not policy.learn_from_reviews:
        raise RefusedByPolicy(
            "the policy does not let reviewed cases be learnt from",
            way_out="set learn_from_reviews = true in the policy, or leave --store out",
        )
    scanner = Scanner()
    chance = random.Random(f"{seed}:reviewed")  # noqa: S311 - a repeatable draw, no secret
    offset = 0
    while lines := store.cases(_PAGE, offset, State.CLOSED):
        offset += len(lines)
        for line in lines:
            case = store.case(line.id)
            if case is not None and case.marking is not Marking.RED:
                lesson = teach_case(case, store.texts_of(case.id), chance, scanner)
                if lesson is not None:
                    yield lesson
    log.info("reviewed: %d closed cases read", offset)


def teach_case(case: Case, texts: Texts, chance: random.Random, scanner: Scanner) -> Lesson | None:
    """Make one lesson of a case; None where too few of the findings that a person accepted can be told."""
    verdicts = case.verdicts()
    accepted = [
        finding
        for finding in case.findings
        if finding.id in verdicts and verdicts[finding.id].verdict is Verdict.ACCEPTED and finding.citations
    ]
    window = excerpts_around(cited_spans(accepted), texts, 8)
    request, shown = build_request(
        PART.instruction,
        PART.schema,
        window,
        marker_of(chance.randrange(2**31), case.id),
        seed=0,
        prompt_tokens=600,
        answer_tokens=PART.answer_tokens,
        seconds=1.0,
    )
    fits = checker(shown, scanner)
    pairs: dict[str, str] = {}
    for finding in accepted:
        for quote, text in _told(finding, verdicts[finding.id].wording):
            if quote not in pairs and text not in pairs.values() and fits(quote, text):
                pairs[quote] = text
                break
    if len(pairs) < PART.enough:
        return None
    about = "\n".join(one.text for one in shown)
    answer = answer_of(list(pairs.items())[: PART.most])
    return Lesson(f"reviewed:{case.id}", "summary", request.instruction, request.evidence, answer, about, case.id)


def _told(finding: Finding, wording: str) -> Iterator[tuple[str, str]]:
    """Give what may be said of a finding, the best first: a person's words, its title, what the quotation says."""
    quotes = [one.quote for one in finding.citations]
    for title in filter(None, (wording, finding.title)):
        yield from ((quote[:_QUOTE].strip(), _sentence(title)) for quote in quotes)
    for quote in quotes:
        yield from ((one.quote, text) for one in restate(quote) for text in one.texts)


def _sentence(title: str) -> str:
    text = " ".join(title.split())[: LONGEST_TEXT - 1].rstrip(". ")
    return text[:1].upper() + text[1:] + "."


__all__ = ["make_reviewed", "teach_case"]
