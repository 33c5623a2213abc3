from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.stages.ingest.times import clf_time, ctime_time, rfc3164_time, time_of

NOW = datetime(2024, 3, 10, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2020-03-04T13:55:05.224939+0000", datetime(2020, 3, 4, 13, 55, 5, 224939, UTC)),
        ("2023-07-10T12:11:15Z", datetime(2023, 7, 10, 12, 11, 15, tzinfo=UTC)),
        ("2022-01-26T09:14:08.3145568Z", datetime(2022, 1, 26, 9, 14, 8, 314556, UTC)),
        ("2022-01-26 09:14:08,314", datetime(2022, 1, 26, 9, 14, 8, 314000, UTC)),
        ("2024-01-01T02:00:00+02:00", datetime(2024, 1, 1, 0, 0, tzinfo=UTC)),
        ("2017-06-07", datetime(2017, 6, 7, tzinfo=UTC)),
        (1_700_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (1_700_000_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("1700000000", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("10/Oct/2000:13:55:36 -0700", datetime(2000, 10, 10, 20, 55, 36, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_utc(written: object, meant: datetime) -> None:
    assert time_of(written) == meant


@pytest.mark.parametrize("odd", ["", "never", "2024-13-45", True, None, [], {}, 1e300, "1" * 400, float("nan")])
def test_what_is_no_time_is_none(odd: object) -> None:
    assert time_of(odd) is None


def test_a_line_without_a_year_is_the_latest_that_is_not_in_the_future() -> None:
    assert rfc3164_time("Mar  9 01:02:03", NOW) == datetime(2024, 3, 9, 1, 2, 3, tzinfo=UTC)
    assert rfc3164_time("Dec 31 23:59:59", NOW) == datetime(2023, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert rfc3164_time("Mar 11 01:00:00", NOW) == datetime(2024, 3, 11, 1, tzinfo=UTC)  # a sender's zone may be ahead


def test_the_29_february_waits_for_a_leap_year() -> None:
    assert rfc3164_time("Feb 29 00:00:00", datetime(2023, 5, 1, tzinfo=UTC)) == datetime(2020, 2, 29, tzinfo=UTC)


def test_a_new_year_far_ahead_of_now_is_last_year() -> None:
    assert rfc3164_time("Jan  1 00:00:10", datetime(2023, 12, 31, 23, 0, tzinfo=UTC)) == datetime(
        2024, 1, 1, 0, 0, 10, tzinfo=UTC
    )


def test_ctime_and_common_log_times() -> None:
    assert ctime_time("Sun Dec 04 04:47:44 2005") == datetime(2005, 12, 4, 4, 47, 44, tzinfo=UTC)
    assert clf_time("32/Foo/2000:00:00:00 +0000") is None


@settings(max_examples=100)
@given(st.one_of(st.text(max_size=80), st.floats(), st.integers(), st.none(), st.lists(st.integers(), max_size=2)))
def test_no_value_raises(value: object) -> None:
    found = time_of(value)
    assert found is None or found.tzinfo is UTC


@settings(max_examples=100)
@given(st.datetimes(timezones=st.just(UTC)))
def test_iso_times_survive(moment: datetime) -> None:
    assert time_of(moment.isoformat()) == moment
