"""Rate limits and lockout: who is slowed down, who is not, and for how long."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.policy import Policy
from casemate.store import Store
from casemate.web.app import make_app
from casemate.web.bucket import ADDRESSES, Buckets, place_of
from casemate.web.passwords import hash_password
from casemate.web.site import Site

from .conftest import PASSWORD


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.floats(min_value=0, max_value=30), max_size=60))
def test_no_address_has_more_tries_than_it_may(pauses: list[float]):
    time = Time()
    buckets = Buckets(10, 60.0, time)
    heard: list[float] = []
    for pause in pauses:
        time.now += pause
        wait = buckets.wait("192.0.2.1")
        if wait:
            assert 0 < wait <= 60
        else:
            heard.append(time.now)
    for begin in heard:
        assert sum(begin <= one < begin + 60 for one in heard) <= 20, "a full bucket, and what leaks out of it"
    time.now += 60
    assert buckets.wait("192.0.2.1") == 0


def test_waiting_as_long_as_one_is_told_is_enough():
    time = Time()
    buckets = Buckets(10, 60.0, time)
    assert [buckets.wait("a") for _ in range(10)] == [0] * 10
    wait = buckets.wait("a")
    assert buckets.wait("b") == 0, "another address has tries of its own"
    time.now += wait + 1e-6
    assert buckets.wait("a") == 0


def test_addresses_of_one_holder_count_together():
    assert place_of("2001:db8::1") == place_of("2001:db8:0:0:ffff::2") != place_of("2001:db8:0:1::1")
    assert place_of("::ffff:192.0.2.1") == place_of("192.0.2.1")
    assert place_of("fe80::1%eth0") == place_of("fe80::2")
    assert place_of("testclient") == "testclient"
    buckets = Buckets(1, 60.0, Time())
    assert [bool(buckets.wait(f"2001:db8::{number}")) for number in range(1, 4)] == [False, True, True]


def test_many_addresses_take_bounded_room():
    buckets = Buckets(1, 60.0, Time())
    for number in range(ADDRESSES + 10):
        buckets.wait(f"name {number}")
    assert len(buckets._levels) == ADDRESSES


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def locked(url: str, clock: Clock) -> Iterator[Store]:
    with Store.open(url, now=clock) as store:
        for name in ("grace", "ada"):
            store.people().add("test", name, Role.ANALYST, Marking.AMBER, hash_password(PASSWORD))
            store.people().set_password("test", name, hash_password(PASSWORD), first=False)
        yield store


def test_a_lock_is_of_one_account_and_an_administrator_takes_it_off(locked: Store):
    browser = TestClient(
        make_app(Site(locked, Policy(), hosts=(), sign_ins=Buckets(1000, 1.0))), follow_redirects=False
    )

    def answer(name: str, password: str = PASSWORD) -> int:
        return browser.post("/sign-in", data={"name": name, "password": password}).status_code

    assert [answer("grace", "wrong") for _ in range(4)] == [401] * 4
    assert answer("grace") == 303, "four are not five"
    assert [answer("grace", "wrong") for _ in range(4)] == [401] * 4
    assert answer("grace") == 303, "a success begins the count anew"
    assert [answer("grace", "wrong") for _ in range(5)] == [401] * 5
    assert [answer("grace"), answer("ada")] == [401, 303]
    assert [event.action for event in locked.history("grace")].count("person.locked") == 1
    locked.people().set_password("root", "grace", hash_password(PASSWORD), first=False)
    assert answer("grace") == 303


def test_a_lock_ends_by_itself(locked: Store, clock: Clock):
    clock.now -= timedelta(minutes=6)
    for _ in range(5):
        locked.people().failed("grace")
    until = locked.people().password_of("grace")[1]
    assert until is not None
    assert until < datetime.now(UTC)
    browser = TestClient(make_app(Site(locked, Policy(), hosts=())), follow_redirects=False)
    assert browser.post("/sign-in", data={"name": "grace", "password": PASSWORD}).status_code == 303


def test_guessing_the_old_password_is_slowed_down_too(locked: Store):
    browser = TestClient(make_app(Site(locked, Policy(), hosts=(), sign_ins=Buckets(4, 60.0))), follow_redirects=False)
    browser.post("/sign-in", data={"name": "grace", "password": PASSWORD})
    key = browser.get("/api/v1/me").json()["form_key"]
    form = {"form_key": key, "old": "guess", "new": "another-good-one"}
    texts = [browser.post("/password", data=form).text for _ in range(4)]
    assert ["Too many tries" in text for text in texts] == [False, False, False, True]
