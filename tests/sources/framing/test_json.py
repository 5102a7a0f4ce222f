"""JSON over many lines comes out as one value a line, broken JSON as records that show it."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.sources.framing.json import AutoFramer, JsonFramer, spans_lines
from nss.sources.framing.lines import Framer

MAX = 400

RECORDS: list[dict[str, Any]] = [
    {"a": 1},
    {},
    {"s": 'brackets }]{[ and "quotes" and \\ and \n'},
    {"deep": {"list": [1, {"x": []}, [[{"y": "]"}]]], "n": None}},
    {"ü": "\u2028 \x7f"},
    {"last": "x" * 300},
]


def framed(framer: Framer, *blocks: bytes) -> list[bytes]:
    data = b""
    for block in blocks:
        data += _counted(framer, framer.feed(block))
    data += _counted(framer, framer.flush())
    return data.split(b"\n")[:-1]


def _counted(framer: Framer, data: bytes) -> bytes:
    assert framer.records == data.count(b"\n")
    assert b"\n\n" not in data
    return data


def cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def written(indent: int | None, separator: str, *, array: bool) -> bytes:
    texts = [json.dumps(record, indent=indent, ensure_ascii=False) for record in RECORDS]
    if array:
        return json.dumps(RECORDS, indent=indent, ensure_ascii=False).encode()
    return separator.join(texts).encode()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize("separator", ["\n", "", " ", ",\n", "\r\n\r\n"])
@pytest.mark.parametrize("indent", [None, 0, 1, 4])
def test_objects_come_out_one_a_line_however_they_are_written(
    indent: int | None, separator: str, *, array: bool, size: int
) -> None:
    stream = b"\xef\xbb\xbf" + written(indent, separator, array=array)
    lines = framed(JsonFramer(MAX), *cut(stream, size))
    assert [json.loads(line) for line in lines] == RECORDS
    assert [json.loads(line) for line in framed(AutoFramer(MAX), *cut(stream, size))] == RECORDS


@given(
    records=st.lists(
        st.dictionaries(
            st.text(max_size=4),
            st.recursive(
                st.none() | st.integers() | st.text(max_size=8),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(st.text(max_size=3), inner, max_size=3)
                ),
            ),
            max_size=4,
        ),
        max_size=4,
    ),
    indent=st.sampled_from([None, 0, 2]),
    size=st.integers(1, 50),
)
def test_any_objects_come_back(
    records: list[dict[str, Any]], indent: int | None, size: int
) -> None:
    stream = "\n".join(json.dumps(record, indent=indent) for record in records).encode()
    lines = framed(JsonFramer(1 << 20), *cut(stream, size))
    assert [json.loads(line) for line in lines] == records


@pytest.mark.parametrize(
    ("stream", "lines"),
    [
        (b'{"a":"cut off\n{"b":2}\n', [b'{"a":"cut off', b'{"b":2}']),
        (b'{"a":1,\n{"b":2}\n', [b'{"a":1,', b'{"b":2}']),
        (b'{\n{"b":2}\n', [b"{", b'{"b":2}']),
        (b'  \n{"a":1,{"b":2}\n  {"c":3}\n{"d":4}', [b'{"a":1,', b'{"d":4}']),
        (b" " * 64 + b'{"a":1,{}\n' + b" " * 64 + b'{"b":2}', [b'{"a":1,', b'{"b":2}']),
        (b'{\n "a":1,\n "b":"cut\n{"c":3}', [b'{  "a":1,  "b":"cut', b'{"c":3}']),
        (b"endX\r\nX\n", [b"endX", b"X"]),
        (b"\xef\xbb\xbf", []),
        (b'{"a":1,{"b":2}\n{"c":3}', [b'{"a":1,', b'{"c":3}']),
        (b'{"a":\v{"b":2}}\n{"c":3}', [b'{"a":\v', b'{"c":3}']),
        (b'{"a":[1}\n{"c":3}', [b'{"a":[1', b'{"c":3}']),
        (b'{"a":"x\\\n{"c":3}', [b'{"a":"x\\', b'{"c":3}']),
        (b'  {\n    "a": [\n  {\n"c":\n3}', [b'{     "a": [   { "c": 3}']),
        (b'  {\n    "a": 1\n  {\n"c":\n3}', [b'{     "a": 1', b'{ "c": 3}']),
        (b'text\r\n\n7\n{"a":1}\n"s"\n', [b"text", b"7", b'{"a":1}', b'"s"']),
        (b'{"a":1}}\n{"b":2}', [b'{"a":1}', b"}", b'{"b":2}']),
        (b'{"a":1}\n{"never":"ends', [b'{"a":1}', b'{"never":"ends']),
        (b"[]\n[ ]", []),
    ],
)
def test_broken_json_leaves_a_record_and_the_next_line_is_unharmed(
    stream: bytes, lines: list[bytes]
) -> None:
    for size in range(1, len(stream) + 1):
        assert framed(JsonFramer(MAX), *cut(stream, size)) == lines


@pytest.mark.parametrize("size", [1, 5, 100, 5000])
@pytest.mark.parametrize(
    "long",
    [
        b'{"a":"' + b"x" * 1000 + b'"}',
        b'{"a":' + b"[" * 1000,
        b'{\n  "a": {\n    "b": "' + b"x" * 1000 + b'"\n  }\n}',
        b"y" * 1000,
    ],
)
def test_what_is_too_long_is_cut_and_records_begin_again_at_the_next_line(
    long: bytes, size: int
) -> None:
    stream = long + b'\n{"b":2}\n'
    expected = [long[: MAX + 1].replace(b"\n", b" "), b'{"b":2}']
    assert framed(JsonFramer(MAX), *cut(stream, size)) == expected


@pytest.mark.parametrize(
    "noise", [b'{"a":', b'"', b"[", b"{", b"x", b" ", b'\\"', b'{"a":"', b"\n{"]
)
def test_noise_takes_bounded_memory_and_time(noise: bytes) -> None:
    """The time is bounded by the limit that every test has."""
    framer = JsonFramer(10_000)
    block = noise * (50_000 // len(noise))
    for _ in range(4):
        framer.feed(block)
        assert len(framer._buffer) <= 10_001


def test_what_follows_a_broken_object_is_not_kept() -> None:
    framer = JsonFramer(1000)
    framer.feed(b'{"a":1,{}')
    for _ in range(3):
        assert framer.feed(b"\n" + b"x" * 100_000) == b""
        assert len(framer._buffer) <= 1001


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_broken_object_is_held_until_records_begin_again(size: int) -> None:
    framer = JsonFramer(MAX)
    fed_bytes = 0
    for block in cut(b'{"a":1,{"b":2} and what follows\n  it', size):
        assert framer.feed(block) == b""
        fed_bytes += len(block)
        assert framer.held_bytes == fed_bytes


def test_held_bytes_tell_where_to_read_again() -> None:
    stream = written(2, "\n", array=True) + b'{"a":"broken\n\n' + written(2, "\n", array=False)
    whole = framed(JsonFramer(MAX), stream)
    for at in range(len(stream)):
        framer = JsonFramer(MAX)
        before = framer.feed(stream[:at])
        again = framed(JsonFramer(MAX), stream[at - framer.held_bytes :])
        assert before.split(b"\n")[:-1] + again == whole


def test_random_text_never_raises() -> None:
    dice = random.Random(2)
    for _ in range(500):
        noise = bytes(dice.choice(b'{}[]",:\\\n a1') for _ in range(200))
        assert framed(JsonFramer(50), *cut(noise, 13)) == framed(JsonFramer(50), noise)


ONE_A_LINE = [
    b'{"a":1}\n',
    b'\n\r\n{"a":1}\n',
    b"LEEF:1.0|\n",
    b"[2023-10-06 09:05:08] text\n",
    b'"quoted","csv"\n',
    b"{GMT} text\n{GMT} text\n",
    b'{"cut":"off\n{"a":1}\n',
]
SPANNING = [
    b"{\n",
    b"[\r\n",
    b'{"a":1,\n "b":2}\n',
    b'{"a":1}{"b":2}\n',
    b'{"a":1},\n',
    b'[{"a":1},\n',
    b'[{"a":1},{"b":2}]\n',
    b'{"a":1}, {"b":\n',
    b'{"a":"' + b"x" * 70_000,
]


@pytest.mark.parametrize("start", ONE_A_LINE)
def test_one_value_a_line_is_recognised(start: bytes) -> None:
    assert spans_lines(start) is False
    assert spans_lines(b"\xef\xbb\xbf" + start) is False


@pytest.mark.parametrize("start", SPANNING)
def test_json_that_spans_or_shares_lines_is_recognised(start: bytes) -> None:
    assert spans_lines(start) is True
    assert spans_lines(b"\xef\xbb\xbf" + start) is True


@pytest.mark.parametrize("start", [b"", b"\n\n", b'{"a":1', b'{"a":1,\n', b'{"a":1,\n{"b":'])
def test_more_bytes_are_asked_for_while_both_are_possible(start: bytes) -> None:
    assert spans_lines(start) is None
    assert spans_lines(start, ended=True) is not None


def test_a_given_framing_is_not_decided_again() -> None:
    assert framed(AutoFramer(MAX, spans_lines=False), b'{\n"a":1}\n') == [b"{", b'"a":1}']
    assert framed(AutoFramer(MAX, spans_lines=True), b'1\n{"a":1}\n') == [b"1", b'{"a":1}']


def test_auto_framing_tells_what_it_holds() -> None:
    framer = AutoFramer(MAX)
    framer.feed(b'{"a":')
    assert (framer.spans_lines, framer.held_bytes) == (None, 5)
    assert framer.feed(b'1}\n{"b"') == b'{"a":1}\n'
    assert (framer.spans_lines, framer.held_bytes) == (False, 4)
