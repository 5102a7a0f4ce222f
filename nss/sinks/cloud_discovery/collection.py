"""Lines on their way into one upload: a file without a name, and the batches that are in it."""

import gzip
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from nss.config.sinks import CloudDiscoverySinkConfig
from nss.sinks.cloud_discovery.journal import BatchKey

_GZIP_LEVEL = 6
_COPY_BYTES = 1 << 20


def _new_file(folder: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=folder, buffering=0)


class Collection:
    """Grows until it is due: before a batch that might not fit, or after `max_secs`.

    Batches stay whole. `max_bytes` counts lines with their LF. `clock` returns seconds.
    `largest_batch` is that of the collection before. `new_file` is a seam for tests: it makes a
    file without a name in a folder, unbuffered.
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
        self.size_bytes = 0
        self.batches: list[BatchKey] = []
        self._folder = folder
        self._new_file = new_file
        self._settings = settings
        self._clock = clock
        self._file: IO[bytes] | None = None
        self._gzipped: IO[bytes] | None = None
        self._since = 0.0
        self._batch_began_at = (0, 0)
        self._largest_batch = largest_batch

    def begin(self, batch: BatchKey) -> None:
        """The lines that follow are of this batch."""
        self._measure()
        if not self.records:
            self.batches.clear()
        self.batches.append(batch)

    def add(self, lines: Sequence[bytes]) -> None:
        """Add lines. Raises `OSError`; then none of them is added."""
        data = b"\n".join(lines) + b"\n"
        if self._file is None:
            self._file = self._new_file(self._folder)
        if not self.records:
            self._since = self._clock()
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            with suppress(OSError):
                self._file.seek(self.size_bytes)
                self._file.truncate()
            raise
        self.records += len(lines)
        self.size_bytes += len(data)

    @property
    def largest_batch(self) -> tuple[int, int]:
        """The most records and bytes of one batch, for the next collection to begin with."""
        self._measure()
        return self._largest_batch

    def due_secs(self) -> float | None:
        """Return in how many seconds to upload it; `None` when there is nothing to upload."""
        if not self.records:
            return None
        self._measure()
        records, size_bytes = self._largest_batch
        limits = self._settings
        has_room = self.records + records <= limits.max_records
        if not has_room or self.size_bytes + size_bytes > limits.max_bytes:
            return 0.0
        return max(0.0, self._since + limits.max_secs - self._clock())

    def plain(self) -> tuple[IO[bytes], int]:
        """Return the file and its size in bytes."""
        if self._file is None:
            raise ValueError("nothing was collected")
        return self._file, self.size_bytes

    def gzipped(self) -> tuple[IO[bytes], int]:
        """Return the file as gzip, made once, and its size in bytes. Raises `OSError`."""
        if self._gzipped is None:
            file, _ = self.plain()
            file.seek(0)
            made = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - kept
            try:
                with gzip.GzipFile("", "wb", _GZIP_LEVEL, made, mtime=0) as packing:
                    shutil.copyfileobj(file, packing, _COPY_BYTES)
                made.flush()
            except BaseException:
                made.close()
                raise
            self._gzipped = made
        return self._gzipped, self._gzipped.seek(0, 2)

    def close(self) -> None:
        """Close the files, which deletes what is in them."""
        for file in (self._file, self._gzipped):
            if file is not None:
                file.close()
        self._file = self._gzipped = None

    def _measure(self) -> None:
        """Remember the largest batch: the next one may be as large."""
        records, size_bytes = self._batch_began_at
        most_records, most_bytes = self._largest_batch
        self._largest_batch = (
            max(most_records, self.records - records),
            max(most_bytes, self.size_bytes - size_bytes),
        )
        self._batch_began_at = (self.records, self.size_bytes)
