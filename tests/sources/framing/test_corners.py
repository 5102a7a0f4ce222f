"""Corners of framing: blanks at ends, marks in the middle, and what the first bytes decide."""

import pytest

from nss.sources.framing.json import AutoFramer, JsonFramer, spans_lines
from nss.sources.framing.lines import (
    BOM,
    Framer,
    LineFramer,
    OctetFramer,
    StreamFramer,
    detect_framing,
)

MAX = 50


@pytest.mark.parametrize("kind", [LineFramer, OctetFramer, StreamFramer, JsonFramer, AutoFramer])
def test_a_new_framer_has_and_holds_nothing(kind: type[LineFramer]) -> None:
    framer: Framer = kind(MAX)
    assert (framer.records, framer.held_bytes) == (0, 0)
    assert (framer.feed(b""), framer.records, framer.held_bytes) == (b"", 0, 0)
    assert (framer.flush(), framer.records, framer.held_bytes) == (b"", 0, 0)


def test_a_byte_order_mark_is_dropped_only_at_the_start() -> None:
    framer = LineFramer(MAX)
    assert framer.feed(BOM + b"a\n" + BOM + b"b\n") == b"a\n" + BOM + b"b\n"
    assert framer.feed(BOM + b"c\n") == BOM + b"c\n"


def test_a_mark_behind_a_line_that_was_cut_is_not_at_the_start() -> None:
    framer = LineFramer(MAX)
    framer.feed(b"x" * (2 * MAX))
    assert framer.feed(b"\n" + BOM + b"a\n") == b"x" * (MAX + 1) + b"\n" + BOM + b"a\n"


@pytest.mark.parametrize(
    ("message", "record"),
    [
        (b"blanks \t", b"blanks \t"),
        (b"endX", b"endX"),
        (b"X\r\n", b"X"),
        (b"two\r\nlines", b"two lines"),
        (b"a\rb\r\r\n", b"a\rb"),
        (b"\r\n", b""),
    ],
)
def test_of_a_counted_message_only_line_ends_are_taken(message: bytes, record: bytes) -> None:
    framer = OctetFramer(MAX)
    assert framer.feed(b"%d %s" % (len(message), message)) == (record and record + b"\n")


def test_a_counted_array_that_is_cut_in_its_first_read_is_still_its_elements() -> None:
    message = b'[{"a":1},{"b":2}]'
    data = b"%d %s" % (len(message), message)
    for at in range(1, len(data)):
        framer = OctetFramer(MAX)
        assert framer.feed(data[:at]) + framer.feed(data[at:]) == b'{"a":1}\n{"b":2}\n'


def test_lines_come_out_as_soon_as_they_are_there() -> None:
    framer = StreamFramer(MAX)
    assert framer.feed(b"one\ntw") == b"one\n"
    assert framer.feed(b"o\n") == b"two\n"


@pytest.mark.parametrize(
    "start",
    [
        b"5 abcde 3 xyz",  # a blank between messages
        b"5 abcdeX3 xyz",
        b"20 ab\ncd",  # a line that ends within the message
        b"5 abc\n",
    ],
)
def test_what_is_not_quite_octet_counting_is_lines(start: bytes) -> None:
    assert detect_framing(start, MAX) == "newline"


@pytest.mark.parametrize(
    ("start", "ended", "spans"),
    [
        (b'{"a":1,\n', 1, False),
        (b'{"a":1,\n', 0, None),
        (b'{"a":\n{"b":1}\n{"c":\n{"d":1}\n', 1, False),
        (b'{"a":\n{\n"b":1}}\n', 1, True),
        (b'{"a":\n"x"\n}\n', 1, True),
        (b'{"a":\n"x"', 1, True),
        (b'{"a":\n"x"', 0, None),
    ],
)
def test_whether_json_spans_lines_is_seen_at_the_second_line(
    start: bytes, ended: int, spans: object
) -> None:
    assert spans_lines(start, ended=bool(ended)) is spans


@pytest.mark.parametrize(
    "start",
    [
        b'\x0c{\n"a":1}\n',  # no blank of JSON
        b'{\x0b"a":1,\n"b":2}\n',
    ],
)
def test_only_the_blanks_of_json_may_stand_before_it(start: bytes) -> None:
    assert spans_lines(start, ended=True) is False


def test_what_no_json_continues_with_is_no_next_value() -> None:
    assert spans_lines(b'{"a":\n\x0c{"b":1}\n', ended=True) is True


def test_with_64_kib_it_is_decided() -> None:
    start = b'{"a":"'.ljust(65_536, b"x")
    assert (spans_lines(start[:-1]), spans_lines(start)) == (None, True)


def test_a_mark_is_dropped_where_a_stream_begins_and_kept_where_it_goes_on() -> None:
    lines = b'{"a":1}\n{"b":2}\n'
    assert AutoFramer(MAX).feed(BOM + lines) == lines
    framer = AutoFramer(MAX, spans_lines=False, at_start=False)
    assert framer.feed(BOM + lines) == BOM + lines


def test_the_end_of_the_stream_gives_a_broken_object_away() -> None:
    framer = JsonFramer(MAX)
    assert framer.feed(b'{"a": 1,\n"b": "x\ny" and more') == b""
    assert framer.flush() == b'{"a": 1, "b": "x\n'
    assert (framer.records, framer.held_bytes) == (1, 0)


def test_only_blanks_of_json_are_taken_from_the_last_text() -> None:
    framer = JsonFramer(MAX)
    assert framer.feed(b" \t\r\ntext\v \t\r") == b""
    assert framer.flush() == b"text\v\n"


def test_after_a_flush_in_a_string_everything_begins_anew() -> None:
    framer = JsonFramer(MAX)
    framer.feed(b'{"a":"x')
    assert framer.flush() == b'{"a":"x\n'
    assert framer.feed(b'{"b":1}') == b'{"b":1}\n'


def test_many_escapes_in_a_string_do_not_hold_its_record_back() -> None:
    record = b'{"a":"%s"}' % (b"\\n" * 1000)
    framer = JsonFramer(10_000)
    assert framer.feed(record + b'{"b":1}') == record + b'\n{"b":1}\n'


def test_an_object_is_given_up_at_the_second_byte_too_many() -> None:
    long, ends = b'{"a":"' + b"x" * (MAX - 5), b'"} {"b":1}\n{"c":1}\n'
    framer = JsonFramer(MAX)
    framer.feed(long)
    assert framer.feed(ends) == long + b'\n{"b":1}\n{"c":1}\n'
    framer = JsonFramer(MAX)
    framer.feed(long + b"x")
    assert framer.feed(ends) == long + b'\n{"c":1}\n'


def test_the_line_end_behind_what_is_given_up_is_kept() -> None:
    long = b'{"a":' + b"1" * (MAX - 4)
    framer = JsonFramer(MAX)
    assert framer.feed(long + b"\n") == b""
    assert framer.feed(b'{"c":1}\n') == long + b'\n{"c":1}\n'


def test_before_json_a_byte_order_mark_is_dropped_only_at_the_start() -> None:
    framer = JsonFramer(MAX)
    assert framer.feed(BOM + b'{"a":1}' + BOM + b"x\n") == b'{"a":1}\n' + BOM + b"x\n"


@pytest.mark.parametrize("before", [b"\n\n", b"\n", b'{"x":1} '])
def test_records_begin_again_no_deeper_than_the_broken_object_began(before: bytes) -> None:
    framer = JsonFramer(MAX)
    stream = before + b'{"a":1,{"b":2}\n  {"c":3}\n{"d":4}\n'
    if before.startswith(b"\n"):
        stream = stream.replace(b"  {", b" {")
    assert framer.feed(stream).endswith(b'{"a":1,\n{"d":4}\n')


def test_of_a_line_that_is_no_json_only_its_end_is_taken() -> None:
    assert JsonFramer(MAX).feed(b"text \v\r\n") == b"text \v\n"


WHITE = [b" ", b"\t\t", b" \r", b"\x0b\x0c", b" " * (2 * MAX)]


@pytest.mark.parametrize("white", WHITE)
def test_a_line_of_white_space_is_no_record(white: bytes) -> None:
    stream = b"%b\na\n%b\n%b\n b \n%b" % (white, white, white, white)
    framer = LineFramer(MAX)
    assert framer.feed(stream + b"\n") + framer.flush() == b"a\n b \n"
    assert framer.records == 0
    for piece in (white[:MAX], white[: MAX - 2] + b"\r\n"):
        assert OctetFramer(MAX).feed(b"%d %b1 a" % (len(piece), piece)) == b"a\n"


@pytest.mark.parametrize("white", [b" ", b"\t", b"\x0b\x0c", b" \x0c\r"])
def test_a_line_of_white_space_between_values_that_span_lines_is_no_record(white: bytes) -> None:
    framer = JsonFramer(MAX)
    data = framer.feed(b'{\n"a":1}\n%b\n{\n"b":1}\n%b' % (white, white))
    assert data + framer.flush() == b'{ "a":1}\n{ "b":1}\n'
