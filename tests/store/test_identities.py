"""Sign-ins that are under way, and the accounts of an issuer, on every database."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from casemate.core.errors import InConflict, RefusedByPolicy
from casemate.core.marking import Marking
from casemate.core.person import Role
from casemate.store import Store
from casemate.store.identities import Vouched

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GRACE = Vouched("https://id.example", "u-1", "grace", Role.ANALYST, Marking.AMBER)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(url: str, clock: Clock) -> Iterator[Store]:
    with Store.open(url, now=clock) as opened:
        yield opened


def test_a_sign_in_holds_once_in_one_browser_and_for_a_while(store: Store, clock: Clock) -> None:
    identities = store.identities()
    pending = identities.begin("/cases", 600)
    clock.now += timedelta(seconds=601)
    assert identities.take(pending.state, pending.browser, 600) is None, "too late"
    late, other = identities.begin("/cases", 600), identities.begin("/", 600)
    clock.now += timedelta(seconds=599)
    assert identities.take(late.state, other.browser, 600) is None, "another browser"
    assert identities.take(late.state, late.browser, 600) is None, "and spent by that"
    assert identities.take(other.state, other.browser, 600) == other
    assert identities.take(other.state, other.browser, 600) is None, "a second time"
    assert identities.take("", "", 600) is None


def test_an_account_belongs_to_issuer_and_subject(store: Store) -> None:
    identities = store.identities()
    assert identities.enter(GRACE) == "grace"
    assert identities.enter(replace(GRACE, name="renamed")) == "grace"
    for other in (replace(GRACE, subject="u-2"), replace(GRACE, issuer="https://other.example", name="Grace")):
        with pytest.raises(InConflict, match="not the issuer's"):
            identities.enter(other)
    assert [one.name for one in store.people().accounts()] == ["grace"]


def test_disabled_and_locked_accounts_stay_out_and_the_last_administrator_stays_one(store: Store, clock: Clock) -> None:
    identities, people = store.identities(), store.people()
    identities.enter(replace(GRACE, role=Role.ADMIN))
    value, _session = people.sign_in("grace")
    with pytest.raises(InConflict, match="last account"):
        identities.enter(GRACE)
    people.add("root", "other", Role.ADMIN, Marking.RED, None)
    identities.enter(GRACE)
    assert people.session(value) is None, "its sessions end when the role changes"
    people.change("root", "grace", disabled=True)
    with pytest.raises(RefusedByPolicy):
        identities.enter(GRACE)
    people.change("root", "grace", disabled=False)
    for _ in range(5):
        people.failed("grace")
    with pytest.raises(RefusedByPolicy):
        identities.enter(GRACE)
    clock.now += timedelta(minutes=6)
    assert identities.enter(GRACE) == "grace", "a lock ends"
    assert store.verify_audit() == ()
