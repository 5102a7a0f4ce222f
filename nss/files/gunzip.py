"""Gzip files read as a stream: all that can be unpacked before a damage, then the error."""

import zlib
from typing import BinaryIO

GZIP_START = b"\x1f\x8b"
"""What every gzip member begins with (RFC 1952, 2.3.1)."""

_CHUNK_BYTES = 64 << 10
_PIECE_BYTES = 256 << 10
_GZIP = 16 + zlib.MAX_WBITS
_SALVAGE_BYTES = (4096, 64)


class DamagedGzip(ValueError):  # noqa: N818 - named as the sentence reads
    """What follows is no whole gzip; the text is the reason, with the place in the file."""


class Gunzip:
    """The bytes of a gzip stream: one member or several in a row, with zeros after any of them.

    Python's own reader drops what it has unpacked when it comes to a damage; here it comes first.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._inflate: zlib._Decompress | None = None
        self._members = 0
        self._packed = b""
        self._unpacked = bytearray()
        self._taken_bytes = 0
        """What was read of the stream, `_packed` among it."""
        self._fault: OSError | DamagedGzip | None = None

    def read(self, size: int) -> bytes:
        """Return `size` bytes, fewer before the end or a fault only, none at the end.

        Raises `DamagedGzip` or `OSError` once all bytes before the fault were returned.
        """
        while len(self._unpacked) < size and self._fault is None:
            try:
                if not self._at_member():
                    break
                self._unpacked += self._unpack()
            except (OSError, DamagedGzip) as fault:
                self._fault = fault
        if self._fault is not None and not self._unpacked and size:
            raise self._fault
        found = bytes(self._unpacked[:size])
        del self._unpacked[:size]
        return found

    def _at_member(self) -> bool:
        """Bring packed bytes of a member to hand; return `False` at the end of the last."""
        while True:
            if self._inflate is None and self._members:
                self._packed = self._packed.lstrip(b"\0")
            if self._packed:
                break
            self._packed = self._stream.read(_CHUNK_BYTES)
            self._taken_bytes += len(self._packed)
            if not self._packed:
                if self._inflate is not None:
                    raise DamagedGzip(f"the gzip data ends too early, at byte {self._taken_bytes}")
                return False
        if self._inflate is None:
            if self._packed[0] != GZIP_START[0]:
                at = self._taken_bytes - len(self._packed)
                raise DamagedGzip(f"what follows at byte {at} is no gzip data")
            self._inflate = zlib.decompressobj(_GZIP)
        return True

    def _unpack(self) -> bytes:
        inflate = self._inflate
        assert inflate is not None  # noqa: S101 - see `_at_member`
        before = inflate.copy()
        try:
            piece = inflate.decompress(self._packed, _PIECE_BYTES)
        except zlib.error:
            piece, left = _salvaged(before, self._packed)
            at = self._taken_bytes - len(left)
            self._fault = DamagedGzip(f"the gzip data is damaged at byte {at}")
            return piece
        self._packed = inflate.unconsumed_tail
        if inflate.eof:
            self._packed = inflate.unused_data
            self._inflate = None
            self._members += 1
        return piece


def _salvaged(state: "zlib._Decompress", packed: bytes) -> tuple[bytes, bytes]:
    """Return what can be unpacked up to a damage, in ever smaller steps, and what is left.

    zlib drops what a call has unpacked when it comes to the damage in that call.
    """
    found = bytearray()
    for step in _SALVAGE_BYTES:
        while True:
            trial = state.copy()
            try:
                piece = trial.decompress(packed, step)
            except zlib.error:
                break
            if not piece:  # never, as far as zlib's manual says; a loop without end otherwise
                break
            found += piece
            state, packed = trial, trial.unconsumed_tail
    for at in range(len(packed)):
        trial = state.copy()
        try:
            found += trial.decompress(packed[at : at + 1])
        except zlib.error:
            return bytes(found), packed[at:]
        state = trial
    return bytes(found), b""
