"""Unpacks the body of a request as it comes: gzip, deflate and zstd, bounded in memory.

However little comes in, a piece that comes out has at most `PIECE_BYTES`.
"""

import re
import zlib
from collections.abc import Iterator
from typing import Protocol

import zstandard

PIECE_BYTES = 2 << 20

_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS

# zstandard has no limit on what one call unpacks. 4 bytes can stand for a block of 128 KiB (RFC
# 8878, 3.1.1.2), so a slice gives at most 2 MiB. It costs 0.2 ms for 1 MB of records.
_ZSTD_SLICE_BYTES = 60

_GZIP_START = b"\x1f\x8b\x08"
"""The signature and the one method (RFC 1952, 2.3)."""

_ZSTD_START = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
"""The magic number of a frame, and those of frames to skip (RFC 8878, 3.1.1 and 3.1.2)."""

_START_BYTES = 4

_ZSTD_WINDOW_BYTES = 8 << 20
"""What encoders must not go beyond in HTTP (RFC 9659, 3)."""


class BrokenBodyError(Exception):
    """The body can't be unpacked, however often it is sent."""


class Unpacker(Protocol):
    """Unpacks one body."""

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """Return what `data` unpacks to, in pieces. Raises `BrokenBodyError`."""

    def end(self) -> None:
        """Raise `BrokenBodyError` if the body isn't at its end."""


def unpacker(encoding: bytes) -> "Recognised | None":
    """Return what unpacks a body with this `Content-Encoding`, `None` if nothing does.

    Encodings on top of each other are refused: nobody needs them, and bombs grow by them.
    """
    codings = {each.strip().lower() for each in encoding.split(b",")} - {b"", b"identity"}
    if not codings:
        return Recognised(Plain())
    if len(codings) > 1 or b"," in encoding:
        return None
    match codings.pop():
        case b"gzip" | b"x-gzip" | b"zstd":
            return Recognised(Plain())
        case b"deflate":
            return Recognised(Deflate())
    return None


class Recognised:
    """A body that its first bytes may contradict: they show gzip and zstd, whatever is declared.

    Senders set up by hand compress and leave the `Content-Encoding` out, or declare it and do not
    compress. Split at line feeds a packed body would be answered 200 and lost. No text begins so,
    nor does any other encoding.
    """

    def __init__(self, otherwise: Unpacker) -> None:
        self._unpacker = otherwise
        self._start: bytes | None = b""
        """What came while it can't be decided yet; then `None`."""

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """Return what `data` unpacks to, in pieces. Raises `BrokenBodyError`."""
        if self._start is not None:
            data = self._start + data
            if len(data) < _START_BYTES:
                self._start = data
                return
            self._decide(data)
        yield from self._unpacker.unpack(data)

    def end(self) -> bytes:
        """Return the rest. Raises `BrokenBodyError` if the body isn't at its end."""
        rest = b""
        if self._start:
            data = self._start
            self._decide(data)
            rest = b"".join(self._unpacker.unpack(data))
        self._unpacker.end()
        return rest

    def _decide(self, start: bytes) -> None:
        if start.startswith(_GZIP_START):
            self._unpacker = Gzip()
        elif _ZSTD_START.match(start):
            self._unpacker = Zstd()
        self._start = None


class Plain:
    """A body that isn't packed."""

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """Return it as it is."""
        yield data

    def end(self) -> None:
        """Nothing can be missing."""


class Gzip:
    """One gzip member or several in a row, with zeros after any of them."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)
        self._begun = False
        self._members = 0

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """Return what `data` unpacks to, an empty piece too for a member with nothing in it."""
        while True:
            if not self._begun and self._members:
                data = data.lstrip(b"\0")
            if not data:
                return
            self._begun = True
            yield from _inflate(self._stream, data)
            if not self._stream.eof:
                return
            yield b""
            data = self._stream.unused_data
            self._stream = zlib.decompressobj(_GZIP)
            self._begun = False
            self._members += 1

    def end(self) -> None:
        """Raise `BrokenBodyError` in the middle of a member."""
        if self._begun:
            raise BrokenBodyError


class Deflate:
    """A zlib stream, as `deflate` means (RFC 9110, 8.4.1.2), or the raw stream that some send."""

    def __init__(self) -> None:
        self._start = b""
        self._stream: zlib._Decompress | None = None

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """Return what `data` unpacks to."""
        if self._stream is None:
            self._start = data = self._start + data
            if len(data) < 2:  # noqa: PLR2004 - the size of a zlib header
                return
            self._stream = zlib.decompressobj(_ZLIB if _is_zlib(data) else _RAW)
        elif self._stream.eof and data:
            raise BrokenBodyError
        yield from _inflate(self._stream, data)
        if self._stream.unused_data:
            raise BrokenBodyError

    def end(self) -> None:
        """Raise `BrokenBodyError` in the middle of the stream."""
        if self._start and (self._stream is None or not self._stream.eof):
            raise BrokenBodyError


class Zstd:
    """One zstd frame or several in a row."""

    def __init__(self) -> None:
        self._frames = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        self._frame: zstandard.ZstdDecompressionObj | None = None

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """Return what `data` unpacks to, an empty piece too for a frame with nothing in it."""
        for at in range(0, len(data), _ZSTD_SLICE_BYTES):
            part = data[at : at + _ZSTD_SLICE_BYTES]
            while part:
                frame = self._frame or self._frames.decompressobj()
                try:
                    piece = frame.decompress(part)
                except zstandard.ZstdError as error:
                    raise BrokenBodyError from error
                part = frame.unused_data
                self._frame = None if frame.eof else frame
                if piece or frame.eof:
                    yield piece

    def end(self) -> None:
        """Raise `BrokenBodyError` in the middle of a frame."""
        if self._frame is not None:
            raise BrokenBodyError


def _is_zlib(start: bytes) -> bool:
    """Return whether it is a zlib header, by method, window and check bits (RFC 1950, 2.2)."""
    return start[0] & 0x8F == zlib.DEFLATED and int.from_bytes(start[:2]) % 31 == 0


def _inflate(stream: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    while True:
        try:
            piece = stream.decompress(data, PIECE_BYTES)
        except zlib.error as error:
            raise BrokenBodyError from error
        if piece:
            yield piece
        data = stream.unconsumed_tail
        # A full piece may have left more inside, though all of the input is taken.
        if stream.eof or (not data and len(piece) < PIECE_BYTES):
            return
