"""Lines on their way into a collection, without those that were delivered before."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from formats.lines import Lines
from nss.sinks.cloud_discovery.collection import Collection
from nss.sinks.cloud_discovery.journal import UploadJournal
from nss.sinks.cloud_discovery.pieces import BatchKey, GrowingPiece, Piece, Stretch

MAX_WAITING_BYTES = 64 << 20
"""Pieces have some MiB at most: a journal that says otherwise is damaged, and not waited for."""


class NewCollection(Protocol):
    """Makes a collection."""

    def __call__(self, *, largest_batch: tuple[int, int] = (0, 0)) -> Collection:
        """Return an empty collection, given the largest batch of the collection before."""


class Incoming:
    """Takes the lines of batches, and leaves out the pieces that the journal knows.

    Whether lines are such a piece shows with its last line; until then they wait here, in memory,
    and are collected if they are not. They wait for `max_secs` at most. `clock` returns seconds.
    """

    def __init__(
        self,
        journal: UploadJournal,
        new_collection: NewCollection,
        max_secs: float,
        clock: Callable[[], float],
    ) -> None:
        self._journal = journal
        self._new_collection = new_collection
        self._collection = new_collection()
        self._max_secs = max_secs
        self._clock = clock
        self._batch: BatchKey = (0, 0.0)
        self._line = 0
        self._known: Piece | None = None
        """The piece that the lines in `_waiting` may become."""
        self._grown = GrowingPiece()
        """Those lines as a piece."""
        self._waiting: list[Stretch] = []
        self._waiting_since = 0.0
        self._others: set[Piece] = set()
        """Known pieces that lines turned out not to be."""
        self._ready: deque[Stretch] = deque()
        """To be collected."""
        self.left_behind = False
        """Whether the disk had no room for lines that belong to what was handed over last."""

    @property
    def records(self) -> int:
        """How many lines there are to upload, as far as is known."""
        ready = sum(len(stretch.lines) for stretch in self._ready)
        return self._collection.records + self._grown.records + ready

    @property
    def needs_room(self) -> bool:
        """Whether the disk has no room for more lines than were collected, which are some."""
        return bool(self._ready) and self._collection.records > 0

    def begin(self, batch: BatchKey) -> None:
        """The lines that follow are of this batch."""
        self._batch = batch
        self._line = 0

    def take(self, lines: Lines) -> None:
        """Take the next lines of the batch, to be collected with `collect`."""
        stretch = Stretch(self._batch, self._line, lines)
        self._line += len(lines)
        if lines and not self._journal.has_whole(self._batch):
            self._sift(stretch)

    def skip(self) -> None:
        """The next line of the batch was rejected."""
        self._line += 1

    def collect(self) -> None:
        """Collect what is to be collected. Raises `OSError`; the rest is collected next time."""
        while self._ready:
            self._collection.add(self._ready[0])
            self._ready.popleft()

    def due_secs(self) -> float | None:
        """Return in how many seconds to upload it; `None` when there is nothing to upload."""
        due = [] if (secs := self._collection.due_secs()) is None else [secs]
        if self._waiting:
            due.append(max(0.0, self._waiting_since + self._max_secs - self._clock()))
        return min(due, default=0.0 if self._ready else None)

    def hand_over(self) -> Collection | None:
        """Return the collection, and begin another; `None` if there is nothing to upload.

        It has what a full disk takes: the rest is `left_behind`, for the next call. Raises
        `OSError` when the disk takes nothing; then nothing has changed.
        """
        self._stop_waiting()
        try:
            self.collect()
        except OSError:
            if not self._collection.records:
                raise
        self.left_behind = bool(self._ready)
        if not self._collection.records:
            return None
        found = self._collection
        self._collection = self._new_collection(largest_batch=found.largest_batch)
        return found

    def close(self) -> None:
        """Discard what is here: the spool has it."""
        self._collection.close()

    def _sift(self, stretch: Stretch) -> None:
        """Find what is known to be delivered, and have the rest collected."""
        to_sift = deque([stretch])
        while to_sift:
            stretch = to_sift.popleft()
            if self._known is None:
                self._look_for(stretch.batch, stretch.line)
            if self._known is None:
                after = self._journal.next_start(stretch.batch, stretch.line)
                count = len(stretch.lines) if after is None else after - stretch.line
                before, stretch = stretch.split(count)
                self._ready.append(before)
            else:
                fitting, stretch = stretch.split(self._known.records - self._grown.records)
                self._wait(fitting)
            if stretch.lines:
                to_sift.appendleft(stretch)
            if self._known is not None and self._grown.records == self._known.records:
                to_sift.extendleft(reversed(self._judged(self._known)))
            elif self._grown.size_bytes > MAX_WAITING_BYTES:
                self._stop_waiting()

    def _look_for(self, batch: BatchKey, line: int) -> None:
        found = self._journal.piece_at(batch, line)
        if found not in self._others:
            self._known = found

    def _wait(self, stretch: Stretch) -> None:
        if not self._waiting:
            self._waiting_since = self._clock()
        self._waiting.append(stretch)
        self._grown.add(stretch)

    def _judged(self, known: Piece) -> list[Stretch]:
        """Forget the waiting lines if they are the known piece, otherwise return them.

        They may begin with something else and still have another piece in them.
        """
        waiting, is_known = self._waiting, self._grown.piece() == known
        self._known, self._waiting, self._grown = None, [], GrowingPiece()
        if is_known:
            return []
        self._others.add(known)
        return waiting

    def _stop_waiting(self) -> None:
        self._ready.extend(self._waiting)
        self._known, self._waiting, self._grown = None, [], GrowingPiece()
