"""The table of rejects: what a feed will never deliver as it is, bounded in bytes.

A batch that could not be read back is one reject. Its blob stays in `bodies`, because another
attempt may read what the disk refused to give once.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nss.spool import REASONS_MAX, REJECT_MAX_BYTES, KeptReject, ReasonCount, Reject, sample
from nss.spool.durable.schema import BODY_USES, row_crc32

OVERHEAD_BYTES = 256
"""What a reject is charged in addition to its record."""

_PAGE_ROWS = 100

_COLUMNS = (
    "feed, source, connection, reason, rejected_at, record_bytes, data, body, records, "
    "data_bytes, crc32"
)

_VALUES = _COLUMNS.removesuffix(", crc32")
_CHARGED = (
    "coalesce(CASE WHEN body IS NULL THEN length(data) "
    f"WHEN crc32 = row_crc32('rejects', {_VALUES}) THEN record_bytes END, 0)"
)
"""The bytes that a row is charged, besides `OVERHEAD_BYTES`. A number that may be damaged must not
take the place of all other rejects."""


@dataclass(frozen=True, slots=True)
class RejectedBatch:
    """A batch that could not be read back when it was its turn."""

    body: int
    records: int
    data_bytes: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class RejectRow:
    """A reject, and the batch that it stands for, if it is not a record."""

    kept: KeptReject
    batch: RejectedBatch | None

    @property
    def charged_bytes(self) -> int:
        """What it is charged, besides `OVERHEAD_BYTES`."""
        return len(self.kept.reject.data) if self.batch is None else self.batch.stored_bytes


class RejectsTable:
    """The rows of `rejects`; `size` is how many there are and the bytes they are charged."""

    def __init__(
        self, connection: sqlite3.Connection, max_bytes: int, now: Callable[[], float]
    ) -> None:
        self._connection = connection
        self._max_bytes = max_bytes
        self._now = now
        self.size: tuple[int, int] = connection.execute(
            f"SELECT count(*), coalesce(sum({_CHARGED}), 0) + count(*) * ? FROM rejects",  # noqa: S608 - a constant
            (OVERHEAD_BYTES,),
        ).fetchone()

    def keep(self, feed: str, rejects: Sequence[Reject]) -> None:
        """Keep rejects; delete the oldest when there are too many."""
        if not rejects:
            return
        now = self._now()
        for reject in rejects:
            data = reject.data[:REJECT_MAX_BYTES]
            self._insert(feed, reject, (now, len(reject.data), data, None, 1, 0))
            self._charge(1, len(data))
        self._make_room()

    def keep_batch(self, feed: str, reject: Reject, batch: RejectedBatch) -> None:
        """Keep a batch that could not be read back as one reject, together with its blob."""
        self._insert(
            feed,
            reject,
            (self._now(), batch.stored_bytes, b"", batch.body, batch.records, batch.data_bytes),
        )
        self._charge(1, batch.stored_bytes)
        self._make_room()

    def _insert(self, feed: str, reject: Reject, rest: tuple[Any, ...]) -> None:
        # A reason may quote from the record what UTF-8 can't encode.
        reason = reject.reason.encode("utf-8", "backslashreplace").decode()
        values = (feed, reject.source, reject.connection, reason, *rest)
        self._connection.execute(
            f"INSERT INTO rejects ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
            (*values, row_crc32("rejects", *values)),
        )

    def _charge(self, count: int, data_bytes: int) -> None:
        rows = self.size[0] + count
        charged_bytes = self.size[1] + data_bytes + count * OVERHEAD_BYTES
        self.size = (rows, charged_bytes if rows else 0)  # a row may be damaged once it is charged

    def _make_room(self) -> None:
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
        rows = self._select(feed, 0, "number DESC", limit)
        return [row.kept for row in reversed(rows)]

    def reasons(self, feed: str | None) -> list[ReasonCount]:
        """Return how many records were rejected for each reason, the newest reason first.

        Checksums are not looked at but those of the newest, for which every record would have to be
        read: what a damaged row says is counted as it is.
        """
        # total() is a float, which does not overflow whatever a damaged row has.
        rows = self._connection.execute(
            "SELECT CAST(feed AS TEXT), CAST(reason AS TEXT), total(records), "
            "coalesce(CAST(max(rejected_at) AS REAL), 0.0), max(number) FROM rejects "
            "WHERE :feed IS NULL OR feed = :feed "
            "GROUP BY feed, reason ORDER BY max(number) DESC LIMIT :limit",
            {"feed": feed, "limit": REASONS_MAX},
        )
        return [
            ReasonCount(name, reason, int(records), at, self._sample(number))
            for name, reason, records, at, number in rows.fetchall()
        ]

    def _sample(self, number: int) -> KeptReject | None:
        return next((sample(row.kept) for row in self._select(None, number - 1, "number", 1)), None)

    def after(self, number: int, feed: str | None) -> list[RejectRow]:
        """Return some of the rejects after `number`, in order."""
        return self._select(feed, number, "number", _PAGE_ROWS)

    def _select(self, feed: str | None, after: int, order: str, limit: int) -> list[RejectRow]:
        rows = self._connection.execute(
            f"SELECT number, {_COLUMNS} "  # noqa: S608 - constants
            "FROM rejects WHERE number > :after AND (:feed IS NULL OR feed = :feed) "
            f"ORDER BY {order} LIMIT :limit",
            {"feed": feed, "after": after, "limit": limit},
        )
        return [_row(*row) for row in rows]

    def discard(
        self, feed: str | None, reason: str | None, after: int, upto: int
    ) -> tuple[int, int]:
        """Delete some rejects after a number and up to another, of a feed and for a reason or any.

        Returns how many records they stood for, and up to which number none is left.
        """
        numbers = self._connection.execute(
            "SELECT number FROM rejects WHERE number > :after AND number <= :upto "
            "AND (:feed IS NULL OR feed = :feed) AND (:reason IS NULL OR reason = :reason) "
            "ORDER BY number LIMIT :limit",
            {"feed": feed, "reason": reason, "after": after, "upto": upto, "limit": _PAGE_ROWS},
        ).fetchall()
        rows = [row for (number,) in numbers for row in self._select(None, number - 1, "number", 1)]
        for row in rows:
            self.delete(row)
        last = numbers[-1][0] if len(numbers) == _PAGE_ROWS else upto
        return sum(row.kept.records for row in rows), last

    def delete(self, row: RejectRow) -> None:
        """Delete a reject, and the blob that only it needed."""
        deleted = self._connection.execute(
            f"DELETE FROM rejects WHERE number = ? RETURNING {_CHARGED}",  # noqa: S608 - a constant
            (row.kept.number,),
        )
        for (charged_bytes,) in deleted.fetchall():
            self._charge(-1, -charged_bytes)
        if row.batch is not None:
            body = {"body": row.batch.body}
            if self._connection.execute(BODY_USES, body).fetchone() is None:
                self._connection.execute("DELETE FROM bodies WHERE body = :body", body)

    def _delete_oldest(self) -> None:
        for row in self.after(0, None):
            if self.size[1] <= self._max_bytes:
                return
            self.delete(row)


def _row(number: int, *columns: Any) -> RejectRow:  # noqa: ANN401 - what SQLite has in a row
    """Return a row as it was written, or what there is to say of one that is damaged."""
    *values, crc32 = columns
    if row_crc32("rejects", *values) != crc32:
        reject = Reject("", "", "this reject is damaged in the spool's file", b"")
        return RejectRow(KeptReject(number, str(values[0]), 0.0, reject, 0), None)
    feed, source, connection, reason, at, record_bytes, data, body, records, data_bytes = values
    reject = Reject(source, connection, reason, data)
    kept = KeptReject(number, feed, at, reject, record_bytes, records)
    if body is None:
        return RejectRow(kept, None)
    return RejectRow(kept, RejectedBatch(body, records, data_bytes, record_bytes))
