"""Lines on their way into uploads: a file without a name, and how it is divided."""

import tempfile
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from nss.config.sinks import CloudDiscoverySinkConfig
from nss.sinks.cloud_discovery.pieces import BatchKey, Stretch
from nss.sinks.cloud_discovery.upload_file import UploadFile


def _new_file(folder: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=folder, buffering=0)


class Collection:
    """Grows until it is due: before a batch that might not fit into one file, or after `max_secs`.

    A batch that does not fit all the same, because it is larger than those before or than a whole
    file, continues in another file. `max_bytes` counts lines with their LF. `clock` returns
    seconds. `largest_batch` is that of the collection before. `new_file` is a seam for tests: it
    makes a file without a name in a folder, unbuffered.
    """

    def __init__(
        self,
        folder: Path,
        settings: CloudDiscoverySinkConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        largest_batch: tuple[int, int] = (0, 0),
        new_file: Callable[[Path], IO[bytes]] = _new_file,
    ) -> None:
        self.records = 0
        self.files: deque[UploadFile] = deque()
        """The files to be uploaded, in order."""
        self._folder = folder
        self._new_file = new_file
        self._settings = settings
        self._clock = clock
        self._file: IO[bytes] | None = None
        self._size_bytes = 0
        self._since = 0.0
        self._batch: BatchKey | None = None
        self._batch_began_at = (0, 0)
        self._largest_before = largest_batch
        self._largest_here = (0, 0)

    def add(self, stretch: Stretch) -> None:
        """Add lines. Raises `OSError`; then none of them is added."""
        if self._file is None:
            self._file = self._new_file(self._folder)
        self._write(self._file, stretch.lines.data)
        if not self.files:
            self._since = self._clock()
            self.files.append(UploadFile(self._settings))
        if stretch.batch != self._batch:
            self._batch = stretch.batch
            self._batch_began_at = (self.records, self._size_bytes)
        self.records += len(stretch.lines)
        self._size_bytes += stretch.lines.size_bytes
        self._divide(stretch)
        records, size_bytes = self._batch_began_at
        self._largest_here = _larger(
            self._largest_here, (self.records - records, self._size_bytes - size_bytes)
        )

    @property
    def largest_batch(self) -> tuple[int, int]:
        """The most records and bytes of one batch, for the next collection to begin with."""
        return self._largest_here

    def due_secs(self) -> float | None:
        """Return in how many seconds to upload it; `None` when there is nothing to upload."""
        if not self.files:
            return None
        if len(self.files) > 1 or not self._has_room(self.files[-1]):
            return 0.0
        return max(0.0, self._since + self._settings.max_secs - self._clock())

    def packed(self, *, gzipped: bool) -> tuple[IO[bytes], int]:
        """Return the first file, and its size in bytes. Raises `OSError`.

        What is behind that size is not of it.
        """
        if self._file is None or not self.files:
            raise ValueError("nothing was collected")
        first = self.files[0]
        file = first.packed(self._file, self._folder, gzipped=gzipped)
        return file, file.seek(0, 2) if gzipped else first.size_bytes

    def drop_first(self) -> None:
        """Forget the first file, which is uploaded."""
        self.files.popleft().close()

    def close(self) -> None:
        """Close the files, which deletes what is in them."""
        for file in self.files:
            file.close()
        if self._file is not None:
            self._file.close()
        self._file = None

    def _write(self, file: IO[bytes], data: memoryview) -> None:
        """Write data behind what is there, or nothing of it."""
        try:
            rest = data
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            with suppress(OSError):
                file.seek(self._size_bytes)
                file.truncate()
            raise

    def _has_room(self, file: UploadFile) -> bool:
        """Return whether a batch as large as the largest of late would fit.

        Of a batch larger than half a file only so much is counted on: dividing it makes fewer files
        than keeping it whole, and after one such batch the next files are not all small.
        """
        limits = self._settings
        records, size_bytes = _larger(self._largest_before, self._largest_here)
        records = max(1, min(records, limits.max_records // 2))
        size_bytes = max(1, min(size_bytes, limits.max_bytes // 2))
        fits = file.records + records <= limits.max_records
        return fits and file.size_bytes + size_bytes <= limits.max_bytes

    def _divide(self, stretch: Stretch) -> None:
        """Add lines to the last file as far as they fit, and the rest to others."""
        while stretch.lines:
            last = self.files[-1]
            count = last.room_for(stretch.lines)
            if not count:
                self.files.append(UploadFile(self._settings, last.end))
                continue
            fitting, stretch = stretch.split(count)
            last.add(fitting)


def _larger(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return max(one[0], other[0]), max(one[1], other[1])
