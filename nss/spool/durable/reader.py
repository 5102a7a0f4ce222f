"""Reads batches back from the spool's file, in a thread next to the writing thread."""

import sqlite3
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from formats.dataclass import dataclass
from nss.batch import Batch
from nss.spool import Entry
from nss.spool.durable.accounts import WANTED, wanted
from nss.spool.durable.packing import Damaged, Packed, Packer
from nss.spool.durable.schema import connect_reader, is_damage, is_read_error

READ_BYTES = 4 << 20
"""About how many bytes of records a read returns at most."""

READ_ROWS = 256
"""And how many batches."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A batch whose records can't be read back."""

    sequence: int
    batch: Batch
    """Without its records."""
    accepted_at: float
    reason: str
    is_read_error: bool
    """Whether the disk failed; otherwise what it gave was not what had been written."""
    is_malformed: bool = False
    """Whether SQLite could not find its way to the records: others may be affected."""


class BatchReader:
    """Reads for all cursors, one call at a time, in one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: sqlite3.Connection | None = None
        self._packer = Packer()

    def read(
        self, after: int, upto: int, feed: str, sources: Collection[str]
    ) -> tuple[list[Entry | Lost], int]:
        """Return batches for a feed, and the last sequence that was searched.

        A batch that can't be read back is returned alone, so that those before it do not wait
        for whether it can be read the next time. Raises `sqlite3.Error` when not even the rows can
        be read.
        """
        # All in one transaction: a row and its blob may be deleted at any moment, both together.
        self._connection.execute("BEGIN")
        try:
            return self._read(after, upto, feed, sources)
        finally:
            self._connection.rollback()

    def _read(
        self, after: int, upto: int, feed: str, sources: Collection[str]
    ) -> tuple[list[Entry | Lost], int]:
        rows = self._connection.execute(
            "SELECT sequence, source, connection, feed, records, data_bytes, accepted_at, body "  # noqa: S608 - a constant
            f"FROM batches WHERE sequence > :after AND sequence <= :upto AND {WANTED} "
            "ORDER BY sequence LIMIT :limit",
            {"after": after, "upto": upto, "limit": READ_ROWS, **wanted(feed, sources)},
        ).fetchall()
        found: list[Entry | Lost] = []
        size = 0
        for sequence, source, connection, only_feed, records, data_bytes, at, body in rows:
            batch = Batch(source, b"", records, None, connection, only_feed)
            try:
                batch = replace(batch, data=self._data(body, data_bytes))
            except (Damaged, sqlite3.Error) as error:
                if found:
                    return found, sequence - 1
                failed = isinstance(error, sqlite3.Error) and is_read_error(error)
                malformed = isinstance(error, sqlite3.Error) and is_damage(error)
                return [Lost(sequence, batch, at, str(error), failed, malformed)], sequence
            found.append(Entry(sequence, batch, at))
            size += data_bytes
            if size >= READ_BYTES:
                return found, sequence
        return found, rows[-1][0] if len(rows) == READ_ROWS else upto

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = connect_reader(self._path)
        return self._opened

    def _data(self, body: int, data_bytes: int) -> bytes:
        row = self._connection.execute(
            "SELECT codec, crc32, data FROM bodies WHERE body = ?", (body,)
        ).fetchone()
        if row is None:
            raise Damaged("its records are missing")
        return self._packer.unpack(Packed(*row), data_bytes)
