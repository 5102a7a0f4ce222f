"""The newest batches of a durable spool, in memory."""

import sys
from collections import deque
from collections.abc import Callable
from itertools import islice

from nss.batch import Batch
from nss.spool import Entry

CACHE_BYTES = 16 << 20
"""How many of the newest records stay in memory: a feed that keeps up never reads the disk."""


class Cache:
    """The newest entries, without gaps, up to `CACHE_BYTES` of records."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._size_bytes = 0
        self._ends: deque[int] = deque()
        """How many bytes had been added, ever, with each entry: a source that waits asks often."""
        self._added_bytes = 0

    @property
    def first(self) -> int:
        """The sequence of the first entry; without entries, a sequence that none has."""
        return self._entries[0].sequence if self._entries else sys.maxsize

    @property
    def last(self) -> int:
        """The sequence of the last entry."""
        return self._entries[-1].sequence if self._entries else 0

    def add(self, entry: Entry) -> None:
        """Add the entry accepted last."""
        if self._entries and entry.sequence != self._entries[-1].sequence + 1:
            self._entries.clear()
            self._ends.clear()
            self._size_bytes = 0
        self._entries.append(entry)
        self._size_bytes += len(entry.batch.data)
        self._added_bytes += len(entry.batch.data)
        self._ends.append(self._added_bytes)
        while self._size_bytes > CACHE_BYTES and len(self._entries) > 1:
            self._size_bytes -= len(self._entries.popleft().batch.data)
            self._ends.popleft()

    def find(self, after: int, wanted: Callable[[Batch], bool]) -> Entry | None:
        """Return the first wanted entry after a sequence."""
        entries = islice(self._entries, max(0, after + 1 - self.first), None)
        return next((entry for entry in entries if wanted(entry.batch)), None)

    def bytes_after(self, sequence: int) -> int:
        """Return how many bytes of records came after a sequence."""
        passed = sequence + 1 - self.first
        if passed <= 0:
            return self._size_bytes
        return 0 if passed > len(self._ends) else self._added_bytes - self._ends[passed - 1]
