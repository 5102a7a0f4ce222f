"""Times: every form that is read, every part that is printed, zones, and what can't be right."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import presets
from formats.errors import ZoneError
from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from formats.times import BadTime, parse_text, parts_of, resolve, shifted, zone, zone_text
from formats.values import Remembered

OCTOBER = datetime(2023, 10, 6, 9, 5, 8, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "text",
    [
        "1696583108",
        "1696583108.999",
        "1696583108123",
        "Fri Oct  6 09:05:08 2023",
        "Fri Oct 6 09:05:08 2023",
        "Fri Oct 06 09:05:08 2023",
        "Oct 06 09:05:08 2023",
        "fri, oct 6 9:5:8 2023",
        "Mon Oct  6 09:05:08 2023",  # the weekday is wrong
        "Fri Oct  6 09:05:08 2023 GMT",
        "Fri Oct  6 11:05:08 2023 CEST",
        "Fri Oct  6 11:05:08 2023 +0200",
        "2023-10-06 09:05:08",
        "2023/10/06 09:05:08",
        "2023-10-06T09:05:08",
        "2023-10-06T09:05:08Z",
        "2023-10-06T09:05:08.123456Z",
        "2023-10-06T09:05:08,123+00:00",
        "2023-10-06T11:05:08+02:00",
        "2023-10-06T11:05:08 +02:00",
        "2023-10-06 04:05:08-0500",
        "2023-10-06 14:35:08+0530",
        "2023-10-06 11:05:08 Europe/Berlin",
        "2023-10-06 05:05:08 EDT",
        "Oct 06 2023 09:05:08 GMT",
        "Oct 6 2023 09:05:08",
        "Oct 06 2023 04:05:08 America/Chicago",
        "  2023-10-06 09:05:08\t",
    ],
)
def test_a_known_form_is_read(text: str) -> None:
    assert parse_text(text, UTC) == OCTOBER


def test_a_time_without_zone_is_in_the_zone_of_its_source() -> None:
    assert parse_text("2023-10-06 11:05:08", BERLIN) == OCTOBER
    assert parse_text("2023-12-06 10:05:08", BERLIN) == datetime(2023, 12, 6, 9, 5, 8, tzinfo=UTC)
    assert parse_text("2023-10-06 09:05:08Z", BERLIN) == OCTOBER
    assert parse_text("1696583108", BERLIN) == OCTOBER


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "time '' is in no known form"),
        ("yesterday", "time 'yesterday' is in no known form"),
        ("-1", "time '-1' is in no known form"),
        ("169658310812", "time '169658310812' is in no known form"),
        ("\u0661\u0662\u0663", "time '\u0661\u0662\u0663' is in no known form"),
        ("Fri Okt  6 09:05:08 2023", "month 'Okt' is not known"),
        ("2023-02-30 09:05:08", "time is impossible: day is out of range for month"),
        ("2023-13-01 09:05:08", "time is impossible: month must be in 1..12"),
        ("2023-10-06 24:05:08", "time is impossible: hour must be in 0..23"),
        ("2023-10-06 09:61:08", "time is impossible: minute must be in 0..59"),
        ("2023-10-06 09:05:61", "time is impossible: second must be in 0..59"),
        ("0000-10-06 09:05:08", "time is impossible: year 0 is out of range"),
        ("2023-10-06 09:05:08 Mars/Olympus", "time zone 'Mars/Olympus' is not known"),
        ("2023-10-06 09:05:08 ../../etc/passwd", "time zone '../../etc/passwd' is not known"),
        ("2023-10-06 09:05:08 IST", "time zone 'IST' is not known"),
    ],
)
def test_what_is_no_time_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(BadTime) as caught:
        parse_text(text, UTC)
    assert str(caught.value) == reason


def test_a_leap_second_is_the_second_before() -> None:
    moment = parse_text("2016-12-31 23:59:60", UTC)
    assert moment == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_all_parts_of_a_moment() -> None:
    assert parts_of(OCTOBER) == {
        "time": "Fri Oct  6 09:05:08 2023",
        "yy": 2023,
        "yyyy": 2023,
        "mon": "Oct",
        "mth": 10,
        "dd": 6,
        "day": "Fri",
        "hh": 9,
        "mm": 5,
        "ss": 8,
        "tz": "GMT",
        "epochtime": 1696583108,
    }


def test_parts_shift_into_the_zone_but_epochtime_stays() -> None:
    parts = parts_of(datetime(2023, 12, 31, 23, 30, tzinfo=UTC).astimezone(zone("GMT+05:30")))
    assert parts == {
        "time": "Mon Jan  1 05:00:00 2024",
        "yy": 2024,
        "yyyy": 2024,
        "mon": "Jan",
        "mth": 1,
        "dd": 1,
        "day": "Mon",
        "hh": 5,
        "mm": 0,
        "ss": 0,
        "tz": "GMT+05:30",
        "epochtime": 1704065400,
    }


@pytest.mark.parametrize(
    ("epoch", "clock", "tz"),
    [
        (1679792399, "Sun Mar 26 01:59:59 2023", "CET"),
        (1679792400, "Sun Mar 26 03:00:00 2023", "CEST"),
        (1698541199, "Sun Oct 29 02:59:59 2023", "CEST"),
        (1698541200, "Sun Oct 29 02:00:00 2023", "CET"),
    ],
)
def test_daylight_saving_is_followed_on_both_sides(epoch: int, clock: str, tz: str) -> None:
    parts = resolve({"epochtime": epoch}, UTC, BERLIN)
    assert (parts["time"], parts["tz"], parts["epochtime"]) == (clock, tz, epoch)
    assert resolve({"time": clock, "tz": tz}, UTC, BERLIN) == parts


@pytest.mark.parametrize(
    ("name", "offset"),
    [
        ("GMT", 0),
        ("utc", 0),
        ("Z", 0),
        ("GMT+2", 120),
        ("GMT+02:00", 120),
        ("UTC-05:30", -330),
        ("+0200", 120),
        ("-11", -660),
        ("GMT+14", 840),
    ],
)
def test_a_zone_may_be_an_offset(name: str, offset: int) -> None:
    assert zone(name).utcoffset(None) == timedelta(minutes=offset)


@pytest.mark.parametrize(
    "name",
    ["", "Mars/Olympus", "Europe", "GMT+25", "GMT+2:75", "/etc/localtime", "../UTC", "a\0b",
     "\ud800", "x" * 5000, "\u0661", "+\u0661\u0662"],
)  # fmt: skip
def test_no_other_zone_is_known(name: str) -> None:
    with pytest.raises(ZoneError):
        zone(name)


def test_a_zone_error_says_what_would_be_right() -> None:
    with pytest.raises(ZoneError) as caught:
        zone("Berlin")
    assert str(caught.value) == (
        "zone 'Berlin': neither an IANA name such as Europe/Berlin nor an offset like GMT+2"
    )
    with pytest.raises(ZoneError) as caught:
        zone("GMT-24")
    assert str(caught.value) == "zone 'GMT-24': an offset is under 24 hours"


@pytest.mark.parametrize(
    ("name", "winter", "summer"),
    [
        ("UTC", "GMT", "GMT"),
        ("GMT", "GMT", "GMT"),
        ("Europe/London", "GMT", "GMT+01:00"),  # BST is Bangladesh too
        ("Europe/Berlin", "CET", "CEST"),
        ("America/Chicago", "CST", "CDT"),
        ("Asia/Shanghai", "GMT+08:00", "GMT+08:00"),  # CST is Chicago
        ("Asia/Kolkata", "GMT+05:30", "GMT+05:30"),
        ("America/St_Johns", "GMT-03:30", "GMT-02:30"),
        ("Africa/Algiers", "CET", "CET"),
        ("GMT-5", "GMT-05:00", "GMT-05:00"),
    ],
)
def test_tz_prints_what_java_and_we_read_as_the_same(name: str, winter: str, summer: str) -> None:
    moments = [datetime(2023, month, 15, 12, tzinfo=UTC) for month in (1, 7)]
    texts = [zone_text(moment.astimezone(zone(name))) for moment in moments]
    assert texts == [winter, summer]
    for moment, text in zip(moments, texts, strict=True):
        there = moment.astimezone(zone(name)).replace(tzinfo=None)
        assert resolve({"time": str(there), "tz": text}, UTC, UTC)["epochtime"] == (
            moment.timestamp()
        )


@pytest.mark.parametrize(
    ("stated", "epoch"),
    [
        ({"epochtime": "1696583108"}, 1696583108),
        ({"epochtime": 1696583108.0}, 1696583108),
        ({"epochtime": "1696583108", "time": "Thu Jan  1 00:00:00 1970"}, 1696583108),
        ({"epochtime": "0", "time": "Fri Oct  6 09:05:08 2023"}, 1696583108),
        ({"epochtime": "0"}, 0),
        ({"time": "None", "epochtime": "1696583108"}, 1696583108),
        ({"datetime": "2023-10-06 09:05:08"}, 1696583108),
        ({"time": "2023-10-06 11:05:08", "tz": "Europe/Berlin"}, 1696583108),
        ({"time": "2023-10-06T09:05:08Z", "tz": "Europe/Berlin"}, 1696583108),
        ({"time": "2023-10-06 09:05:08", "tz": "None"}, 1696583108),
        ({"yy": 2023, "mth": "10", "dd": " 6", "hh": 9, "mm": 5, "ss": 8}, 1696583108),
        ({"yyyy": 2023, "mon": "oct", "dd": 6, "hh": 9, "mm": 5, "ss": 8}, 1696583108),
        (
            {"yy": 2023, "mon": "Oct", "dd": 6, "hh": 11, "mm": 5, "ss": 8, "tz": "GMT+2"},
            1696583108,
        ),
    ],
)
def test_a_record_states_its_moment(stated: dict[str, str | int], epoch: int) -> None:
    assert resolve(stated, UTC, UTC)["epochtime"] == epoch


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ({}, "the record has no time"),
        ({"time": "None"}, "the record has no time"),
        ({"time": "", "tz": "GMT"}, "the record has no time"),
        ({"epochtime": "0", "tz": "GMT"}, "the record has no time"),
        ({"yy": 2023}, "the time has no mth"),
        ({"yy": 2023, "mth": 10, "dd": 6}, "the time has no hh"),
        ({"yy": "MMXX", "mth": 1, "dd": 6, "hh": 1, "mm": 1, "ss": 1}, "yy 'MMXX' is not a number"),
        ({"yy": 2023, "mth": "\u0661", "dd": 1}, "mth '\u0661' is not a number"),
        ({"mon": "Oct", "hh": 1}, "the record has no time"),
        (
            {"yy": 10**12, "mth": 1, "dd": 1, "hh": 1, "mm": 1, "ss": 1},
            "time is impossible: signed integer is greater than maximum",
        ),
        (
            {"yy": 1, "mth": 10**20, "dd": 1, "hh": 1, "mm": 1, "ss": 1},
            "time is impossible: Python int too large to convert to C long",
        ),
        ({"time": " " * 100 + "1696583108"}, "time is longer than 80 characters"),
        ({"epochtime": 1696583108, "mth": "0" * 90 + "1"}, "mth is longer than 80 characters"),
        ({"epochtime": "99999999999"}, None),
        ({"epochtime": "9999999999999"}, None),
    ],
)
def test_a_record_without_a_usable_time_is_refused(
    stated: dict[str, str | int], reason: str | None
) -> None:
    if reason is None:
        assert resolve(stated, UTC, UTC)["yy"] in {2286, 5138}
        return
    with pytest.raises(BadTime) as caught:
        resolve(stated, UTC, UTC)
    assert str(caught.value) == reason


def test_a_time_at_the_end_of_the_calendar_is_out_of_range_elsewhere() -> None:
    with pytest.raises(BadTime) as caught:
        resolve({"time": "9999-12-31 23:59:59"}, UTC, timezone(timedelta(hours=2)))
    assert str(caught.value) == "time is out of range"


def test_a_time_without_year_keeps_its_parts_and_is_not_shifted() -> None:
    stated: dict[str, str | int] = {"mon": "Feb", "dd": 29, "hh": 23, "mm": 5, "ss": 8}
    assert resolve(stated, UTC, BERLIN) == stated | {"mth": 2}


def test_a_distinct_second_is_worked_out_once() -> None:
    asked: list[object] = []

    def work_out(key: object) -> tuple[str, ...]:
        asked.append(key)
        return (f"text of {key}",)

    table = Remembered(work_out)
    assert [table[key] for key in (1, 2, 1, 1, 2)] == [
        ("text of 1",), ("text of 2",), ("text of 1",), ("text of 1",), ("text of 2",),
    ]  # fmt: skip
    assert asked == [1, 2]


def test_a_renderer_works_each_second_of_a_batch_out_once() -> None:
    pipeline = Pipeline(json_names(), FeedSettings(presets.load("QRADAR")))
    times = ["Fri Oct  6 09:05:08 2023", "Fri Oct  6 09:05:09 2023"]
    lines = [msgspec.json.encode({"time": times[n % 2], "login": f"u{n}"}) for n in range(50)]
    assert len(pipeline.run(b"\n".join(lines) + b"\n").lines) == 50
    assert list(pipeline.renderer.times) == times


def test_a_table_that_is_full_is_emptied() -> None:
    table: Remembered[int, tuple[str, ...]] = Remembered(lambda key: (str(key),), max_entries=3)
    assert [table[n] for n in range(10)] == [(str(n),) for n in range(10)]
    assert len(table) <= 3


@pytest.mark.parametrize(
    "name", ["localtime", "posixrules", "Factory", "right/UTC", "posix/Europe/Berlin"]
)
def test_a_file_of_the_machine_is_no_zone(name: str) -> None:
    with pytest.raises(ZoneError, match=name):
        zone(name)
    with pytest.raises(BadTime, match="is not known"):
        resolve({"time": "2023-10-06 09:05:08", "tz": name}, UTC, UTC)


@pytest.mark.parametrize("word", ["", "-", "None", "none", "n/a", "NA", "null", "NULL", "Unknown"])
@pytest.mark.parametrize("name", ["epochtime", "time", "datetime", "yy"])
def test_a_placeholder_states_no_time(name: str, word: str) -> None:
    stated: dict[str, str | int | None] = {
        name: word,
        "yyyy": 2023,
        "mth": 10,
        "dd": 6,
        "hh": 9,
        "mm": 5,
        "ss": 8,
    }
    assert resolve(stated, UTC, UTC) == parts_of(OCTOBER)
    record = msgspec.json.encode(stated) + b"\n"
    rendered = Pipeline(json_names(), FeedSettings(parse("%d{epochtime}"))).run(record)
    assert rendered.lines == [b"1696583108"]


@pytest.mark.parametrize(
    "text", ["Oct 6 2023 11:05:08 CEST", "2023-10-06T09:05:08Z", "2023-10-06 11:05:08 +02:00",
             "1696583108", "Fri Oct  6 09:05:08 2023 GMT"],
)  # fmt: skip
def test_a_zone_that_is_not_known_does_no_harm_to_a_time_that_needs_none(text: str) -> None:
    assert resolve({"time": text, "tz": "XYZ"}, BERLIN, UTC) == parts_of(OCTOBER)
    assert shifted(text, "XYZ", BERLIN, UTC) == "Fri Oct  6 09:05:08 2023"


def test_a_zone_that_is_not_known_rejects_a_time_that_needs_it() -> None:
    with pytest.raises(BadTime, match="'XYZ' is not known"):
        resolve({"time": "2023-10-06 09:05:08", "tz": "XYZ"}, UTC, UTC)


@pytest.mark.parametrize("name", ["epochtime", "time", "datetime"])
def test_a_text_stands_in_the_zone_of_its_record_whatever_field_it_is_in(name: str) -> None:
    assert resolve({name: "2023-10-06 11:05:08", "tz": "CEST"}, UTC, UTC) == parts_of(OCTOBER)


def test_a_bad_time_is_not_remembered() -> None:
    pipeline = Pipeline(json_names(), FeedSettings(parse("%s{time}")))
    line = msgspec.json.encode({"time": "x" * 70}) + b"\n"
    assert [bad.reason for bad in pipeline.run(line * 3).bad] == [
        f"time '{'x' * 60}' is in no known form"
    ] * 3
    assert len(pipeline.renderer.times) == 0


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(
        ["GMT", "GMT-09:30", "Europe/London", "America/Chicago", "Asia/Shanghai", "Africa/Algiers"]
    ),
)
def test_a_printed_time_with_its_zone_is_the_same_moment_again(moment: datetime, name: str) -> None:
    there: tzinfo = zone(name)
    parts = resolve({"time": moment.isoformat()}, UTC, there)
    by_parts = {n: parts[n] for n in ("yy", "mon", "dd", "hh", "mm", "ss", "tz")}
    assert resolve(by_parts, UTC, there) == parts
    assert resolve({"time": parts["time"], "tz": parts["tz"]}, UTC, there) == parts


@given(st.text(st.sampled_from("0123456789:-/. TZOctFriGMT+,\xe9"), max_size=40))
def test_arbitrary_text_is_a_time_or_refused(text: str) -> None:
    try:
        parts = resolve({"time": text}, UTC, BERLIN)
    except BadTime:
        return
    assert parts["tz"] in {"CET", "CEST"} or int(parts["yy"]) < 1980
