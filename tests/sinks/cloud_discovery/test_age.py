"""Which lines are too old for Cloud Discovery."""

from datetime import UTC, datetime, timedelta

import pytest

from formats.lines import Lines
from nss.sinks.cloud_discovery.age import AgeLimit

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def line(moment: datetime, zone: str = "GMT") -> bytes:
    return (
        f"LEEF:1.0|Z|N|1|x|cat=Allowed\tdevTime={moment:%b %d %Y %H:%M:%S} {zone}\tsrc=1".encode()
    )


def within(*lines: bytes) -> int:
    return AgeLimit(NOW.timestamp).within(Lines.of(lines))


def test_ninety_days_and_no_second_more() -> None:
    edge = NOW - timedelta(days=90)
    assert within(line(edge)) == 1
    assert within(line(edge - timedelta(seconds=1))) == 0


def test_those_before_the_first_old_one_pass() -> None:
    old = NOW - timedelta(days=400)
    assert within(line(NOW), line(NOW), line(old), line(NOW)) == 2


def test_lines_without_a_time_hide_none_of_those_behind_them() -> None:
    old = line(NOW - timedelta(days=400))
    assert within(b"no time", line(NOW), b"none either", old) == 3


@pytest.mark.parametrize(
    "old",
    [
        b"cat=x\tdevTime=Jan 01 2020 00:00:00 GMT\tsrc=1\tdst=2\turl=e.com",
        b"cat=x\tdevTime=Jan 01 2020 00:00:00 GMT",
        b"\tdevTime=Jan 01 2020 00:00:00 GMT\tsrc=1",
    ],
)
def test_the_time_may_stand_anywhere(old: bytes) -> None:
    assert within(line(NOW), old) == 1


def test_the_zone_counts() -> None:
    moment = NOW - timedelta(days=90) - timedelta(hours=1)
    assert [within(line(moment, zone)) for zone in ("GMT", "+0200", "-0200")] == [0, 0, 1]


@pytest.mark.parametrize(
    "other",
    [
        *(
            b"",
            b"no time at all",
            b"cat=x\tdevTime=\tsrc=1",
            b"cat=x\tdevTime=Foo 99 2026 xx\tsrc=1",
        ),
        *(b"cat=x\tdevTime=\xff\xfe\tsrc=1", b"cat=x\tdevTime=Nov 24 2026 12:00:00 \xff"),
    ],
)
def test_a_line_whose_time_is_not_known_passes(other: bytes) -> None:
    assert within(other) == 1


@pytest.mark.parametrize("zone", ["GMT", "+1400", "-1200"])
def test_the_first_and_the_last_day_there_are_have_an_age(zone: str) -> None:
    assert within(f"cat=x\tdevTime=Jan 01 0001 00:00:00 {zone}".encode()) == 0
    assert within(f"cat=x\tdevTime=Dec 31 9999 23:59:59 {zone}".encode()) == 1


def test_of_two_times_in_a_line_the_first_counts() -> None:
    assert within(line(NOW) + b"\tdevTime=Jan 01 2020 00:00:00 GMT") == 1


def test_what_is_known_of_a_time_holds_for_less_than_a_minute() -> None:
    at = [NOW.timestamp()]
    limit = AgeLimit(lambda: at[0])
    edge = [line(NOW - timedelta(days=90))]
    assert limit.within(Lines.of(edge)) == 1
    at[0] += 60
    assert limit.within(Lines.of(edge)) == 0


def test_a_clock_that_was_set_back_is_believed() -> None:
    at = [NOW.timestamp()]
    limit = AgeLimit(lambda: at[0])
    old = [line(NOW - timedelta(days=90, seconds=30))]
    assert limit.within(Lines.of(old)) == 0
    at[0] -= 40
    assert limit.within(Lines.of(old)) == 1


def test_many_different_times_are_all_judged() -> None:
    limit = AgeLimit(NOW.timestamp)
    old = NOW - timedelta(days=90)
    young = [line(old + timedelta(seconds=number)) for number in range(60_000)]
    assert limit.within(Lines.of(young)) == len(young)
    assert limit.within(Lines.of([line(old - timedelta(seconds=1))])) == 0


def test_what_was_young_is_old_some_time_later() -> None:
    at = [NOW.timestamp()]
    limit = AgeLimit(lambda: at[0])
    lines = [line(NOW - timedelta(days=90))]
    found = []
    for _ in range(3):
        found.append(limit.within(Lines.of(lines)))
        at[0] += 40
    assert found == [1, 1, 0]
