"""With the compiled loops and without, framers return the same, wherever a stream is cut."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.compiled import PURE
from nss.sources.framing import scan
from nss.sources.framing.json import AutoFramer, JsonFramer
from nss.sources.framing.lines import (
    Framer,
    FramingError,
    LineFramer,
    OctetFramer,
    StreamFramer,
)

pytestmark = pytest.mark.skipif(
    scan.compiled_scan() is None, reason="nothing is compiled, or NSS_PURE is set"
)

MAX_BYTES = 30
KINDS: tuple[Callable[[int], Framer], ...] = (
    LineFramer,
    OctetFramer,
    StreamFramer,
    JsonFramer,
    AutoFramer,
)

PIECES = [
    *(b"\n", b"\r\n", b"\r", b" ", b"\t", b"\v", b"\x00", b"\xef\xbb\xbf", b"\xff", b"<13>"),
    *(b"a", b"line\n", b"two words\n", b" \n", b"\t x\n", b"x" * 29, b"x" * 30, b"x" * 31),
    *(b"5 abcde", b"5 abc\n\n", b"6 ab\ncd\n", b"3 [1]", b"2 \r\n", b"31 ", b"30 ", b"0 ", b"07 x"),
    *(b"9999999999 ", b"12345678901 ", b"1 ", b"29 " + b"y" * 29, b"7 {} ", b"3   a", b"x 4 "),
    *(b"{", b"}", b"[", b"]", b'"', b"\\", b'\\"', b"\\\n", b":", b",", b"{}", b"[]", b'{"a":1}'),
    *(b'{"a":"}\\"{"}', b'{\n "a": [\n {"b": 1},\n 2]\n}\n', b'[{"a":1},\n{"b":2}]', b'{"a":{'),
    *(b'"k": "v",\n', b'{"a":[1,{"b":{}}]}', b'{"a"', b"}}", b'[{"a":1},{"b":[]}]\n'),
]

streams = st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=40).map(b"".join)


def run(make: Callable[[int], Framer], blocks: Sequence[bytes], max_bytes: int) -> list[object]:
    """Return all that a framer says of a stream."""
    framer = make(max_bytes)
    said: list[object] = []
    for block in blocks:
        try:
            said.append((framer.feed(block), framer.records, framer.held_bytes))
        except FramingError as error:
            return [*said, (str(error), error.data, error.records)]
    return [*said, (framer.flush(), framer.records, framer.held_bytes)]


def both(make: Callable[[int], Framer], blocks: Sequence[bytes], max_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PURE, "1")
        expected = run(make, blocks, max_bytes)
    assert run(make, blocks, max_bytes) == expected


def blocks_of(stream: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[a:b] for a, b in pairwise(places)]


@pytest.mark.parametrize("make", KINDS)
@given(stream=streams, cuts=st.lists(st.integers(0, 1 << 20), max_size=6))
def test_any_stream_cut_anywhere(
    make: Callable[[int], Framer], stream: bytes, cuts: list[int]
) -> None:
    both(make, blocks_of(stream, cuts), MAX_BYTES)


@pytest.mark.parametrize("make", KINDS)
def test_one_byte_at_a_time(make: Callable[[int], Framer]) -> None:
    stream = b"".join(PIECES)
    both(make, [stream[at : at + 1] for at in range(len(stream))], MAX_BYTES)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("size", [4095, 4096, 32767, 32768, 32769, 100_000])
def test_lines_across_the_chunks_in_which_they_are_copied(
    make: Callable[[int], Framer], size: int
) -> None:
    block = b"a" * (size - 3) + b"\nb\n"
    both(make, [b"begun", block, b"half", block, block + b"rest", b"\n"], size)
    both(make, [b"begun", block, b"half\r", block, block + b"rest", b"\n"], size - 3)


@pytest.mark.parametrize("depth", [1023, 1024, 1025, 3000])
def test_brackets_deeper_than_the_compiled_loop_goes(depth: int) -> None:
    opened = b'{"a":' * depth
    stream = opened + b"1" + b"}" * depth + b"\n{}\n" + opened + b"[" + b"}" * depth + b"\n{}\n"
    both(JsonFramer, [stream], 1 << 20)
    both(JsonFramer, [stream[:777], stream[777:9999], stream[9999:]], 1 << 20)


def test_what_is_outside_of_a_block_is_not_read() -> None:
    compiled = scan.compiled_scan()
    assert compiled is not None
    in_string = False
    for start, end in ((-1, 1), (0, 4), (3, 2)):
        with pytest.raises(ValueError, match="not in the block"):
            compiled.plain_lines(b"", b"a\n\n", start, end, 5)
    assert compiled.plain_messages(b"1 a", 9, 5) == (b"", 0, 9)
    assert compiled.scan_object(b"{", 2, b"{", 0, in_string)[0] == compiled.DEEP
    assert compiled.scan_object(b"{", 0, b"", 0, in_string)[0] == compiled.DEEP
