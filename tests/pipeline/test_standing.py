"""What a summary may not pass over, and what a person rejected, are the same for triage and for every draft."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from casemate.core.assessment import Disposition
from casemate.core.case import Case, Decision, Review, State, Verdict
from casemate.core.draft import Draft
from casemate.core.marking import Marking
from casemate.core.text import Texts
from casemate.pipeline.case_questions import ask_case
from casemate.pipeline.drafting import draft
from casemate.pipeline.triage import Order, triage
from casemate.stages.ingest import Source
from casemate.store import Store
from casemate.tasks import brief, summary
from casemate.tasks.task import Material, Task

from .conftest import EXAMPLES, ToolsFor
from .drafts import answer, codes

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
BESIDE_THE_POINT = answer(
    ("Server listening on 192.0.2.10 port 22", "The server is listening on 192.0.2.10 port 22."),
    ("Failed to connect to system bus: No such file", "It failed to connect to the system bus: No such file."),
    ("pam_systemd(sshd:session): Failed to connect", "pam_systemd(sshd:session) failed to connect."),
)


def material(name: str, case: Case, texts: Texts) -> tuple[Task, Material]:
    if name == "summary":
        return summary.TASK, summary.build_material(case, texts, 400)
    return brief.TASK, brief.build_material(case, name, texts, 400)


def write(name: str, case: Case, store: Store, tools_for: ToolsFor, *answers: str) -> Draft:
    texts = store.texts_of(case.id)
    return draft(*material(name, case, texts), tools_for(*answers), texts)


def words(made: Draft) -> str:
    sentences = [one.text for section in made.sections for one in section.sentences]
    return "\n".join([*sentences, *(one.value for one in made.facts)])


def reviewed(case: Case, *rejected: str, wording: str = "") -> Case:
    decisions = tuple(Decision(name, Verdict.REJECTED, "erika", NOW, "an exercise") for name in rejected)
    if wording:
        decisions += (Decision("F1", Verdict.ACCEPTED, "erika", NOW, "", wording),)
    review = Review("erika", "lead", NOW, decisions, Disposition.FALSE_POSITIVE, "it was the red team")
    return replace(case, reviews=(review,), state=State.CLOSED)


@pytest.mark.parametrize("name", ["summary", *brief.READERS])
def test_a_draft_that_passes_over_the_gravest_finding_is_not_shown(
    stored: tuple[Store, Case], tools_for: ToolsFor, name: str
):
    store, case = stored
    made = write(name, case, store, tools_for, BESIDE_THE_POINT)
    assert (made.proposed, made.dropped) == (3, 0), "every sentence is carried by the evidence"
    assert made.basis == "composed"
    (why,) = [issue.message for issue in made.issues if issue.code == "section-composed"]
    assert "says nothing of the gravest finding, Log-on after password guessing" in why


OPENING = (
    "It is a cliche that criminals prey on banks.",
    "In this year that remains a fact of life.",
    "Many people have written about it before.",
)
NAMING = "The group sent mails that installed Mimikatz on the tellers' machines."
AGAIN = "With Mimikatz it read the passwords of whoever had signed in there."
FILLING = ["Nothing is said by this line of the report, which only fills it."] * 12


@pytest.mark.parametrize(
    ("lines", "report", "basis"),
    [
        (OPENING, (*OPENING, *FILLING, NAMING, *FILLING, AGAIN), "composed"),
        ((*OPENING[1:], NAMING), (*OPENING, *FILLING, NAMING, *FILLING, AGAIN), "model"),
        (OPENING, (*OPENING, *FILLING, NAMING), "model"),
    ],
    ids=["silent", "told", "named in passing"],
)
def test_a_report_is_not_summed_up_without_a_word_of_what_it_names(
    tmp_path_factory: pytest.TempPathFactory,
    tools_for: ToolsFor,
    lines: tuple[str, ...],
    report: tuple[str, ...],
    basis: str,
):
    tools = tools_for(answer(*((line, line) for line in lines)), answer(*((line, line) for line in lines)))
    folder = tmp_path_factory.mktemp("reported")
    source = Source("report.txt", lambda: (folder / "report.txt").open("rb"))
    (folder / "report.txt").write_text("\n".join([*report, ""]))
    with Store.open(f"sqlite:///{folder}/casemate.sqlite") as store:
        case = triage([source], Order(Marking.GREEN, "tester"), tools, store).case
        assert not any(finding.severity for finding in case.findings)
        assert any(finding.title.startswith("Mimikatz") for finding in case.findings)
        assert {one.basis for one in case.assessment.summary} == {basis}
        texts = store.texts_of(case.id)
        made = draft(*material("summary", case, texts), tools, texts)
        assert made.basis == basis
        said = {issue.message for issue in (*case.issues, *made.issues) if issue.code.endswith("-composed")}
        assert len(said) == (2 if basis == "composed" else 0)
        assert all("says nothing of what was found in it more than once" in message for message in said)


@pytest.mark.parametrize("name", ["summary", *brief.READERS])
def test_no_draft_tells_what_a_person_rejected(stored: tuple[Store, Case], tools_for: ToolsFor, name: str):
    store, case = stored
    gone = [one for one in case.findings if one.reference.startswith(("guessing-succeeded", "password-guessing"))]
    assert len(gone) == 2
    before = words(write(name, case, store, tools_for))
    after = words(write(name, reviewed(case, *(one.id for one in gone)), store, tools_for))
    assert all(one.detail in before for one in gone)
    told = [line for line in after.splitlines() if not line.startswith("Reason: ")]  # what the rules said stays
    assert not any(one.detail in line for one in gone for line in told)


def test_a_question_is_not_answered_by_what_a_person_rejected(stored: tuple[Store, Case], tools_for: ToolsFor):
    store, case = stored
    payloads = [one for one in case.findings if one.kind == "payload"]
    texts, tools = store.texts_of(case.id), tools_for()
    asked = "Which payloads are there?"
    assert payloads[0].title in words(ask_case(asked, case, store, texts, tools))
    rejected = reviewed(case, *(one.id for one in payloads))
    assert "does not say" in words(ask_case(asked, rejected, store, texts, tools))


def test_a_brief_tells_a_persons_decision_and_reason_as_theirs_and_the_rules_as_the_rules(
    stored: tuple[Store, Case], tools_for: ToolsFor
):
    store, case = stored
    told = words(write("executive", reviewed(case, wording="A log-on by the red team"), store, tools_for))
    assert "A person decided: false positive." in told
    assert "Their reason: it was the red team." in told
    assert "The rules had proposed: true positive, priority 1 of 5." in told
    awaiting = replace(reviewed(case), state=State.AWAITING)
    told = words(write("executive", awaiting, store, tools_for))
    assert "One person decided, and a second one has yet to confirm it: false positive." in told
    assert "not yet decided by a person" not in told
    assert "not yet decided by a person: true positive" in words(write("executive", case, store, tools_for))
    found = words(write("analyst", reviewed(case, wording="A log-on by the red team"), store, tools_for))
    assert "A log-on by the red team" in found


def test_a_draft_says_that_a_model_was_asked_for_nothing(stored: tuple[Store, Case], tools_for: ToolsFor):
    from casemate.stages.export import render_draft

    store, case = stored
    asked = write("summary", case, store, tools_for, "garbage")
    assert "section-composed" in codes(asked)
    shown = render_draft(asked, "text").decode()
    assert "composed by code; nothing that the language model wrote was used" in shown
    unasked = render_draft(write("summary", case, store, tools_for), "text").decode()
    assert "composed by code, without a language model" in unasked


def test_a_case_of_nothing_but_records_is_named_by_them(tmp_path_factory: pytest.TempPathFactory, tools_for: ToolsFor):
    folder = tmp_path_factory.mktemp("quiet")
    line = next(
        one for one in (EXAMPLES / "auth.log").read_text().splitlines(keepends=True) if "Server listening" in one
    )
    (folder / "quiet.log").write_text(line)
    source = Source("quiet.log", lambda: (folder / "quiet.log").open("rb"))
    with Store.open(f"sqlite:///{folder}/casemate.sqlite") as store:
        case = triage([source], Order(Marking.GREEN, "tester"), tools_for(), store).case
    assert {finding.kind for finding in case.findings} == {"time"}
    assert case.title == f"1 syslog record of {case.timeline[0].first:%Y-%m-%d} without findings"
    assert case.assessment.summary[0].text.startswith("1 record in 1 piece of evidence")
