"""Records to a blob and back; what was changed on the way is named."""

import random
import zlib

import pytest
import zstandard

from nss.spool.durable.packing import RAW, ZSTD, Damaged, Packed, Packer

ALIKE = b"record\n" * 99
NOISE = random.Random(1).randbytes(99)


def test_what_gets_smaller_is_compressed() -> None:
    packed = Packer().pack(ALIKE)
    assert (packed.codec, packed.crc32) == (ZSTD, zlib.crc32(packed.data))
    assert len(packed.data) < len(ALIKE)
    assert zstandard.ZstdDecompressor().decompress(packed.data) == ALIKE
    assert Packer().unpack(packed, len(ALIKE)) == ALIKE


def test_what_does_not_is_kept_as_it_is() -> None:
    packed = Packer().pack(NOISE)
    assert packed == Packed(RAW, zlib.crc32(NOISE), NOISE)
    assert Packer().unpack(packed, len(NOISE)) == NOISE


def test_what_is_as_large_compressed_is_kept_as_it_is() -> None:
    compressor = zstandard.ZstdCompressor(level=1)
    candidates = (b"a" * size + NOISE[:rest] for size in range(60) for rest in range(60))
    data = next(each for each in candidates if each and len(compressor.compress(each)) == len(each))
    assert Packer().pack(data) == Packed(RAW, zlib.crc32(data), data)


def of(codec: int, data: bytes) -> Packed:
    return Packed(codec, zlib.crc32(data), data)


@pytest.mark.parametrize(
    ("packed", "data_bytes", "reason"),
    [
        (Packed(RAW, zlib.crc32(b"ab"), "ab"), 2, "its blob is none"),  # type: ignore[arg-type]
        (Packed(RAW, zlib.crc32(b"ab") + 1, b"ab"), 2, "its checksum does not match"),
        (of(RAW, b"ab"), 3, "it has 2 bytes in place of 3"),
        (of(RAW, b""), 3, "it has 0 bytes in place of 3"),
        (of(ZSTD, zstandard.ZstdCompressor().compress(b"abc")), 2, "it has 3 bytes in place of 2"),
        (
            of(ZSTD, b"abc"),
            3,
            "it can't be decompressed: error determining content size from frame header",
        ),
    ],
)
def test_a_blob_that_was_changed_is_damaged(packed: Packed, data_bytes: int, reason: str) -> None:
    with pytest.raises(Damaged) as caught:
        Packer().unpack(packed, data_bytes)
    assert str(caught.value) == reason
