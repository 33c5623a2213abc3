"""A case drawn to be shown without proposals: no route tells them, by word, number or order, until it is decided."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from casemate.audit import NewAuditEvent
from casemate.core.alert import Alert, Delivery
from casemate.core.assessment import Assessment, Disposition, Proposal, Sentence
from casemate.core.case import Case, RelatedCase, Shared
from casemate.core.digest import Digest, digest_bytes
from casemate.core.draft import Draft, Section
from casemate.core.evidence import Closed
from casemate.core.feature import Feature
from casemate.core.finding import Citation, Finding
from casemate.core.issue import Issue, Severity
from casemate.core.marking import Marking
from casemate.core.person import Right, Role
from casemate.core.text import Chunk, Piece, Span
from casemate.policy import Baseline, Policy
from casemate.policy.roles import RIGHTS
from casemate.store import Store, owner_name
from casemate.store.trials import Arm, draw
from casemate.web.app import make_app
from casemate.web.passwords import hash_password
from casemate.web.routes import API, PAGES, V1, Route
from casemate.web.site import Site
from tests.store.samples import NOW, case

from .conftest import PASSWORD

SECRET = "xyzzyproposal"
TEXT = "first line\nFailed password for root\n"
ALL = Baseline(share=1.0, spare_priority=0, least_cases=5)
TECHNIQUE = Feature("technique", "T1110")
READ = [route for route in (*API, *PAGES) if route.method == "GET" and route.right not in (Right.NOBODY, Right.SELF)]
FILTERS = (
    {"q": SECRET},
    {"q": "brute"},
    {"disposition": "true-positive"},
    {"disposition": "undetermined"},
    {"priority": "2"},
    {"priority": "5"},
)
FORMATS = ("text", "json", "markdown", "html", "stix", "misp", "navigator", "csv")
CHANGING = re.compile(r'[0-9a-f]{16,64}(…)?|(?<=")[\w-]{32}(?=")')


def telling(case_id: str, evidence: Digest) -> Case:
    """Make a case in which everything that is proposed says the secret word."""
    citation = Citation(Span(evidence, 11, 17), "Failed", 2)
    sample = case(case_id, f"{SECRET} title")
    return replace(
        sample,
        marking=Marking.GREEN,
        evidence=(replace(sample.evidence[0], id=evidence, source="auth.log", marking=Marking.GREEN),),
        observables=(),
        timeline=(),
        findings=(
            Finding("F1", "technique", f"T1110 Brute {SECRET}", SECRET, "named", (citation,), "T1110", (), 0.25, 4),
        ),
        passages=(replace(sample.passages[0], title=SECRET),),
        assessment=Assessment(
            (Sentence(f"{SECRET} happened.", (citation,), "model"),),
            Proposal(Disposition.TRUE_POSITIVE, (SECRET,), 2),
            (f"Who is {SECRET}?",),
        ),
        related=(RelatedCase("C-other", SECRET, NOW, (Shared("technique", "T1110", 1),), 1.5),),
        issues=(Issue("sentence-dropped", Severity.NOTE, SECRET), Issue("zip-ratio", Severity.WARNING, "big", "a.zip")),
    )


def silent(told: Case) -> Case:
    """Make the same case with nothing proposed but another disposition."""
    proposal = Proposal(Disposition.FALSE_POSITIVE, (), 5)
    return replace(
        told,
        title="nothing",
        findings=(),
        passages=(),
        assessment=Assessment((), proposal, ()),
        related=(),
        issues=told.issues[1:],
    )


@contextmanager
def site(url: str, *, proposing: bool) -> Iterator[tuple[Store, FastAPI, TestClient]]:
    """Serve a store with one withheld case and one related case, every clock reading the same."""
    with Store.open(url, now=lambda: NOW) as store:
        evidence = digest_bytes(TEXT.encode())
        with store.write_texts("reading") as writer:
            writer.write(Chunk(0, 0, TEXT, (Piece(0, len(TEXT), 0, len(TEXT), 1),)))
            writer.close(Closed(0, evidence, len(TEXT), len(TEXT), 2))
        store.put_blob(TEXT.encode())
        told = telling("C-drawn", evidence)
        related = (RelatedCase(told.id, SECRET, NOW, (Shared(*TECHNIQUE, 2),), 1.0),)
        other = replace(case("C-other", "the other"), marking=Marking.GREEN, evidence=told.evidence, related=related)
        store.save_case(other, proposed(other.id), (TECHNIQUE,))
        alert = Alert(b'{"message": "x"}', "rule of the sender", "web01", "x", "json", 3, NOW)
        store.queue().receive([Delivery("sensor", Marking.GREEN, "wazuh", True, (alert,))])
        taken = store.queue().take(owner_name("test"))
        assert taken is not None
        made = told if proposing else silent(told)
        store.save_case(made, proposed(made.id), (TECHNIQUE,) if proposing else (), lease=taken[1], baseline=ALL)
        store.save_draft(draft_of(made), NewAuditEvent("casemate", "case.drafted", made.id))
        app = make_app(Site(store, Policy(baseline=ALL), hosts=()))
        app.state.stopping.set()
        yield store, app, signed_in(store, app)


def proposed(case_id: str) -> NewAuditEvent:
    return NewAuditEvent("casemate", "case.proposed", case_id)


def draft_of(made: Case) -> Draft:
    section = Section(SECRET, (Sentence(SECRET, ()),))
    return Draft("summary", made.id, "", NOW, Marking.GREEN, (), (section,), (), "0.1", 7, None, "none", None)


def signed_in(store: Store, app: FastAPI) -> TestClient:
    client = TestClient(app, follow_redirects=False)
    if not any(account.person.name == "grace" for account in store.people().accounts()):
        store.people().add("test", "grace", Role.ADMIN, Marking.RED, hash_password(PASSWORD))
        store.people().set_password("test", "grace", hash_password(PASSWORD), first=False)
    assert client.post("/sign-in", data={"name": "grace", "password": PASSWORD}).status_code == 303
    return client


def paths(route: Route) -> Iterator[str]:
    evidence = digest_bytes(TEXT.encode())
    for case_id in ("C-drawn", "C-other") if "{case_id}" in route.path else ("",):
        path = route.path.format(case_id=case_id, evidence=evidence, number=1, name="grace", token="x")
        if path.endswith("/export"):
            yield from (f"{path}?format={name}" for name in FORMATS)
        elif path.endswith("/changes"):
            yield f"{path}?since=0"
        else:
            yield path
            if route.path in ("/", "/cases", f"{V1}/cases", f"{V1}/groups"):
                yield from (f"{path}?{'&'.join(f'{name}={value}' for name, value in one.items())}" for one in FILTERS)


def ask(client: TestClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.text[:300]}"
    return answer.text


@pytest.fixture
def drawn(url: str) -> Iterator[tuple[Store, FastAPI, TestClient]]:
    with site(url, proposing=True) as served:
        yield served


def test_no_route_says_anything_of_what_is_proposed(drawn: tuple[Store, FastAPI, TestClient]):
    store, _app, client = drawn
    assert store.cleared(Marking.RED).withheld("C-drawn")
    asked = 0
    for route in READ:
        for path in paths(route):
            text = ask(client, path)
            assert SECRET not in text.replace(f'value="{SECRET}"', ""), path
            asked += 1
    assert asked > 40


def test_answers_are_the_same_whatever_is_proposed(tmp_path: Path):
    """Non-interference: two stores that differ only in what is proposed answer every route alike."""
    said: list[dict[str, str]] = []
    for name, proposing in (("one", True), ("two", False)):
        (tmp_path / name).mkdir()
        with site(f"sqlite:///{tmp_path}/{name}/casemate.sqlite", proposing=proposing) as (_store, _app, client):
            answers = {path: ask(client, path) for route in READ for path in paths(route) if "{" not in path}
            said.append({path: CHANGING.sub("#", text) for path, text in answers.items()})
    assert said[0].keys() == said[1].keys()
    for path, text in said[0].items():
        assert text == said[1][path], path


def test_pages_of_a_withheld_case_speak_of_no_draft(drawn: tuple[Store, FastAPI, TestClient]):
    client = drawn[2]
    base = "/cases/C-drawn"
    evidence = digest_bytes(TEXT.encode())
    for path in (base, f"{base}/evidence/{evidence}", f"{base}/observables", f"{base}/timeline"):
        text = ask(client, path)
        assert "NO PROPOSALS" in text, path
        assert "UNREVIEWED DRAFT" not in text, path


def test_what_is_withheld_is_not_judged_and_a_note_tells_nothing(drawn: tuple[Store, FastAPI, TestClient]):
    _store, _app, client = drawn
    key = {"X-CSRF-Token": client.get(f"{V1}/me").json()["form_key"]}
    path = f"{V1}/cases/C-drawn/reviews"
    for finding in ("F1", "F99"):
        given = {"revision": 1, "decisions": [{"finding": finding, "verdict": "accepted"}]}
        assert client.post(path, json=given, headers=key).status_code == 409
    noted = client.post(path, json={"revision": 1, "reason": "looking"}, headers=key).json()
    assert (noted["state"], noted["disposition"]) == ("in-review", "undetermined")
    assert SECRET not in client.get("/cases/C-drawn").text


def test_a_decision_shows_everything_and_is_timed(drawn: tuple[Store, FastAPI, TestClient]):
    store, _app, client = drawn
    page = ask(client, "/cases/C-drawn")
    assert "NO PROPOSALS" in page
    assert "Failed password for root" in page
    assert "checked" not in page, "no disposition may be chosen beforehand"
    key = {"X-CSRF-Token": client.get(f"{V1}/me").json()["form_key"]}
    decided = client.post(
        f"{V1}/cases/C-drawn/reviews", json={"revision": 1, "disposition": "true-positive"}, headers=key
    ).json()
    assert decided["disposition"] == "true-positive"
    assert not store.cleared(Marking.RED).withheld("C-drawn")
    assert SECRET in ask(client, "/cases/C-drawn")
    assert [line["id"] for line in client.get(f"{V1}/cases", params={"q": SECRET}).json()["items"]] == ["C-drawn"]
    (group,) = client.get(f"{V1}/groups", params={"closed": "true"}).json()["items"]
    assert (group["title"], group["priority"], group["disposition"]) == (f"{SECRET} title", 2, "true-positive")
    assert [one["id"] for one in client.get(f"{V1}/cases/C-other").json()["related"]] == ["C-drawn"]
    assert store.verify_audit() == ()


def test_the_first_look_is_a_persons_and_is_kept_once(drawn: tuple[Store, FastAPI, TestClient]):
    store, app, client = drawn
    token = store.people().add_token("test", "grace", "program", RIGHTS)
    with TestClient(app) as program:
        program.get(f"{V1}/cases/C-other", headers={"Authorization": f"Bearer {token}"})
    assert looks(store) == {}
    store.people().add("test", "hugo", Role.READER, Marking.RED, hash_password(PASSWORD))
    store.people().set_password("test", "hugo", hash_password(PASSWORD), first=False)
    reader = TestClient(app, follow_redirects=False)
    reader.post("/sign-in", data={"name": "hugo", "password": PASSWORD})
    reader.get("/cases/C-other")
    assert looks(store) == {}, "who may not review decides nothing"
    for _ in range(2):
        client.get("/cases/C-other")
    assert looks(store) == {"grace": NOW}


def looks(store: Store) -> dict[str, datetime]:
    """Read who looked first when, from the board's own list."""
    return dict(store.cleared(Marking.RED).looks("C-other"))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_the_draw_is_fixed_by_the_key_and_keeps_to_the_share(share: float):
    arms = [draw(b"k" * 32, f"C-{number:012x}", share) for number in range(4000)]
    assert arms == [draw(b"k" * 32, f"C-{number:012x}", share) for number in range(4000)]
    drawn = sum(arm is Arm.WITHHELD for arm in arms) / len(arms)
    assert abs(drawn - share) <= 4 * (share * (1 - share) / len(arms)) ** 0.5
    other = [draw(b"l" * 32, f"C-{number:012x}", share) for number in range(4000)]
    assert share == 0 or arms != other


def test_urgent_cases_and_a_site_that_measures_nothing_are_left_alone(url: str):
    with Store.open(url) as store:
        for number, (baseline, priority, drawn) in enumerate(
            [
                (Baseline(), 2, False),
                (Baseline(share=1.0, spare_priority=1), 1, False),
                (Baseline(share=1.0, spare_priority=1), 2, True),
                (Baseline(share=1.0, spare_priority=0), 1, True),
            ]
        ):
            alert = Alert(b"x%d" % number, f"r{number}", "h", "x", "json", 3, NOW + timedelta(seconds=number))
            store.queue().receive([Delivery("sensor", Marking.GREEN, "s", True, (alert,))])
            taken = store.queue().take(owner_name("test"))
            assert taken is not None
            sample = case(f"C-{number}")
            proposal = replace(sample.assessment.proposal, priority=priority)
            made = replace(sample, assessment=replace(sample.assessment, proposal=proposal))
            store.save_case(made, proposed(made.id), lease=taken[1], baseline=baseline)
            assert store.cleared(Marking.RED).withheld(made.id) is drawn
            store.save_case(replace(made, title="again"), proposed(made.id))
            assert store.cleared(Marking.RED).withheld(made.id) is drawn, "made anew it keeps its arm"


def test_the_command_line_and_its_exports_keep_to_it_too(
    url: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    from casemate.cli.main import main

    monkeypatch.delenv("CASEMATE_POLICY", raising=False)
    where = ["--store", url]
    with site(url, proposing=True):
        pass
    asked = [["list"], ["show", "C-drawn"], ["show", "C-other"]]
    asked += [["export", one, "--format", name] for one in ("C-drawn", "C-other") for name in FORMATS]
    asked += [["review", "C-drawn", "--reviewer", "Ada", "--reason", "looking"]]
    for words in asked:
        assert main(["case", *words, *where]) == 0
        told = capfd.readouterr()
        assert SECRET not in told.out + told.err, words
