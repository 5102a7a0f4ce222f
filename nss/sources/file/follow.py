"""Follows a log file through rotation, truncation and replacement: every line once, in order.

It takes one step at a time and never waits; the source decides when to look again:

- While the name still leads to the open file, what was appended is read. Half a last line waits
  for its LF.
- When the name leads elsewhere, the open file is read until its end is settled: the file after it
  has bytes, and nothing was added to this one for `settle_secs`. Then half a last line counts as
  a line, and the next file is read from its start. Files that were rotated away unread come before
  the file that has the name now.
- When the file shrinks, or the bytes before the position change, it was truncated or overwritten.
  A copy that copytruncate left is read to its end, if there is one; then the file from its start.
  What was written between copying and truncating is lost: copytruncate cannot do better.
- After a restart the file of the position is looked for by its identity, whatever its name is.
- Compressed rotations are never read.
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nss.batch import BATCH_MAX_BYTES, Batch
from nss.config.sources import FileSourceConfig
from nss.errors import SourceError
from nss.sources import events
from nss.sources.file.logfile import LogFile, Position, kept_position
from nss.sources.file.rotated import Rotation, renamed, rotations
from nss.sources.file.unreadable import why_unreadable
from nss.sources.framing.json import AutoFramer

_FINISHED_KEPT = 4


class _Next(NamedTuple):
    """The file to continue with."""

    path: Path
    inode: tuple[int, int]


class Follower:
    """Reads what was appended to a file, wherever rotation moves it.

    `position` is that of the last batch accepted. `settle_secs` is how long nothing must be added
    to a rotated file before it counts as complete.
    """

    def __init__(
        self, settings: FileSourceConfig, position: str | None, *, settle_secs: float
    ) -> None:
        self.last_error: str | None = None
        self.at_end = False
        """Whether the last read found the end, so that another makes sense only later."""
        self._name = settings.name
        self._path = settings.path
        self._max_record_bytes = settings.max_record_bytes
        self._settle_secs = settle_secs
        self._file: LogFile | None = None
        self._framer = AutoFramer(settings.max_record_bytes)
        self._position = kept_position(settings.name, settings.path, position)
        """Where the last batch ended."""
        self._finished = self._position.finished if self._position else ()
        self._next: _Next | None = None
        """The next file, once it exists; nothing has come from the present one since."""
        self._quiet_since = 0.0

    def read_available(self) -> Batch | None:
        """Return the lines that came, up to about 1 MiB of them; never waits for more.

        An error of the file is in `last_error`, and the next call tries again. Raises
        `SourceError` for a file that can't be followed.
        """
        try:
            return self._read()
        except OSError as error:
            self.close()
            self.at_end = True
            self._failed(f"file source: {why_unreadable(error, self._path)}")
            return None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self) -> Batch | None:
        file = self._file or self._open()
        if file.changed():
            return self._truncated(file)
        block = file.read(BATCH_MAX_BYTES)
        if not block:
            return self._end_reached(file)
        self._recovered()
        self._next = None
        self.at_end = len(block) < BATCH_MAX_BYTES
        return self._batch(file, self._framer.feed(block))

    def _batch(self, file: LogFile, data: bytes) -> Batch | None:
        if not data:
            return None
        framer = self._framer
        self._position = file.position(
            framer.held_bytes, spans_lines=framer.spans_lines, finished=self._finished
        )
        return Batch(self._name, data, framer.records, self._position.text(self._path))

    def _open(self) -> LogFile:
        """Open the file to continue with."""
        position = self._position
        if position is None:
            return self._use(self._opened(self._path))
        file = self._find(position) or self._find_copy(position)
        if file is not None:
            return self._use(file, position)
        # An empty file counts: its writer may not have finished with it.
        unread = self._unread(rotations(self._path), position.mtime_ns)
        file = self._opened(next((rotation.path for rotation in unread), self._path))
        if position.file.head.size:
            events.position_lost(self._name, str(self._path))
        return self._use(file)

    def _opened(self, path: Path) -> LogFile:
        file = LogFile(path)
        with _closed_on_error(file):
            if file.compressed:
                raise SourceError(
                    f"file source: a compressed file can't be followed ({path})",
                    tip="set follow = false to read it once as a whole",
                )
        return file

    def _use(self, file: LogFile, position: Position | None = None) -> LogFile:
        """Read this file from now on, from its start or from where it had been read to."""
        self.close()
        self._file = file
        self._framer = AutoFramer(
            self._max_record_bytes,
            spans_lines=position.spans_lines if position and file.offset else None,
            at_start=file.offset == 0,
        )
        self._next = None
        self._recovered()
        events.file_opened(self._name, str(file.path), file.offset)
        return file

    def _find(self, position: Position) -> LogFile | None:
        """Open the file that the position is in, whatever its name."""
        if not position.file.head.size:  # of an empty file, whose inode another may have by now
            return None
        inode = (position.file.device, position.file.inode)
        path = self._path if _inode(self._path) == inode else renamed(self._path, inode)
        if path is None:
            return None
        file = LogFile(path)
        with _closed_on_error(file):
            if file.inode == inode and not file.compressed and file.resume(position):
                return file
        file.close()
        # The name was given to another file after it was looked up: look again.
        return None if file.inode == inode else self._find(position)

    def _find_copy(self, position: Position) -> LogFile | None:
        """Open what copytruncate made of the file that the position is in."""
        if position.offset == 0:
            return None
        for rotation in self._unread(rotations(self._path), position.mtime_ns):
            file = self._opened(rotation.path)
            with _closed_on_error(file):
                if file.resume(position):
                    return file
            file.close()
        return None

    def _truncated(self, file: LogFile) -> Batch | None:
        """Continue in the copy, if there is one, or at the start of what is there now."""
        self.at_end = False
        copy = self._find_copy(self._position) if self._position else None
        if copy is not None:
            self._use(copy, self._position)
            return None
        events.file_truncated(self._name, str(file.path))
        file.rewind()
        self._position = file.position(0, spans_lines=None, finished=self._finished)
        data, records = self._framer.flush(), self._framer.records
        self._framer = AutoFramer(self._max_record_bytes)
        return Batch(self._name, data, records, self._position.text(self._path)) if data else None

    def _end_reached(self, file: LogFile) -> Batch | None:
        """Wait for more, or move on when the file is complete."""
        following = self._following(file)
        now = time.monotonic()
        if following is None or following != self._next:
            # What was written until the next file was seen is read before anything else.
            self._next = following
            self._quiet_since = now
            self.at_end = following is None
            return None
        quiet_secs = max(now - self._quiet_since, time.time() - file.mtime_ns / 1e9)
        self.at_end = quiet_secs < self._settle_secs
        return None if self.at_end else self._move_on(file, following)

    def _following(self, file: LogFile) -> _Next | None:
        """Return the next file, once it has bytes."""
        current = _inode(self._path)
        if current == file.inode:
            return None
        found = rotations(self._path)
        names = [rotation.inode for rotation in found]
        newer = found[names.index(file.inode) + 1 :] if file.inode in names else found
        for rotation in self._unread(newer, file.mtime_ns):
            if rotation.inode != current and rotation.size_bytes:
                return _Next(rotation.path, rotation.inode)
        if current is None:
            self._failed(f"file source: the file is gone ({self._path})")
            return None
        return _Next(self._path, current) if self._path.stat().st_size else None

    def _unread(self, found: list[Rotation], mtime_ns: int) -> Iterator[Rotation]:
        """Yield the rotated files written since then that were not read before."""
        for rotation in found:
            if rotation.mtime_ns < mtime_ns:
                continue
            with contextlib.closing(LogFile(rotation.path)) as file:
                read_before = any(file.has(finished) for finished in self._finished)
                unread = not read_before and not file.compressed
            if unread:
                yield rotation

    def _move_on(self, file: LogFile, following: _Next) -> Batch | None:
        """Close a file read to its end and open the next."""
        next_file = self._opened(following.path)
        if next_file.inode != following.inode:  # rotated again since
            next_file.close()
            self._next = None
            return None
        with _closed_on_error(next_file):
            finished = self._finished
            if file.offset:
                finished = (*finished, file.id)[-_FINISHED_KEPT:]
            start = next_file.position(0, spans_lines=None, finished=finished)
            batch = self._batch(file, self._framer.flush())
        self._use(next_file)
        self._finished = finished
        self._position = start
        return batch

    def _failed(self, reason: str) -> None:
        if self.last_error != reason:
            self.last_error = reason
            events.source_waits(self._name, reason)

    def _recovered(self) -> None:
        if self.last_error is not None:
            self.last_error = None
            events.source_recovered(self._name)


@contextlib.contextmanager
def _closed_on_error(file: LogFile) -> Iterator[None]:
    try:
        yield
    except BaseException:
        file.close()
        raise


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
