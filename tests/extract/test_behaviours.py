"""What only shows when records are counted together, and what must not be made of a few of them."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from casemate.core.event import Event
from casemate.stages.extract.behaviours import GUESSING_FAILURES, SCAN_ERRORS, TITLES, Behaviours

START = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)


def logon(number: int, status: str, source: str = "198.51.100.23", user: str = "root") -> Event:
    fields = (("src_endpoint.ip", source), ("user.name", user), ("status", status))
    time = START + timedelta(seconds=number)
    return Event(0, number * 10, number * 10 + 9, "sshd", time, "log-on", "", fields=fields)


def request(number: int, code: str, path: str, agent: str = "Mozilla/5.0") -> Event:
    fields = (
        ("src_endpoint.ip", "203.0.113.77"),
        ("http_response.code", code),
        ("http_request.url", path),
        ("http_request.user_agent", agent),
    )
    return Event(0, number, number + 1, "web-access", START, "GET", "", fields=fields)


def windows(rule: str, **fields: str) -> Event:
    named = tuple((name.replace("__", "."), value) for name, value in fields.items())
    return Event(0, 0, 9, "windows-event", START, rule, fields.pop("message", ""), fields=named)


def found_in(events: list[Event]) -> dict[str, int]:
    behaviours = Behaviours()
    for event in events:
        behaviours.see(event)
    return {behaviour.kind: behaviour.count for behaviour in behaviours.found()}


def test_a_forgotten_password_is_no_guessing():
    assert found_in([logon(number, "Failure") for number in range(GUESSING_FAILURES - 1)]) == {}


def test_guessing_is_counted_with_its_source_accounts_and_times():
    behaviours = Behaviours()
    for number in range(30):
        behaviours.see(logon(number, "Failure", user=f"user{number % 6}"))
    (found,) = behaviours.found()
    assert (found.kind, found.entity, found.target, found.count) == (
        "password-guessing", "198.51.100.23", "6 accounts", 30,
    )  # fmt: skip
    assert (found.first, found.last) == (START, START + timedelta(seconds=29))
    assert found.records[0] == (0, 0, 9)


def test_a_success_after_guessing_is_graver_than_the_guessing():
    behaviours = Behaviours()
    for number in range(10):
        behaviours.see(logon(number, "Failure"))
    behaviours.see(logon(11, "Success", user="nightly"))
    first, second = behaviours.found()
    assert (first.kind, first.target, first.severity) == ("guessing-succeeded", "nightly", 5)
    assert first.records[0] == (0, 110, 119)
    assert second.kind == "password-guessing"


def test_a_success_from_elsewhere_or_before_the_guessing_is_not_tied_to_it():
    events = [logon(0, "Success"), *(logon(number, "Failure") for number in range(1, 10))]
    events.append(logon(20, "Success", source="192.0.2.44"))
    assert set(found_in(events)) == {"password-guessing"}


def test_many_different_errors_are_a_scan_and_a_broken_link_is_not():
    scan = [request(number, "404", f"/{number}") for number in range(SCAN_ERRORS)]
    broken = [request(number, "404", "/same") for number in range(500)]
    assert found_in(scan) == {"web-scan": SCAN_ERRORS}
    assert found_in(broken) == {}


def test_a_scanner_that_names_itself_is_found_at_once():
    assert found_in([request(1, "200", "/", agent="sqlmap/1.8")]) == {"web-scan": 1}


def test_windows_events_that_matter_alone():
    assert found_in([windows("1102 The audit log was cleared", actor__user__name="eve")]) == {"log-cleared": 1}
    assert found_in([windows("7045 A service was installed", device__hostname="pc1")]) == {"service-installed": 1}
    assert found_in([windows("4634 An account was logged off")]) == {}


@given(st.lists(st.tuples(st.sampled_from(["Failure", "Success", ""]), st.sampled_from(["a", "b", ""])), max_size=60))
def test_every_behaviour_has_a_title_and_cites_records_it_was_counted_over(steps: list[tuple[str, str]]):
    behaviours = Behaviours()
    for number, (status, source) in enumerate(steps):
        behaviours.see(logon(number, status, source=source))
    for found in behaviours.found():
        assert found.kind in TITLES
        assert found.records
        assert all(0 <= start < end <= len(steps) * 10 for _, start, end in found.records)
