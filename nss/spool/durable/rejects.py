"""The table of rejects: records that a feed will never deliver as they are, bounded in bytes."""

import sqlite3
from collections.abc import Callable, Sequence

from nss.spool import REJECT_MAX_BYTES, KeptReject, Reject

OVERHEAD_BYTES = 256
"""What a reject is charged in addition to its record."""

_PAGE_ROWS = 100


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
                    *(feed, reject.source, reject.connection),
                    # A reason may quote from the record what UTF-8 can't encode.
                    reject.reason.encode("utf-8", "backslashreplace").decode(),
                    *(now, len(reject.data), reject.data[:REJECT_MAX_BYTES]),
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
        return self._select(feed, 0, "number DESC", limit)[::-1]

    def after(self, number: int, feed: str | None) -> list[KeptReject]:
        """Return some of the rejects after `number`, in order."""
        return self._select(feed, number, "number", _PAGE_ROWS)

    def _select(self, feed: str | None, after: int, order: str, limit: int) -> list[KeptReject]:
        rows = self._connection.execute(
            "SELECT number, feed, rejected_at, source, connection, reason, data, record_bytes "  # noqa: S608 - constants
            "FROM rejects WHERE number > :after AND (:feed IS NULL OR feed = :feed) "
            f"ORDER BY {order} LIMIT :limit",
            {"feed": feed, "after": after, "limit": limit},
        )
        return [
            KeptReject(number, feed, rejected_at, Reject(*reject), record_bytes)
            for number, feed, rejected_at, *reject, record_bytes in rows
        ]

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
