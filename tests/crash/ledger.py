"""What the spool's file holds, read from a copy of it between two lives of the service."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nss.spool.durable.packing import Packed, Packer
from tests.crash.records import names_in


@dataclass(slots=True)
class Kept:
    """A batch."""

    sequence: int
    source: str
    records: int
    crc32: int
    names: list[str]


@dataclass(slots=True)
class Row:
    """What became of the records of one feed."""

    passed: int
    accepted: int
    done: int
    """Delivered, filtered, rejected and dropped, less the unpacked."""
    delivered: int
    rejected: int


@dataclass(slots=True)
class Ledger:
    """Grows with each look; what was committed once must still be there at the next."""

    path: Path
    batches: dict[int, Kept] = field(default_factory=dict)
    feeds: dict[str, Row] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """Read what the file holds now."""
        if not self.path.exists() or not self.path.stat().st_size:
            return
        with _copied(self.path) as connection:
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if tables:
                self._read(connection)

    def of(self, source: str) -> list[str]:
        """Return the names of all records from a source, in the order of acceptance."""
        return [n for one in self.batches.values() if one.source == source for n in one.names]

    def behind(self, feed: str) -> list[Kept]:
        """Return the batches that a feed has not passed."""
        passed = self.feeds[feed].passed if feed in self.feeds else 0
        return [one for sequence, one in self.batches.items() if sequence > passed]

    def _read(self, connection: sqlite3.Connection) -> None:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
        known = {sequence: one.crc32 for sequence, one in self.batches.items()}
        found = dict(connection.execute("SELECT body, crc32 FROM bodies ORDER BY body").fetchall())
        assert known.items() <= found.items(), "a batch that was committed is gone"
        packer = Packer()
        for sequence, source, records, size, codec, crc32, data in connection.execute(
            "SELECT sequence, source, records, data_bytes, codec, bodies.crc32, data FROM batches "
            "JOIN bodies USING (body) WHERE sequence > ? ORDER BY sequence",
            (max(known, default=0),),
        ):
            names = names_in(packer.unpack(Packed(codec, crc32, data), size))
            self.batches[sequence] = Kept(sequence, source, records, crc32, names)
        self.feeds = {
            feed: Row(*numbers)
            for feed, *numbers in connection.execute(
                "SELECT feed, passed, accepted, delivered + filtered + rejected + dropped "
                "- unpacked, delivered, rejected FROM cursors"
            )
        }
        self.sources = dict(connection.execute("SELECT name, accepted FROM sources").fetchall())


@contextmanager
def _copied(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a copy: to open the file itself would mend what the service must mend."""
    copy = path.with_name("copy.db")
    for suffix in ("", "-wal"):
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)
        if path.with_name(path.name + suffix).exists():
            shutil.copy(path.with_name(path.name + suffix), copy.with_name(copy.name + suffix))
    connection = sqlite3.connect(copy)
    try:
        yield connection
    finally:
        connection.close()
