"""Bodies of HTTP requests: how they may be packed and cut up, and that nothing of them is lost."""

import asyncio
import contextlib
import gzip
import os
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import orjson
import pytest
import uvloop
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nss.batch import Batch
from nss.sources.http.batching import HOLD_BYTES, BodyBatcher, Turn
from nss.sources.http.unpack import PIECE_BYTES, BrokenBodyError, unpacker
from tests.parts import http_source

Pack = Callable[[bytes], bytes]


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(data)


def zstd_stream(data: bytes) -> bytes:
    """Without the size of its content, and with a checksum."""
    packer = zstandard.ZstdCompressor(level=3, write_checksum=True).compressobj()
    return packer.compress(data) + packer.flush()


SKIPPABLE = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"

PACKS: dict[str, tuple[str, Pack]] = {
    "identity": ("identity", bytes),
    "gzip": ("gzip", gzip.compress),
    "x-gzip": (" X-GZip ", gzip.compress),
    "two gzip members": ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
    "padded gzip": ("gzip", lambda data: gzip.compress(data) + bytes(512)),
    "deflate": ("deflate", zlib.compress),
    "deflate, other window": ("deflate", lambda data: zlib.compress(data, wbits=9)),
    "raw deflate": ("deflate", raw_deflate),
    "zstd": ("zstd", zstd),
    "zstd stream": ("zstd", zstd_stream),
    "two zstd frames": ("zstd", lambda data: zstd(data[:9]) + SKIPPABLE + zstd_stream(data[9:])),
}
BROKEN: list[tuple[str, str]] = [
    (name, fault)
    for name in PACKS
    for fault in ("cut", "flipped", "followed")
    # The zeros may be cut, and nothing would show a flipped bit without checksum.
    if name != "identity" and (name, fault) != ("padded gzip", "cut")
    if fault != "flipped" or name in {"gzip", "deflate", "zstd stream"}
]


def unpacked(encoding: str, packed: bytes, chunk: int) -> Iterator[bytes]:
    unpack = unpacker(encoding.encode())
    assert unpack is not None
    for at in range(0, len(packed), chunk):
        yield from unpack.unpack(packed[at : at + chunk])
    yield unpack.end()


@pytest.mark.parametrize("chunk", [1, 7, 100_000_000])
@pytest.mark.parametrize("name", PACKS)
def test_what_was_packed_is_unpacked(name: str, chunk: int) -> None:
    data = b"".join(b"%d %x\n" % (number, number**20) for number in range(3000))
    encoding, pack = PACKS[name]
    assert b"".join(unpacked(encoding, pack(data), chunk)) == data


@pytest.mark.parametrize(
    ("header", "known"),
    [
        (b",", True),
        (b"identity, Identity", True),
        (b"gzip", True),
        (b"gzip, identity", False),
        (b"gzip, gzip", False),
        (b"br", False),
    ],
)
def test_encodings_on_top_of_each_other_are_unknown(header: bytes, *, known: bool) -> None:
    assert (unpacker(header) is not None) == known


@pytest.mark.parametrize("chunk", [1, 2, 5, 100_000_000])
@pytest.mark.parametrize("header", ["", "identity", "gzip", "deflate", "zstd"])
@pytest.mark.parametrize("name", ["gzip", "two gzip members", "zstd", "zstd stream"])
def test_the_first_bytes_tell_gzip_and_zstd_whatever_the_header_says(
    name: str, header: str, chunk: int
) -> None:
    data = b"".join(b"%d %x\n" % (number, number**20) for number in range(300))
    _, pack = PACKS[name]
    assert b"".join(unpacked(header, pack(data), chunk)) == data


@pytest.mark.parametrize(
    "data", [b"", b"(", b"\x1f", b"\x1f\x8b", b"(\xb5/", b"(a)\n", b"\x1f\x8b,", b"P*M", b"P*M "]
)
def test_what_only_begins_like_a_packed_body_stays_as_it_is(data: bytes) -> None:
    assert b"".join(unpacked("", data, 1)) == data


def test_large_data_comes_in_pieces() -> None:
    data = os.urandom(1 << 20) + bytes(20 << 20) + os.urandom(1 << 20)
    for encoding, pack in PACKS.values():
        pieces = list(unpacked(encoding, pack(data), 1 << 18))
        assert b"".join(pieces) == data
        assert max(len(piece) for piece in pieces) <= PIECE_BYTES


@pytest.mark.parametrize(("name", "fault"), BROKEN)
def test_broken_packing_is_found(name: str, fault: str) -> None:
    encoding, pack = PACKS[name]
    packed = pack(b"some record\n" * 100)
    middle = len(packed) // 2
    broken = {
        "cut": packed[:-1],
        "flipped": packed[:middle] + bytes([packed[middle] ^ 0x55]) + packed[middle + 1 :],
        "followed": packed + b"more",
    }[fault]
    with pytest.raises(BrokenBodyError):
        list(unpacked(encoding, broken, 100))


@pytest.mark.parametrize("data", [b"\x1f", b"{}\n", b"\x00" * 5, b"\x78"])
def test_what_was_never_packed_is_found_or_stays_as_it_is(data: bytes) -> None:
    for encoding in ("gzip", "zstd"):
        assert b"".join(unpacked(encoding, data, 100)) == data
    with pytest.raises(BrokenBodyError):
        list(unpacked("deflate", data, 100))


def test_zstd_may_begin_with_a_frame_to_skip() -> None:
    packed = SKIPPABLE + zstd(b"some record\n")
    assert b"".join(unpacked("", packed, 1)) == b"some record\n"


def test_a_window_beyond_what_http_allows_is_refused() -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=24)
    packer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    packed = packer.compress(b"a record\n") + packer.flush()
    with pytest.raises(BrokenBodyError):
        list(unpacked("zstd", packed, 100))


@given(st.sampled_from(["gzip", "deflate", "zstd"]), st.binary(max_size=2000), st.integers(1, 99))
@example("zstd", b"\x28\xb5\x2f\xfd\x00\x58" + b"\x02\x00\x10\x00" * 400, 99)
def test_anything_unpacks_to_bounded_pieces_or_is_broken(
    encoding: str, data: bytes, chunk: int
) -> None:
    for start in (b"", gzip.compress(b"a\n"), zlib.compress(b"a\n")[:-5], zstd(b"a\n")):
        with contextlib.suppress(BrokenBodyError):
            for piece in unpacked(encoding, start + data, chunk):
                assert len(piece) <= PIECE_BYTES


# From the bytes of a body to batches.


class Taken:
    """What an batcher handed on."""

    def __init__(self) -> None:
        self.batches: list[tuple[bytes, int]] = []

    async def hand_on(self, data: bytes, records: int) -> None:
        assert data.endswith(b"\n")
        assert data.count(b"\n") == records
        self.batches.append((data, records))

    @property
    def lines(self) -> list[bytes]:
        return b"".join(data for data, _ in self.batches).split(b"\n")[:-1]


async def taken_from(body: bytes, cuts: list[int], max_record_bytes: int = 10_000) -> Taken:
    taken = Taken()
    batcher = BodyBatcher(max_record_bytes, taken.hand_on, Turn(asyncio.Lock()))
    ends = sorted({cut % (len(body) + 1) for cut in cuts} | {len(body)})
    for start, end in zip([0, *ends], ends, strict=False):
        await batcher.add(body[start:end])
    await batcher.end()
    assert batcher.records == batcher.accepted == len(taken.lines)
    return taken


RECORDS = [{"a": 1}, {"b": '}]{[,"\\'}, {"c": {"d": ["e\u2028", {}]}}, {"f": "é\n\r"}]
LINES = [orjson.dumps(record) for record in RECORDS]
PRETTY = [orjson.dumps(record, option=orjson.OPT_INDENT_2) for record in RECORDS]
WRITTEN = {
    "lines": b"\n".join(LINES) + b"\n",
    "lines without the last LF": b"\n".join(LINES),
    "CRLF lines": b"\r\n".join(LINES) + b"\r\n",
    "lines with blank ones": b"\n\n".join(LINES) + b"\n\n\n",
    "byte order mark": b"\xef\xbb\xbf" + b"\n".join(LINES),
    "array": b"[" + b",".join(LINES) + b"]",
    "array with spaces": b" [ " + b" , ".join(LINES) + b" ]\r\n",
    "array over lines": b"[\n" + b",\n".join(LINES) + b"\n]\n",
    "array pretty-printed": orjson.dumps(RECORDS, option=orjson.OPT_INDENT_2),
    "objects pretty-printed": b"\n".join(PRETTY) + b"\n",
    "one behind the other": b"".join(LINES),
    "arrays, one a line": b"\n".join(b"[" + line + b"]" for line in LINES),
}


@pytest.mark.parametrize("body", WRITTEN.values(), ids=WRITTEN.keys())
async def test_records_are_found_however_they_are_written(body: bytes) -> None:
    taken = await taken_from(body, list(range(len(body))))
    assert [orjson.loads(line) for line in taken.lines] == RECORDS


async def test_other_preset_formats_are_lines() -> None:
    body = b'"Mon Oct 16 22:55:48 2023","a","b"\nLEEF:1.0|Zscaler|NSS|4.1|Allowed|cat=a\tb=c'
    assert (await taken_from(body, [])).lines == body.split(b"\n")


TRUNCATED = b'[{"a":1},{"b":2},{"c":'


async def test_the_records_before_a_truncated_one_are_taken_and_it_is_set_apart() -> None:
    taken = await taken_from(TRUNCATED, [])
    assert taken.lines == [b'{"a":1}', b'{"b":2}', b'{"c":']


@settings(max_examples=40)
@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=30), min_size=1), max_size=30),
    st.sampled_from(["lines", "crlf", "array", "pretty"]),
    st.lists(st.integers(0, 1 << 20), max_size=10),
)
def test_records_in_are_records_out(
    records: list[dict[str, str]], form: str, cuts: list[int]
) -> None:
    lines = [orjson.dumps(record) for record in records]
    body = {
        "lines": b"\n".join(lines),
        "crlf": b"\r\n".join(lines) + b"\r\n",
        "array": orjson.dumps(records),
        "pretty": orjson.dumps(records, option=orjson.OPT_INDENT_2),
    }[form]
    taken = asyncio.run(taken_from(body, cuts))
    assert [orjson.loads(line) for line in taken.lines] == records


@pytest.mark.parametrize("form", ["lines", "array"])
async def test_long_bodies_lose_nothing(form: str) -> None:
    lines = [b'{"n":%d,"x":"%s"}' % (number, b"x" * (number % 2000)) for number in range(6000)]
    body = b"\n".join(lines) if form == "lines" else b"[" + b",".join(lines) + b"]"
    taken = await taken_from(body, [65_536 * part for part in range(1, 90)])
    assert taken.lines == lines
    sizes = [len(data) for data, _ in taken.batches]
    assert [3 << 18 < size < 5 << 18 for size in sizes[:-1]] == [True] * (len(sizes) - 1)


async def test_nothing_goes_on_before_the_end_of_a_short_body() -> None:
    taken = Taken()
    batcher = BodyBatcher(1000, taken.hand_on, Turn(asyncio.Lock()))
    line = b"x" * 999 + b"\n"
    for _ in range(HOLD_BYTES // 1000):
        await batcher.add(line)
    assert taken.batches == []
    for _ in range(2000):
        await batcher.add(line)
    assert batcher.accepted == sum(records for _, records in taken.batches) > 2000
    await batcher.end()
    assert batcher.accepted == HOLD_BYTES // 1000 + 2000


async def test_memory_is_bounded_whatever_a_body_unpacks_to() -> None:
    counted = 0

    async def forget(_: bytes, records: int) -> None:
        nonlocal counted
        counted += records

    packed = {
        "gzip": gzip.compress(b"x" * 999 + b"\n" + bytes(50 << 20), 1),
        "zstd": zstd(b"x" * 999 + b"\n" + bytes(50 << 20)),
    }
    for encoding, data in packed.items():
        tracemalloc.start()
        batcher = BodyBatcher(65_536, forget, Turn(asyncio.Lock()))
        for piece in unpacked(encoding, data, 1 << 16):
            await batcher.add(piece)
        await batcher.end()
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak_bytes < 12 << 20
    assert counted == 4  # and what is too long is cut, not lost


# Anything at all as a request.


ENCODINGS = st.sampled_from(["", "identity", "gzip", "deflate", "zstd", "br", "gzip, gzip", ","])
PIECES = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([*WRITTEN.values(), TRUNCATED, SKIPPABLE, b"\0" * 1000, b"[" * 1000]),
)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            ENCODINGS,
            st.sampled_from(["as it is", *PACKS]),
            st.lists(PIECES, max_size=5),
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    )
)
@pytest.mark.parametrize("loop_factory", [asyncio.SelectorEventLoop, uvloop.new_event_loop])
def test_no_body_does_harm(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
    requests: list[tuple[str, str, list[bytes], bool]],
) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(push_all(requests))


async def push_all(requests: list[tuple[str, str, list[bytes], bool]]) -> None:
    """Push each, check its answer, and that a neighbour on another connection is served."""
    batches: list[Batch] = []

    async def accept(batch: Batch) -> None:
        assert batch.data.endswith(b"\n")
        assert batch.records == batch.data.count(b"\n")
        batches.append(batch)

    async def chunked(pieces: list[bytes]) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    source = http_source(max_record_bytes=500, max_decompressed_bytes=5000)
    running = asyncio.create_task(source.run(accept))
    await source.ready.wait()
    url = f"http://127.0.0.1:{source.bound_port}/"
    async with (
        httpx.AsyncClient(trust_env=False) as first,
        httpx.AsyncClient(trust_env=False) as second,
    ):
        for encoding, pack, given_pieces, whole in requests:
            pieces = given_pieces
            if pack != "as it is":
                pieces = [PACKS[pack][1](b"".join(pieces))]
            body = b"".join(pieces) if whole else chunked(pieces)
            before = sum(batch.records for batch in batches)
            answer = await first.post(url, content=body, headers={"Content-Encoding": encoding})
            accepted = sum(batch.records for batch in batches) - before
            if answer.status_code == 200:
                assert answer.json() == {"records": accepted}
            else:
                assert answer.status_code in {413, 415}
                assert set(answer.json()) == {"error"}
                assert accepted == 0
            neighbour = await second.post(url, content=b"a\nb")
            assert (neighbour.status_code, neighbour.json()) == (200, {"records": 2})
    await source.stop()
    await asyncio.wait_for(running, 5)
