"""The log: one line an event, whatever is in its facts."""

import io
import logging
from collections.abc import Iterator

import orjson
import pytest

from nss.errors import unplanned
from nss.feeds import events as feed_events
from nss.service import events
from nss.telemetry import events as telemetry
from nss.telemetry import logs


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    telemetry.clear()
    log = logging.getLogger("nss")
    before = log.handlers[:], log.level, log.propagate
    yield
    log.handlers[:], log.level, log.propagate = before
    telemetry.clear()


HOSTILE = "a\nforged line\x1b[31m \udcff"


def test_hostile_facts_stay_on_their_line_of_text() -> None:
    stream = io.StringIO()
    logs.configure("text", "info", stream)

    events.reload_refused("/etc/nss/nss.toml", HOSTILE)

    line = stream.getvalue()
    stamp, _, rest = line.partition(" ")
    assert len(stamp) == len("2026-01-02T03:04:05.678Z")
    assert rest == (
        "warning service: The configuration was not reloaded; the old one stays. "
        r'path=/etc/nss/nss.toml why="a\nforged line\u001b[31m \udcff"' + "\n"
    )


@pytest.mark.parametrize("reason", [HOSTILE, "plain", "größer"])
def test_hostile_facts_stay_on_their_line_of_json(reason: str) -> None:
    stream = io.StringIO()
    logs.configure("json", "info", stream)

    events.reload_refused("/etc/nss/nss.toml", reason)

    assert stream.getvalue().count("\n") == 1
    entry = orjson.loads(stream.getvalue())
    assert (entry["level"], entry["event"]) == ("warning", "reload_refused")
    assert entry["why"] == reason.replace("\udcff", r"\udcff")


def test_a_level_keeps_what_is_below_it_out() -> None:
    stream = io.StringIO()
    logs.configure("json", "error", stream)

    events.service_started(1, 1)
    events.service_stopped(3, durable=False)

    assert [orjson.loads(line)["event"] for line in stream.getvalue().splitlines()] == [
        "service_stopped"
    ]


def test_what_people_do_is_reported_each_time_and_what_records_do_is_held_back() -> None:
    stream = io.StringIO()
    logs.configure("json", "info", stream)

    for _ in range(3):
        events.configuration_reloaded("/etc/nss/nss.toml", ended=["feed a"], started=["feed a"])
        feed_events.record_rejected("mcas", "web", "JSON is truncated", 0, 10)

    names = [orjson.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert (names.count("configuration_reloaded"), names.count("record_rejected")) == (3, 1)
    assert telemetry.counters["records_rejected", "mcas"] == 3


def test_reloads_that_come_to_the_same_again_are_held_back() -> None:
    stream = io.StringIO()
    logs.configure("json", "info", stream)

    for reason in ("not TOML", "not TOML", "no such file", "not TOML"):
        events.reload_refused("/etc/nss/nss.toml", reason)
        events.configuration_reloaded("/etc/nss/nss.toml", ended=[], started=[])

    found = [orjson.loads(line) for line in stream.getvalue().splitlines()]
    assert [(entry["event"], entry.get("why")) for entry in found] == [
        ("reload_refused", "not TOML"),
        ("configuration_reloaded", None),
        ("reload_refused", "no such file"),
    ]
    assert telemetry.counters["reloads_refused", "service"] == 4


def test_an_unplanned_error_is_reported_by_its_kind_and_place_only() -> None:
    try:
        b"private \xff".decode()
    except UnicodeDecodeError as error:
        reason = unplanned(error)

    assert reason.startswith("unplanned UnicodeDecodeError (test_logs.py:")
    assert "private" not in reason
