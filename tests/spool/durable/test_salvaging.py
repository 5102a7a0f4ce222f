"""The files of a salvage: what it reads, what it leaves, and what a start has looked at before."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nss.batch import Account
from nss.spool.durable import checking, reassembling, salvage, schema
from nss.spool.durable.bookkeeping import FeedRow
from nss.spool.durable.copying import Copier
from nss.spool.durable.ledger import LedgerEntry
from nss.spool.durable.schema import PAGE_BYTES
from tests.spool.durable.copies import (
    NEWEST,
    Fill,
    Tables,
    batch,
    body,
    cursor,
    fill,
    reject,
    source,
    summed,
    tables_of,
)

__all__ = ["fill"]

AHEAD = LedgerEntry(form=2, last_sequence=9)
FRAME_BYTES = 24 + PAGE_BYTES
TABLES: Tables = {
    "bodies": [body(1), body(2)],
    "batches": summed("batches", batch(1), batch(2)),
    "sources": summed("sources", source("web")),
    "cursors": summed("cursors", cursor("mcas")),
    "rejects": summed("rejects", reject(1)),
}
FIRST: Tables = {
    "bodies": [body(1), body(2)],
    "batches": [batch(1), batch(2)],
    "cursors": [cursor("mcas")[:9]],
}


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def log(path: Path) -> None:
    """Leave a write-ahead log with a frame."""
    beside(path, "-wal").write_bytes(bytes(32 + FRAME_BYTES))


def saved(path: Path) -> Tables:
    with closing(schema.connect_reader(path)) as connection:
        found = tables_of(connection)
    return {table: rows for table, rows in found.items() if rows and table != "salvages"}


def names(path: Path) -> set[str]:
    return {each.name for each in path.parent.iterdir()}


@pytest.fixture
def forms(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the forms of files that were put together from their pages."""
    made: list[int] = []
    reassemble = reassembling.reassemble

    def noted(path: Path, copy: Path, form: int) -> None:
        assert not copy.exists(), "what an earlier attempt left"
        made.append(form)
        reassemble(path, copy, form)

    monkeypatch.setattr(reassembling, "reassemble", noted)
    return made


@pytest.mark.parametrize("ledger", [None, NEWEST])
def test_a_file_is_replaced_by_what_is_readable_of_it(
    fill: Fill, path: Path, ledger: LedgerEntry | None, forms: list[int]
) -> None:
    fill(**TABLES)
    before = path.read_bytes()
    for suffix in (".salvaging", ".reassembled"):
        for more in ("", "-wal", "-shm"):
            beside(path, suffix + more).write_bytes(b"of an attempt that was killed")

    salvage.replace_damaged(path, ledger)

    assert saved(path) == TABLES
    assert path.stat().st_mode & 0o777 == 0o600
    (aside,) = path.parent.glob("*.damaged-*[0-9]")
    assert aside.read_bytes() == before
    assert not [name for name in names(path) if "reassembled" in name or "salvaging" in name]
    assert forms == []


@pytest.mark.parametrize(
    ("ledger", "form", "found"),
    [
        (None, 2, {"batches", "bodies", "cursors"}),
        (LedgerEntry(form=0), 2, {"batches", "bodies", "cursors"}),
        (LedgerEntry(form=1), 1, {"batches", "bodies", "cursors"}),
        (NEWEST, 2, {"damaged"}),
    ],
)
def test_a_file_without_its_first_page_gets_one_of_the_form_that_was_noted(
    fill: Fill, path: Path, ledger: LedgerEntry | None, form: int, found: set[str], forms: list[int]
) -> None:
    fill(1, **FIRST)
    path.write_bytes(bytes(PAGE_BYTES) + path.read_bytes()[PAGE_BYTES:])
    beside(path, ".reassembled").write_bytes(b"of an attempt that was killed")

    salvage.replace_damaged(path, ledger)

    assert forms == [form]
    assert set(saved(path)) == found
    assert not [name for name in names(path) if "reassembled" in name or "salvaging" in name]


def test_what_only_the_log_has_is_put_together_with_the_file(
    fill: Fill, path: Path, forms: list[int]
) -> None:
    fill(**TABLES)
    log(path)
    salvage.replace_damaged(path, AHEAD)
    assert forms == [2]
    assert saved(path) == TABLES


def test_of_an_attempt_that_fails_nothing_is_left(
    fill: Fill, path: Path, monkeypatch: pytest.MonkeyPatch, forms: list[int]
) -> None:
    fill(**TABLES)
    path.write_bytes(bytes(PAGE_BYTES) + path.read_bytes()[PAGE_BYTES:])
    before, seen = path.read_bytes(), set[str]()

    class Full:
        def __init__(self, *_: object) -> None:
            seen.update(names(path))

        def run(self) -> None:
            raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(salvage, "Copier", Full)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        salvage.replace_damaged(path, NEWEST)
    assert {f"{path.name}.salvaging", f"{path.name}.reassembled"} <= seen
    assert names(path) == {path.name}
    assert path.read_bytes() == before
    assert forms == [2]


def test_the_new_file_has_no_log_until_it_has_its_place(
    fill: Fill, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(**TABLES)
    modes: list[str] = []

    class Asked(Copier):
        def __init__(self, old: sqlite3.Connection, new: sqlite3.Connection, *rest: object) -> None:
            modes.append(new.execute("PRAGMA journal_mode").fetchone()[0])
            super().__init__(old, new, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(salvage, "Copier", Asked)
    salvage.replace_damaged(path, NEWEST)
    assert modes == ["memory"]


Case = tuple[LedgerEntry | None, bool, str, bool]
NEEDS: dict[str, Case] = {
    "whole": (NEWEST, False, "", False),
    "whole, with a log": (NEWEST, True, "", False),
    "whole, and no ledger": (None, True, "", False),
    "behind, without a log": (AHEAD, False, "", False),
    "behind, with a log": (AHEAD, True, "", True),
    "declared in another way": (NEWEST, False, "DROP TABLE rejects", True),
}


@pytest.mark.parametrize("case", NEEDS.values(), ids=NEEDS)
def test_what_sqlite_does_not_see_is_put_together(fill: Fill, path: Path, case: Case) -> None:
    ledger, has_log, change, needed = case
    fill(**TABLES)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # a log of zeros is no log to SQLite
        connection.execute("PRAGMA journal_mode = WAL")
        if change:
            connection.execute(change)
    if has_log:
        log(path)
    assert salvage._needs_reassembling(path, ledger) is needed


@pytest.mark.parametrize("data", [None, b"", b"no database" * 500, bytes(3 * PAGE_BYTES)])
def test_what_is_no_database_is_put_together(path: Path, data: bytes | None) -> None:
    if data is not None:
        path.write_bytes(data)
    assert salvage._needs_reassembling(path, None)


@pytest.mark.parametrize("value", ["'many'", "NULL", "x'ff'"])
def test_a_file_that_contradicts_itself_is_put_together(fill: Fill, path: Path, value: str) -> None:
    fill(**TABLES)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE sqlite_sequence SET seq = {value}")  # noqa: S608 - of tests
        connection.execute("UPDATE cursors SET written = 'many'")
    ledger = LedgerEntry(
        form=2, feeds={"mcas": FeedRow.of(1, 3, Account(delivered=1), ("web",), 5)}
    )
    assert salvage._needs_reassembling(path, ledger)


@pytest.mark.parametrize(
    ("ledger", "has_log", "is_damaged"),
    [
        (NEWEST, True, False),
        (AHEAD, False, False),
        (AHEAD, True, True),
        (None, True, False),
    ],
)
def test_commits_that_are_noted_may_be_in_a_log_that_cannot_be_read(
    fill: Fill, path: Path, ledger: LedgerEntry | None, *, has_log: bool, is_damaged: bool
) -> None:
    fill(**TABLES)
    if has_log:
        log(path)
    found = checking.find_damage(path, ledger, thorough=False)
    why = "its last commits can't be read from its write-ahead log"
    assert found == (why if is_damaged else None)


@pytest.mark.parametrize(
    ("blocks", "unreadable", "is_dead"),
    [
        (1, 1, True),
        (2, 1, False),
        (3, 1, False),
        (3, 2, True),
        (2, 2, True),
        (5, 2, False),
        (5, 3, True),
    ],
)
def test_a_disk_is_dead_that_gives_less_than_half(
    path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int, unreadable: int, *, is_dead: bool
) -> None:
    path.write_bytes(bytes((blocks - 1 << 16) + 1))  # the last block is a byte
    offsets: list[int] = []

    def failing(_number: int, size: int, offset: int) -> bytes:
        offsets.append(offset)
        assert size == 1 << 16
        if len(offsets) <= unreadable:
            raise OSError(5, "Input/output error")
        return b""

    monkeypatch.setattr(os, "pread", failing)
    if is_dead:
        with pytest.raises(OSError, match="Input/output"):
            checking.read_through(path)
    else:
        checking.read_through(path)
    assert offsets == [number << 16 for number in range(blocks)]


def test_what_sqlite_finds_wrong_is_said_in_its_words_in_one_line(fill: Fill, path: Path) -> None:
    fill(**TABLES)
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'damaged'"
        ).fetchone()
    damaged = bytearray(path.read_bytes())
    damaged[(root - 1) * PAGE_BYTES] = 99  # a kind of page that there is not
    path.write_bytes(damaged)
    found = checking.find_damage(path, NEWEST, thorough=True)
    assert found is not None
    assert found.startswith("*** in database main *** ")
    assert f"page {root}" in found.lower()


def test_files_set_aside_in_the_same_second_are_numbered(path: Path) -> None:
    for number in range(4):
        path.write_bytes(b"damaged %d" % number)
        complete = salvage.complete_path(path)
        complete.write_bytes(b"")
        os.utime(complete, (1696583108, 1696583108))
        salvage.finish_salvage(path)
    aside = f"{path.name}.damaged-20231006T090508"
    found = {each.name: each.read_bytes() for each in path.parent.glob(f"{path.name}.damaged-*")}
    assert found == {
        f"{aside}{end}": b"damaged %d" % number for number, end in enumerate(("", "-2", "-3", "-4"))
    }


def test_a_salvage_is_reported_although_what_was_set_aside_is_gone(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(schema.connect(path)) as connection:
        schema.migrate(connection, path, lambda _point: None)
        connection.execute("INSERT INTO salvages VALUES (1.0, 2, 3, 'a, b', 0, NULL)")
        connection.execute("INSERT INTO salvages VALUES (2.0, 2, 3, '', 0, NULL)")
        for _ in range(2):
            salvage.report_salvages(connection, path)
        rows = connection.execute("SELECT reported_as FROM salvages").fetchall()
    assert rows == [("",)] * 2
    facts = {
        "path": str(path),
        "set_aside_as": "",
        "batches_saved": 2,
        "records_saved": 3,
        "sequences_lost": ["a", "b"],
    }
    assert [vars(each)["facts"] for each in caplog.records] == [
        facts,
        facts | {"sequences_lost": []},
    ]
