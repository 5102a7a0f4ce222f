"""Rows read past SQLite: of every size and type, whole or not at all, whatever is beside them."""

import sqlite3
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock

import pytest

from nss.spool.durable import leaves
from nss.spool.durable.leaves import INDEX, TABLE, Found, rows
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


TABLES = [
    pytest.param(TABLE, "t (a, b)", id="table"),
    pytest.param(INDEX, "t (a, b, PRIMARY KEY (a)) WITHOUT ROWID", id="without rowid"),
]


def make_of(path: Path, table: str, values: list[tuple[object, object]]) -> None:
    """Make a file with a table of two columns."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute(f"CREATE TABLE {table}")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO t VALUES (?, ?)", values)
        connection.execute("COMMIT")


def found_of(path: Path, kind: int) -> list[Found]:
    with Pages(path) as pages:
        return list(rows(pages, lambda of, columns, _number: (of, columns) == (kind, 2)))


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_many_small_rows_on_a_page_are_all_read(path: Path, kind: int, table: str) -> None:
    values = [(number, number % 7) for number in range(3000)]
    make_of(path, table, list(values))
    assert sorted(row.values for row in found_of(path, kind)) == values


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_values_of_every_type_and_size_are_read(path: Path, kind: int, table: str) -> None:
    sizes = (0, 8, 16, 24, 32, 48, 63)
    whole = [sign * (2**size - less) for size in sizes for sign in (1, -1) for less in (0, 1)]
    others = [0.5, -1e300, "", "text", "t\u00e9xt" * 50, b"", b"blob", b"\xff" * 300, None]
    values = [*(number for number in whole if number < 2**63), *others]
    made: list[tuple[object, object]] = [(f"{at:03d}", value) for at, value in enumerate(values)]
    make_of(path, table, made)
    found = sorted(row.values for row in found_of(path, kind))
    assert found == made
    assert [type(value) for _, value in found] == [type(value) for value in values]


def test_rows_of_any_number_are_read_with_it_and_only_those_wanted(path: Path) -> None:
    numbers = [-(2**63), -1, 0, 1, 127, 128, 2**14, 2**35, 2**56 - 1, 2**56, 2**63 - 1]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("CREATE TABLE t (number INTEGER PRIMARY KEY, value)")
        connection.executemany("INSERT INTO t VALUES (?, 'v')", ((number,) for number in numbers))
    with Pages(path) as pages:
        found = list(rows(pages, lambda *_: True))
        some = list(
            rows(pages, lambda kind, columns, number: (kind, columns, number) == (13, 2, 127))
        )
    assert {row.number % 2**64 for row in found} == {number % 2**64 for number in numbers}
    assert {(row.kind, row.values) for row in found} == {(TABLE, (None, "v"))}
    assert some == [Found(TABLE, 127, (None, "v"))]


def change(path: Path, at: int, data: bytes) -> None:
    """Write something on the page of a table, which is the second."""
    with path.open("r+b") as file:
        file.seek(PAGE_BYTES + at)
        file.write(data)


FEW: list[tuple[object, object]] = [(number, "v") for number in range(1, 6)]


def test_a_page_that_says_it_has_more_rows_than_fit_is_read_all_the_same(path: Path) -> None:
    make_of(path, "t (a, b)", FEW)
    change(path, 3, b"\xff\xff")
    assert {row.values for row in found_of(path, TABLE)} >= set(FEW)


@pytest.mark.parametrize("place", [0, PAGE_BYTES - 1, PAGE_BYTES, 0xFFFF])
def test_a_place_without_a_row_is_passed_over(path: Path, place: int) -> None:
    make_of(path, "t (a, b)", FEW)
    change(path, 8 + 2 * 2, place.to_bytes(2, "big"))
    assert [row.values for row in found_of(path, TABLE)] == [*FEW[:2], *FEW[3:]]


def test_rows_of_a_page_that_is_free_are_not_read(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("PRAGMA secure_delete = OFF")
        for name in ("kept", "gone", "gone_too"):
            connection.execute(f"CREATE TABLE {name} (a, b)")
            connection.execute(f"INSERT INTO {name} VALUES (1, '{name}')")  # noqa: S608 - a constant
        connection.execute("DROP TABLE gone")
        connection.execute("DROP TABLE gone_too")
    assert b"gone_too" in path.read_bytes()[3 * PAGE_BYTES :]
    assert [row.values for row in found_of(path, TABLE)] == [(1, "kept")]


@pytest.mark.parametrize(("kind", "table"), TABLES)
def test_rows_just_below_and_above_what_a_page_takes_are_read(
    path: Path, kind: int, table: str
) -> None:
    # From which size on a row has overflow pages (fileformat2 of SQLite, 1.6).
    most = PAGE_BYTES - 35 if kind == TABLE else (PAGE_BYTES - 12) * 64 // 255 - 23
    sizes = [
        pages * (PAGE_BYTES - LINK_BYTES) + most - less
        for pages in (0, 1)
        for less in range(-1, 12)
    ]
    values = [(number, bytes([number + 1]) * size) for number, size in enumerate(sizes)]
    make_of(path, table, list(values))
    found = found_of(path, kind)
    assert sorted(row.values for row in found) == values
    assert {row.number for row in found} == ({*range(1, len(sizes) + 1)} if kind == TABLE else {0})


@pytest.mark.parametrize("claimed", [None, 0xFFFF, 0x2000])
def test_a_page_has_as_many_rows_as_it_says_and_no_more_than_fit(
    path: Path, claimed: int | None
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("CREATE TABLE t (number INTEGER, value BLOB)")
        connection.execute("BEGIN")
        for number in range(600):
            connection.execute("INSERT INTO t VALUES (?, x'0102')", (number + 2,))
        connection.execute("COMMIT")
    assert path.stat().st_size == 2 * PAGE_BYTES, "one page has them all"
    if claimed is not None:
        with path.open("r+b") as file:
            file.seek(PAGE_BYTES + 3)
            file.write(claimed.to_bytes(2, "big"))
    each = [(number + 2, b"\1\2") for number in range(600)]
    assert [row.values for row in found(path)][:600] == each
    if claimed is None:
        assert len(found(path)) == 600


def test_a_cell_with_more_columns_than_any_table_has_takes_no_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_of(path, "t (a, b)", FEW)
    each = 2000
    first = PAGE_BYTES - 8000  # a cell with a row of 6,000 columns, all NULL
    row = bytes([0x80 | 6005 >> 7, 6005 & 0x7F, 1, 0x80 | 6002 >> 7, 6002 & 0x7F])
    with path.open("r+b") as file:
        file.seek(PAGE_BYTES)
        file.write(bytes([TABLE, 0, 0, *each.to_bytes(2, "big"), 0, 0, 0]))
        file.write(first.to_bytes(2, "big") * each)
        file.seek(PAGE_BYTES + first)
        file.write(row + bytes(6000))
    read = Mock(side_effect=leaves._varint)
    monkeypatch.setattr(leaves, "_varint", read)
    assert found_of(path, TABLE) == []
    assert read.call_count == 3 * each


@pytest.mark.parametrize(("columns", "read"), [(574, 1), (575, 0)])
def test_a_row_may_have_as_many_columns_as_its_head_has_room_for(
    path: Path, columns: int, read: int
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        names = ", ".join(f"c{number}" for number in range(columns))
        connection.execute(f"CREATE TABLE t ({names})")
        connection.execute("INSERT INTO t DEFAULT VALUES")
    with Pages(path) as pages:
        found = list(rows(pages, lambda _kind, count, _number: count == columns))
    assert [row.values for row in found] == [(None,) * columns] * read
