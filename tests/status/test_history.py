"""Numbers over time: slots of the wall clock, gaps, clocks that are set, parts that come and go."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from nss.status.history import MAX_COMPONENTS, History, Series, Span
from nss.status.summary import Status
from tests.admin.conftest import FEED, SOURCE, STATUS

NOW = 1_790_000_040.0
"""The beginning of a step of both spans."""

FEED_NAME, SOURCE_NAME = "feed mcas", "source web"


def status(
    at: float, rate: float = 0.0, lag: float = 0.0, pending: int = 0, names: Sequence[str] = ()
) -> Status:
    """Return a status of one source and one feed, or of feeds with these names."""
    feed = replace(FEED, records_per_sec=rate, lag_secs=lag, pending=pending)
    source = replace(SOURCE, records_per_sec=rate)
    feeds = tuple(replace(feed, name=name) for name in names or ("mcas",))
    return replace(STATUS, at=at, sources=(source,), feeds=feeds)


def watched(history: History, begin: float, secs: int, rate: float = 7.0) -> History:
    """Add a status a second."""
    for second in range(secs):
        history.add(status(begin + second, rate))
    return history


def rates(history: History, component: str = FEED_NAME, span: Span = "15m") -> dict[int, float]:
    """Return the rates that are known, by their distance from `NOW` in seconds."""
    series = history.series(component, span)
    pairs = zip(series.at, series.values["records_per_sec"], strict=True)
    return {at - int(NOW): rate for at, rate in pairs if rate is not None}


def test_the_first_look_is_the_last_of_180_points() -> None:
    history = History()
    history.add(status(NOW + 4, 100.0, 1.5, 20))

    series = history.series(FEED_NAME, "15m")

    assert series == Series(
        component=FEED_NAME,
        span="15m",
        step_secs=5,
        at=[int(NOW) - 5 * back for back in range(179, -1, -1)],
        values={
            "records_per_sec": [None] * 179 + [100.0],
            "lag_secs": [None] * 179 + [1.5],
            "pending": [None] * 179 + [20.0],
        },
    )


def test_a_source_has_a_rate_alone() -> None:
    history = History()
    history.add(status(NOW, 100.0))
    assert set(history.series(SOURCE_NAME, "15m").values) == {"records_per_sec"}
    assert rates(history, SOURCE_NAME, "24h") == {0: 100.0}


@pytest.mark.parametrize(("span", "looks"), [("15m", 5), ("24h", 120)])
def test_a_point_is_the_mean_of_rates_and_the_most_of_lag_and_pending(
    span: Span, looks: int
) -> None:
    history = History()
    for look in range(looks):
        history.add(status(NOW + look, 10.0 * look, 100.0 - look, look % 3))

    values = history.series(FEED_NAME, span).values

    assert values["records_per_sec"][-1] == pytest.approx(10.0 * (looks - 1) / 2)
    assert (values["lag_secs"][-1], values["pending"][-1]) == (100.0, 2.0)


def test_the_long_span_has_720_points_of_two_minutes() -> None:
    history = watched(History(), NOW, 360)
    series = history.series(FEED_NAME, "24h")
    assert (len(series.at), series.step_secs, series.at[-1]) == (720, 120, int(NOW) + 240)
    assert rates(history, span="24h") == {0: 7.0, 120: 7.0, 240: 7.0}


def test_what_nobody_looked_at_is_a_gap() -> None:
    history = watched(History(), NOW, 5)
    history.add(status(NOW + 60, 9.0))
    assert rates(history) == {0: 7.0, 60: 9.0}
    history.add(status(NOW + 890, 1.0))
    assert rates(history) == {0: 7.0, 60: 9.0, 890: 1.0}


def test_what_is_older_than_the_span_is_gone_whether_overwritten_or_not() -> None:
    history = watched(History(), NOW, 10)
    history.add(status(NOW + 900, 9.0))  # the place of the first step
    assert rates(history) == {5: 7.0, 900: 9.0}
    history.add(status(NOW + 5000, 9.0))
    assert rates(history) == {5000: 9.0}


def test_a_clock_that_was_set_forward_for_a_while_spoils_no_more_than_it_overwrites() -> None:
    history = watched(History(), NOW, 20)
    history.add(status(NOW + 1e7 * 900, 5.0))
    assert len(rates(history)) == 1
    history.add(status(NOW + 20, 9.0))
    assert rates(history) == {5: 7.0, 10: 7.0, 15: 7.0, 20: 9.0}


def test_what_is_in_the_future_of_a_clock_that_was_set_back_is_dropped() -> None:
    history = watched(History(), NOW, 60)
    history.add(status(NOW + 10, 9.0))
    assert rates(history) == {0: 7.0, 5: 7.0, 10: 8.0}
    history.add(status(NOW + 40, 9.0))
    assert rates(history) == {0: 7.0, 5: 7.0, 10: 8.0, 40: 9.0}


@pytest.mark.parametrize("at", [0.0, -1e9, 1e12])
def test_a_time_that_can_not_be_is_no_look(at: float) -> None:
    history = watched(History(), NOW, 1)
    history.add(status(at, 9.0))
    assert rates(history) == {0: 7.0}


def test_of_a_part_that_is_not_known_there_are_gaps_and_before_the_first_look_nothing() -> None:
    history = History()
    assert history.series("feed x", "15m").at == []
    history.add(status(NOW))
    series = history.series("feed x", "15m")
    assert series.values == {
        name: [None] * 180 for name in ("records_per_sec", "lag_secs", "pending")
    }


def test_a_part_that_is_new_in_the_middle_of_a_step_has_the_mean_of_its_own_looks() -> None:
    history = History()
    history.add(status(NOW, 1.0))
    history.add(status(NOW + 1, 100.0, names=("mcas", "new")))
    history.add(status(NOW + 2, 50.0, names=("mcas", "new")))
    assert rates(history, "feed new") == {0: 75.0}


def test_a_part_that_is_gone_is_known_for_a_day() -> None:
    history = watched(History(), NOW, 5)
    history.add(status(NOW + 80_000, names=("other",)))
    assert FEED_NAME in history.seen
    assert rates(history, span="24h") == {0: 7.0}
    history.add(status(NOW + 90_000, names=("other",)))
    assert set(history.seen) == {"feed other", SOURCE_NAME}
    assert {*history.rings["24h"].parts, *history.rings["15m"].parts} == set(history.seen)


def test_a_part_last_seen_in_the_future_is_forgotten_a_day_from_now() -> None:
    history = watched(History(), NOW + 1e6, 1)
    history.add(status(NOW, names=("other",)))
    history.add(status(NOW + 90_000, names=("other",)))
    assert FEED_NAME not in history.seen


def test_the_parts_that_are_kept_are_those_configured_and_those_last_seen() -> None:
    history = History()
    for number in range(MAX_COMPONENTS + 10):
        history.add(status(NOW + number, names=(f"feed{number}",)))
    assert len(history.seen) == MAX_COMPONENTS
    assert "feed feed10" not in history.seen
    assert f"feed feed{MAX_COMPONENTS + 9}" in history.seen

    many = [f"many{number}" for number in range(MAX_COMPONENTS + 10)]
    history.add(status(NOW + 300, 3.0, names=many))
    history.add(status(NOW + 301, 3.0, names=many))
    assert len(history.seen) == MAX_COMPONENTS
    assert rates(history, "feed many7") == {300: 3.0}
    assert rates(history, f"feed many{MAX_COMPONENTS + 9}") == {}
