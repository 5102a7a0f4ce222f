"""What texts that records have under their time key state, and in which zone."""

from types import SimpleNamespace

import pytest

from formats.language import parse
from formats.plan import TimeCells, TimeFields
from formats.reading.recognise import input_of
from formats.reading.time_key import key_of, stated_pairs, statement_of, zone_of

PARTS = "%s{mon} %02d{dd} %d{yyyy} %02d{hh}:%02d{mm}:%02d{ss}"
TIME = "Fri Oct  6 09:05:08 2023"


def cells_of(text: str) -> TimeCells:
    time_key = input_of(parse(text)).time_key
    assert isinstance(time_key, TimeCells)
    return time_key


@pytest.mark.parametrize(
    ("text", "key", "stated"),
    [
        ("%s{time}|%s{login}", TIME, {"time": TIME}),
        ("%s{time}|%s{login}", "2023-10-06T09:05:08Z", {"time": "2023-10-06T09:05:08Z"}),
        ("%s{time}|%s{login}", None, {}),
        ("%d{epochtime}", "5", {"epochtime": "5"}),
        ("%d{epochtime}", 5, {"epochtime": "5"}),
        ("%x{epochtime}|%s{login}", "651fd2c4", {"epochtime": "1696584388"}),
        ("%x{epochtime}|%s{login}", "zz", {"time": "zz"}),
        ("%s{login}|%s{tz}", "CET", {"tz": "CET"}),
        ("%s{login}", None, {}),
        (
            f"{PARTS}|%s{{login}}",
            "Oct 06 2023 04:05:08",
            {"mon": "Oct", "dd": "06", "yyyy": "2023", "hh": "04", "mm": "05", "ss": "08"},
        ),
        (f"{PARTS}|%s{{login}}", "yesterday", {"time": "yesterday"}),
        (
            f"{PARTS} America/Chicago|%s{{login}}",
            "Oct 06 2023 04:05:08",
            {"tz": "America/Chicago", "mon": "Oct", "dd": "06", "yyyy": "2023"}
            | {"hh": "04", "mm": "05", "ss": "08"},
        ),
        (
            f"{PARTS} America/Chicago|%s{{login}}",
            "yesterday",
            {"tz": "America/Chicago", "time": "yesterday"},
        ),
        (
            "%02d{hh}:%02d{mm} GMT|%02d{ss}",
            ("09:05", "08"),
            {"tz": "GMT", "hh": "09", "mm": "05", "ss": "08"},
        ),
        ("%02d{hh}:%02d{mm} GMT|%02d{ss}", (None, "08"), {"ss": "08"}),
        ("%02d{hh}:%02d{mm} GMT|%02d{ss}", ("x", "y"), {"tz": "GMT", "time": "x", "ss": "y"}),
        (
            "%d{yy}-%02d{mth}-%02d{dd}|%s{tz}|%s{login}",
            ("2023-10-06", "CET"),
            {"yy": "2023", "mth": "10", "dd": "06", "tz": "CET"},
        ),
        ("%d{yy}-%02x{mth}|%s{login}", "2023-0a", {"yy": "2023", "mth": "10"}),
    ],
)
def test_a_text_states_the_fields_that_its_cell_prints(
    text: str, key: object, stated: dict[str, object]
) -> None:
    assert statement_of(cells_of(text))(key) == stated


@pytest.mark.parametrize(
    ("key", "time"),
    [
        (f"<{TIME}>", TIME),
        ("<now>", "now"),
        ("<>", ""),
        # Without what stands around it, it is taken as it is.
        *[(text, text) for text in ("now", "<now", "now>", "<<now", "")],
        ("<<now>>", "<now>"),
    ],
)
def test_what_stands_around_a_time_is_not_part_of_it(key: str, time: str) -> None:
    time_key = cells_of("user=%s{login}\tt=<%s{time}>\thost=%s{host}")
    assert statement_of(time_key)(key) == {"time": time}


def test_parts_of_a_time_that_others_stand_around_are_read_or_taken_as_a_whole() -> None:
    statement = statement_of(cells_of("user=%s{login}\tt=<%02d{hh}:%02d{mm}>\thost=%s{host}"))
    assert statement("<09:05>") == {"hh": "09", "mm": "05"}
    assert statement("<09.05>") == {"time": "09.05"}
    assert statement("09:05") == {"time": "09:05"}
    # A single field stands for itself, in whatever form.
    assert statement_of(cells_of("%02d{hh}|%s{login}"))("x") == {"hh": "x"}
    assert statement_of(cells_of("%02x{hh}|%s{login}"))("x") == {"time": "x"}


@pytest.mark.parametrize(
    ("text", "record", "zone"),
    [
        ("%s{time}|%s{tz}", {"clock0": TIME, "clock1": "CET"}, "CET"),
        ("%s{time}|%s{tz}", {"clock0": TIME, "clock1": None}, None),
        ("%s{time}|%s{login}", {"clock0": TIME}, None),
        # Static text is of the time that it stands behind, and of no other.
        ("%s{time} GMT|%s{login}", {"clock0": TIME}, None),
        ("%02d{hh}:%02d{mm} GMT|%s{tz}", {"clock0": "09:05", "clock1": "CET"}, None),
    ],
)
def test_a_record_has_the_zone_that_it_states_itself(
    text: str, record: dict[str, str | None], zone: str | None
) -> None:
    assert zone_of(cells_of(text))(SimpleNamespace(**record)) == zone


NAMES = ("time", "tz", "epochtime", "hh")
FIELDS = TimeFields(NAMES)


def of(**stated: object) -> SimpleNamespace:
    return SimpleNamespace(**(dict.fromkeys(NAMES) | stated))


@pytest.mark.parametrize(
    ("record", "key", "stated"),
    [
        (of(time=TIME), TIME, {"time": TIME}),
        (of(time=TIME, hh=9), TIME, {"time": TIME}),
        (of(time=TIME, tz="CET"), (TIME, "CET"), {"time": TIME, "tz": "CET"}),
        (of(time=5, tz="CET", hh=1), (5, "CET"), {"time": "5", "tz": "CET"}),
        (of(epochtime=5), (("epochtime", 5),), {"epochtime": "5"}),
        (
            of(time=TIME, epochtime=5),
            (("time", TIME), ("epochtime", 5)),
            {"time": TIME, "epochtime": "5"},
        ),
        (of(hh=9, tz="CET"), (("tz", "CET"), ("hh", 9)), {"tz": "CET", "hh": "9"}),
        (of(time="None", hh=9), (("time", "None"), ("hh", 9)), {"time": "None", "hh": "9"}),
        (of(), (), {}),
    ],
)
def test_fields_are_named_unless_the_time_stands_for_all(
    record: SimpleNamespace, key: object, stated: dict[str, str]
) -> None:
    assert key_of(FIELDS)(record) == key
    assert statement_of(FIELDS)(key) == stated
    assert zone_of(FIELDS)(record) == stated.get("tz")


def test_a_key_of_cells_is_their_texts() -> None:
    record = SimpleNamespace(clock0="a", clock1="b")
    assert key_of(TimeCells(("clock0", "clock1"), ()))(record) == ("a", "b")
    assert key_of(TimeCells(("clock1",), ()))(record) == "b"
    assert key_of(TimeCells((), ()))(record) is None
    assert stated_pairs(of(hh=0, tz=""), ("hh", "tz", "time")) == (("hh", 0), ("tz", ""))
