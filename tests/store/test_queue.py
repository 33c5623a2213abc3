"""The queue: groups, leases, dead letters, and that a lost lease stores nothing."""

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.core.alert import Alert, Delivery, GroupState, JobState, Resumable
from casemate.core.digest import digest_bytes
from casemate.core.errors import InConflict, WrongUsage
from casemate.core.marking import Marking
from casemate.core.person import Right, Role
from casemate.policy import Limits
from casemate.store import GroupQuery, LeaseLost, Store, owner_name
from casemate.store.handout import is_dead
from casemate.store.processes import host_name

from .samples import NOW, case, reviewed, saved


class Clock:
    """The clock of the host; where the server's counts for jobs, time passes by making workers silent for longer."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def passes(self, store: Store, **time: float) -> None:
        self.time += timedelta(**time)
        if store._database.kind.shared:
            with store._database.writing() as connection:
                silent = f"{timedelta(**time).total_seconds()} seconds"
                connection.exec_driver_sql(
                    f"UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '{silent}'"
                )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(url: str, clock: Clock):
    with Store.open(url, limits=Limits(job_attempts=2, group_alerts=3), now=clock) as opened:
        yield opened


def alert(text: str, rule: str = "r", severity: int = 3) -> Alert:
    return Alert(text.encode(), rule, "host", "said", "json", severity, NOW)


def hand(store: Store, *alerts: Alert, marking: Marking = Marking.GREEN):
    (receipt,) = store.queue().receive([Delivery("sensor", marking, "", True, alerts)])
    return receipt


def groups(store: Store):
    return store.cleared(Marking.RED).groups(GroupQuery(open=None), 100).rows


def test_the_same_said_again_joins_and_counts(store: Store):
    first = hand(store, alert("a"), alert("b"), alert("c", "other", 5))
    again = hand(store, alert("d"))
    assert (first.alerts, first.opened, again.opened) == (3, 2, 0)
    assert again.groups[0] in first.groups
    assert sorted((group.rule, group.count, group.priority) for group in groups(store)) == [
        ("other", 1, 1),
        ("r", 3, 3),
    ]
    assert hand(store, alert("e"), marking=Marking.RED).opened == 1, "another marking is another group"
    assert store.verify_audit() == ()


def test_the_most_urgent_job_is_taken_first_and_by_one_only(store: Store):
    hand(store, alert("a", "low", 2), alert("b", "grave", 5))
    one, two = store.queue().take(owner_name("a")), store.queue().take(owner_name("b"))
    assert one is not None
    assert two is not None
    assert (one[0].priority, two[0].priority) == (1, 4)
    assert store.queue().take(owner_name("c")) is None


def test_what_a_job_looks_at_is_fixed_when_it_is_first_taken(store: Store, clock: Clock):
    hand(store, alert("a"), alert("b"))
    first = store.queue().take("elsewhere/1/x")
    hand(store, alert("c"))
    clock.passes(store, hours=1)
    second = store.queue().take("elsewhere/2/y")
    assert first is not None
    assert second is not None
    assert [data for _name, data, _line in store.queue().evidence(second[0])] == [b"a", b"b"]
    assert first[0].through == second[0].through


def test_a_case_looks_at_so_many_alerts_and_all_are_kept(store: Store):
    hand(store, *(alert(str(number)) for number in range(10)))
    taken = store.queue().take(owner_name("a"))
    assert taken is not None
    assert len(list(store.queue().evidence(taken[0]))) == 3
    assert len(store.cleared(Marking.GREEN).alerts(taken[0].group, 50).rows) == 10


def test_a_lease_that_ran_out_is_lost_and_stores_nothing(store: Store, clock: Clock):
    hand(store, alert("a"))
    first = store.queue().take("elsewhere/1/x")
    assert first is not None
    clock.passes(store, seconds=30)
    assert store.queue().renew(first[1])
    clock.passes(store, seconds=50)
    assert store.queue().take("elsewhere/2/y") is None, "it was renewed"
    clock.passes(store, seconds=50)
    second = store.queue().take("elsewhere/2/y")
    assert second is not None
    assert not store.queue().renew(first[1])
    with pytest.raises(LeaseLost):
        store.save_case(case("late"), saved(), lease=first[1])
    assert store.case("late") is None
    store.save_case(case("right"), saved(), lease=second[1])
    (group,) = groups(store)
    assert (group.case, group.state, group.title) == ("right", GroupState.READY, "Brute force on ssh")
    assert store.verify_audit() == ()


@pytest.mark.parametrize("host", [socket.gethostname(), f"{socket.gethostname()}-0123456789ab"])
def test_a_host_of_the_same_name_is_another_host(store: Store, host: str):
    hand(store, alert("a"))
    assert store.queue().take(f"{host}/{2**22 + 1}/x") is not None
    assert store.queue().take(owner_name("y")) is None, "of a process of another host nobody here can tell"


def test_the_job_of_a_dead_process_is_free_at_once(store: Store):
    hand(store, alert("a"))
    dead = owner_name("x").split("/")
    assert store.queue().take(f"{dead[0]}/{2**22 + 1}/x") is not None
    again = store.queue().take(owner_name("y"))
    assert again is not None
    assert again[0].attempts == 2


def test_too_many_attempts_make_a_dead_letter_that_can_be_retried(store: Store, clock: Clock):
    hand(store, alert("a"))
    for _ in range(2):
        assert store.queue().take("elsewhere/1/x") is not None
        clock.passes(store, hours=1)
    assert store.queue().take("elsewhere/1/x") is None
    (job,) = store.cleared(Marking.RED).jobs(JobState.DEAD, 10).rows
    assert "given up" in job.reason
    assert groups(store)[0].state is GroupState.FAILED
    store.queue().retry("ada", job.number)
    assert store.queue().take("elsewhere/1/x") is not None
    with pytest.raises(WrongUsage):
        store.queue().retry("ada", job.number)


def test_a_clock_that_is_put_back_or_forward_loses_no_job(store: Store, clock: Clock):
    hand(store, alert("a"), alert("b", "later"))
    first = store.queue().take("elsewhere/1/x")
    clock.time -= timedelta(days=3)
    taken = [one for one in (store.queue().take(owner_name(name)) for name in "yzz") if one is not None]
    assert first is not None
    if store._database.kind.shared:
        assert [job.number for job, _lease in taken] == [3 - first[0].number], "the server's clock did not move"
    else:
        assert {job.number for job, _lease in taken} == {1, 2}, "nobody waits three days for a lease to run out"
    for days in (-10, 30):
        clock.time += timedelta(days=days)
        assert store.queue().renew(taken[0][1])
    store.save_case(case(), saved(), lease=taken[0][1])
    assert store.verify_audit() == ()


def test_a_worker_that_was_silent_keeps_what_nobody_took(store: Store, clock: Clock):
    hand(store, alert("a"))
    taken = store.queue().take("elsewhere/1/x")
    assert taken is not None
    clock.passes(store, hours=1)
    store.save_case(case(), saved(), lease=taken[1])
    assert store.queue().take("elsewhere/2/y") is None
    assert store.queue().counts()["done"] == 1


def test_jobs_are_taken_once_however_many_ask(store: Store):
    hand(store, *(alert(str(number), f"rule {number}", number % 6 + 1) for number in range(24)))
    with ThreadPoolExecutor(4) as threads:
        taken = list(threads.map(lambda number: store.queue().take(owner_name(f"w{number}")), range(26)))
    numbers = [one[0].number for one in taken if one is not None]
    assert len(numbers) == len(set(numbers)) == 24


def test_a_job_that_ends_leaves_nothing_to_take(store: Store):
    hand(store, *(alert(rule, rule) for rule in "abc"))
    for number in range(3):
        taken = store.queue().take(owner_name("a"))
        assert taken is not None
        if number == 2:
            store.queue().fail(taken[1], "no\x00t readable")
        else:
            store.save_case(case(f"c{number}"), saved(), lease=taken[1])
    assert store.queue().take(owner_name("a")) is None
    assert store.queue().counts() == {"done": 2, "dead": 1, "groups": 3}
    if store._database.kind.shared:
        with store._database.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM procrastinate_jobs").scalar_one() == 0


def test_a_released_job_costs_no_attempt(store: Store):
    hand(store, alert("a"))
    taken = store.queue().take(owner_name("a"))
    assert taken is not None
    store.queue().release(taken[1])
    again = store.queue().take(owner_name("a"))
    assert again is not None
    assert again[0].attempts == 1


def test_a_review_shows_in_the_group(store: Store):
    hand(store, alert("a"))
    taken = store.queue().take(owner_name("a"))
    assert taken is not None
    store.save_case(case(), saved(), lease=taken[1])
    before = groups(store)[0].changed
    store.add_review(reviewed(case()), 1, saved("ada"))
    (group,) = groups(store)
    assert (group.state, group.disposition) == (GroupState.CLOSED, "false-positive")
    assert group.changed > before
    assert store.cleared(Marking.RED).count_groups(GroupQuery()) == 0


def test_all_changes_of_one_delivery_come_in_one_page(store: Store):
    hand(store, *(alert("a", str(number)) for number in range(30)))
    hand(store, alert("b", "later"))
    seen = store.cleared(Marking.RED)
    assert len(seen.changed_since(0, 10)) == 30
    assert len(seen.changed_since(seen.changed_since(0, 10)[-1].changed, 10)) == 1


def test_an_account_is_made_once_and_its_rights_are_those_of_its_role(store: Store):
    people = store.people()
    people.add("root", "Ada", Role.READER, Marking.GREEN, None)
    for wrong in ("ada", "casemate", "a b", "", "x" * 65, "a\nb"):
        with pytest.raises(WrongUsage):
            people.add("root", wrong, Role.READER, Marking.GREEN, None)
    person = people.bearer(people.add_token("root", "Ada", "t", list(Right)))
    assert person is not None
    assert person.rights == {Right.READ, Right.SELF}
    people.change("root", "Ada", role=Role.ANALYST, clearance=Marking.RED)
    assert [(account.role, account.clearance) for account in people.accounts()] == [(Role.ANALYST, Marking.RED)]


def test_a_session_rotates_idles_out_and_ends(store: Store, clock: Clock):
    people = store.people()
    people.add("root", "ada", Role.READER, Marking.GREEN, "x")
    value, _session = people.sign_in("ada")
    assert people.session(value) is not None
    clock.time += timedelta(minutes=31)
    rotated = people.session(value)
    assert rotated is not None
    assert rotated.fresh
    assert people.session(value) is not None, "requests under way still carry the old value"
    clock.time += timedelta(minutes=2)
    assert people.session(value) is None
    assert people.session(rotated.fresh) is not None
    clock.time += timedelta(hours=9)
    assert people.session(rotated.fresh) is None


def test_a_token_expires(store: Store, clock: Clock):
    store.people().add("root", "ada", Role.READER, Marking.GREEN, None)
    value = store.people().add_token("root", "ada", "t", list(Right), days=1)
    assert store.people().bearer(value) is not None
    clock.time += timedelta(days=2)
    assert store.people().bearer(value) is None


def test_two_servers_that_were_sent_the_same_request_store_it_once(store: Store, url: str):
    def begun(line: int) -> Delivery:
        lines = tuple(alert(f"line {number}") for number in range(line, line + 2))
        done = Resumable("sensor", "key", line + 2, digest_bytes(b"%d" % line))
        return Delivery("sensor", Marking.GREEN, "", True, lines, done)

    with Store.open(url) as other:
        assert other.queue().resumable("sensor", "key") is None
        store.queue().receive([begun(0)])
        with pytest.raises(InConflict, match="another server"):
            other.queue().receive([begun(0)])
        other.queue().receive([begun(2)])
        with pytest.raises(InConflict):
            store.queue().receive([begun(2)])
        with pytest.raises(InConflict):
            store.queue().receive([begun(6)])
    assert sum(group.count for group in groups(store)) == 4
    found = store.queue().resumable("sensor", "key")
    assert found is not None
    assert found.lines == 4


def test_an_attempt_that_failed_is_made_again_and_the_last_one_leaves_its_reason(store: Store):
    hand(store, alert("a"))
    for attempt, again in ((1, True), (2, False)):
        taken = store.queue().take(owner_name("a"))
        assert taken is not None
        assert taken[0].attempts == attempt
        assert store.queue().try_again(taken[1], "text 7 is damaged") is again
        with pytest.raises(LeaseLost):
            store.queue().try_again(taken[1], "late")
    assert store.queue().take(owner_name("a")) is None
    (job,) = store.cleared(Marking.RED).jobs(JobState.DEAD, 10).rows
    assert job.reason == "text 7 is damaged"
    assert store.verify_audit() == ()


HOST = st.sampled_from(["", host_name(), "elsewhere"])
PROCESS = st.one_of(st.text(max_size=12), st.integers(-5, 10**30).map(str), st.sampled_from(["²", "٣", "9" * 5000]))


@given(host=HOST, process=PROCESS, rest=st.sampled_from(["", "/", "/x", "/x/y"]))
def test_any_name_of_an_owner_is_read_and_one_that_is_not_ours_is_not_dead(host: str, process: str, rest: str):
    for owner in (f"{host}/{process}{rest}", host + process, None):
        dead = is_dead(owner)
        assert not dead or (owner or "").startswith(f"{host_name()}/")


def test_a_process_that_lives_is_not_dead_and_one_that_ended_is():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert is_dead(f"{host_name()}/{ended.pid}/x")
    assert not is_dead(owner_name("x"))
    assert not is_dead(f"elsewhere/{ended.pid}/x")


def test_a_job_of_an_owner_that_no_casemate_named_is_free_when_its_lease_is_over(store: Store, clock: Clock):
    hand(store, alert("a"))
    taken = store.queue().take(f"{host_name()}/no number/x")
    assert taken is not None
    assert store.queue().take(owner_name("y")) is None
    clock.passes(store, hours=1)
    assert store.queue().take(owner_name("y")) is not None
