"""How pages show numbers, times and texts that others wrote."""

import math

import pytest

from nss.admin.portal import texts
from nss.wording import size_text


@pytest.mark.parametrize(
    ("at", "iso", "utc"),
    [
        (0, "1970-01-01T00:00:00Z", "1970-01-01 00:00:00 UTC"),
        (1_795_000_000.9, "2026-11-18T11:06:40Z", "2026-11-18 11:06:40 UTC"),
        (1e300, "1970-01-01T00:00:00Z", "1970-01-01 00:00:00 UTC"),
        (math.nan, "1970-01-01T00:00:00Z", "1970-01-01 00:00:00 UTC"),
        (-math.inf, "1970-01-01T00:00:00Z", "1970-01-01 00:00:00 UTC"),
    ],
)
def test_times_are_utc_and_no_number_is_too_large(at: float, iso: str, utc: str) -> None:
    assert (texts.iso(at), texts.utc(at)) == (iso, utc)


@pytest.mark.parametrize(
    ("per_sec", "text"), [(0, "0"), (0.42, "0.4"), (9.96, "10.0"), (10, "10"), (12_345.6, "12,346")]
)
def test_a_slow_rate_is_not_shown_as_nothing(per_sec: float, text: str) -> None:
    assert texts.rate(per_sec) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (8 << 30, "8.0 GiB")]
)
def test_sizes_have_the_units_of_the_command_line(size: float, text: str) -> None:
    assert texts.FILTERS["bytes"](size) == text == size_text(size)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain <b>", "plain <b>"),
        ("two\nlines", "two\nlines"),
        ("\x1b[31m\x00\r", "\\x1b[31m\\x00\\r"),
        ("\u202ereversed", "\\u202ereversed"),
        (b"caf\xc3\xa9 \xff", "café \\xff"),
    ],
)
def test_what_can_not_be_seen_is_made_visible(text: str | bytes, shown: str) -> None:
    assert texts.harmless(text) == shown
