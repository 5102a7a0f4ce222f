"""What of a feed format can't be relied on when its lines are read back, and why."""

import pytest

from formats.errors import NotReadable
from formats.language import parse
from formats.reading.recognise import input_of

HALF = "the time is not whole: feeds whose format prints more of it reject such records"


def held(value: str, text: str, following: str) -> str:
    return (
        f"{value} may hold {text!r}, which ends it before {following}: it is read back wrong then"
    )


@pytest.mark.parametrize(
    ("value", "text", "may"),
    [
        ("%s{login}", " ", True),
        ("%s{login}", "@", False),  # it is printed encoded there
        ("%s{login}", "\t", False),
        ("%d{reqsize}", "-", True),
        ("%d{reqsize}", "0", True),
        ("%d{reqsize}", "a", False),
        ("%d{reqsize}", "-a", False),
        ("%x{reqsize}", "-a", True),
        ("%x{reqsize}", "F", True),
        ("%x{reqsize}", "g", False),
        ("%s{sip}", "f", True),
        ("%s{sip}", "F0", True),
        ("%s{sip}", "g", False),
        ("%s{sip}", "|", False),
        ("%s{eurl}", " ", False),
        ("%s{eurl}", "é", False),
        ("%s{eurl}", "x", True),
        ("%s{eurl}", "5", True),
    ],
)
def test_a_value_ends_where_it_can_not_go_on(value: str, text: str, *, may: bool) -> None:
    doubts = input_of(parse(f"{value}{text}%s{{dept}}")).doubts
    assert doubts == ((held(value, text, "%s{dept}"),) if may else ())


@pytest.mark.parametrize(
    ("value", "text", "may"),
    [
        *[("%s{tz}", text, True) for text in ("/", "+", "x")],
        *[("%s{tz}", text, False) for text in (" ", "|", ";")],
        ("%02d{hh}", ":", False),  # two digits, whatever comes behind
        ("%d{hh}", ":", True),
        ("%d{hh}", "x", True),
        ("%d{hh}", "|", False),
        ("%02d{hh}:%d{mm}", ":", True),
        ("%d{hh}:%02d{mm}", ":", False),
    ],
)
def test_so_does_a_time(value: str, text: str, *, may: bool) -> None:
    last = value[value.rindex("%") :]
    doubts = input_of(parse(f"{value}{text}%s{{dept}}")).doubts
    assert doubts == (*((held(last, text, "%s{dept}"),) if may else ()), HALF)


def test_each_doubt_is_told_once_and_each_value_by_itself() -> None:
    assert input_of(parse("%s{login} %s{host} %s{dept}")).doubts == (
        held("%s{login}", " ", "%s{host}"),
        held("%s{host}", " ", "%s{dept}"),
    )
    twice = input_of(parse("a=%s{login}x%s{dept}\tb=%s{login}x%s{dept}\tc=%s{host}"))
    assert twice.doubts == (held("%s{login}", "x", "%s{dept}"),)
    inner = input_of(parse("a=%s{login} %s{dept}!\tb=%s{host}"))
    assert inner.doubts == (held("%s{login}", " ", "%s{dept}"),)


@pytest.mark.parametrize(
    ("slot", "is_json"),
    [
        ("%d{reqsize}", True),
        ("%5d{reqsize}", True),
        ("%01d{reqsize}", True),
        ("%02d{reqsize}", False),
        ("%x{reqsize}", False),
        ("%s{login}", False),
    ],
)
def test_what_is_no_json_without_quotes_is_named(slot: str, *, is_json: bool) -> None:
    plain = input_of(parse(rf'\{{"a":{slot},"b":"%s{{host}}"\}}')).doubts
    sentence = f"{slot} stands in JSON without quotes: what it prints is not always JSON"
    assert plain == (() if is_json else (sentence,))
    assert input_of(parse(rf'\{{"a":"{slot}","b":"%s{{host}}"\}}')).doubts == ()


def test_a_field_that_stands_where_no_value_does_is_lost() -> None:
    source = input_of(parse(r'\{"%s{login}":1,"b":"%s{host}","%s{dept}":2\}'))
    assert source.doubts == tuple(
        f"{name} is not read back: it stands where no value does" for name in ("dept", "login")
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "%s{login}%s{host} x",
            "nothing between %s{login} and %s{host} tells them apart",
        ),
        (
            "a=%s{login}\ta=%s{host}",
            "key 'a' stands before %s{login} and %s{host}",
        ),
        (
            "a=%s{login}\tb=%s{dept}\tb=x%s{host}",
            "key 'b' stands before %s{dept} and x%s{host}",
        ),
    ],
)
def test_what_nothing_tells_apart_is_refused(text: str, reason: str) -> None:
    with pytest.raises(NotReadable) as raised:
        input_of(parse(text))
    assert str(raised.value) == reason


def test_a_key_may_stand_twice_before_the_same() -> None:
    assert input_of(parse("a=%s{login}\tb=%s{host}\ta=%s{login}")).available == {"login", "host"}


@pytest.mark.parametrize(("text", "may"), [("!", True), ("~", True), (" ", False), ("!é", False)])
def test_an_encoded_field_holds_what_needs_no_encoding(text: str, *, may: bool) -> None:
    doubts = input_of(parse(f"a=%s{{eurl}}{text}%s{{dept}}\tb=%s{{host}}")).doubts
    assert doubts == ((held("%s{eurl}", text, "%s{dept}"),) if may else ())
