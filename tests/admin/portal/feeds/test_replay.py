"""Replay by time: the number beforehand, then the replay."""

import re

import pytest

from nss.admin.portal.pages.feeds.replay import Asked, ask, moment, replayed_sentence
from nss.spool import SpoolError
from tests.admin.conftest import NOW
from tests.admin.portal.feeds.conftest import Browser, PortalOperations

NOW_TEXT = "2026-09-21 14:13:20"
KEPT = (NOW - 1800, NOW)


def hidden(page: str, name: str) -> float:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]+)">', page)
    assert found
    return float(found[1])


async def test_the_number_comes_first_and_the_replay_after_a_confirmation(
    admin: Browser, operations: PortalOperations
) -> None:
    first = await admin.page("/feeds/mcas/replay")
    assert "2026-09-21 13:43:20 UTC" in first
    assert "From (UTC)" in first
    assert "/feeds/mcas/replay?preset=1h" in first
    assert 'name="since" value="1' not in first

    found = await admin.page("/feeds/mcas/replay?since=2026-09-21+14:00&until=2026-09-21+14:10:30")
    since, until = hidden(found, "since"), hidden(found, "until")
    assert (since, until) == (NOW - 800, NOW - 170)
    assert ("replayable", "mcas", since, until) in operations.asked
    assert "12,345 records were accepted from 2026-09-21 14:00:00 UTC" in found
    assert '<details class="confirm">' in found
    assert not [asked for asked in operations.asked if asked[0] == "replay"]

    operations.replayed = 12_000
    done = await admin.post("/feeds/mcas/replay", since=str(since), until=str(until))

    assert ("replay", "mcas", since, until) in operations.asked
    assert "12,000 records accepted from 2026-09-21 14:00:00 UTC to" in done.text
    assert "mcas delivers them again." in done.text
    (entry,) = admin.audited()
    assert {name: entry[name] for name in ("action", "outcome", "feed", "since", "records")} == {
        "action": "replay",
        "outcome": "ok",
        "feed": "mcas",
        "since": "2026-09-21T14:00:00Z",
        "records": 12_000,
    }


async def test_a_preset_reaches_back_from_now(admin: Browser, operations: PortalOperations) -> None:
    page = await admin.page("/feeds/mcas/replay?preset=15m")
    assert hidden(page, "until") - hidden(page, "since") == pytest.approx(900)
    page = await admin.page("/feeds/mcas/replay?preset=all")
    assert hidden(page, "since") == NOW - 1800
    assert hidden(page, "until") >= NOW
    assert operations.asked[-1][0] == "replayable"


async def test_nothing_to_replay_has_no_button(
    admin: Browser, operations: PortalOperations
) -> None:
    operations.replayed = 0
    page = await admin.page("/feeds/mcas/replay?preset=1h")
    assert "Nothing to deliver again from" in page
    assert "confirm" not in page
    answer = await admin.post("/feeds/mcas/replay", since="1", until="2")
    assert "Nothing to deliver again from 1970-01-01 00:00:01 UTC" in answer.text


async def test_a_spool_that_keeps_nothing_says_why(
    admin: Browser, operations: PortalOperations
) -> None:
    operations.range = None
    page = await admin.page("/feeds/mcas/replay")
    assert "Nothing is kept to be delivered again" in page
    operations.feed_error = SpoolError(
        "replay: a spool in memory keeps nothing", tip="set kind in [spool]"
    )
    page = await admin.page("/feeds/mcas/replay")
    assert "a spool in memory keeps nothing" in page
    assert "set kind in [spool]" in page
    assert "Look up" not in page


async def test_nonsense_is_refused_at_its_field(admin: Browser) -> None:
    answer = await admin.get("/feeds/mcas/replay?since=%3Cb%3E&until=2026-09-21+14:00")
    assert answer.status_code == 400
    assert 'value="&lt;b&gt;"' in answer.text
    assert re.search(r'id="f-since-error"[^>]*>not a time', answer.text)
    assert "confirm" not in answer.text


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("", ""),
        ("1", ""),
        ("2", "1"),
        ("1", "1"),
        ("nan", "2"),
        ("1", "inf"),
        ("-inf", "2"),
        ("x", "2"),
    ],
)
async def test_a_replay_of_nonsense_is_refused(
    admin: Browser, operations: PortalOperations, since: str, until: str
) -> None:
    answer = await admin.post("/feeds/mcas/replay", since=since, until=until)
    assert answer.status_code == 400
    assert "must be before the one it ends at" in answer.text
    assert not [asked for asked in operations.asked if asked[0] == "replay"]


async def test_viewers_see_the_number_and_no_button(viewer: Browser) -> None:
    page = await viewer.page("/feeds/mcas/replay?preset=1h")
    assert "12,345 records were accepted" in page
    assert "An administrator can have them delivered again." in page
    assert 'name="since" value="1' not in page


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ({}, Asked()),
        ({"since": " ", "until": ""}, Asked()),
        (
            {"since": "2026-09-21T14:00Z"},
            Asked("2026-09-21T14:00Z", "", NOW - 800, NOW),
        ),
        ({"preset": "nonsense"}, Asked()),
        (
            {"preset": "15m"},
            Asked("2026-09-21 13:58:20", NOW_TEXT, NOW - 900, NOW),
        ),
        (
            {"since": NOW_TEXT, "until": "2026-09-21 14:00"},
            Asked(NOW_TEXT, "2026-09-21 14:00", until_error="not after the time it starts at"),
        ),
        (
            {"since": "2026-09-21 14:14"},
            Asked("2026-09-21 14:14", "", since_error="in the future"),
        ),
        (
            {"until": "2026-09-21 14:00"},
            Asked("", "2026-09-21 14:00", since_error="say when to begin"),
        ),
    ],
)
def test_what_is_asked_for(query: dict[str, str], asked: Asked) -> None:
    assert ask(query, KEPT, NOW) == asked


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "1e400", "2026-13-01", "10:00", "0000-00-00", "١٢٣", "x" * 2000]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert moment(text) is None


def test_all_that_is_kept_ends_with_the_newest_also_when_clocks_differ() -> None:
    assert ask({"preset": "all"}, (NOW - 10, NOW + 5), NOW).until == NOW + 5
    assert ask({"preset": "all"}, None, NOW) == Asked()


def test_what_came_of_a_replay_is_a_sentence() -> None:
    between = "from 1970-01-01 00:00:01 UTC to 1970-01-01 00:00:02 UTC"
    assert (
        replayed_sentence("mcas", 1, 1, 2)
        == f"1 record accepted {between}: mcas delivers it again."
    )
    assert replayed_sentence("mcas", 0, 1, 2).startswith(f"Nothing to deliver again {between}: ")
