"""What a start finds of files that are not as they were made, and in which words."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nss.spool.durable import checking, schema
from nss.spool.durable.ledger import LedgerEntry
from tests.spool.durable.copies import NEWEST, Fill, body, cursor, fill, summed

__all__ = ["fill"]

OTHER_TABLES = "its tables are not as they were made"
HEADER = "its header is damaged"
ONLY_LOG = "only its write-ahead log is there"
NO_NUMBER = "the last number of batches makes no sense"


def changed(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            connection.execute(statement)


def number(value: str) -> str:
    return f"INSERT INTO sqlite_sequence VALUES ('batches', {value})"  # noqa: S608 - of tests


FOUND: dict[str, tuple[list[str], str | None]] = {
    "nothing": ([], None),
    "a table is gone": (["DROP TABLE rejects"], OTHER_TABLES),
    "a table of somebody else": (["CREATE TABLE notes (text)"], None),
    "another version": (["PRAGMA user_version = 7"], HEADER),
    "no version": (["PRAGMA user_version = 0"], HEADER),
    "another program": (["PRAGMA application_id = 5"], HEADER),
    "no batch yet": ([number("0")], None),
    "one batch": ([number("1")], None),
    "very many": ([number(str(checking.MAX_SEQUENCE - 1))], None),
    "too many": ([number(str(checking.MAX_SEQUENCE))], NO_NUMBER),
    "less than none": ([number("-1")], NO_NUMBER),
    "no number": ([number("'many'")], NO_NUMBER),
    "no number at all": ([number("NULL")], NO_NUMBER),
    "a source": (["UPDATE sources SET accepted = 4"], "a row of sources is not as it was written"),
    "a feed": (["UPDATE cursors SET passed = 4"], "a row of cursors is not as it was written"),
}


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize("case", FOUND.values(), ids=FOUND)
def test_what_is_found(
    fill: Fill, path: Path, case: tuple[list[str], str | None], *, thorough: bool
) -> None:
    statements, found = case
    fill(
        bodies=[body(1)],
        sources=summed("sources", ("web", None, 3)),
        cursors=summed("cursors", cursor("mcas")),
    )
    changed(path, *statements)
    assert checking.find_damage(path, NEWEST, thorough=thorough) == found


def test_a_file_of_the_first_form_has_no_checksums(fill: Fill, path: Path) -> None:
    fill(1, cursors=[cursor("mcas")[:9]])
    for ledger in (None, LedgerEntry(form=1)):
        assert checking.find_damage(path, ledger, thorough=False) is None
    changed(path, "PRAGMA user_version = 2")
    assert checking.find_damage(path, LedgerEntry(form=1), thorough=False) == HEADER
    for noted in (None, NEWEST):  # so it may be of the second form, and lack what that has
        assert checking.find_damage(path, noted, thorough=False) == OTHER_TABLES


@pytest.mark.parametrize("has_commits", [False, True])
@pytest.mark.parametrize("versions", [False, True])
def test_a_file_without_tables(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, versions: bool, has_commits: bool
) -> None:
    """SQLite made it, and what was written then may still be in the log."""
    monkeypatch.setattr(checking, "has_commits", lambda _path: has_commits)
    with closing(schema.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("DROP TABLE t")
        if versions:
            connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            connection.execute("PRAGMA user_version = 1")
    expected = OTHER_TABLES if versions else ONLY_LOG if has_commits else None
    assert checking.find_damage(path, None, thorough=False) == expected


@pytest.mark.parametrize("has_commits", [False, True])
@pytest.mark.parametrize("is_there", [False, True])
def test_a_file_without_anything(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, is_there: bool, has_commits: bool
) -> None:
    monkeypatch.setattr(checking, "has_commits", lambda _path: has_commits)
    if is_there:
        path.touch()
    found = checking.find_damage(path, None, thorough=False)
    assert found == (ONLY_LOG if has_commits else None)


@pytest.mark.parametrize("place", [18, 19])
@pytest.mark.parametrize(("version", "found"), [(1, None), (2, None), (3, HEADER), (255, HEADER)])
def test_what_sqlite_would_never_write_is_damage(
    fill: Fill, path: Path, place: int, version: int, found: str | None
) -> None:
    fill()
    data = bytearray(path.read_bytes())
    data[18:20] = bytes([1, 1])
    data[place] = version
    path.write_bytes(data)
    assert checking.find_damage(path, NEWEST, thorough=False) == found
