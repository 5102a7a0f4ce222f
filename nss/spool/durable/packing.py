"""Records to a blob and back: zstd where it helps, and a checksum always."""

import zlib

import zstandard

from formats.dataclass import dataclass

RAW = 0
ZSTD = 1

LEVEL = 1
"""Of all levels the one that costs least; see docs/decisions/2026-11-23-durable-spool.md."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A blob as it is stored."""

    codec: int
    crc32: int
    data: bytes


class Damaged(Exception):  # noqa: N818 - it is a fact about the blob
    """A blob does not hold what was put into it."""


class Packer:
    """Packs and unpacks; each thread needs its own."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(level=LEVEL)
        self._decompressor = zstandard.ZstdDecompressor()

    def pack(self, data: bytes) -> Packed:
        """Return the blob of some records."""
        smaller = self._compressor.compress(data)
        if len(smaller) < len(data):
            return Packed(ZSTD, zlib.crc32(smaller), smaller)
        return Packed(RAW, zlib.crc32(data), data)

    def unpack(self, packed: Packed, data_bytes: int) -> bytes:
        """Return the records, which are `data_bytes` long. Raises `Damaged`.

        What is in a damaged row may be of any type.
        """
        if not isinstance(packed.data, bytes):
            raise Damaged("its blob is none")
        if zlib.crc32(packed.data) != packed.crc32:
            raise Damaged("its checksum does not match")
        data = packed.data
        if packed.codec == ZSTD:
            try:
                data = self._decompressor.decompress(packed.data)
            except zstandard.ZstdError as error:
                raise Damaged(f"it can't be decompressed: {error}") from None
        if len(data) != data_bytes:
            raise Damaged(f"it has {len(data)} bytes in place of {data_bytes}")
        return data
