"""What LEEF allows: parsing, and fitting a line to a size."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.leef import LeefError, LeefEvent, parse
from formats.rendering.shortening import MARK, shorten

HEADER = "Oct 06 09:05:08 zscaler-nss: LEEF:1.0|Zscaler|NSS|4.1|"


def test_a_line_is_parsed_into_header_and_attributes() -> None:
    assert parse(
        HEADER + "Allowed|cat=Allowed\turl=h/?a=b|c\tempty=\t\tusrName=a b\n"
    ) == LeefEvent(
        syslog="Oct 06 09:05:08 zscaler-nss:",
        version="1.0",
        vendor="Zscaler",
        product="NSS",
        product_version="4.1",
        event_id="Allowed",
        attributes={"cat": "Allowed", "url": "h/?a=b|c", "empty": "", "usrName": "a b"},
    )


@pytest.mark.parametrize(
    "line",
    [
        "LEEF:2.0|V|P|1|ID|^|a=1^b=2\t|3",
        "LEEF:2.0|V|P|1|ID|x5E|a=1^b=2\t|3",
        "LEEF:2.0|V|P|1|ID|0x5e|a=1^b=2\t|3",
    ],
)
def test_leef_2_names_its_delimiter(line: str) -> None:
    assert parse(line).attributes == {"a": "1", "b": "2\t|3"}


@pytest.mark.parametrize("delimiter", ["", "|", "x09|", "\t|"])
def test_the_delimiter_of_leef_2_is_tab_unless_the_header_names_another(delimiter: str) -> None:
    assert parse(f"LEEF:2.0|V|P|1|ID|{delimiter}a=1|2\tb=3").attributes == {"a": "1|2", "b": "3"}


def test_the_first_header_counts_and_a_forged_one_is_text() -> None:
    event = parse("LEEF:1.0|V|P|1|ID|url=LEEF:1.0|x|y|z|forged|\tcat=Allowed")
    assert (event.event_id, event.attributes) == (
        "ID",
        {"url": "LEEF:1.0|x|y|z|forged|", "cat": "Allowed"},
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "no LEEF:1.0 or LEEF:2.0 header with five fields"),
        ("LEEF:1.0|V|P|1", "no LEEF:1.0 or LEEF:2.0 header with five fields"),
        ("LEEF:3.0|V|P|1|ID|a=1", "no LEEF:1.0 or LEEF:2.0 header with five fields"),
        (HEADER + "ID|a=1\tb", "no = in attribute 'b'"),
        (HEADER + "ID|a=1\t=b", "no key before = in attribute '=b'"),
        (HEADER + "ID|a=1\tb=2\ta=3", "key 'a' comes twice"),
        (HEADER + "ID|a=1\nb=2", "a control character breaks the line"),
        (HEADER + "ID|a=1\rb=2", "a control character breaks the line"),
        (HEADER + "ID|a=\0", "a control character breaks the line"),
        (HEADER + "I\nD|a=1", "a control character breaks the line"),
    ],
)
def test_a_line_that_would_lose_or_forge_something_is_refused(line: str, reason: str) -> None:
    with pytest.raises(LeefError) as caught:
        parse(line)
    assert str(caught.value) == reason


@given(st.text())
def test_arbitrary_text_is_an_event_or_refused(text: str) -> None:
    for line in (text, "LEEF:1.0|" + text, "LEEF:2.0|V|P|1|ID|" + text):
        try:
            event = parse(line)
        except LeefError:
            continue
        assert event.version in {"1.0", "2.0"}


@pytest.mark.parametrize(
    ("max_bytes", "line"),
    [
        (49, b"url=" + b"u" * 20 + b"\treferer=" + b"r" * 10 + b"\tua=aa"),
        (48, b"url=" + b"u" * 14 + b"[...]\treferer=" + b"r" * 10 + b"\tua=aa"),
        (39, b"url=" + b"u" * 5 + b"[...]\treferer=" + b"r" * 10 + b"\tua=aa"),
        (38, b"url=uuuu[...]\treferer=rrrr[...]\tua=aa"),
        (29, b"url=[...]\treferer=[...]\tua=aa"),
        (28, None),
        (0, None),
    ],
)
def test_the_longest_values_are_cut_first_and_only_as_far_as_needed(
    max_bytes: int, line: bytes | None
) -> None:
    pieces = ["url=", "u" * 20, "\treferer=", "r" * 10, "\tua=", "aa"]
    assert shorten(pieces, dict.fromkeys((1, 3, 5), MARK), max_bytes) == line


def test_nothing_but_the_cuttable_values_is_cut() -> None:
    assert (
        shorten(["a" * 50, "b" * 50], dict.fromkeys((1,), MARK), 60)
        == b"a" * 50 + b"b" * 5 + b"[...]"
    )
    assert shorten(["a" * 50, "b" * 50], dict.fromkeys((1,), MARK), 54) is None
    assert shorten(["a" * 50], dict.fromkeys((), MARK), 49) is None
    assert shorten(["a" * 50], dict.fromkeys((), MARK), 50) == b"a" * 50


def test_equal_values_of_any_length_are_cut_at_once() -> None:
    """A character at a time would take longer than any test may."""
    values = ["u" * 400_000, "r" * 400_000, "a" * 400_000]
    line = shorten(values, dict.fromkeys((0, 1, 2), MARK), 8192)
    assert line is not None
    assert len(line) == 8190


def cuts(value: str) -> list[str]:
    """Return a value and everything that cutting it between characters may leave."""
    return [value, *(value[:end] + MARK for end in range(len(value)))]


@given(
    st.lists(st.text(max_size=60), min_size=3, max_size=3),
    st.text(max_size=20),
    st.integers(0, 400),
)
def test_a_shortened_line_fits_and_only_its_values_changed(
    values: list[str], other: str, max_bytes: int
) -> None:
    pieces = ["url=", values[0], "\t", other, "\tua=", values[1], "\tref=", values[2]]
    least = sum(len(p.encode()) for p in pieces[::2]) + len(other.encode())
    least += sum(min(len(value.encode()), len(MARK)) for value in values)
    whole = "".join(pieces).encode()
    line = shorten(pieces, dict.fromkeys((1, 5, 7), MARK), max_bytes)
    if len(whole) <= max_bytes:
        assert line == whole
    elif line is None:
        assert max_bytes < least
    else:
        assert len(line) <= max_bytes
        url, ua, ref = ("|".join(map(re.escape, cuts(value))) for value in values)
        form = f"url=({url})\t{re.escape(other)}\tua=({ua})\tref=({ref})"
        assert re.fullmatch(form, line.decode())
