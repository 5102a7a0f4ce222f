"""Lines split into the texts of their cells, and named: each splitter by itself."""

import pytest

from formats.errors import NotReadable
from formats.language import Slot, parse
from formats.reading import BadLine, BadRecord
from formats.reading.cells import matcher
from formats.reading.dissection import entries
from formats.reading.layouts import _kind
from formats.reading.lines import SPLITS, _last_end
from formats.reading.patterns import fixed_pattern
from formats.reading.recognise import SAMPLE_RECORDS, UNKNOWN, _window, unrecognised
from formats.structure import structure_of

LEADING = "%s{action}\tuser=%s{login}\thost=%s{host}"
INNER = "user=%s{login}\t%s{action}\thost=%s{host}"


def split(text: str, line: str) -> dict[str, str]:
    structure = structure_of(parse(text))
    return dict(SPLITS[structure.kind](structure, frozenset())(line))


@pytest.mark.parametrize(
    ("text", "line", "values"),
    [
        (LEADING, "x\tuser=a\thost=h", {"#0": "x", "user": "a", "host": "h"}),
        (LEADING, "x=y\tuser=a\thost=h", {"#0": "x=y", "x": "y", "user": "a", "host": "h"}),
        # The piece that has a place may be missing, and stands in it all the same.
        (LEADING, "user=a=b\thost=h", {"#0": "user=a=b", "user": "a=b", "host": "h"}),
        (LEADING, "user=a", {"#0": "user=a", "user": "a"}),
        (INNER, "user=a\tx\thost=h", {"#1": "x", "user": "a", "host": "h"}),
        # A key there is none, unless there is no other.
        (INNER, "user=a\thost=evil\thost=h", {"#1": "host=evil", "user": "a", "host": "h"}),
        (INNER, "user=a\thost=h=i", {"#1": "host=h=i", "user": "a", "host": "h=i"}),
        (INNER, "user=a", {"user": "a"}),
    ],
)
def test_a_piece_that_has_its_place_is_no_pair(
    text: str, line: str, values: dict[str, str]
) -> None:
    assert split(text, line) == values


@pytest.mark.parametrize("line", ["x", "x\ty=1", ""])
def test_a_line_without_a_known_key_is_none(line: str) -> None:
    with pytest.raises(BadLine, match=r"^no known key$"):
        split(LEADING, line)


@pytest.mark.parametrize(
    ("line", "at", "end"),
    [
        ("<a;b>", 3, 4),
        ("<a;b>c", 3, 4),
        ("<a;b>c>", 3, 6),
        ("<a;b>c>d", 3, 4),
        ("a>b", 2, -1),
        (">", 1, -1),
        ("", 0, -1),
    ],
)
def test_the_last_value_ends_before_the_text_at_the_end(line: str, at: int, end: int) -> None:
    assert _last_end(">", line, at) == end


def test_the_text_at_the_end_stands_behind_where_the_value_begins() -> None:
    assert _last_end("ab", "xab", 1) == 1
    assert _last_end("ab", "xab", 2) == -1


def named(text: str, line: str) -> list[tuple[str, str, bool]]:
    return [(entry.place, entry.text, entry.in_header) for entry in entries(parse(text), line)]


def test_pieces_have_their_keys_or_their_numbers() -> None:
    assert named(LEADING, "x=y\tuser=a=b\thost\tz=1") == [
        ("piece 1", "x=y", False),
        ("user", "a=b", False),
        ("piece 3", "host", False),
        ("z", "1", False),
    ]


def test_values_are_called_by_the_word_before_them() -> None:
    assert named("%s{login};aX=%s{host} |b|%s{dept}", "ana;aX=h |b|d") == [
        ("", "ana", False),
        ("aX", "h", False),
        ("b", "d", False),
    ]


def test_the_header_of_leef_is_told_from_its_attributes() -> None:
    text = "LEEF:1.0|Z|N|%s{cloudname}|X|usrName=%s{login}\thost=%s{host}"
    found = named(text, "LEEF:1.0|Z|N|c|X|usrName=a\thost=h")
    assert [place for place, _, in_header in found if not in_header] == ["usrName", "host"]
    assert len(found) == 8


@pytest.mark.parametrize(
    ("slot", "pattern"),
    [
        ("%s{day}", "[A-Za-z]{3}"),
        ("%s{mon}", "[A-Za-z]{3}"),
        ("%02d{hh}", "[ 0-9]{2}"),
        ("%5d{hh}", "[ 0-9]{5}"),
        ("%d{yyyy}", "[ 0-9]{4}"),
        ("%d{yy}", "[ 0-9]{4}"),
        ("%6d{yy}", "[ 0-9]{6}"),
        ("%d{hh}", None),
        ("%1d{hh}", None),
        ("%02x{hh}", None),
        ("%x{yyyy}", None),
        ("%d{reqsize}", None),
        ("%s{tz}", None),
        ("%s{login}", None),
    ],
)
def test_times_of_a_fixed_width_are_known_by_it(slot: str, pattern: str | None) -> None:
    (part,) = parse(slot).parts
    assert isinstance(part, Slot)
    assert fixed_pattern(part) == pattern


def test_a_time_of_a_fixed_width_ends_where_another_field_begins() -> None:
    match = matcher(parse("%02d{hh}%02d{mm}%02d{ss}%s{login}!").parts)
    assert match("090508ana!") == {"run0": "090508", "login": "ana"}
    assert match("09050!") is None
    assert match("0905081x!") == {"run0": "090508", "login": "1x"}
    assert match("090508.5x!") == {"run0": "090508", "login": ".5x"}
    match = matcher(parse("%s{mon}%s{login}").parts)
    assert match("Octana") == {"run0": "Oct", "login": "ana"}


@pytest.mark.parametrize(
    ("text", "one", "other"),
    [
        ("%02d{hh}%02d{mm}%d{ss}%s{login}", "%d{ss}", "%s{login}"),
        ("%d{reqsize}%02d{hh}:%02d{mm}", "%d{reqsize}", "%02d{hh}"),
        ("%s{login}%s{dept}", "%s{login}", "%s{dept}"),
        ("%d{hh}%02d{mm}", "%d{hh}", "%02d{mm}"),
    ],
)
def test_other_fields_are_not_told_apart(text: str, one: str, other: str) -> None:
    with pytest.raises(NotReadable) as raised:
        matcher(parse(text).parts)
    assert str(raised.value) == f"nothing between {one} and {other} tells them apart"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Allowed", "action"),
        ("UNSANCTIONED", "app_status"),
        ("10.0.0.1", "address"),
        ("2001:db8::1", "address"),
        ("x", ""),
        ("", ""),
    ],
)
def test_a_column_holds_what_its_word_is_of(text: str, kind: str) -> None:
    assert _kind(text) == kind


def test_a_window_has_as_many_lines_as_are_needed() -> None:
    sample = b"".join(b"%d\n\n" % number for number in range(40))
    window, end = _window(sample, 0)
    assert window.split() == [b"%d" % number for number in range(SAMPLE_RECORDS)]
    assert sample[end - 3 : end] == b"15\n"
    last, end = _window(sample, len(sample) - 4)
    assert (last, end) == (b"39\n", len(sample))


def test_lines_in_no_known_form_are_set_apart_each() -> None:
    assert unrecognised(b"a\n\n \nbc\n") == [
        BadRecord(0, 0, UNKNOWN, b"a"),
        BadRecord(1, 5, UNKNOWN, b"bc"),
    ]
