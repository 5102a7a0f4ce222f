"""Rows that continue on other pages, read past SQLite: whole, or not at all."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nss.spool.durable.leaves import Found, rows
from nss.spool.durable.pages import Pages
from nss.spool.durable.schema import PAGE_BYTES

LINK_BYTES = 4
VALUE = bytes(range(1, 251)) * (3 * PAGE_BYTES // 250)
"""A value that takes several pages."""


def make(path: Path, value: bytes = VALUE) -> None:
    """Make a file with a row that continues on page 2."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("CREATE TABLE gone (value)")
        connection.execute("CREATE TABLE t (number INTEGER, value BLOB)")
        connection.execute("DROP TABLE gone")
        connection.execute("INSERT INTO t VALUES (5, ?)", (value,))


def found(path: Path) -> list[Found]:
    with Pages(path) as pages:
        return list(rows(pages, lambda _kind, columns, _number: columns == 2))


def link_place(path: Path) -> int:
    """Return where the leaf says on which page its row continues: behind its only cell."""
    with closing(sqlite3.connect(path)) as connection:
        (leaf,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 't'"
        ).fetchone()
    return int(leaf) * PAGE_BYTES - LINK_BYTES


def link(path: Path) -> int:
    place = link_place(path)
    return int.from_bytes(path.read_bytes()[place : place + LINK_BYTES], "big")


def lead(path: Path, number: int) -> None:
    """Have the row continue on another page."""
    place = link_place(path)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(number.to_bytes(LINK_BYTES, "big"))


def test_a_row_may_continue_on_any_page_but_the_first(path: Path) -> None:
    make(path)
    assert link(path) == 2
    (row,) = found(path)
    assert row.values == (5, VALUE)


@pytest.mark.parametrize("beyond", [None, 1, 2, 1 << 20])
def test_a_row_that_is_led_out_of_the_file_is_none(path: Path, beyond: int | None) -> None:
    make(path)
    lead(path, 0 if beyond is None else path.stat().st_size // PAGE_BYTES + beyond)
    assert found(path) == []


def test_a_row_that_is_led_to_the_head_of_the_file_is_none(path: Path) -> None:
    make(path, VALUE[:PAGE_BYTES])  # it takes a single page more
    (row,) = found(path)
    assert row.values == (5, VALUE[:PAGE_BYTES])
    lead(path, 1)
    assert found(path) == []


def test_the_last_page_of_the_file_is_in_it(path: Path) -> None:
    make(path)
    last = path.stat().st_size // PAGE_BYTES
    path.write_bytes(path.read_bytes() + path.read_bytes()[PAGE_BYTES : 2 * PAGE_BYTES])
    lead(path, last + 1)
    (row,) = found(path)
    assert row.values == (5, VALUE)


def test_a_row_that_is_led_in_a_circle_ends_when_it_is_full(path: Path) -> None:
    make(path)
    with path.open("r+b") as file:
        file.seek(PAGE_BYTES)
        file.write((2).to_bytes(LINK_BYTES, "big"))
    (row,) = found(path)
    value = row.values[1]
    assert isinstance(value, bytes)
    assert len(value) == len(VALUE)
    assert value != VALUE
