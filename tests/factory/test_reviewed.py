import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from casemate.core.assessment import Disposition
from casemate.core.case import Case, Decision, Review, Verdict
from casemate.core.errors import RefusedByPolicy
from casemate.core.marking import Marking
from casemate.factory.lessons import Lesson
from casemate.factory.lessons_reviewed import make_reviewed, teach_case
from casemate.knowledge import Knowledge
from casemate.pipeline.deciding import review_case
from casemate.pipeline.tools import Tools
from casemate.pipeline.triage import Order, triage
from casemate.policy import Policy
from casemate.stages.extract.scanner import Scanner
from casemate.stages.ingest import find_sources
from casemate.store import Store

NOW = datetime(2026, 1, 2, tzinfo=UTC)
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
POLICY = Policy(learn_from_reviews=True, specialists=())
WORDING = "A password for root failed from 198.51.100.23"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/c.sqlite") as opened:
        yield opened


def make_case(store: Store, knowledge_file: Path, marking: Marking = Marking.AMBER) -> Case:
    files = [str(EXAMPLES / "auth.log"), str(EXAMPLES / "access.log")]
    with Knowledge.open(knowledge_file) as knowledge:
        return triage(find_sources(files), Order(marking, "ada"), Tools(POLICY, knowledge, Scanner()), store).case


def close(store: Store, case: Case, verdict: Verdict, wordings: dict[str, str] | None = None) -> Case:
    decisions = tuple(
        Decision(one.id, verdict, "ada", NOW, "seen", (wordings or {}).get(one.id, "")) for one in case.findings
    )
    review = Review("ada", "analyst", NOW, decisions, Disposition.TRUE_POSITIVE, "guessing that came through")
    return review_case(store, POLICY, case.id, None, review).case


def learn(store: Store) -> list[Lesson]:
    return list(make_reviewed(store, POLICY, 1))


def sentences(lesson: Lesson) -> list[dict[str, str]]:
    told: list[dict[str, str]] = json.loads(lesson.answer)["sentences"]
    return told


def test_a_closed_case_teaches_what_was_accepted(store: Store, knowledge_file: Path) -> None:
    case = make_case(store, knowledge_file)
    assert learn(store) == [], "an open case teaches nothing"
    close(store, case, Verdict.ACCEPTED)
    (lesson,) = learn(store)
    assert (lesson.task, lesson.origin) == ("summary", case.id)
    assert len(sentences(lesson)) >= 3
    assert all(one["quote"] in lesson.evidence for one in sentences(lesson))
    assert learn(store) == [lesson], "the same lesson every time"


def test_what_a_person_put_into_words_is_taught_in_these_words(store: Store, knowledge_file: Path) -> None:
    case = make_case(store, knowledge_file)
    guessing = next(one for one in case.findings if one.title.startswith("Password guessing"))
    close(store, case, Verdict.ACCEPTED, {guessing.id: WORDING})
    (lesson,) = learn(store)
    (taught,) = [one for one in sentences(lesson) if one["text"] == WORDING + "."]
    assert taught["quote"] in guessing.citations[0].quote


def test_a_wording_that_its_quotation_does_not_carry_is_not_taught(store: Store, knowledge_file: Path) -> None:
    case = make_case(store, knowledge_file)
    guessing = next(one for one in case.findings if one.title.startswith("Password guessing"))
    close(store, case, Verdict.ACCEPTED, {guessing.id: "The domain controller was encrypted from 192.0.2.99"})
    (lesson,) = learn(store)
    assert "encrypted" not in lesson.answer


def test_what_was_rejected_is_not_taught(store: Store, knowledge_file: Path) -> None:
    case = close(store, make_case(store, knowledge_file), Verdict.REJECTED)
    assert teach_case(case, store.texts_of(case.id), random.Random(1), Scanner()) is None
    assert learn(store) == []


def test_a_red_case_is_not_taught(store: Store, knowledge_file: Path) -> None:
    close(store, make_case(store, knowledge_file, Marking.RED), Verdict.ACCEPTED)
    assert learn(store) == []


def test_without_consent_nothing_is_read(store: Store) -> None:
    with pytest.raises(RefusedByPolicy, match="reviewed cases"):
        list(make_reviewed(store, Policy(), 1))
