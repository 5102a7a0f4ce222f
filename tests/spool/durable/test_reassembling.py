"""A file put together from its pages: what is there is kept, what is lost is made anew."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nss.spool.durable import schema
from nss.spool.durable.pages import log_path
from nss.spool.durable.reassembling import reassemble
from nss.spool.durable.schema import PAGE_BYTES

FORMS = range(1, len(schema.MIGRATIONS) + 1)
NEWEST = len(schema.MIGRATIONS)
BLOBS = 40


def make(path: Path, form: int) -> sqlite3.Connection:
    """Make a file of a form with some blobs that take several pages."""
    connection = schema.connect(path)
    schema.migrate(connection, path, lambda _point: None, schema.MIGRATIONS[:form])
    blobs = [(number, 0, 0, bytes([number]) * 3000) for number in range(1, BLOBS + 1)]
    connection.executemany("INSERT INTO bodies VALUES (?, ?, ?, ?)", blobs)
    connection.execute("INSERT INTO sources (name, position, accepted) VALUES ('web', 'at 7', 9)")
    connection.execute("DELETE FROM bodies WHERE body > 30")
    return connection


def what_is_in(path: Path) -> tuple[list[object], list[object]]:
    with closing(schema.connect_reader(path)) as connection:
        blobs = connection.execute("SELECT body, data FROM bodies ORDER BY body").fetchall()
        return blobs, connection.execute("SELECT name, position, accepted FROM sources").fetchall()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return where the copy goes: a place that would mean something else in a URI."""
    folder = tmp_path / "100 %25?mode=rw#"
    folder.mkdir()
    return folder / "copy.db"


@pytest.mark.parametrize("form", FORMS)
def test_what_is_in_the_log_is_in_its_place(path: Path, copy: Path, form: int) -> None:
    with closing(make(path, form)) as connection:
        assert path.stat().st_size < log_path(path).stat().st_size
        reassemble(path, copy, form)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert copy.read_bytes() == path.read_bytes()
    assert copy.stat().st_mode & 0o777 == 0o600
    assert list(copy.parent.iterdir()) == [copy]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_can_be_read_keeps_its_first_page(path: Path, copy: Path, form: int) -> None:
    make(path, form).close()
    before = path.read_bytes()
    reassemble(path, copy, form)
    assert copy.read_bytes() == before


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("with_log", [False, True])
def test_a_first_page_that_is_lost_is_made_anew(
    path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, form: int, *, with_log: bool
) -> None:
    work = path.parent / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    make(path, form).close()
    found = what_is_in(path)
    assert len(found[0]) == 30
    if with_log:
        with closing(schema.connect(path)) as connection:
            connection.execute("UPDATE sources SET position = 'at 8'")
            killed = path.parent / "killed.db"
            shutil.copy(path, killed)
            shutil.copy(log_path(path), log_path(killed))
        path, found = killed, (found[0], [("web", "at 8", 9)])
    with path.open("r+b") as file:
        file.write(bytes(PAGE_BYTES))
    reassemble(path, copy, form)

    size = path.stat().st_size
    data = copy.read_bytes()
    if not with_log:
        assert data[PAGE_BYTES:] == path.read_bytes()[PAGE_BYTES:]
    assert len(data) == size
    assert int.from_bytes(data[28:32], "big") == size // PAGE_BYTES
    assert data[32:40] == bytes(8), "no page is free"
    assert what_is_in(copy) == found
    with closing(schema.connect_reader(copy)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    assert version == form
    assert names - {"sqlite_sequence"} == {
        "bodies",
        "batches",
        "sources",
        "cursors",
        "rejects",
        "damaged",
    }
    assert list(work.iterdir()) == []


def test_a_file_of_another_form_than_was_thought_gets_the_first_page_of_that(
    path: Path, copy: Path
) -> None:
    make(path, 1).close()
    reassemble(path, copy, NEWEST)
    with closing(schema.connect_reader(copy)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (NEWEST,)


def test_what_is_no_database_gets_a_first_page(path: Path, copy: Path) -> None:
    path.write_bytes(b"x" * 3 * PAGE_BYTES)
    reassemble(path, copy, NEWEST)
    data = copy.read_bytes()
    assert data.startswith(b"SQLite format 3\0")
    assert data[PAGE_BYTES:] == b"x" * 2 * PAGE_BYTES


def test_of_no_page_nothing_is_made(path: Path, copy: Path) -> None:
    path.write_bytes(b"x" * (PAGE_BYTES - 1))
    reassemble(path, copy, NEWEST)
    assert copy.read_bytes() == b""
    path.unlink()
    copy.unlink()
    reassemble(path, copy, NEWEST)
    assert copy.read_bytes() == b""
