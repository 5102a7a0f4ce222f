"""What a salvage says was lost, what it keeps apart, and how it reads around damage."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nss.spool.durable import checking, copying, leaves, schema
from nss.spool.durable.leaves import Found, Wanted
from nss.spool.durable.ledger import LedgerEntry
from nss.spool.durable.pages import Pages
from tests.spool.durable.copies import (
    Copy,
    Fill,
    Old,
    Row,
    batch,
    body,
    copy,
    cursor,
    fill,
    insert,
    lost,
    new,
    no_pages,
    old,
    reject,
    sequence_of,
    summed,
)

__all__ = ["copy", "fill", "new", "no_pages", "old"]


def test_a_batch_that_is_not_sound_is_lost_and_its_records_are_kept_apart(
    fill: Fill, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 77.0)
    damaged = (*batch(2), 5)
    fill(bodies=[body(1), body(2)], batches=[*summed("batches", batch(1)), damaged])
    found = copy()
    assert [row[0] for row in found["batches"]] == [1]
    assert found["bodies"] == [body(1)]
    why = "its row in batches can't be read"
    assert found["damaged"] == [(2, "", "", 0, 77.0, why, b"a\n")]
    assert found["salvages"] == [(77.0, 1, 11, "2", 0, None)]


def test_a_batch_that_only_pages_have_whole_is_not_lost(fill: Fill, copy: Copy, old: Old) -> None:
    """SQLite may find a damaged copy of it."""
    fill(bodies=[body(1), body(2)], batches=summed("batches", batch(1), batch(2)))

    def twisted(found: Iterator[Row]) -> Iterator[Row]:
        return ((*row[:-1], 5) if row[0] == 2 else row for row in found)

    old.scans["batches"] = twisted
    found = copy()
    assert [row[0] for row in found["batches"]] == [1, 2]
    assert (lost(found), found["damaged"]) == ("", [])


@pytest.mark.parametrize("past_sqlite", [False, True])
def test_records_that_are_not_as_they_were_are_lost_with_their_batch(
    fill: Fill, copy: Copy, old: Old, *, past_sqlite: bool
) -> None:
    """The batch stays, so that whoever reads it counts its records."""
    bad = (*body(2)[:2], 5, b"a\n")
    text = (*body(3)[:3], "a\n")
    fill(
        bodies=[body(1), bad, text],
        batches=summed("batches", *(batch(number) for number in (1, 2, 3, 4))),
    )
    if past_sqlite:
        old.lost = {"bodies"}
    found = copy()
    assert [row[0] for row in found["batches"]] == [1, 2, 3, 4]
    assert found["bodies"] == [body(1)]
    assert lost(found) == "2-4"
    assert found["damaged"] == []


def test_the_blob_of_a_reject_that_is_lost_is_no_lost_batch(fill: Fill, copy: Copy) -> None:
    fill(
        bodies=[body(1)],
        batches=summed("batches", batch(1)),
        rejects=summed("rejects", reject(1, of=7)),
    )
    found = copy()
    assert lost(found) == ""
    assert [row[0] for row in found["rejects"]] == [1]


@pytest.mark.usefixtures("no_pages")
def test_a_blob_without_a_row_is_kept_also_if_it_cannot_be_read(
    fill: Fill, copy: Copy, path: Path
) -> None:
    fill(bodies=[body(1), body(2), body(3)])
    with closing(schema.connect(path)) as connection:
        connection.execute("UPDATE bodies SET data = 'text' WHERE body = 2")
    found = copy()
    assert [(row[0], row[6]) for row in found["damaged"]] == [(1, b"a\n"), (2, None), (3, b"a\n")]
    assert lost(found) == "1-3"
    assert found["bodies"] == []


@pytest.mark.usefixtures("no_pages")
def test_of_a_blob_that_is_gone_meanwhile_its_number_is_kept(
    fill: Fill, copy: Copy, old: Old
) -> None:
    fill(bodies=[body(1), body(2)])
    old.lost_bodies = {2}
    found = copy()
    assert [(row[0], row[6]) for row in found["damaged"]] == [(1, b"a\n"), (2, None)]


def test_a_stray_on_a_page_is_kept_once_and_only_whole(
    fill: Fill, copy: Copy, old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bodies=[body(1)], batches=summed("batches", batch(1)))
    old.lost = {"bodies"}
    kept = (None, *body(5, b"first\n")[1:])
    later = (None, *body(5, b"later\n")[1:])
    broken = (None, 0, 5, b"broken\n")
    own = (None, *body(1)[1:])
    on_pages = [(1, own), (5, kept), (5, later), (6, broken), (1, own)]
    asked: list[bool] = []

    def rows(_pages: Pages, wanted: Wanted) -> Iterator[Found]:
        if not wanted(leaves.TABLE, len(own), 1):
            return  # it looks for rows that are no blobs
        for number, values in on_pages:
            asked.append(wanted(leaves.TABLE, len(values), number))
            if asked[-1]:
                yield Found(leaves.TABLE, number, values)

    monkeypatch.setattr(leaves, "rows", rows)
    found = copy()
    assert found["bodies"] == [body(1)]
    assert [(row[0], row[6]) for row in found["damaged"]] == [(5, b"first\n")]
    assert lost(found) == "5"
    assert asked == [True, True, False, True, False]


def test_only_rows_of_four_columns_in_tables_are_blobs(
    fill: Fill, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill()
    wanted: list[Wanted] = []

    def rows(_pages: Pages, wants: Wanted) -> Iterator[Found]:
        wanted.append(wants)
        return iter(())

    monkeypatch.setattr(leaves, "rows", rows)
    copy()
    is_row, is_body = wanted
    assert [is_body(leaves.TABLE, columns, 1) for columns in (3, 4, 5)] == [False, True, False]
    assert not is_body(leaves.INDEX, 4, 1)
    tables = {(leaves.INDEX, 4), (leaves.INDEX, 12), (leaves.TABLE, 12), (leaves.TABLE, 11)}
    every = [(kind, columns) for kind in (leaves.INDEX, leaves.TABLE) for columns in range(16)]
    assert {each for each in every if is_row(*each, 1)} == tables


@pytest.mark.parametrize(
    ("noted", "last"),
    [
        (0, 3),
        (3, 3),
        (9, 9),
        ("12", 12),
        (checking.MAX_SEQUENCE - 1, checking.MAX_SEQUENCE - 1),
        (-1, 3 + copying.GAP),
        (checking.MAX_SEQUENCE, 3 + copying.GAP),
        ("many", 3 + copying.GAP),
        (None, 3 + copying.GAP),
        (b"\xff", 3 + copying.GAP),
        ("gone", 3),
    ],
)
def test_no_sequence_is_used_again(
    fill: Fill, copy: Copy, new: sqlite3.Connection, path: Path, noted: object, last: int
) -> None:
    fill(bodies=[body(3)], batches=summed("batches", batch(3)))
    with closing(schema.connect(path)) as connection:
        if noted == "gone":
            connection.execute("DELETE FROM sqlite_sequence")
        else:
            connection.execute(
                "UPDATE sqlite_sequence SET seq = ? WHERE name = 'batches'", (noted,)
            )
    copy()
    assert sequence_of(new) == [(last,)]


def test_the_number_of_rejects_is_not_that_of_batches(
    fill: Fill, copy: Copy, new: sqlite3.Connection
) -> None:
    fill(
        rejects=summed("rejects", reject(50)), bodies=[body(3)], batches=summed("batches", batch(3))
    )
    copy()
    assert sequence_of(new) == [(3,)]
    assert new.execute("SELECT seq FROM sqlite_sequence WHERE name = 'rejects'").fetchall() == [
        (50,)
    ]


def test_what_a_feed_has_passed_is_not_used_again(
    fill: Fill, copy: Copy, new: sqlite3.Connection
) -> None:
    fill(
        cursors=summed("cursors", cursor("mcas", 8)),
        bodies=[body(3)],
        batches=summed("batches", batch(3)),
    )
    copy()
    assert sequence_of(new) == [(8,)]


@pytest.mark.parametrize(("ledger", "said"), [(None, ""), (LedgerEntry(last_sequence=1), "1-1")])
def test_of_a_file_without_a_batch_nothing_is_lost(
    fill: Fill, copy: Copy, new: sqlite3.Connection, ledger: LedgerEntry | None, said: str
) -> None:
    fill()
    assert lost(copy(ledger)) == said
    assert sequence_of(new) == [(0,)]


@pytest.mark.parametrize(("noted", "said"), [(2, ""), (3, ""), (4, "4-4"), (9, "4-9")])
def test_batches_that_only_the_ledger_knows_are_lost(
    fill: Fill, copy: Copy, new: sqlite3.Connection, noted: int, said: str
) -> None:
    fill(bodies=[body(3)], batches=summed("batches", batch(3)))
    assert lost(copy(LedgerEntry(form=2, last_sequence=noted))) == said
    assert sequence_of(new) == [(3,)]


@pytest.mark.parametrize("count", [49, 50, 51, 52])
def test_so_many_ranges_are_listed(fill: Fill, copy: Copy, count: int) -> None:
    fill(bodies=[body(number) for number in range(2, 2 * count + 1, 2)])
    listed = lost(copy()).split(", ")
    most = copying.MAX_RANGES
    assert most == 50
    assert listed[:2] == ["2", "4"]
    if count <= most:
        assert len(listed) == count
    else:
        assert listed[most - 1 :] == [f"{2 * most}", f"and {count - most} more"]


def test_rows_around_those_that_cannot_be_read_are_found(fill: Fill, copy: Copy, old: Old) -> None:
    numbers = [1, 2, 3, 4, 500, 501, (1 << 63) - 1]
    rows = [(number, "", "", 1, 2.0, "why", None) for number in numbers]
    fill(damaged=rows)
    old.holes = {"damaged": (1, 4, 501)}
    assert [row[0] for row in copy()["damaged"]] == [2, 3, 500, (1 << 63) - 1]


def test_the_last_row_of_all_may_be_the_one_that_cannot_be_read(
    fill: Fill, copy: Copy, old: Old
) -> None:
    fill(damaged=[(number, "", "", 1, 2.0, "why", None) for number in (1, (1 << 63) - 1)])
    old.holes = {"damaged": ((1 << 63) - 1,)}
    assert [row[0] for row in copy()["damaged"]] == [1]


def test_what_is_read_before_a_failure_is_not_read_again(fill: Fill, copy: Copy, old: Old) -> None:
    fill(damaged=[(number, "", "", 1, 2.0, "why", None) for number in range(1, 9)])

    def breaking(found: Iterator[Row]) -> Iterator[Row]:
        for row in found:
            if row[0] == 4:
                raise sqlite3.DatabaseError
            yield row

    old.scans["damaged"] = breaking
    assert [row[0] for row in copy()["damaged"]] == [1, 2, 3, 5, 6, 7, 8]
    firsts = [first for first, _ in old.asked_for("FROM damaged")]
    assert firsts[0] == 1
    assert min(firsts[1:]) == 4, "where it failed"


@pytest.mark.parametrize("most", [0, 1, 2, 3])
def test_so_many_reads_may_fail(
    fill: Fill, copy: Copy, old: Old, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(copying, "MAX_FAILURES", most)
    fill(damaged=[(1, "", "", 1, 2.0, "why", None)])
    old.lost = {"damaged"}
    copy()
    asked = old.asked_for("FROM damaged")
    assert len(asked) == most
    assert asked[1:2] == ([(1, 1 << 62)] if most > 1 else [])


def test_rows_that_are_out_of_their_range_are_not_believed(
    fill: Fill, copy: Copy, old: Old
) -> None:
    row = (5, "", "", 1, 2.0, "why", None)
    fill(damaged=[row])
    old.scans["damaged"] = lambda found: iter([(0, *row[1:]), *found, (3, *row[1:])])
    assert copy()["damaged"] == [row]


def test_a_row_that_makes_no_sense_in_the_new_file_is_left_out(
    fill: Fill, copy: Copy, path: Path
) -> None:
    rows = [(*row[:-1], row[-1]) for row in summed("batches", (1, None, *batch(1)[2:]), batch(2))]
    fill(bodies=[body(1), body(2)])
    with closing(schema.connect(path)) as connection:
        connection.execute("DROP TABLE batches")
        connection.execute(
            "CREATE TABLE batches (sequence INTEGER PRIMARY KEY, source, connection, feed, "
            "records, data_bytes, stored_bytes, accepted_at, body, passed_at, crc32)"
        )
        insert(connection, "batches", rows)
    found = copy()
    assert [row[0] for row in found["batches"]] == [2]
    assert lost(found) == "1"


def test_a_disk_that_is_full_ends_the_copying(
    fill: Fill, copy: Copy, new: sqlite3.Connection
) -> None:
    fill(bodies=[body(2, bytes(5 * schema.PAGE_BYTES))], batches=summed("batches", batch(2)))
    (pages,) = new.execute("PRAGMA page_count").fetchone()
    new.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        copy()


def test_a_transaction_takes_two_hundred_rows(
    fill: Fill, copy: Copy, new: sqlite3.Connection
) -> None:
    fill(damaged=[(number, "", "", 1, 2.0, "why", None) for number in range(1, 402)])
    said: list[str] = []
    new.set_trace_callback(said.append)
    copy()
    kinds = [line.split(maxsplit=1)[0] for line in said]
    assert said[0] == "BEGIN IMMEDIATE"
    inserts = [place for place, line in enumerate(said) if "INTO damaged" in line]
    assert len(inserts) == 401
    for place in (inserts[199], inserts[399]):
        assert kinds[place + 1 : place + 3] == ["COMMIT", "BEGIN"]
        assert said[place + 2] == "BEGIN IMMEDIATE"
    assert kinds.count("COMMIT") == 3
    assert not new.in_transaction


def test_runs_are_written_as_people_write_them(fill: Fill, copy: Copy) -> None:
    fill(bodies=[body(number) for number in (1, 3, 4, 7, 8, 9, 11)])
    assert lost(copy()) == "1, 3-4, 7-9, 11"
