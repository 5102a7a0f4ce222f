"""What is seen of a batch of JSON before it is decoded."""

import json

import pytest

from formats.reading.json_scan import (
    MAX_DEPTH,
    bare,
    brackets_opened,
    is_too_deep,
    longest_fits,
    objects_by_line,
    quotes_in,
    quotes_of,
    suspect_lines,
    unsafe_places,
)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", 0),
        (b"{}", 1),
        (b"{}\n", 1),
        (b"{}\n{}", 2),
        (b"{}\n{}\n", 2),
        (b'{"a":{}}\n{}\n{}\n', 3),
        (b"{}\n{}\nx\n", -1),
        (b"{}\nx\n{}\n", -1),
        (b"{}\n \n", -1),
        (b"{} \n{}\n", -1),
        (b'{"a":\n1}\n', -1),
        (b"{}\n\n{}\n", -1),
    ],
)
def test_lines_are_objects_only_where_each_ends_as_one(data: bytes, lines: int) -> None:
    assert objects_by_line(data) == lines


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b'{"a":1}', b'{"a":1}'),
        (b' \t{"a":1}\r\n', b'{"a":1}'),
        (b'\xef\xbb\xbf{"a":1}', b'{"a":1}'),
        (b'<134>Oct  6 09:05:08 host nss: {"a":1}', b'{"a":1}'),
        (b'Oct  6 09:05:08 host nss: [ {"a":1}]', b'[ {"a":1}]'),
        (b'\xef\xbb\xbf<134>1 - - - - - - {"a":1}', b'{"a":1}'),
        (b'[{"a":1}]', b'[{"a":1}]'),
        (b'"{}"', b'"{}"'),
        (b'x {"a":1}', b'{"a":1}'),
        (b"no object", b"no object"),
        (b"", b""),
    ],
)
def test_the_json_of_a_line_stands_behind_its_header(line: bytes, found: bytes) -> None:
    assert bare(line) == found


@pytest.mark.parametrize("opening", [b"[", b"{", b'{"a":', b"[{"])
def test_json_is_too_deep_from_one_level_more_than_the_most(opening: bytes) -> None:
    levels = opening.count(b"[") + opening.count(b"{")
    most = opening * (MAX_DEPTH // levels)
    assert brackets_opened(most) == MAX_DEPTH
    assert not is_too_deep(most)
    assert is_too_deep(b"[" + most)
    assert is_too_deep(most + b"{")


@pytest.mark.parametrize(
    "line",
    [
        b"[" + b"{}," * 500 + b"{}]",
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"[" * MAX_DEPTH,
        b'{"a":"' + b"[" * 500 + b'"}',
        b'{"a":"\\"' + b"{" * 500 + b'"}',
        b'{"a":"' + b"[" * 500,  # it breaks off in a text
        b'"\\\\"' + b"[" * MAX_DEPTH,
        b'"\n"' + b"[" * MAX_DEPTH,
    ],
)
def test_brackets_that_are_closed_or_in_texts_are_no_levels(line: bytes) -> None:
    assert not is_too_deep(line)


def test_brackets_behind_a_text_are_levels() -> None:
    assert is_too_deep(b'"a\\\\"' + b"[" * (MAX_DEPTH + 1))
    assert is_too_deep(b'["]", ' + b"[" * MAX_DEPTH)


@pytest.mark.parametrize(
    ("data", "quotes"),
    [
        (b"", 0),
        (b'"', 1),
        (b'"a"', 2),
        (rb'"\""', 2),
        (rb'"\"\""', 2),
        (rb'"\\"', 2),
        (rb'"\\\""', 2),
        (rb'"\n\"\\"', 2),
        (rb'"a\ ', 1),
        (b'"\\', 1),
        (rb"\"\"", 0),
    ],
)
def test_quotes_behind_a_backslash_are_text(data: bytes, quotes: int) -> None:
    assert quotes_in(data) == quotes


@pytest.mark.parametrize(
    "tree",
    [
        1,
        "a",
        None,
        [],
        {},
        ["a", 1, "b"],
        {"a": 1, "b": "c", "d": None},
        {"a": {"b": "c", "d": {"e": "f"}}, "g": ["h", ["i", {"j": "k"}], []]},
        [[{"a": 1}], {"b": "c"}, "d"],
        {'"': '"\\"'},
    ],
)
def test_a_value_is_written_with_as_many_quotes_as_it_needs(tree: object) -> None:
    assert quotes_of(tree) == quotes_in(json.dumps(tree).encode())


@pytest.mark.parametrize(
    ("data", "longest"),
    [
        (b"", 0),
        (b"\n", 0),
        (b"\n\n\n", 0),
        (b"abc", 3),
        (b"abc\n", 3),
        (b"abc\nde\nf", 3),
        (b"a\nbc\ndef\n", 3),
        (b"a\nbcde\nf\n\n", 4),
        (b"\n\nabcde", 5),
    ],
)
def test_all_lines_fit_if_the_longest_does(data: bytes, longest: int) -> None:
    assert longest_fits(data, longest)
    assert longest_fits(data, longest + 1)
    if longest:
        assert not longest_fits(data, longest - 1)


@pytest.mark.parametrize(
    ("data", "places"),
    [
        (b"", []),
        (b"abc \xc3\xa9 \xe2\x82\xac /", []),
        (rb"\b\f\n\r\t", [0, 2, 4, 6, 8]),
        (rb"\\ \/ \" \u0020 \u00e9 \ua000", []),
        (rb"\u0000\u0001\u001f", [0, 6, 12]),
        (rb"\u007f\u007F\u007e", [0, 6]),
        (rb"\u0080\u009f\u00a0", [0, 6]),
        (rb"\u2028\u2029\u202a", [0, 6]),
        (b"a\x7fb\x7f", [1, 3]),
        (b"\xc2\x80\xc2\x9f\xc2\xa0", [0, 2]),
        (b"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", [0, 3]),
        (b"\xe2\x80\xa8 \x7f \\n \xc2\x85", [0, 4, 6, 9]),
    ],
)
def test_control_characters_are_found_however_they_are_written(
    data: bytes, places: list[int]
) -> None:
    assert unsafe_places(data) == places


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a\nb\n", []),
        (b"\x7f", [0]),
        (b"a\nb\x7f\x7f\nc\n\\n\x7f", [1, 3]),
        (b"\x7f\n\x7f\n\x7f\n", [0, 1, 2]),
        (b"a\n\n\x7f", [2]),
        (b"\\n\na", [0]),
    ],
)
def test_lines_with_control_characters_are_suspects(data: bytes, lines: list[int]) -> None:
    assert suspect_lines(data) == lines
