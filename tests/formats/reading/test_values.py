"""Numbers and fields of records: what a value states, and the words for what it doesn't."""

import pytest

from formats.plan import Attribute
from formats.reading import (
    BadLine,
    Decoded,
    count_lines,
    decode_lines,
    describe,
    field_in,
    number,
    split_lines,
    states_number,
)

SIZE = Attribute("reqsize", number=True, default=-7)


@pytest.mark.parametrize(
    ("value", "stated"),
    [
        ("0", 0),
        ("007", 7),
        (" 12 ", 12),
        ("+12", 12),
        ("-12", -12),
        ("9" * 40, 10**40 - 1),
        ("-" + "9" * 40, 1 - 10**40),
        ("12.0", 12),
        ("1.2e1", 12),
        ("1200e-2", 12),
        ("9007199254740991.0", 2**53 - 1),
        ("-9007199254740991.0", 1 - 2**53),
        (12, 12),
        (12.0, 12),
        (-12.0, -12),
        (float(2**53 - 1), 2**53 - 1),
        (float(1 - 2**53), 1 - 2**53),
        (10**40 - 1, 10**40 - 1),
        (1 - 10**40, 1 - 10**40),
        *[(text, -7) for text in ("", " ", "None", "NA", "n/a", "NULL", "-")],
    ],
)
def test_a_value_states_a_number_or_none(value: object, stated: int) -> None:
    assert number(SIZE, value) == stated


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("9" * 41, f"text '{'9' * 40}'"),
        ("12.5", "text '12.5'"),
        ("9007199254740992.0", "text '9007199254740992.0'"),
        ("-9007199254740992.0", "text '-9007199254740992.0'"),
        ("1e100", "text '1e100'"),
        ("0" * 40 + ".0", f"text '{'0' * 40}'"),  # longer than any that is read
        ("1 2", "text '1 2'"),
        ("\uff10", "text '\uff10'"),
        ("²", "text '²'"),
        ("--", "text '--'"),
        ("0x10", "text '0x10'"),
        ("\n1\n2", r"text '\n1\n2'"),
        (12.5, "number 12.5"),
        (float(2**53), "number 9007199254740992.0"),
        (float(-(2**53)), "number -9007199254740992.0"),
        (float("inf"), "number inf"),
        (10**40, f"number 1{'0' * 39}"),
        (-(10**40), f"number -1{'0' * 38}"),
        (True, "a boolean"),
        (None, "null"),
        ({}, "an object"),
        ([1], "an array"),
    ],
)
def test_what_is_no_number_is_named(value: object, what: str) -> None:
    with pytest.raises(BadLine) as raised:
        number(SIZE, value)
    assert str(raised.value) == f"reqsize: {what}, expected a number"
    assert describe(value) == what


@pytest.mark.parametrize(
    ("value", "stated"),
    [
        *[(text, False) for text in ("", " ", "none", " N/A\t", "na", "null", "-")],
        *[(text, True) for text in ("0", "--", "nul")],
        *[(None, False), (0, True), (0.0, True), (False, True), ([], True), ({}, True)],
    ],
)
def test_a_value_is_there_unless_it_stands_for_no_number(value: object, *, stated: bool) -> None:
    assert states_number(value) is stated


@pytest.mark.parametrize(
    ("data", "lines"),
    [(b"", 0), (b"\n", 1), (b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"\n\n", 2), (b"\n\na\n", 3)],
)
def test_lines_are_counted_whether_the_last_is_ended_or_not(data: bytes, lines: int) -> None:
    assert count_lines(data) == lines


def test_lines_have_their_offsets_and_blank_ones_are_none() -> None:
    assert split_lines(b"\na\n \t\r\n\nbc\n d") == [(1, b"a"), (8, b"bc"), (11, b" d")]
    assert split_lines(b"") == []


def test_a_batch_is_read_line_by_line_and_bad_ones_are_set_apart() -> None:
    def records_of(line: bytes) -> tuple[list[bytes], bool]:
        if line.startswith(b"bad"):
            raise BadLine(f"no record: {line.decode()}")
        return line.split(b","), b"!" in line

    decoded = decode_lines(b"a\n\nb,c!\nbad one\n123456789\n\nd\n!,!\n1234567890\n", 9, records_of)

    assert decoded.records == [b"a", b"b", b"c!", b"123456789", b"d", b"!", b"!"]
    assert decoded.line_of == [0, 1, 1, 3, 4, 5, 5]
    assert decoded.suspects == [1, 2, 5, 6]
    assert [(bad.line, bad.offset, bad.reason, bad.data) for bad in decoded.bad] == [
        (2, 8, "no record: bad one", b"bad one"),
        (6, 33, "longer than max_record_bytes (9)", b"1234567890"),
    ]
    assert decode_lines(b"", 9, records_of) == Decoded()


def test_a_field_of_a_cell_is_there_or_the_reason_says_what_stands_in_its_place() -> None:
    assert field_in("a-b", "host", lambda text: {"host": text[0], "url": text[2]}) == "a"
    for name, said in [("host", "host"), ("clock0", "time"), ("clocked", "time")]:
        with pytest.raises(BadLine) as raised:
            field_in("x" * 41, name, lambda _text: None)
        assert str(raised.value) == (
            f"{said}: text '{'x' * 40}' is not what the feed format prints"
        )
