"""Gzip as a stream: whatever is whole comes out, and what is not is an error with its place."""

import gzip
import io
import random
import zlib
from collections.abc import Iterator
from contextlib import suppress

import pytest

from nss.files.gunzip import DamagedGzip, Gunzip

CHANCE = random.Random(5)
DATA = b"".join(b"record %d %s\n" % (n, CHANCE.randbytes(20).hex().encode()) for n in range(20_000))
PACKED = gzip.compress(DATA, 6, mtime=0)


def blocks(packed: bytes, size: int = 1 << 20) -> Iterator[bytes]:
    stream = Gunzip(io.BytesIO(packed))
    while block := stream.read(size):
        yield block


def unpacked(packed: bytes, size: int = 1 << 20) -> tuple[bytes, str]:
    """Return what comes out, and the error after it."""
    found = b""
    try:
        for block in blocks(packed, size):
            found += block
    except DamagedGzip as damage:
        return found, str(damage)
    return found, ""


@pytest.mark.parametrize("size", [1, 1000, 64 << 10, 1 << 20, 1 << 30])
def test_a_whole_stream_comes_out_in_blocks_of_the_size_asked_for(size: int) -> None:
    packed = gzip.compress(DATA[:5000]) if size == 1 else PACKED
    *full, last = blocks(packed, size)
    assert b"".join([*full, last]) == (DATA[:5000] if size == 1 else DATA)
    assert {len(block) for block in full} <= {size}
    assert 0 < len(last) <= size


def test_members_follow_one_another_with_zeros_between_and_behind_them() -> None:
    packed = gzip.compress(b"a") + gzip.compress(b"") + 70_000 * b"\0" + gzip.compress(b"b") + b"\0"
    assert unpacked(packed) == (b"ab", "")
    assert unpacked(b"") == (b"", "")


@pytest.mark.parametrize("size", [1000, 1 << 20])
@pytest.mark.parametrize("garbage", [b"garbage", b"\n", b"\x1f", b"\x1f\x8c" + b"x" * 50])
def test_all_records_before_garbage_come_out(size: int, garbage: bytes) -> None:
    found, reason = unpacked(PACKED + garbage, size)
    assert found == DATA
    number = int(reason.split("byte ")[1].split()[0])
    assert len(PACKED) <= number <= len(PACKED) + len(garbage)


@pytest.mark.parametrize("cut", [1, 8, 9, 5000])
def test_what_is_cut_gives_all_that_is_there(cut: int) -> None:
    found, reason = unpacked(PACKED[:-cut])
    reference = zlib.decompressobj(31).decompress(PACKED[:-cut])
    assert found == reference
    assert DATA.startswith(found)
    assert reason == f"the gzip data ends too early, at byte {len(PACKED) - cut}"


def test_a_wrong_check_sum_costs_no_byte() -> None:
    packed = bytearray(PACKED)
    packed[-6] ^= 1
    found, reason = unpacked(bytes(packed))
    assert found == DATA
    assert reason.startswith("the gzip data is damaged at byte ")


@pytest.mark.parametrize("at", [11, 1000, 100_000, 200_000])
def test_what_comes_before_damaged_bytes_comes_out(at: int) -> None:
    packed = bytearray(PACKED)
    packed[at : at + 40] = b"\xff" * 40
    found, reason = unpacked(bytes(packed))
    # One byte of input at a time shows how far an inflater comes at all.
    stream = zlib.decompressobj(31)
    expected = bytearray(stream.decompress(packed[:at]))
    with suppress(zlib.error):
        for byte in packed[at:]:
            expected += stream.decompress(bytes([byte]))
    assert found == expected
    assert reason.startswith("the gzip data is damaged at byte ")


def test_a_disk_that_fails_does_so_after_what_was_read() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            found = super().read(size)
            if not found:
                raise OSError(5, "input/output error")
            return found

    stream = Gunzip(Failing(PACKED[:-5000]))
    found = stream.read(1 << 30)
    assert found == zlib.decompressobj(31).decompress(PACKED[:-5000])
    for _ in range(2):
        with pytest.raises(OSError, match="input/output"):
            stream.read(1)


def test_a_bomb_comes_out_in_small_blocks() -> None:
    packed = gzip.compress(bytes(50 << 20))
    stream = Gunzip(io.BytesIO(packed))
    assert len(stream.read(1000)) == 1000
    assert len(stream._packed) <= 64 << 10
