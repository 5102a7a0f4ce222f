"""How the spool's file is opened and made, and which files it is not to touch."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nss.spool import SpoolError
from nss.spool.durable import schema
from nss.spool.durable.schema import MIGRATIONS


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """Return a connection to a new file in the newest form."""
    with closing(schema.connect(path)) as made:
        schema.migrate(made, path, lambda _point: None)
        yield made


def pragma(connection: sqlite3.Connection, name: str) -> object:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return value


def open_files() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


# Connections.


def test_a_commit_is_on_the_disk_when_it_returns_and_a_file_can_shrink(
    connection: sqlite3.Connection,
) -> None:
    found = {
        name: pragma(connection, name)
        for name in (
            *("journal_mode", "synchronous", "page_size", "auto_vacuum"),
            *("wal_autocheckpoint", "secure_delete", "cache_size"),
        )
    }

    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "page_size": 16384,
        "auto_vacuum": 2,  # INCREMENTAL
        "wal_autocheckpoint": 4096,
        "secure_delete": 0,
        "cache_size": -8192,
    }
    assert connection.isolation_level is None


def test_a_file_keeps_the_size_of_its_pages(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA page_size = 4096")
        other.execute("CREATE TABLE letters (letter)")

    with closing(schema.connect(path)) as connection:
        assert pragma(connection, "page_size") == 4096
        assert pragma(connection, "auto_vacuum") == 0


def test_a_connection_that_can_not_be_made_leaves_nothing_open(path: Path) -> None:
    path.write_bytes(b"something else" * 100)
    before = open_files()

    with pytest.raises(sqlite3.DatabaseError) as raised:
        schema.connect(path)

    assert open_files() == before
    assert str(raised.value) == "file is not a database"  # what was raised holds the connection


@pytest.mark.parametrize("name", ["spool.db", "a?mode=rwc#b%20c d.db"])
def test_a_reader_reads_and_does_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with closing(schema.connect(tmp_path / name)) as writer:
        schema.migrate(writer, tmp_path / name, lambda _point: None)
        with closing(schema.connect_reader(Path(name))) as reader:
            assert pragma(reader, "user_version") == len(MIGRATIONS)
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                reader.execute("DELETE FROM sources")


def test_a_reader_makes_no_file(path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        schema.connect_reader(path).execute("SELECT 1")

    assert not path.exists()


def test_damaged_text_is_read_as_far_as_it_goes(connection: sqlite3.Connection) -> None:
    found = connection.execute("SELECT CAST(x'61ff62' AS TEXT)").fetchone()

    assert found == ("a\N{REPLACEMENT CHARACTER}b",)


def test_a_row_s_checksum_knows_its_table_the_order_and_the_types(
    connection: sqlite3.Connection,
) -> None:
    rows: list[tuple[object, ...]] = [
        *(("sources", 1, 2), ("cursors", 1, 2), ("sources", 2, 1), ("sources", 12)),
        *(("sources", "1", 2), ("sources", 1.0, 2), ("sources", None, 2), ("sources", b"1", 2)),
    ]
    sums = [
        connection.execute(f"SELECT row_crc32({', '.join('?' * len(row))})", row).fetchone()[0]
        for row in rows
    ]

    assert len(set(sums)) == len(rows)
    assert sums[0] == schema.row_crc32("sources", 1, 2) == 1671865062


# Forms.


def test_a_file_is_brought_from_form_to_form_and_each_step_is_told(path: Path) -> None:
    points: list[str] = []
    with closing(schema.connect(path)) as connection:
        schema.migrate(connection, path, points.append, MIGRATIONS[:1])
        assert schema.check_form(connection, path) == 1
        assert pragma(connection, "application_id") == int.from_bytes(b"NSSq", "big")

        schema.migrate(connection, path, points.append)
        schema.migrate(connection, path, points.append)

        assert schema.check_form(connection, path) == 2
        assert not connection.in_transaction
    assert points == ["before migration", "mid-migration", "after migration"] * 2


def test_a_step_is_done_whole_or_not_at_all(path: Path) -> None:
    def killed(point: str) -> None:
        if point == "mid-migration":
            raise KeyboardInterrupt

    with closing(schema.connect(path)) as connection, pytest.raises(KeyboardInterrupt):
        schema.migrate(connection, path, killed)

    with closing(schema.connect(path)) as connection:
        assert schema.check_form(connection, path) == 0
        assert schema.declarations_of(connection) == {}


def test_an_empty_file_has_no_form_yet(path: Path) -> None:
    with closing(schema.connect(path)) as connection:
        assert schema.check_form(connection, path) == 0


@pytest.mark.parametrize(
    "statement", ["PRAGMA application_id = 7", "CREATE TABLE letters (letter)"]
)
def test_a_database_of_another_program_has_no_form(path: Path, statement: str) -> None:
    with closing(schema.connect(path)) as connection:
        connection.execute(statement)

        with pytest.raises(SpoolError) as raised:
            schema.check_form(connection, path)

    assert str(raised.value) == (
        f"spool: the file is a database of another program ({path})\n"
        "Try: name another file as path in [spool]"
    )


def test_a_newer_form_is_told_with_those_that_are_known(
    connection: sqlite3.Connection, path: Path
) -> None:
    with pytest.raises(SpoolError) as raised:
        schema.check_form(connection, path, known=1)

    assert str(raised.value) == (
        f"spool: the file has form 2, and this version of NSS knows forms up to 1 ({path})\n"
        "Try: run the version of NSS that wrote it, or a newer one"
    )


def test_a_form_is_known_by_what_is_declared(connection: sqlite3.Connection) -> None:
    declared = schema.declarations_of(connection)

    assert declared == schema.expected_declarations(2)
    assert schema.form_of(declared) == 2
    assert schema.form_of({**declared, "added": "CREATETABLEadded(x)"}) == 2
    assert schema.form_of(schema.expected_declarations(1)) == 1
    assert schema.form_of({}) is None
    assert schema.form_of({**declared, "sources": "CREATETABLEsources(x)"}) is None
    assert declared["rejected_bodies"] == (
        "CREATEINDEXrejected_bodiesONrejects(body)WHEREbodyISNOTNULL"
    )


def test_a_file_is_not_brought_to_an_older_form(path: Path) -> None:
    with closing(schema.connect(path)) as connection:
        schema.migrate(connection, path, lambda _point: None)
        known = schema.MIGRATIONS[:-1]
        with pytest.raises(SpoolError, match=f"knows forms up to {len(known)} "):
            schema.migrate(connection, path, lambda _point: None, known)
