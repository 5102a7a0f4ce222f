"""Which of the times in a line count, and what is found of several fields in one text."""

import pytest

from formats.language import Slot, parse
from formats.plan import TimeCells
from formats.reading.cells import decimal, matcher
from formats.reading.recognise import input_of

WHOLE = "%d{yy}-%02d{mth}-%02d{dd} %02d{hh}:%02d{mm}:%02d{ss}"


def clocks(text: str) -> list[tuple[str, str | None]]:
    """Return what each text is built of that a record states its time with, and its zone."""
    time_key = input_of(parse(text)).time_key
    assert isinstance(time_key, TimeCells)
    assert time_key.attributes == tuple(f"clock{at}" for at in range(len(time_key.cells)))
    built = [
        "".join(part.spec if isinstance(part, Slot) else part.text for part in parts)
        for parts in time_key.cells
    ]
    return list(zip(built, time_key.zones, strict=True))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("%s{login}", []),
        ("%s{time}|%s{login}", [("%s{time}", None)]),
        ("%02d{hh}|%02d{mm}", [("%02d{hh}", None), ("%02d{mm}", None)]),
        # One that is whole is enough, but for a zone.
        ("%02d{hh}|%s{time}|%02d{mm}", [("%s{time}", None)]),
        (f"{WHOLE}|%s{{time}}", [("%s{time}", None)]),
        (f"%s{{time}}|{WHOLE}", [("%s{time}", None)]),
        (f"%02d{{hh}}|{WHOLE}", [(WHOLE, None)]),
        ("%s{time}|%d{epochtime}", [("%d{epochtime}", None)]),
        ("%d{epochtime}|%s{time}", [("%d{epochtime}", None)]),
        ("%s{time}|%s{login}|%s{tz}", [("%s{time}", None), ("%s{tz}", None)]),
        ("%s{tz}|%s{login}|%s{time}", [("%s{time}", None), ("%s{tz}", None)]),
        ("%s{time}|%s{tz}|%s{login}|%s{tz} x", [("%s{time}", None), ("%s{tz}", None)]),
        ("%d{epochtime}|%s{login}|%s{tz}", [("%d{epochtime}", None)]),
        ("%s{time} GMT|%s{login}|%s{tz}", [("%s{time}", "GMT")]),
        ("%s{time} %s{tz}|%s{login}", [("%s{time} %s{tz}", None)]),
        ("a=<%s{time}>\tb=%s{login}\tc=%s{host}", [("<%s{time}>", None)]),
        ("a=<%s{time}> %s{dept}\tb=%s{login}\tc=%s{host}", [("%s{time}", None)]),
    ],
)
def test_as_few_times_count_as_are_enough(text: str, found: list[tuple[str, str | None]]) -> None:
    assert clocks(text) == found


@pytest.mark.parametrize(
    ("text", "written", "found"),
    [
        ("%s{login}", "a\nb", {"login": "a\nb"}),
        ("<%s{login}>", "<a>", {"login": "a"}),
        ("<%s{login}>", "<a>>", {"login": "a>"}),
        ("<%s{login}>", "a>", None),
        ("%s{login}; %s{dept}", "a; b; c", {"login": "a", "dept": "b; c"}),
        ("%s{login}; %s{dept}.", "a; b.", {"login": "a", "dept": "b"}),
        ("%s{login}; %s{dept}.", "a; b", None),
        ("%s{login}-%s{login}", "a-b", {"login": "a"}),
        ("%x{reqsize};%s{login}", "ff;a", {"reqsize": "255", "login": "a"}),
        ("%x{reqsize};%s{login}", "zz;a", None),
        ("%s{login};%x{reqsize}", "a;-F", {"login": "a", "reqsize": "-15"}),
        ("%d{reqsize}-%s{login}", "-5-a", {"reqsize": "-5", "login": "a"}),
        ("%d{reqsize}-%s{login}", "x-a", {"reqsize": "x", "login": "a"}),
        (
            "%02d{hh}:%02d{mm} %s{login} %02d{ss}",
            "09:05 a 08",
            {"run0": "09:05", "login": "a", "run1": "08"},
        ),
        # A fraction of a second is what nothing else explains.
        (
            "%s{time}.%s{login}",
            "2023-10-06 09:05:08.123.a",
            {"run0": "2023-10-06 09:05:08", "login": "123.a"},
        ),
        (
            "%s{time};%s{login}",
            "2023-10-06 09:05:08.123;a",
            {"run0": "2023-10-06 09:05:08.123", "login": "a"},
        ),
        ("%02d{hh}.%s{login}", "9.a", {"run0": "9", "login": "a"}),
    ],
)
def test_texts_of_fields_end_where_the_text_behind_them_begins(
    text: str, written: str, found: dict[str, str] | None
) -> None:
    assert matcher(parse(text).parts)(written) == found


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("ff", "255"),
        (" Ff ", "255"),
        ("-f", "-15"),
        ("0" * 31 + "1", "1"),
        ("0" * 33, None),
        ("", None),
        ("-", None),
        ("0x1", None),
        ("1_0", None),
    ],
)
def test_hexadecimal_digits_are_a_number_up_to_a_length(text: str, number: str | None) -> None:
    assert decimal(text) == number
