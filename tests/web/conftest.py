"""A service in this process: a store with a case, a group, an alert and a dead letter of every marking."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from casemate.audit import NewAuditEvent
from casemate.core.alert import Alert, Delivery
from casemate.core.case import RelatedCase, Shared
from casemate.core.digest import Digest, digest_bytes
from casemate.core.evidence import Closed
from casemate.core.feature import Feature
from casemate.core.marking import Marking
from casemate.core.observable import Observable
from casemate.core.person import Role
from casemate.core.text import Chunk, Piece
from casemate.policy import Limits, Policy
from casemate.policy.roles import RIGHTS
from casemate.store import Store, owner_name
from casemate.web.app import make_app
from casemate.web.passwords import hash_password
from casemate.web.site import Site
from tests.postgres import Server
from tests.store.samples import NOW, case

PASSWORD = "a-first-password"
ON_BOTH = frozenset(
    f"test_{name}"
    for name in (
        "api",
        "board",
        "four_eyes",
        "hostile",
        "limits",
        "live",
        "matrix",
        "pages",
        "people",
        "red",
        "withheld",
    )
)
"""Modules whose tests run on SQLite and on PostgreSQL; what the others look at is the same whatever the database."""
SHARED = Feature("observable", "ipv4-addr:192.0.2.1")


def secret(marking: Marking) -> str:
    """Name the word that stands in everything of one marking and in nothing else."""
    return f"xyzzy{marking.value.replace('+', 'plus')}end"


@dataclass(frozen=True, slots=True)
class Planted:
    """What the store holds of one marking."""

    case_id: str
    evidence: Digest
    number: int  # of the group and of its job
    person: str  # an account with this clearance


def plant(store: Store, marking: Marking) -> Planted:
    word = secret(marking)
    text = f"first line\n{word} second line\n"
    evidence = digest_bytes(text.encode())
    with store.write_texts(word) as writer:
        writer.write(Chunk(0, 0, text, (Piece(0, len(text), 0, len(text), 1),)))
        writer.close(Closed(0, evidence, len(text), len(text), 2))
    store.put_blob(text.encode())
    sample = case(f"C-{word}", f"common {word} title")
    others = [other for other in Marking if other is not marking]
    related = tuple(
        RelatedCase(f"C-{secret(other)}", f"common {secret(other)}", NOW, (Shared(*SHARED, 4),), 1.0)
        for other in others
    )
    made = replace(
        sample,
        marking=marking,
        evidence=(replace(sample.evidence[0], id=evidence, source=f"{word}.log", marking=marking),),
        observables=(Observable("domain-name", f"{word}.example", word, 1, ()),),
        related=related,
    )
    store.save_case(made, NewAuditEvent("casemate", "case.proposed", made.id), (SHARED,))
    alert = Alert(f'{{"message": "{word}"}}'.encode(), f"rule {word}", f"host {word}", word, "json", 4, NOW)
    (receipt,) = store.queue().receive([Delivery("sensor", marking, word, True, (alert,))])
    store.people().add("test", word, Role.READER, marking, None)
    return Planted(made.id, evidence, receipt.groups[0], word)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Say which kinds of database a test that asks for one runs on."""
    kinds = ["sqlite", "postgresql"] if metafunc.module.__name__.rpartition(".")[2] in ON_BOTH else ["sqlite"]
    for name in ("url", "lasting_url"):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, kinds, indirect=True, scope="module" if name == "lasting_url" else None)


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """Give a database of the kind that the test runs on."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture(scope="module")
def lasting_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give a database that the tests of one module share."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('lasting')}/casemate.sqlite"
        return
    server: Server = request.getfixturevalue("postgres_server")
    made = server.make()
    yield made
    server.drop(made)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url, limits=Limits(job_attempts=1)) as opened:
        yield opened


@pytest.fixture
def planted(store: Store) -> dict[Marking, Planted]:
    return plant_all(store)


def plant_all(store: Store) -> dict[Marking, Planted]:
    made = {marking: plant(store, marking) for marking in Marking}
    while taken := store.queue().take(owner_name("test")):
        store.queue().fail(taken[1], "it failed")
    return made


@pytest.fixture
def app(store: Store) -> FastAPI:
    return make_app(Site(store, Policy(), hosts=()))


def token_of(store: Store, role: Role, clearance: Marking, name: str = "") -> str:
    name = name or f"{role.value}-{clearance.value.replace('+', '-')}"
    store.people().add("test", name, role, clearance, None)
    return store.people().add_token("test", name, "test", RIGHTS)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, follow_redirects=False) as opened:
        yield opened


@pytest.fixture
def ada(store: Store, client: TestClient) -> TestClient:
    """Give a client of an administrator who may see everything, by token."""
    client.headers["Authorization"] = f"Bearer {token_of(store, Role.ADMIN, Marking.RED)}"
    return client


@pytest.fixture
def browser(store: Store, app: FastAPI) -> TestClient:
    """Give a browser in which an analyst has signed in and changed the first password."""
    store.people().add("test", "grace", Role.ANALYST, Marking.AMBER, hash_password(PASSWORD))
    store.people().set_password("test", "grace", hash_password(PASSWORD), first=False)
    opened = TestClient(app, follow_redirects=False)
    assert opened.post("/sign-in", data={"name": "grace", "password": PASSWORD}).status_code == 303
    return opened
