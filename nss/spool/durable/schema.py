"""The spool's file: a SQLite database in WAL mode, and how it came to its present form.

Numbers are 64 bits and never used twice. Times are seconds since the epoch.

`bodies`   the records of a batch, as one blob
  body            the sequence of the batch that brought it
  codec           0: as they are, 1: one zstd frame
  crc32           of `data` as it is stored
  data            records, one a line, each ended by LF

`batches`  one row a batch, in the order of acceptance
  sequence        1, 2, 3, ...
  source, connection    where it came from; order is kept within both
  feed            empty, or the only feed that it is for (replays and retries)
  records         number of lines
  data_bytes, stored_bytes    size of the records, and of the blob
  accepted_at     time
  body            which blob: its own (`body = sequence`), or that of the batch it replays
  passed_at       time when no feed waited for it any more; NULL until then
  crc32           of the row

`sources`  one row a source that ever had a batch accepted
  position        where it continues, in its own format; NULL if it can't go back
  accepted        records accepted, ever
  crc32           of the row

`cursors`  one row a feed
  passed          everything up to this sequence is done
  accepted        records accepted for the feed, ever
  delivered, filtered, rejected, dropped, shortened, unpacked    what became of them
  sources         JSON list of the sources that it follows; empty if unknown
  written         number of the commit that wrote the row
  crc32           of the row

  accepted + unpacked = delivered + filtered + rejected + dropped + the records of the batches
  after `passed` that are for the feed

`rejects`  what a feed will never deliver as it is, one row a record or a batch; oldest go first
  number          1, 2, 3, ...
  feed, source, connection, reason, rejected_at
  record_bytes    its size; of a batch, that of its blob
  data            the record, or its beginning; empty for a batch
  body            the blob of a batch that could not be read back, kept for a retry; else NULL
  records, data_bytes    of that batch
  crc32           of the row without its number

`damaged`  one row for each blob that a salvage found without a row in `batches`
  sequence, source, connection, records, found_at, why
  data            the blob, if it could be read at all

`salvages`  one row for each time that a damaged file was replaced by what is readable of it
  salvaged_at     time
  batches, records    how much was saved
  lost            sequences of batches that were lost, as text: 3, 5-9
  cursors_lost    1 if rows of `cursors` could not be read, until something new is accepted
  reported_as     where the damaged file is, once that was reported; NULL until then

SQLite finds pages that contradict each other, and nothing else: a flipped bit in a number is a
sound number. So each row that decides what is delivered has a checksum (`row_crc32`).

`PRAGMA user_version` is the number of migrations the file has been through, and
`PRAGMA application_id` is "NSSq". A batch, its source's position and the accepted count of every
feed that it is for change in one transaction; so do a cursor, its counts and its rejects.
"""

import contextlib
import functools
import sqlite3
import zlib
from collections.abc import Sequence
from pathlib import Path

from nss.spool import At, SpoolError

APPLICATION_ID = int.from_bytes(b"NSSq", "big")

PAGE_BYTES = 16 * 1024
"""A batch of 1 MiB shrinks to about 80 KiB, which are few pages of this size."""

MAX_WAL_PAGES = 4096
"""At how many pages SQLite itself checkpoints the write-ahead log."""

MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE bodies (
        body INTEGER PRIMARY KEY,
        codec INTEGER NOT NULL,
        crc32 INTEGER NOT NULL,
        data BLOB NOT NULL
    );
    CREATE TABLE batches (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        source TEXT NOT NULL CHECK (typeof(source) = 'text'),
        connection TEXT NOT NULL CHECK (typeof(connection) = 'text'),
        feed TEXT NOT NULL CHECK (typeof(feed) = 'text'),
        records INTEGER NOT NULL CHECK (typeof(records) = 'integer'),
        data_bytes INTEGER NOT NULL CHECK (typeof(data_bytes) = 'integer'),
        stored_bytes INTEGER NOT NULL CHECK (typeof(stored_bytes) = 'integer'),
        accepted_at REAL NOT NULL CHECK (typeof(accepted_at) = 'real'),
        body INTEGER NOT NULL CHECK (typeof(body) = 'integer'),
        passed_at REAL
    );
    CREATE INDEX replays ON batches (body) WHERE body <> sequence;
    CREATE TABLE sources (
        name TEXT PRIMARY KEY,
        position TEXT,
        accepted INTEGER NOT NULL CHECK (typeof(accepted) = 'integer')
    ) WITHOUT ROWID;
    CREATE TABLE cursors (
        feed TEXT PRIMARY KEY,
        passed INTEGER NOT NULL CHECK (typeof(passed) = 'integer'),
        accepted INTEGER NOT NULL CHECK (typeof(accepted) = 'integer'),
        delivered INTEGER NOT NULL CHECK (typeof(delivered) = 'integer'),
        filtered INTEGER NOT NULL CHECK (typeof(filtered) = 'integer'),
        rejected INTEGER NOT NULL CHECK (typeof(rejected) = 'integer'),
        dropped INTEGER NOT NULL CHECK (typeof(dropped) = 'integer'),
        shortened INTEGER NOT NULL CHECK (typeof(shortened) = 'integer'),
        unpacked INTEGER NOT NULL CHECK (typeof(unpacked) = 'integer')
    ) WITHOUT ROWID;
    CREATE TABLE rejects (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        feed TEXT NOT NULL CHECK (typeof(feed) = 'text'),
        source TEXT NOT NULL CHECK (typeof(source) = 'text'),
        connection TEXT NOT NULL CHECK (typeof(connection) = 'text'),
        reason TEXT NOT NULL CHECK (typeof(reason) = 'text'),
        rejected_at REAL NOT NULL CHECK (typeof(rejected_at) = 'real'),
        record_bytes INTEGER NOT NULL CHECK (typeof(record_bytes) = 'integer'),
        data BLOB NOT NULL CHECK (typeof(data) = 'blob')
    );
    CREATE TABLE damaged (
        sequence INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        connection TEXT NOT NULL,
        records INTEGER NOT NULL,
        found_at REAL NOT NULL,
        why TEXT NOT NULL,
        data BLOB
    );
    """,
    """
    ALTER TABLE batches ADD COLUMN crc32 INTEGER NOT NULL DEFAULT 0;
    UPDATE batches SET crc32 = row_crc32('batches', sequence, source, connection, feed, records,
        data_bytes, stored_bytes, accepted_at, body, passed_at);
    ALTER TABLE sources ADD COLUMN crc32 INTEGER NOT NULL DEFAULT 0;
    UPDATE sources SET crc32 = row_crc32('sources', name, position, accepted);
    ALTER TABLE cursors ADD COLUMN sources TEXT NOT NULL DEFAULT '';
    ALTER TABLE cursors ADD COLUMN written INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE cursors ADD COLUMN crc32 INTEGER NOT NULL DEFAULT 0;
    UPDATE cursors SET crc32 = row_crc32('cursors', feed, passed, accepted, delivered, filtered,
        rejected, dropped, shortened, unpacked, sources, written);
    ALTER TABLE rejects ADD COLUMN body INTEGER;
    ALTER TABLE rejects ADD COLUMN records INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE rejects ADD COLUMN data_bytes INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE rejects ADD COLUMN crc32 INTEGER NOT NULL DEFAULT 0;
    UPDATE rejects SET crc32 = row_crc32('rejects', feed, source, connection, reason, rejected_at,
        record_bytes, data, body, records, data_bytes);
    CREATE INDEX rejected_bodies ON rejects (body) WHERE body IS NOT NULL;
    CREATE TABLE salvages (
        salvaged_at REAL NOT NULL,
        batches INTEGER NOT NULL,
        records INTEGER NOT NULL,
        lost TEXT NOT NULL,
        cursors_lost INTEGER NOT NULL,
        reported_as TEXT
    );
    """,
)

BODY_USES = """
    SELECT 'batch' FROM batches WHERE sequence = :body AND body = :body
    UNION SELECT 'batch' FROM batches WHERE body = :body AND body <> sequence
    UNION SELECT 'reject' FROM rejects WHERE body = :body
"""
"""What still needs a blob."""

CHECKED_ROWS = ("batches", "cursors", "sources")
"""Tables whose rows end with their `row_crc32` and are checked at the start. Rejects are checked
when they are read."""

_NOT_THE_FILE = {
    sqlite3.SQLITE_OK,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_AUTH,
}

Value = str | int | float | bytes | None
"""What SQLite stores in a column."""


def row_crc32(table: str, *values: Value) -> int:
    """Return the checksum of a row: of its table's name and its columns, in order, with types."""
    return zlib.crc32(ascii((table, *values)).encode("ascii"))


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection that writes; every commit is on the disk when it returns."""
    connection = _connection(str(path), uri=False)
    try:
        if not connection.execute("PRAGMA page_count").fetchone()[0]:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            # Before there is a table; later it writes, for which there may be no space.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # The committer chooses the moment; this is for logs that grow faster than it assumes.
        connection.execute(f"PRAGMA wal_autocheckpoint = {MAX_WAL_PAGES}")
        connection.execute("PRAGMA secure_delete = OFF")  # on in Debian: it writes zeros
        connection.execute("PRAGMA cache_size = -8192")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Return a connection that only reads, next to the one that writes."""
    return _connection(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _connection(database: str, *, uri: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(database, uri=uri, isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    connection.create_function("row_crc32", -1, row_crc32, deterministic=True)
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error at the start says that the file is damaged.

    That is any error that neither the system nor another process can cause.
    """
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF not in _NOT_THE_FILE


def is_of_connection(error: sqlite3.Error) -> bool:
    """Return whether another connection may do better: this one is closed, or only reads.

    SQLite opens a file for reading when it can't be opened for writing, and stays at that.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, sqlite3.ProgrammingError) or code == sqlite3.SQLITE_READONLY


def is_read_error(error: sqlite3.Error) -> bool:
    """Return whether the disk failed, perhaps only for a moment."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR


def migrate(
    connection: sqlite3.Connection, path: Path, at: At, migrations: Sequence[str] = MIGRATIONS
) -> None:
    """Bring a file to the newest form; each step is one transaction. Raises `SpoolError`."""
    version = check_form(connection, path, len(migrations))
    for number in range(version, len(migrations)):
        at("before migration")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for statement in migrations[number].split(";"):
            connection.execute(statement)
        at("mid-migration")
        connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute("COMMIT")
        at("after migration")


def check_form(connection: sqlite3.Connection, path: Path, known: int = len(MIGRATIONS)) -> int:
    """Return how many migrations a file has been through.

    Raises `SpoolError` for a file of a newer version, or of another program.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and (tables or application):
        raise SpoolError(
            f"spool: the file is a database of another program ({path})",
            tip="name another file as path in [spool]",
        )
    if version > known:
        raise SpoolError(
            f"spool: the file has form {version}, and this version of NSS knows forms up to "
            f"{known} ({path})",
            tip="run the version of NSS that wrote it, or a newer one",
        )
    return int(version)


Declarations = dict[str, str]
"""How each table and index was declared, without blanks."""


def declarations_of(connection: sqlite3.Connection) -> Declarations:
    """Return what is declared in a file.

    Raises `sqlite3.Error`, and UnicodeError where names are damaged.
    """
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {name: "".join(str(sql).split()) for name, sql in rows}


def form_of(declarations: Declarations) -> int | None:
    """Return how many migrations made these declarations; `None` if none did.

    Tables and indexes that somebody added are none of ours, and do no harm.
    """
    for form in range(len(MIGRATIONS), 0, -1):
        if expected_declarations(form).items() <= declarations.items():
            return form
    return None


@functools.cache
def expected_declarations(form: int) -> Declarations:
    """Return the declarations in a file after so many migrations."""
    with contextlib.closing(_connection(":memory:", uri=False)) as connection:
        migrate(connection, Path(":memory:"), lambda _point: None, MIGRATIONS[:form])
        return declarations_of(connection)


def _text(data: bytes) -> str:
    """Return text as it is in the file; damaged text must not stop the reading."""
    return data.decode("utf-8", "replace")
