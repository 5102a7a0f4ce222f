"""Records are found in bytes cut anywhere: newline framing, octet counting, telling them apart."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.sources.framing.lines import (
    Framer,
    FramingError,
    LineFramer,
    OctetFramer,
    StreamFramer,
    detect_framing,
)

MAX = 50


def framed(framer: Framer, *blocks: bytes) -> list[bytes]:
    """Return all records of a stream; check what holds after every step."""
    lines: list[bytes] = []
    for block in blocks:
        lines += _counted(framer, framer.feed(block)).split(b"\n")[:-1]
    lines += _counted(framer, framer.flush()).split(b"\n")[:-1]
    return lines


def _counted(framer: Framer, data: bytes) -> bytes:
    assert framer.records == data.count(b"\n")
    assert b"\n\n" not in data
    assert not data.startswith(b"\n")
    assert data == b"" or data.endswith(b"\n")
    return data


def every_split(stream: bytes) -> list[tuple[bytes, ...]]:
    """Return `stream` whole, cut once at every place, and byte by byte."""
    cuts: list[tuple[bytes, ...]] = [(stream[:at], stream[at:]) for at in range(len(stream))]
    cuts.append(tuple(stream[at : at + 1] for at in range(len(stream))))
    return cuts


LINES = b"\xef\xbb\xbf" + b"\n".join(
    [
        b"one",
        b"",
        b"two\r",
        b"\r",
        b'[{"a":1}, {"b":[2]}]',
        b"[not json",
        b"[]",
        b"[1,2]",
        b"x" * MAX,
        b"y" * MAX + b"\r",
        b"z" * (MAX + 1),
        b"w" * (3 * MAX),
        b"c\rd",
        b"half",
    ]
)
LINES_FRAMED = [
    b"one",
    b"two",
    b'{"a":1}',
    b'{"b":[2]}',
    b"[not json",
    b"[1,2]",
    b"x" * MAX,
    b"y" * MAX,
    b"z" * (MAX + 1),
    b"w" * (MAX + 1),
    b"c\rd",
    b"half",
]


def test_lines_come_out_the_same_wherever_the_stream_is_cut() -> None:
    for blocks in every_split(LINES):
        assert framed(LineFramer(MAX), *blocks) == LINES_FRAMED


def test_plain_lines_are_passed_on_as_they_are() -> None:
    framer = LineFramer(MAX)
    block = b"one\ntwo\n"
    assert framer.feed(block) is block
    assert (framer.records, framer.held_bytes) == (2, 0)


@given(
    stream=st.lists(st.sampled_from([b"a", b"bc" * 40, b"\n", b"\r", b"[", b"{}", b"]", b","])),
    cuts=st.lists(st.integers(1, 60)),
)
def test_cutting_never_changes_lines(stream: list[bytes], cuts: list[int]) -> None:
    data = b"".join(stream)
    blocks = []
    rest = data
    for cut in cuts:
        blocks.append(rest[:cut])
        rest = rest[cut:]
    assert framed(LineFramer(MAX), *blocks, rest) == framed(LineFramer(MAX), data)


def test_held_bytes_tell_where_to_read_again() -> None:
    for at in range(len(LINES)):
        framer = LineFramer(MAX)
        before = framer.feed(LINES[:at])
        resumed = at - framer.held_bytes
        again = LineFramer(MAX, at_start=resumed == 0)
        after = again.feed(LINES[resumed:]) + again.flush()
        assert (before + after).split(b"\n")[:-1] == LINES_FRAMED


def test_a_line_without_end_takes_no_more_memory_than_its_limit() -> None:
    framer = LineFramer(MAX)
    for _ in range(1000):
        framer.feed(b"x" * 1000)
        assert len(framer._half) <= MAX + 1
    assert framer.held_bytes == 1_000_000
    assert framer.feed(b"\nnext\n") == b"x" * (MAX + 1) + b"\nnext\n"
    assert (framer.records, framer.held_bytes) == (2, 0)


def test_deep_json_arrays_stay_a_line() -> None:
    line = b"[" * 100_000
    assert framed(LineFramer(200_000), line + b"\n") == [line]


def test_an_array_line_that_is_cut_stays_one_record() -> None:
    array = msgspec.json.encode([{"a": n} for n in range(20)])
    assert framed(LineFramer(MAX), array + b"\nok\n") == [array[: MAX + 1], b"ok"]


def test_an_array_line_is_split_up_to_the_longest_record() -> None:
    array = b'[{"a":1},{"b":"' + b"x" * (MAX - 18) + b'"}]'
    assert len(array) == MAX
    elements = [b'{"a":1}', array[9:-1]]
    assert framed(LineFramer(MAX), array + b"\n") == elements
    assert framed(OctetFramer(MAX), octets([array])) == elements
    assert framed(LineFramer(MAX - 1), array + b"\n") == [array]


# Octet counting.

MESSAGES = [
    b"<134>1 - - - - - - a",
    b'{"a":\n1}',
    b"line\r\n",
    b"x" * MAX,
    b"y" * (MAX + 1),
    b"z" * (9 * MAX + 1),
    b"\n",
    "zwölf".encode(),
    b'[{"a":1},{"b":2}]',
    b"end",
]
MESSAGES_FRAMED = [
    b"<134>1 - - - - - - a",
    b'{"a": 1}',
    b"line",
    b"x" * MAX,
    b"y" * (MAX + 1),
    b"z" * (MAX + 1),
    "zwölf".encode(),
    b'{"a":1}',
    b'{"b":2}',
    b"end",
]


def octets(messages: list[bytes], between: bytes = b"") -> bytes:
    return between.join(b"%d %s" % (len(message), message) for message in messages)


@pytest.mark.parametrize("between", [b"", b"\n", b"\r\n\n"])
def test_octet_counted_messages_come_out_the_same_wherever_the_stream_is_cut(
    between: bytes,
) -> None:
    for blocks in every_split(octets(MESSAGES, between)):
        assert framed(OctetFramer(MAX), *blocks) == MESSAGES_FRAMED


def test_a_cut_message_stays_longer_than_the_limit_whatever_it_ends_with() -> None:
    message = b"x" * MAX + b"\r\n\n\n\n"
    assert framed(OctetFramer(MAX), octets([message])) == [b"x" * MAX + b"\r"]
    assert framed(OctetFramer(MAX), octets([b"\n" * (MAX + 5)])) == [b" " * (MAX + 1)]


def test_an_incomplete_message_is_no_record_but_is_told_by_held_bytes() -> None:
    framer = OctetFramer(MAX)
    assert framer.feed(b"3 abc10 half") == b"abc\n"
    assert framer.flush() == b""
    assert framer.held_bytes == len(b"10 half")


def test_a_message_without_end_takes_no_more_memory_than_its_limit() -> None:
    framer = OctetFramer(MAX)
    framer.feed(b"9999999999 ")
    for _ in range(1000):
        framer.feed(b"x" * 1000)
        assert len(framer._held) <= MAX + 1


def until_fault(blocks: tuple[bytes, ...]) -> tuple[bytes, str]:
    """Return the records before the fault, and the error."""
    framer = OctetFramer(MAX)
    data = b""
    for block in blocks:
        try:
            data += _counted(framer, framer.feed(block))
        except FramingError as fault:
            return data + fault.data, str(fault)
    return data, ""


@pytest.mark.parametrize("bad", [b"x", b"0 a", b"03 abc", b"-1 a", b"12345678901 a", b"3abc", b"{"])
def test_a_bad_length_is_an_error_that_keeps_what_was_whole(bad: bytes) -> None:
    for blocks in every_split(b"3 abc1 d" + bad + b" and more"):
        data, reason = until_fault(blocks)
        assert data == b"abc\nd\n"
        assert reason == "octet counting: a length and a space should be here, and are not"


def test_random_bytes_never_break_octet_counting_otherwise() -> None:
    dice = random.Random(1)
    for _ in range(500):
        noise = bytes(dice.choice(b"0123 45\nx{") for _ in range(80))
        assert until_fault((noise[:40], noise[40:])) == until_fault((noise,))


# Telling the two apart.


@pytest.mark.parametrize(
    "start",
    [
        b'{"time":1}\n',
        b"LEEF:1.0|Zscaler|NSS|4.1|x|a=b\n",
        b"<134>Oct  6 09:05:08 host tag: text\n",
        b"2023-10-06 09:05:08\tx\n",
        b"1696583108 x\n",
        b"1696583108 " + b"x" * 100,
        b"12 short\n13 short\n",
        b"5 abcde and then no length\n",
        b"02 ab",
        b"7x",
        b"\n",
        b"x" * MAX,
    ],
)
def test_newline_framing_is_recognised(start: bytes) -> None:
    assert detect_framing(start, MAX) == "newline"


@pytest.mark.parametrize(
    "start",
    [
        octets([b"abc"]),
        octets([b"abc", b"def"]),
        octets([b"abc", b"def"], between=b"\n"),
        octets([b"abc\n", b"def"]),
        b"20 <134>",
        b"20 {",
        octets([b'{\n"a":1\n}']),
        b"3 abc1",
    ],
)
def test_octet_counting_is_recognised(start: bytes) -> None:
    assert detect_framing(start, MAX) == "octet"


@pytest.mark.parametrize("start", [b"", b"1", b"1696583108", b"20 ", b"20 abc"])
def test_more_bytes_are_asked_for_while_both_are_possible(start: bytes) -> None:
    assert detect_framing(start, MAX) is None
    assert detect_framing(start, MAX, ended=True) == "newline"


@pytest.mark.parametrize(
    ("stream", "records"),
    [
        (octets(MESSAGES), MESSAGES_FRAMED),
        (b"1696583108 a\n5 b\n\n7", [b"1696583108 a", b"5 b", b"7"]),
        (LINES, LINES_FRAMED),
        (b"20 abc", [b"20 abc"]),
        (b"", []),
    ],
)
def test_a_connection_comes_out_the_same_wherever_it_is_cut(
    stream: bytes, records: list[bytes]
) -> None:
    for blocks in [(stream,), *every_split(stream)]:
        assert framed(StreamFramer(MAX), *blocks) == records


@pytest.mark.parametrize("array", [b'[{"a":1},\n{"b":2}]', b'[\n{"a":1},{"b":2}\n]\n'])
def test_an_octet_counted_array_may_be_cut_in_its_first_read(array: bytes) -> None:
    stream = octets([array, b"end"])
    for blocks in [(stream,), *every_split(stream)]:
        assert framed(StreamFramer(MAX), *blocks) == [b'{"a":1}', b'{"b":2}', b"end"]


def test_detection_ends_within_the_longest_message() -> None:
    assert detect_framing(b"%d " % MAX + b"x" * MAX, MAX) == "octet"
