"""Events as they are declared: what a call of one writes and counts."""

import logging
from collections.abc import Iterator
from logging import ERROR, INFO, WARNING

import pytest

from nss.telemetry import events
from nss.telemetry.counters import Counter
from nss.telemetry.events import count, counters, event, report_held_back


@pytest.fixture(autouse=True)
def _only_here() -> Iterator[None]:
    events.clear()
    before = events.declared[:]
    yield
    events.declared[:] = before
    events.clear()


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "nss")
    return caplog


def lines(written: pytest.LogCaptureFixture) -> list[tuple[object, ...]]:
    return [
        (
            record.levelno,
            *(record.__dict__[key] for key in ("event", "component", "message", "facts")),
        )
        for record in written.records
    ]


def test_a_call_writes_the_sentence_with_the_parameters_as_fields_and_counts(
    written: pytest.LogCaptureFixture,
) -> None:
    @event(ERROR, Counter.SINK_FAILURES)
    def it_broke(feed: str, reason: str, bytes_: int = 7, *, again: bool) -> None:
        """It broke,
        and that is bad.

        This is for readers of the code only.
        """

    it_broke("mcas", again=True, reason="100%")

    facts = {"reason": "100%", "bytes": 7, "again": True}
    assert lines(written) == [(ERROR, "it_broke", "mcas", "It broke, and that is bad.", facts)]
    assert counters == {("sink_failures", "mcas"): 1}


def test_what_it_is_called_and_about_can_be_declared(written: pytest.LogCaptureFixture) -> None:
    @event(INFO, name="spool_works", component="spool")
    def works() -> None:
        """The spool works."""

    @event(INFO)
    def ended(kind: str, part: str, reason: str) -> None:
        """The {kind} ended."""

    works()
    ended("feed", "mcas", "a fault")

    assert lines(written) == [
        (INFO, "spool_works", "spool", "The spool works.", {}),
        (INFO, "ended", "mcas", "The feed ended.", {"reason": "a fault"}),
    ]
    assert not counters


def test_counters_move_by_a_parameter_and_in_the_body() -> None:
    @event(WARNING, Counter.SINK_RESENT, amount="lines")
    def resent(feed: str, lines: int) -> None:
        """Lines were sent again."""
        count(Counter.UPLOAD_BYTES, feed, 10 * lines)

    resent("mcas", 3)
    resent(lines=4, feed="mcas")

    assert counters == {("sink_resent", "mcas"): 7, ("upload_bytes", "mcas"): 70}


def test_repetitions_of_one_sort_are_held_back_and_counted(
    written: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    @event(WARNING, Counter.UPLOAD_STOPS)
    def stopped(feed: str, reason: str) -> str:  # noqa: ARG001 - the component
        """Uploads stopped."""
        return reason

    for reason in ("a", "b", "a", "a"):
        stopped("mcas", reason)
    report_held_back()
    stopped("mcas", "a")
    stopped("mcas", "a")
    monkeypatch.setattr(events, "QUIET_SECS", 0.0)
    events._held["stopped", "mcas", "a"].until = 0.0
    stopped("mcas", "a")

    assert [facts for *_, facts in lines(written)] == [
        {"reason": "a"},
        {"reason": "b"},
        {"of": "stopped", "sort": "a", "held_back": 2},
        {"reason": "a"},
        {"reason": "a", "held_back": 1},
    ]
    assert counters["upload_stops", "mcas"] == 7


def test_what_is_always_reported_is_never_held_back(written: pytest.LogCaptureFixture) -> None:
    @event(INFO, always=True)
    def asked(source: str) -> None:
        """Somebody asked."""

    for _ in range(3):
        asked("web")

    assert len(lines(written)) == 3


def test_no_more_kinds_are_remembered_than_allowed_and_none_is_lost(
    written: pytest.LogCaptureFixture,
) -> None:
    @event(INFO)
    def seen(source: str) -> None:
        """Something was seen."""

    seen("first")
    for number in range(events.MAX_HELD):
        seen("first")
        seen(f"s{number}")

    assert len(events._held) <= events.MAX_HELD
    held = [facts for _, name, component, _, facts in lines(written) if name == "held_back"]
    assert held == [{"of": "seen", "sort": "", "held_back": events.MAX_HELD}]


def test_a_call_that_does_not_fit_the_declaration_is_an_error() -> None:
    @event(INFO, Counter.UPLOADS)
    def seen(source: str, number: int) -> None:
        """Something was seen."""

    with pytest.raises(TypeError):
        seen("web", 1, 2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        seen("web", nr=1)  # type: ignore[call-arg]
    assert not counters
