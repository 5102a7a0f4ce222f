"""One file to be uploaded: a range of what a collection has written, and what is in it."""

import errno
import gzip
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from formats.lines import Lines
from nss.config.sinks import CloudDiscoverySinkConfig
from nss.sinks.cloud_discovery.pieces import BatchKey, GrowingPiece, Piece, Stretch

MAX_IN_MEMORY_BYTES = 64 << 20
"""A file of so many bytes of lines is packed in memory when the disk has no room for it."""

_GZIP_LEVEL = 6
_COPY_BYTES = 1 << 20

_PIECE_RECORDS = 1000
_PIECE_BYTES = 1 << 20
_MAX_PIECES = 1024
"""Pieces are at least so large that a file has no more of them than this by each measure."""


class UploadFile:
    """A file that has at most `max_records` lines and `max_bytes` bytes.

    A line that is longer than that alone is a file by itself. `start` is where in what was
    collected it begins.
    """

    def __init__(self, settings: CloudDiscoverySinkConfig, start: int = 0) -> None:
        self.start = start
        self.records = 0
        self.size_bytes = 0
        self.batches = 0
        """How many batches have lines in it."""
        self._settings = settings
        self._piece_records = max(_PIECE_RECORDS, settings.max_records // _MAX_PIECES)
        self._piece_bytes = max(_PIECE_BYTES, settings.max_bytes // _MAX_PIECES)
        self._pieces: list[Piece] = []
        self._growing = GrowingPiece()
        self._batch: BatchKey | None = None
        self._packed: IO[bytes] | None = None

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + self.size_bytes

    @property
    def pieces(self) -> list[Piece]:
        """What is in it, in order."""
        return [*self._pieces, self._growing.piece()] if self._growing.records else self._pieces

    def room_for(self, lines: Lines) -> int:
        """Return how many of some lines fit."""
        limits = self._settings
        fitting = lines.fitting(limits.max_bytes - self.size_bytes)
        return min(fitting if self.records else max(1, fitting), limits.max_records - self.records)

    def add(self, stretch: Stretch) -> None:
        """Add lines of a batch."""
        if stretch.batch != self._batch:
            self._batch = stretch.batch
            self.batches += 1
        self.records += len(stretch.lines)
        self.size_bytes += stretch.lines.size_bytes
        growing = self._growing
        growing.add(stretch)
        if growing.records >= self._piece_records or growing.size_bytes >= self._piece_bytes:
            self._pieces.append(growing.piece())
            self._growing = GrowingPiece()

    def packed(self, collected: IO[bytes], folder: Path, *, gzipped: bool) -> IO[bytes]:
        """Return a file that begins with it and, compressed, has nothing else.

        What is made for it is made once, in memory if the disk is full. Raises `OSError`.
        """
        if not gzipped and not self.start:
            return collected
        if self._packed is None:
            try:
                made = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - kept
                self._packed = self._pack(collected, made, gzipped=gzipped)
            except OSError:  # a full disk gets room only by an upload
                if self.size_bytes > MAX_IN_MEMORY_BYTES:
                    raise
                self._packed = self._pack(collected, _memory(), gzipped=gzipped)
        return self._packed

    def _pack(self, collected: IO[bytes], made: IO[bytes], *, gzipped: bool) -> IO[bytes]:
        try:
            if gzipped:
                with gzip.GzipFile("", "wb", _GZIP_LEVEL, made, mtime=0) as packing:
                    self._copy(collected, packing)
            else:
                self._copy(collected, made)
            made.flush()
        except BaseException:
            with suppress(OSError):  # what could not be written is tried once more
                made.close()
            raise
        return made

    def close(self) -> None:
        """Close what was made for it, which deletes it."""
        if self._packed is not None:
            self._packed.close()
        self._packed = None

    def _copy(self, collected: IO[bytes], to: IO[bytes] | gzip.GzipFile) -> None:
        collected.seek(self.start)
        left = self.size_bytes
        while left:
            data = collected.read(min(left, _COPY_BYTES))
            if not data:
                raise OSError(errno.EIO, "the end of the collected lines is missing")
            to.write(data)
            left -= len(data)


def _memory() -> IO[bytes]:
    return os.fdopen(os.memfd_create("nss-upload", os.MFD_CLOEXEC), "w+b")
