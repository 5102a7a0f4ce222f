"""The table of rejects: records that a feed will never deliver as they are, bounded in bytes."""

import sqlite3
from collections.abc import Callable, Sequence

from nss.spool import REJECT_MAX_BYTES, KeptReject, Reject

OVERHEAD_BYTES = 256
"""What a reject is charged in addition to its record."""

_PAGE_ROWS = 100

_COLUMNS = "number, feed, rejected_at, source, connection, reason, data, record_bytes"

_Row = tuple[int, str, float, str, str, str, bytes, int]


class RejectsTable:
    """The rows of `rejects`; `size` is how many there are and the bytes they are charged."""

    def __init__(
        self, connection: sqlite3.Connection, max_bytes: int, now: Callable[[], float]
    ) -> None:
        self._connection = connection
        self._max_bytes = max_bytes
        self._now = now
        self.size: tuple[int, int] = connection.execute(
            "SELECT count(*), coalesce(sum(length(data)), 0) + count(*) * ? FROM rejects",
            (OVERHEAD_BYTES,),
        ).fetchone()

    def keep(self, feed: str, rejects: Sequence[Reject]) -> None:
        """Keep rejects; delete the oldest when there are too many."""
        if not rejects:
            return
        now = self._now()
        self._connection.executemany(
            "INSERT INTO rejects (feed, source, connection, reason, rejected_at, record_bytes, "
            "data) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(feed, reject.source, reject.connection, _storable(reject.reason), now),
                    *(len(reject.data), reject.data[:REJECT_MAX_BYTES]),
                )
                for reject in rejects
            ],
        )
        number, used = self.size
        used += sum(min(len(reject.data), REJECT_MAX_BYTES) + OVERHEAD_BYTES for reject in rejects)
        self.size = (number + len(rejects), used)
        while self.size[0] and self.size[1] > self._max_bytes:
            self._delete_oldest()

    def last_number(self) -> int:
        """Return the number of the newest reject."""
        (number,) = self._connection.execute(
            "SELECT coalesce(max(number), 0) FROM rejects"
        ).fetchone()
        return int(number)

    def newest(self, feed: str | None, limit: int) -> list[KeptReject]:
        """Return the newest rejects of a feed, or of all, oldest first."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM rejects WHERE :feed IS NULL OR feed = :feed "  # noqa: S608 - constants
            "ORDER BY number DESC LIMIT :limit",
            {"feed": feed, "limit": limit},
        ).fetchall()
        return [_kept(row) for row in reversed(rows)]

    def after(self, number: int, feed: str | None) -> list[KeptReject]:
        """Return some of the rejects after `number`, in order."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM rejects WHERE number > :number "  # noqa: S608 - constants
            "AND (:feed IS NULL OR feed = :feed) ORDER BY number LIMIT :limit",
            {"number": number, "feed": feed, "limit": _PAGE_ROWS},
        ).fetchall()
        return [_kept(row) for row in rows]

    def delete(self, number: int, data_bytes: int) -> None:
        """Delete a reject."""
        self._connection.execute("DELETE FROM rejects WHERE number = ?", (number,))
        self.size = (self.size[0] - 1, self.size[1] - data_bytes - OVERHEAD_BYTES)

    def _delete_oldest(self) -> None:
        oldest = self._connection.execute(
            "SELECT number, length(data) FROM rejects ORDER BY number LIMIT 100"
        ).fetchall()
        for number, data_bytes in oldest:
            if self.size[1] <= self._max_bytes:
                return
            self.delete(number, data_bytes)


def _storable(reason: str) -> str:
    """Return a reason without what UTF-8 can't encode: it may quote the record."""
    return reason.encode("utf-8", "backslashreplace").decode()


def _kept(row: _Row) -> KeptReject:
    number, feed, rejected_at, source, connection, reason, data, record_bytes = row
    return KeptReject(
        number, feed, rejected_at, Reject(source, connection, reason, data), record_bytes
    )
