"""`nss status` and `nss top` at every width and height: whole pictures, and any status at all."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from cli.screen.cells import MIN_COLUMNS, padded, shortened, wrapped
from cli.screen.fitting import fitted
from cli.screen.report import report_of
from cli.screen.wording import clock_text, count_text, moment, rate_text
from cli.status import plain
from cli.top import View
from nss.status.readings import ElsewhereReading, RefusalReading
from nss.status.summary import Health, Reason, Status
from tests.cli.screen.golden import FOLDER, SIZES, WIDTHS, pictures, views
from tests.cli.screen.pictures import pictures as svgs
from tests.cli.screen.statuses import (
    DOWN,
    HEALTHY,
    HOSTILE,
    HOSTILE_NAME,
    KEYS,
    NOW,
    PUSH,
    REFUSED,
    SIEM,
    UPLOAD,
    many,
)

PICTURES = Path(__file__).parents[3] / "docs/images/terminal"

TEXTS = st.sampled_from(
    ("", " ", "web", "nobody answers at a:1", "x" * 300, "名" * 300, "東京 " * 40, HOSTILE_NAME)
) | st.text("東 é\u0301\x1b\n\u202e\ufe0f❤", max_size=12)
NUMBERS = st.sampled_from((-1, 0, 1, 999, 1_234_567, 10**14, 10**15, 10**30))
SECONDS = st.sampled_from((0.0, 0.4, 59.0, 1e5, 1e12, 1e300, math.inf))
TIMES = st.sampled_from((None, NOW - 1e6, NOW - 1, NOW, NOW + 1e6, 1e300))
STATES = st.sampled_from(("moving", "idle", "failing", "stuck"))
REASONS = st.builds(
    replace, st.just(REFUSED), component=TEXTS, why=TEXTS, since=TIMES, degrades=st.booleans(),
    next_try_at=TIMES, meaning=TEXTS, remedy=TEXTS,
)  # fmt: skip
SOURCES = st.builds(
    replace, st.just(PUSH), name=TEXTS, kind=TEXTS, records=NUMBERS, data_bytes=NUMBERS,
    records_per_sec=SECONDS, bytes_per_sec=SECONDS, last_at=TIMES,
)  # fmt: skip
GAPS = st.builds(replace, st.just(KEYS), source=TEXTS, unmapped=st.dictionaries(TEXTS, NUMBERS))
UPLOADS = st.builds(
    replace, st.just(UPLOAD), next_due_at=TIMES, held_until=TIMES, unconfirmed=NUMBERS
)
FEEDS = st.builds(
    replace, st.just(SIEM), name=TEXTS, kind=TEXTS, destination=TEXTS, state=STATES,
    accepted=NUMBERS, delivered=NUMBERS, rejected=NUMBERS, dropped=NUMBERS, pending=NUMBERS,
    records_per_sec=SECONDS, lag_secs=SECONDS, last_delivered_at=TIMES,
    pending_bytes=NUMBERS, max_pending_bytes=st.none() | NUMBERS, drops_oldest=st.booleans(),
    upload=st.none() | UPLOADS, gaps=st.tuples() | st.tuples(GAPS),
)  # fmt: skip


def few(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(parts, max_size=4).map(tuple)


STATUSES = st.builds(
    replace, st.sampled_from((HEALTHY, DOWN)), config=TEXTS, sources=few(SOURCES),
    feeds=few(FEEDS),
    health=st.builds(Health, ok=st.booleans(), alive=st.just(value=True), reasons=few(REASONS)),
)  # fmt: skip
SOME = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize("file", sorted(pictures()))
def test_what_is_shown_is_what_it_was(file: str) -> None:
    assert pictures()[file] == FOLDER.joinpath(file).read_text(encoding="utf-8")


def test_no_picture_is_kept_that_nothing_shows() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(pictures())


@SOME
@given(status=STATUSES, width=st.integers(MIN_COLUMNS, 200))
def test_no_line_is_wider_than_the_screen_and_each_is_harmless(status: Status, width: int) -> None:
    lines = plain(status, width).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert all(line.isprintable() for line in lines)


@SOME
@given(status=STATUSES, width=st.integers(40, 140), height=st.integers(1, 50))
def test_no_picture_is_higher_than_the_screen(status: Status, width: int, height: int) -> None:
    shown = fitted(report_of(status, width), height)
    assert len(shown) <= height
    assert max((cell_len(line.plain) for line in shown), default=0) <= width


@SOME
@given(status=STATUSES, rows=st.integers(2, 50), scrolled=st.integers(-9, 99))
def test_top_fills_the_screen_wherever_people_have_scrolled(
    status: Status, rows: int, scrolled: int
) -> None:
    view = View(status, NOW).scrolled(scrolled, 80, rows)
    lines = view.drawn(80, rows).plain.split("\n")
    assert len(lines) == rows
    assert lines[-1].startswith("q quits, j and k scroll ")


@pytest.mark.parametrize(("columns", "rows"), SIZES)
@pytest.mark.parametrize("name", sorted(views()))
def test_top_is_as_large_as_the_terminal(name: str, columns: int, rows: int) -> None:
    lines = views()[name].drawn(columns, rows).plain.split("\n")
    assert len(lines) == rows
    assert max(map(cell_len, lines)) <= columns


@pytest.mark.parametrize(("columns", "rows"), SIZES)
@pytest.mark.parametrize("failing", [1, 2, 5])
def test_top_has_the_first_remedy_and_every_feed_is_counted(
    columns: int, rows: int, failing: int
) -> None:
    shown = View(many(30, failing), NOW).drawn(columns, rows).plain
    assert "Try: start the collector on" in " ".join(shown.split())
    rows_of_feeds = sum(line.startswith(("branch-", "down-")) for line in shown.splitlines())
    rest = [line for line in shown.splitlines() if line.startswith(("and ", "30 feeds"))]
    counted = sum(int(line.removeprefix("and ").split()[0]) for line in rest)
    assert rows_of_feeds + counted == 30


def test_people_scroll_to_the_end_and_no_further() -> None:
    view = View(many(30, 2), NOW).scrolled(1 << 30, 80, 24)
    lines = view.drawn(80, 24).plain.split("\n")
    assert lines[-2].endswith("/etc/nss/nss.toml")
    assert view.scrolled(5, 80, 24) == view
    assert view.scrolled(-(1 << 30), 80, 24).first == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_hostile_names_keep_their_columns(width: int) -> None:
    lines = plain(HOSTILE, width).splitlines()
    heads = next(line for line in lines if line.startswith("feed "))
    row = next(line for line in lines if "failing" in line)
    assert "…" in row
    assert "\x1b" not in "".join(lines)
    start = heads.index("state")
    assert cell_len(row[: row.index("failing")]) == start


def test_what_a_source_refused_lately_is_a_line_under_it() -> None:
    refusal = RefusalReading(
        cause="credentials",
        count=1200,
        last_at=HEALTHY.at - 180,
        last_peer="192.0.2.7\x07",
        unbroken=0,
        unbroken_since=None,
    )
    old = replace(refusal, cause="tls", last_at=HEALTHY.at - 3600)
    source = replace(HEALTHY.sources[0], refusals=(refusal, old))
    lines = plain(replace(HEALTHY, sources=(source,)), 132).splitlines()
    words = "  refused: 1,200 with no token or a wrong one (last 3 min ago from 192.0.2.7\\x07)"
    assert words in lines


def test_what_another_machine_does_is_said_with_who_says_so() -> None:
    elsewhere = ElsewhereReading(sync="nss1.example.com", uploads="nss2\x1b[2J")
    text = plain(replace(HEALTHY, sync=None, parsing=None, elsewhere=elsewhere), 120)
    assert "sync     by nss1.example.com, as synced_by in [sync] says\n" in text
    assert "uploads  by nss2\\x1b[2J, as uploaded_by in [mcas] says\n" in text


def test_a_remedy_has_a_line_of_its_own() -> None:
    reason = Reason(component="sync", why="the role is gone", remedy="give it back", degrades=False)
    status = replace(HEALTHY, health=Health(ok=True, alive=True, reasons=(reason,)))
    lines = plain(status, 80).splitlines()
    assert lines[2:4] == ["- sync: the role is gone", "  Try: give it back"]


def test_what_is_not_known_of_a_reason_takes_no_line() -> None:
    bare = replace(REFUSED, since=None, next_try_at=None, meaning="", remedy="", component="MCAS")
    status = replace(HEALTHY, health=Health(ok=False, alive=True, reasons=(bare,)))
    lines = plain(status, 80).splitlines()
    assert lines[0] == "degraded  10,018/s, 5,394 pending"
    assert lines[2:4] == [f"! MCAS: {bare.why}", ""]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 20, [""]),
        ("one two three", 9, ["> one two", "  three"]),
        ("supercalifragilistic", 12, ["> supercalif", "  ragilistic"]),
        ("a 東京東京東京", 7, ["> a", "  東京", "  東京", "  東京"]),
        ("  spaces   within  ", 40, ["> spaces within"]),
        ("took 1 min 5 s ago", 14, ["> took 1 min", "  5 s ago"]),
        ("Try: sudo nss check", 12, ["> Try:", "  sudo nss c", "  heck"]),
        ("at 2026-09-21 14:13:20", 22, ["> at", "  2026-09-21 14:13:20"]),
    ],
)
def test_text_is_wrapped_at_words(text: str, width: int, lines: list[str]) -> None:
    assert list(wrapped(text, width, "> ", "  ")) == (lines if text else [">"])


@pytest.mark.parametrize(
    ("text", "cells", "short"),
    [("n", 4, "n"), ("names", 4, "nam…"), ("東京都", 4, "東…"), ("東京", 1, "…"), ("", 0, "")],
)
def test_text_is_shortened_by_cells(text: str, cells: int, short: str) -> None:
    assert shortened(text, cells) == short
    assert cell_len(padded(text, cells, right=True)) == cells


def test_numbers_and_times_are_worded_for_one_look() -> None:
    assert [rate_text(rate) for rate in (0, 0.2, 1, 5012.4)] == ["0/s", "<1/s", "1/s", "5,012/s"]
    assert count_text(10**20) == "1.0e+20"
    assert moment(NOW - 240, NOW) == "14:09 (4 min)"
    assert moment(NOW - 86_400, NOW) == "2026-09-20 14:13 (1 d)"
    assert moment(1e300, NOW) == clock_text(1e300) == "at no possible time"


@pytest.mark.parametrize("file", sorted(svgs()))
def test_pictures_in_the_docs_show_what_the_commands_show(file: str) -> None:
    kept = PICTURES.joinpath(file).read_text(encoding="utf-8")
    assert svgs()[file] == kept, "make screenshots"
    assert "url(http" not in kept.replace('"', "")


@pytest.mark.parametrize(
    ("drops_oldest", "then"), [(False, "its sources wait"), (True, "its oldest are dropped")]
)
def test_a_feed_with_a_limit_shows_what_is_pending_of_it(*, drops_oldest: bool, then: str) -> None:
    feed = replace(
        SIEM, pending_bytes=3 << 20, max_pending_bytes=2 << 30, drops_oldest=drops_oldest
    )
    status = replace(HEALTHY, feeds=(feed, replace(SIEM, name="other")))
    lines = [line.strip() for line in plain(status, 80).splitlines()]
    assert [line for line in lines if line.startswith("pending ")] == [
        f"pending 3.0 MiB of 2.0 GiB, then {then}"
    ]
