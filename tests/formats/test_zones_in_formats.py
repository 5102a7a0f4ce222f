"""Zones that a format names as static text, and times beside that of the record."""

from typing import Any

import msgspec
import pytest

from formats import presets
from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from formats.times import zone

EPOCH = 1696583108  # Fri Oct  6 09:05:08 2023 GMT
ZONES = ["GMT", "Europe/Berlin", "America/Chicago", "Asia/Kolkata", "GMT-03:30"]


def printed(text: str, zone_name: str = "GMT", **fields: object) -> bytes:
    settings = FeedSettings(parse(text), zone=zone(zone_name))
    record = msgspec.json.encode({"epochtime": EPOCH} | fields) + b"\n"
    (line,) = Pipeline(json_names(), settings).run(record).lines
    return line


@pytest.mark.parametrize("name", ZONES)
def test_qradar_old_prints_the_time_of_the_zone_that_it_names(name: str) -> None:
    settings = FeedSettings(presets.load("QRADAR_OLD"), zone=zone(name))
    line = Pipeline(json_names(), settings).run(b'{"epochtime":1696583108}\n').lines[0]
    assert b"\tdevTime=Oct 06 2023 04:05:08 America/Chicago\t" in line

    back = FeedSettings(parse("%d{epochtime}"), source_zone=zone("Asia/Tokyo"))
    source = input_of(presets.load("QRADAR_OLD"))
    assert Pipeline(source, back).run(line + b"\n").lines == [b"1696583108"]


@pytest.mark.parametrize("behind", ["GMT", "Etc/GMT+5", "+02:00", "CET"])
def test_a_devtime_may_name_another_zone_than_the_preset(behind: str) -> None:
    line = f"LEEF:1.0|Z|N|1|ID|usrName=a\tdevTime=Oct 06 2023 09:05:08.123 {behind}\n"
    source = input_of(presets.load("QRADAR_OLD"))
    rendered = Pipeline(source, FeedSettings(parse("%d{epochtime}"))).run(line.encode())
    hours = {"GMT": 0, "Etc/GMT+5": -5, "+02:00": 2, "CET": 1}[behind]
    assert rendered.lines == [str(EPOCH - 3600 * hours).encode()]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("%02d{hh}:%02d{mm}:%02d{ss}Z %02d{hh}", b"09:05:08Z 11"),
        ("%02d{hh}:%02d{mm}:%02d{ss} GMT", b"09:05:08 GMT"),
        ("%s{time} UTC", b"Fri Oct  6 09:05:08 2023 UTC"),
        ("%02d{hh}:%02d{mm}-05:00", b"04:05-05:00"),
        ("%02d{hh} Asia/Kolkata, %02d{hh}", b"14 Asia/Kolkata, 11"),
        ("%s{login} Asia/Kolkata %02d{hh}", b"None Asia/Kolkata 11"),
        # no zones
        ("%02d{hh} Zscaler", b"11 Zscaler"),
        ("%02d{hh} GMTX", b"11 GMTX"),
        ("%02d{hh} Mars/Olympus", b"11 Mars/Olympus"),
        ("%02d{hh}-0500-%02d{ss}", b"11-0500-08"),
        ("%02d{hh} %s{tz} GMT", b"11 CEST GMT"),
    ],
)
def test_a_time_is_printed_in_the_zone_that_stands_behind_it(text: str, line: bytes) -> None:
    assert printed(text, "Europe/Berlin") == line


@pytest.mark.parametrize(
    "text",
    [
        "%s{time} UTC|%s{login}",
        "[%s{time} America/Chicago] %d{reqsize}",
        r"a=%s{login}\tt=%04d{yyyy}-%02d{mth}-%02d{dd}T%02d{hh}:%02d{mm}:%02d{ss}+05:30",
        r'\{"a":"%s{time} Asia/Kolkata"\}',
        r"%s{time} Asia/Kolkata\t%s{login}",
        "x %d{yy}/%d{mth}/%d{dd} %d{hh}.%d{mm}.%d{ss} GMT-3 y",
    ],
)
@pytest.mark.parametrize("name", ZONES)
def test_it_is_read_back_in_that_zone(text: str, name: str) -> None:
    line = printed(text, name) + b"\n"
    source = input_of(parse(text))
    rendered = Pipeline(source, FeedSettings(parse("%d{epochtime}"))).run(line)
    assert (list(rendered.lines), rendered.bad) == ([b"1696583108"], [])


NEVER = "Thu Jan  1 00:00:00 1970"


@pytest.mark.parametrize(
    ("stated", "line"),
    [
        ("Fri Oct  6 09:05:08 2023", b"Fri Oct  6 11:05:08 2023"),
        ("2023-10-06 09:05:08", b"Fri Oct  6 11:05:08 2023"),
        ("2023-10-06T04:05:08-05:00", b"Fri Oct  6 11:05:08 2023"),
        (NEVER, NEVER.encode()),
        ("Thu Jan 1 00:00:00 1970", NEVER.encode()),
        ("0", NEVER.encode()),
        ("None", b"None"),
        ("", b""),
        ("soon", b"soon"),
        ("so\ton", b"so%09on"),
        ("9" * 200, b"9" * 200),
        ("Fri Dec 31 23:59:59 9999", b"Fri Dec 31 23:59:59 9999"),
    ],
)
def test_bypassed_etime_moves_with_the_zone(stated: str, line: bytes) -> None:
    assert printed("%s{bypassed_etime}", "Europe/Berlin", bypassed_etime=stated) == line


def test_bypassed_etime_is_in_the_zone_of_the_record() -> None:
    time: dict[str, Any] = {
        "epochtime": None,
        "time": "Fri Oct  6 04:05:08 2023",
        "tz": "America/Chicago",
    }
    line = printed("%s{time};%s{bypassed_etime}", bypassed_etime="Fri Oct  6 04:05:08 2023", **time)
    assert line == b"Fri Oct  6 09:05:08 2023;Fri Oct  6 09:05:08 2023"
    assert printed("%s{bypassed_etime}") == b"None"


@pytest.mark.parametrize("time", ["%s{time}", "%s{time} %s{tz}", "%s{time} Asia/Tokyo"])
@pytest.mark.parametrize("name", ZONES)
def test_bypassed_etime_is_read_back(time: str, name: str) -> None:
    text = rf"{time}\t%s{{bypassed_etime}}\t%s{{login}}"
    line = printed(text, name, bypassed_etime="Fri Oct  6 09:05:08 2023")
    settings = FeedSettings(parse("%d{epochtime} %s{bypassed_etime}"), source_zone=zone(name))
    rendered = Pipeline(input_of(parse(text)), settings).run(line + b"\n")
    assert rendered.lines == [b"1696583108 Fri Oct  6 09:05:08 2023"]
