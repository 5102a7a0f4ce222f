"""What a start says about a file that it can't use, and how often it looks before it says so."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nss.spool.durable import opening, schema, suspicion
from nss.spool.durable.opening import OPINIONS
from nss.spool.durable.store import Store
from nss.telemetry.events import counters
from tests.spool.durable.committing import happened, names_beside, refusal
from tests.spool.durable.starting import (
    IN_USE,
    USABLE,
    Damage,
    Start,
    damage,
    is_locked,
    said,
    start,
)

__all__ = ["damage", "start"]

CORRUPT, IOERR = sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR


# What it says.


def test_a_new_spool_is_open_to_this_user_alone_and_locked(start: Start, path: Path) -> None:
    store = start()

    assert names_beside(path) == IN_USE
    assert path.stat().st_mode & 0o777 == 0o600
    assert is_locked(path)
    assert not store.reserve.is_spent
    assert start.pauses == []
    start.stop()
    assert not is_locked(path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "spool.db"

    error = Start(path).failed()

    assert str(error) == said(path, "can't be opened: no such file or directory", USABLE)


def test_a_file_that_another_process_uses_is_left_alone(start: Start, path: Path) -> None:
    start()

    error = start.failed()

    assert str(error) == said(
        path,
        "another process uses the file",
        "stop the other nss, or give this one a path of its own in [spool]",
    )


@pytest.mark.parametrize("content", [b"x", b"SQLite format 3\1", b"a letter " * 10])
def test_a_file_of_something_else_is_left_alone(start: Start, path: Path, content: bytes) -> None:
    path.write_bytes(content)

    error = start.failed()

    what = "the file is something else"
    assert str(error) == said(path, what, "name another file as path in [spool]")
    assert path.read_bytes() == content
    assert names_beside(path) == {""}


def test_a_file_that_is_empty_becomes_a_spool(start: Start, path: Path) -> None:
    path.touch()

    assert start().state.last_sequence == 0


def test_a_database_of_another_program_is_left_alone(start: Start, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE letters (letter)")

    error = start.failed()

    what = "the file is a database of another program"
    assert str(error) == said(path, what, "name another file as path in [spool]")
    assert not is_locked(path)


@pytest.mark.parametrize("looked_at", [True, False])
def test_a_file_of_a_newer_version_is_left_alone(
    start: Start, path: Path, damage: Damage, *, looked_at: bool
) -> None:
    start()
    start.stop()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")

    if not looked_at:
        damage(iter(()))

    error = start.failed()

    assert str(error) == said(
        path,
        "the file has form 99, and this version of NSS knows forms up to 2",
        "run the version of NSS that wrote it, or a newer one",
    )


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(28, "No space left on device"), "no space left on device"),
        (refusal(sqlite3.SQLITE_FULL), "database or disk is full"),
    ],
)
def test_what_fails_at_the_start_is_told_in_the_system_s_words(
    start: Start, path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    def fails(_path: Path) -> None:
        raise error

    monkeypatch.setattr(opening, "finish_salvage", fails)

    raised = start.failed()

    assert str(raised) == said(path, f"can't be opened: {why}", USABLE)
    assert raised.__cause__ is error
    assert not is_locked(path)


# How often it looks.


def test_a_file_that_looks_damaged_for_a_moment_stays(
    start: Start, path: Path, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    start().connection.execute("INSERT INTO sources VALUES ('web', '', 1, 0)")
    start.stop()
    looks = damage(iter(["its header is damaged", refusal(IOERR), "it contradicts itself"]))

    with caplog.at_level(logging.WARNING):
        store = start()

    assert looks == [False] * 4
    assert start.pauses == [0.5, 1, 2]
    assert store.connection.execute("SELECT count(*) FROM sources").fetchone() == (1,)
    assert counters["spool_salvages", "spool"] == 0
    assert happened(caplog, "spool_looks_damaged") == [
        ("spool_looks_damaged", {"path": str(path), "why": "its header is damaged"})
    ]


def test_a_file_that_stays_damaged_is_replaced(start: Start, path: Path, damage: Damage) -> None:
    start()
    start.stop()
    suspicion.suspect(path)
    looks = damage(iter(["it contradicts itself"] * OPINIONS))

    store = start()

    assert looks == [True] * OPINIONS
    assert start.pauses == [0.5, 1, 2, 4, 0]
    assert counters["spool_salvages", "spool"] == 1
    assert not suspicion.is_suspect(path)
    aside = [name for name in names_beside(path, IN_USE) if not name.endswith(("-wal", "-shm"))]
    assert [name[:9] for name in aside] == [".damaged-"]
    assert not store.reserve.is_spent
    assert store.connection.execute("SELECT count(*) FROM salvages").fetchone() == (1,)


def test_a_file_that_stays_unreadable_is_not_replaced(
    start: Start, path: Path, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    start()
    start.stop()
    looks = damage(iter([refusal(IOERR), "it contradicts itself", *[refusal(IOERR)] * OPINIONS]))

    error = start.failed()

    assert str(error) == said(path, "can't be opened: disk I/O error", USABLE)
    assert len(looks) == OPINIONS
    assert counters["spool_salvages", "spool"] == 0
    assert happened(caplog, "spool_looks_damaged") == [
        ("spool_looks_damaged", {"path": str(path), "why": "disk I/O error"})
    ]


def test_a_file_that_was_unreadable_and_then_is_damaged_is_replaced(
    start: Start, damage: Damage
) -> None:
    start()
    start.stop()
    damage(iter([*[refusal(IOERR)] * (OPINIONS - 1), "it contradicts itself"]))

    start()

    assert counters["spool_salvages", "spool"] == 1


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY])
def test_what_another_look_does_not_help_is_told_at_once(
    start: Start, path: Path, damage: Damage, code: int
) -> None:
    looks = damage(iter([refusal(code)]))

    error = start.failed()

    assert str(error) == said(path, "can't be opened: it failed", USABLE)
    assert (looks, start.pauses) == ([False], [])


def test_a_file_that_can_not_be_loaded_is_looked_at_again(
    start: Start, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes, connect = iter([CORRUPT, IOERR]), schema.connect

    def fails(path: Path) -> sqlite3.Connection:
        for code in codes:
            raise refusal(code)
        return connect(path)

    monkeypatch.setattr(schema, "connect", fails)

    start()

    assert start.pauses == [0.5, 1]
    assert is_locked(path)


def test_a_connection_that_was_not_used_is_closed(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, connect = list[sqlite3.Connection](), schema.connect

    def noted(path: Path) -> sqlite3.Connection:
        made.append(connect(path))
        return made[-1]

    def fails(_store: Store, _connection: sqlite3.Connection, _noted: object) -> None:
        raise refusal(IOERR)

    monkeypatch.setattr(schema, "connect", noted)
    monkeypatch.setattr(Store, "load", fails)

    start.failed()

    assert len(made) == OPINIONS
    for connection in made:
        with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
            connection.execute("SELECT 1")
