"""What a salvage copies from where: rows of both forms, through SQLite and past it."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nss.spool.durable import leaves, schema
from nss.spool.durable.leaves import Found, Wanted
from nss.spool.durable.ledger import LedgerEntry
from nss.spool.durable.pages import Pages
from tests.spool.durable.copies import (
    NEWEST,
    Copy,
    Fill,
    Old,
    Row,
    Tables,
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
    source,
    summed,
)

__all__ = ["copy", "fill", "new", "no_pages", "old"]

WHOLE = {
    "bodies": [body(1), body(2), body(4, b"b\n")],
    "batches": summed("batches", batch(2, passed_at=7.5), batch(3, of=1)),
    "sources": summed("sources", source("tcp", None), source("web")),
    "cursors": summed("cursors", cursor("csv", 2), cursor("mcas")),
    "rejects": summed("rejects", reject(1), reject(9, of=4)),
    "damaged": [(7, "web", "c", 3, 6.0, "why", b"data"), (8, "", "", 0, 6.0, "why", None)],
}
"""A batch, a replay of one that is gone, and a batch that was rejected."""


FIRST: Tables = {
    "bodies": [body(1), body(2)],
    "batches": [batch(1), batch(2, passed_at=7.5)],
    "sources": [source("tcp", None), source("web")],
    "cursors": [cursor("mcas")[:9]],
    "rejects": [reject(1)[:8]],
}


def in_newest_form(tables: Tables) -> Tables:
    return {
        "bodies": tables["bodies"],
        "batches": summed("batches", *tables["batches"]),
        "sources": summed("sources", *tables["sources"]),
        "cursors": summed("cursors", *((*row, "", 0) for row in tables["cursors"])),
        "rejects": summed("rejects", *((*row, None, 1, 0) for row in tables["rejects"])),
        "damaged": [],
    }


def test_what_is_whole_is_as_it_was(fill: Fill, copy: Copy, new: sqlite3.Connection) -> None:
    fill(**WHOLE)
    before = time.time()
    found = copy()
    (salvage,) = found.pop("salvages")
    assert found == WHOLE
    assert before <= salvage[0] <= time.time()
    assert salvage[1:] == (2, 12 + 13, "", 0, None)
    assert not new.in_transaction
    assert sequence_of(new) == [(3,)]


@pytest.mark.usefixtures("no_pages")
def test_through_sqlite_alone_it_is_as_it_was(fill: Fill, copy: Copy) -> None:
    fill(**WHOLE)
    found = copy()
    del found["salvages"]
    assert found == WHOLE


@pytest.mark.parametrize("ledger", [None, LedgerEntry(form=0), LedgerEntry(form=1), NEWEST])
def test_past_sqlite_it_is_as_it_was_too(
    fill: Fill, copy: Copy, old: Old, ledger: LedgerEntry | None
) -> None:
    fill(**WHOLE)
    old.lost = {*WHOLE, "sqlite_sequence"} - {"damaged"}
    found = copy(ledger)
    (salvage,) = found.pop("salvages")
    assert found == WHOLE
    assert salvage[1:] == (2, 12 + 13, "", 1, None)


def test_of_what_sqlite_found_nothing_is_read_from_pages_again(
    fill: Fill, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(**WHOLE)
    found: list[Found] = []
    rows = leaves.rows

    def noted(pages: Pages, wanted: Wanted) -> Iterator[Found]:
        for row in rows(pages, wanted):
            found.append(row)
            yield row

    monkeypatch.setattr(leaves, "rows", noted)
    copy()
    assert {row.kind for row in found} == {leaves.INDEX}  # of names alone, which have no numbers
    assert {row.values[0] for row in found} == {"tcp", "web", "csv", "mcas"}


def test_a_reject_without_a_blob_asks_for_none(fill: Fill, copy: Copy, old: Old) -> None:
    fill(rejects=summed("rejects", reject(1), reject(2)))
    copy()
    assert old.asked_for("FROM bodies WHERE body =") == []


@pytest.mark.parametrize("past_sqlite", [False, True])
def test_a_blob_is_asked_for_once(fill: Fill, copy: Copy, old: Old, *, past_sqlite: bool) -> None:
    fill(bodies=[body(1)], batches=summed("batches", batch(1), batch(2, of=1), batch(3, of=1)))
    if past_sqlite:
        old.lost = {"batches"}
    found = copy()
    assert found["bodies"] == [body(1)]
    assert [row[0] for row in found["batches"]] == [1, 2, 3]
    assert old.asked_for("FROM bodies WHERE body =") == [(1,)]


@pytest.mark.parametrize("past_sqlite", [False, True])
@pytest.mark.parametrize("ledger", [None, LedgerEntry(form=0), LedgerEntry(form=1)])
def test_rows_of_the_first_form_get_what_they_lacked(
    fill: Fill, copy: Copy, old: Old, ledger: LedgerEntry | None, *, past_sqlite: bool
) -> None:
    fill(1, **FIRST)
    if past_sqlite:
        old.lost = {*FIRST}
    found = copy(ledger)
    (salvage,) = found.pop("salvages")
    assert found == in_newest_form(FIRST)
    assert salvage[4] == past_sqlite


@pytest.mark.parametrize("past_sqlite", [False, True])
def test_in_a_file_with_checksums_rows_without_are_damaged(
    fill: Fill, copy: Copy, old: Old, *, past_sqlite: bool
) -> None:
    fill(1, **FIRST)
    if past_sqlite:
        old.lost = {*FIRST}
    found = copy(NEWEST)
    assert [found[table] for table in ("batches", "sources", "cursors", "rejects")] == [[]] * 4
    assert [row[0] for row in found["damaged"]] == [1, 2]
    assert lost(found) == "1-2"


def test_one_row_with_a_checksum_says_that_all_have_one(fill: Fill, copy: Copy, path: Path) -> None:
    """So a row of the first form on a page is damage, or what was deleted long ago."""
    fill(bodies=[body(1)], batches=summed("batches", batch(1)))
    with closing(schema.connect(path)) as connection:
        connection.execute("CREATE TABLE stray AS SELECT * FROM batches WHERE 0")
        connection.execute("ALTER TABLE stray DROP COLUMN crc32")
        insert(connection, "stray", [batch(5)])
    assert [row[0] for row in copy(None)["batches"]] == [1]


NOT_NUMBERS = [
    *(("sources", place) for place in (2,)),
    *(("cursors", place) for place in range(1, 9)),
    *(("batches", place) for place in (4, 5, 6, 8)),
    ("rejects", 6),
]


@pytest.mark.parametrize(("table", "place"), NOT_NUMBERS)
def test_a_row_of_the_first_form_has_numbers_where_they_should_be(
    fill: Fill, copy: Copy, path: Path, table: str, place: int
) -> None:
    fill(1, **FIRST)
    with closing(schema.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        (column,) = connection.execute(
            "SELECT name FROM pragma_table_info(?) WHERE cid = ?", (table, place)
        ).fetchone()
        connection.execute(f"UPDATE {table} SET {column} = 'many'")  # noqa: S608 - of tests
    found = copy(None)
    expected = in_newest_form(FIRST) | {table: []}
    for each in ("sources", "cursors", "batches", "rejects"):
        assert found[each] == expected[each], each


def test_a_batch_of_the_first_form_was_passed_at_a_time_or_not(
    fill: Fill, copy: Copy, path: Path
) -> None:
    fill(1, **FIRST)
    with closing(schema.connect(path)) as connection:
        connection.execute("UPDATE batches SET passed_at = 'noon' WHERE sequence = 2")
    found = copy(None)
    assert [row[0] for row in found["batches"]] == [1]
    assert lost(found) == "2"


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(
    ("table", "versions"),
    [
        ("cursors", [cursor("mcas", 1, 1), cursor("mcas", 5, 2), cursor("mcas", 6, 3)]),
        ("sources", [source("web", "at 1", 1), source("web", "at 2", 2), source("web", "at 3", 9)]),
    ],
)
def test_of_all_versions_of_a_row_the_newest_holds(
    fill: Fill,
    copy: Copy,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    versions: list[Row],
    *,
    newest_first: bool,
) -> None:
    rows = summed(table, *versions)
    fill(**{table: rows[:1]})
    on_pages = [Found(leaves.INDEX, 0, row) for row in rows]
    if newest_first:
        on_pages.reverse()
    seen = iter([on_pages, []])
    monkeypatch.setattr(leaves, "rows", lambda *_: iter(next(seen)))
    assert copy()[table] == rows[-1:]


def test_of_versions_that_are_as_new_the_one_that_sqlite_found_holds(
    fill: Fill, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, other = summed("cursors", cursor("mcas", 5), cursor("mcas", 4))
    fill(cursors=[found])
    seen = iter([[Found(leaves.INDEX, 0, other)], []])
    monkeypatch.setattr(leaves, "rows", lambda *_: iter(next(seen)))
    assert copy()["cursors"] == [found]


@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_rows_of_feeds_are_lost_if_one_of_them_is(fill: Fill, copy: Copy, damaged: int) -> None:
    rows = summed("cursors", cursor("a"), cursor("b"), cursor("c"))
    rows[damaged] = (*rows[damaged][:-1], 5)
    fill(cursors=rows)
    found = copy()
    assert found["cursors"] == [row for place, row in enumerate(rows) if place != damaged]
    assert found["salvages"][0][4] == 1


def test_a_source_that_is_lost_is_no_feed(fill: Fill, copy: Copy) -> None:
    fill(sources=[(*source("web"), 5)], cursors=summed("cursors", cursor("mcas")))
    found = copy()
    assert found["sources"] == []
    assert found["salvages"][0][4] == 0
