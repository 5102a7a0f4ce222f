"""Dates at the ends of what there is: a line with that date, or a record set apart."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import presets
from formats.fields import TIME_FIELDS
from formats.language import FeedFormat, parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from formats.times import zone

EVERY = parse(
    "\\t".join(f"%{'d' if name == 'epochtime' else 's'}{{{name}}}" for name in sorted(TIME_FIELDS))
)
FORMATS = {"every field": EVERY, "MCAS": presets.load("MCAS"), "QRADAR": presets.load("QRADAR")}
ZONES = ["GMT", "Pacific/Kiritimati", "Pacific/Niue", "Europe/Berlin", "America/St_Johns"]
GOOD = {"epochtime": 1696583108, "login": "ann"}

TIMES = [
    *("Fri Dec 31 23:59:59 9999", "Mon Jan  1 00:00:00 0001", "Sat Jan  1 00:00:00 0000"),
    *("9999-12-31T23:59:59.999999-14:00", "0001-01-01T00:00:00+14:00", "2024-02-30T00:00:00Z"),
    *("9999-12-31T24:00:00Z", "2016-12-31T23:59:60Z", "10000-01-01T00:00:00Z", "-1-01-01"),
    *("Thu Feb 29 00:00:00 2023", "Fri Oct  6 25:61:61 2023", "Fri Oct 32 09:05:08 2023"),
    *("253402300799", "253402300800", "-62135596800", "-62135596801", "1e400", "nan", "1" * 400),
    *("Sun Mar 26 02:30:00 2023", "Sun Oct 29 02:30:00 2023"),  # in Berlin: never, and twice
]
EPOCHS: list[object] = [
    *(0, -1, 253402300799, 253402300800, -62135596800, -62135596801, 2**31, 2**63, 2**64, 10**400),
    *(1696583108000, 1696583108.5, 1e308, -1e308, "253402300799", "9" * 400, "-0", " 1 ", "\u0661"),
]
PARTS = {"yy": "9999", "month": "12", "day": "31", "hh": "23", "mm": "59", "ss": "59"}
RECORDS: list[Mapping[str, object]] = [
    *({"time": text} for text in TIMES),
    *({"time": text, "tz": "GMT-12:00"} for text in TIMES),
    *({"epochtime": epoch} for epoch in EPOCHS),
    *({**PARTS, name: odd} for name in PARTS for odd in ("0", "-1", "99", "99999", "1e3", "")),
    *({**PARTS, "tz": tz} for tz in ("GMT-14:00", "GMT+99:99", "+2400", "X/Y", "")),
]


def check(feed_format: FeedFormat, zone_name: str, odd: Mapping[str, object]) -> None:
    """See that a record between two good ones is a line or set apart, and they are as ever."""
    settings = FeedSettings(feed_format, zone=zone(zone_name), source_zone=zone(zone_name))
    pipeline = Pipeline(json_names(), settings)
    good = json.dumps(GOOD).encode()
    (line,) = pipeline.run(good + b"\n").lines
    rendered = pipeline.run(
        b"\n".join([good, json.dumps({"login": "b", **odd}).encode(), good, b""])
    )
    assert (rendered.lines[0], rendered.lines[-1]) == (line, line)
    assert len(rendered.lines) + len(rendered.bad) == 3
    assert all(bad.line == 1 and bad.reason.isprintable() for bad in rendered.bad)


@pytest.mark.parametrize("zone_name", ZONES)
@pytest.mark.parametrize("name", FORMATS)
def test_an_extreme_date_is_a_line_or_set_apart(name: str, zone_name: str) -> None:
    for odd in RECORDS:
        check(FORMATS[name], zone_name, odd)


@given(
    st.sampled_from(ZONES),
    st.integers()
    | st.floats()
    | st.datetimes().map(str)
    | st.text("0123456789 :-TZ+.", max_size=30),
    st.sampled_from(["time", "epochtime"]),
)
def test_any_date_is_a_line_or_set_apart(zone_name: str, date: object, field: str) -> None:
    check(EVERY, zone_name, {field: date})
