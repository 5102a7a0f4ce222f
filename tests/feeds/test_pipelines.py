"""What is remembered of senders: their form, of a bounded number, and no more than that."""

import orjson
import pytest

from formats import language
from formats.pipeline import FeedSettings
from formats.reading import Input
from formats.reading.json import json_names
from formats.reading.recognise import recognise
from nss.feeds import pipelines
from nss.feeds.pipelines import MAX_SENDERS, Origin, Pipelines
from nss.telemetry import events

FORMAT = language.parse("%s{login} %s{eurl}")
RECORD = orjson.dumps({"time": "2023-10-06 09:05:08", "login": "ann", "eurl": "a.example/"}) + b"\n"
"""In the names of fields: read in the form that is recognised."""


@pytest.fixture(autouse=True)
def _fresh_telemetry() -> None:
    events.clear()


def made(known: Input | None = None) -> Pipelines:
    return Pipelines("feed", {"web": Origin(known, FeedSettings(FORMAT))})


def test_of_any_number_of_senders_only_so_many_are_remembered() -> None:
    feed = made(json_names())
    compiled = set()
    for number in range(2 * MAX_SENDERS + 10):
        pipeline, rendered = feed.render(("web", f"192.0.2.1:{number}"), RECORD)
        assert rendered.lines == [b"ann a.example/"]
        compiled.add(id(pipeline))
        assert 1 <= len(feed._of_sender) <= MAX_SENDERS
    assert len(feed._of_sender) == 10
    assert (len(compiled), len(feed._compiled)) == (1, 1)


def test_a_sender_that_was_forgotten_is_recognised_again() -> None:
    feed = made()
    first, _ = feed.render(("web", "first"), RECORD)
    feed._of_sender.clear()
    pipeline, rendered = feed.render(("web", "first"), RECORD)
    assert (pipeline, list(rendered.lines)) == (first, [b"ann a.example/"])


def test_a_sender_whose_records_have_no_known_form_is_not_remembered() -> None:
    feed = made()
    for number in range(10):
        pipeline, rendered = feed.render(("web", str(number)), b"no record")
        assert (pipeline, len(rendered.bad)) == (None, 1)
    assert feed._of_sender == {}


@pytest.mark.parametrize(
    "junk",
    [16 * [b"# comment"], [b"x" * 200_000], 500 * [b"x"], 100 * [b"\xff\xfe{"]],
)
def test_lines_that_nothing_reads_are_skipped_over_wherever_they_are(junk: list[bytes]) -> None:
    before = b"\n".join(junk) + b"\n"
    for lines in (before + 100 * RECORD, 100 * RECORD + before, RECORD + before + 99 * RECORD):
        _, rendered = made().render(("web", "a"), lines)
        assert rendered.lines == 100 * [b"ann a.example/"]
        assert len(rendered.bad) == len(junk)


def test_what_follows_a_slice_shows_its_form() -> None:
    junk = 30 * b"# comment\n"
    pipeline, rendered = made().render(("web", "a"), junk, memoryview(RECORD))
    assert pipeline is not None
    assert [bad.reason for bad in rendered.bad[:1]] == ["not JSON: invalid character (byte 0)"]
    assert made().render(("web", "a"), junk)[0] is None


def test_a_batch_in_which_nothing_is_recognised_is_looked_at_once() -> None:
    feed = made()
    junk, rest = 100 * b"#\n", 20_000 * b"#\n"
    data = memoryview(junk + rest + RECORD + rest)
    assert feed.render(("web", "a"), junk, data[len(junk) :])[0] is None
    # The record shows the form of the slice, but what was looked at was enough of the batch.
    assert feed.render(("web", "a"), RECORD, data[len(data) - len(rest) :])[0] is None
    assert (
        feed.render(("web", "a"), RECORD, memoryview(RECORD + rest)[len(RECORD) :])[0] is not None
    )


def test_a_slice_that_a_known_form_does_not_read_is_rendered_once() -> None:
    feed = made()
    first, _ = feed.render(("web", "a"), RECORD)
    pipeline, rendered = feed.render(("web", "a"), b"no record\n", memoryview(RECORD))
    assert (pipeline, len(rendered.bad)) == (first, 1)


def test_what_is_looked_at_to_recognise_a_form_is_bounded() -> None:
    feed = made()
    junk = b"x" * (pipelines.LOOK_MAX_BYTES + 1) + b"\n"
    pipeline, rendered = feed.render(("web", "a"), b"y\n", memoryview(junk + RECORD))
    assert pipeline is None
    assert len(rendered.bad) == 1


def test_what_finds_out_a_form_is_made_once_for_all_senders() -> None:
    # It takes a hundred times as long as to use it: senders that come and go would hold up all.
    first, second = recognise(RECORD), recognise(RECORD)
    assert first is second
