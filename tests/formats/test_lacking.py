"""Which fields records lack: neither stated nor derived, so that placeholders are printed."""

import json

import pytest

from formats import input_of, json_names, parse, presets
from formats.lacking import Lacking, lacking, placeholder

MAX = 1 << 16


def lacked(format_string: str, *records: dict[str, object]) -> Lacking:
    data = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    return lacking(parse(format_string), json_names(), data, MAX)


def test_fields_that_no_record_has_are_told_from_those_that_some_lack() -> None:
    found = lacked("%s{login} %s{dept} %s{cip} %d{reqsize}", {"login": "a"}, {"dept": "x"}, {})

    assert found == Lacking(3, {"login": 2, "dept": 2, "cip": 3, "reqsize": 3})
    assert found.everywhere == ("cip", "reqsize")


@pytest.mark.parametrize(
    ("field", "record"),
    [
        ("%s{eurl}", {"url": "h/"}),
        ("%s{eurl}", {"b64url": "aC8="}),
        ("%s{eurlpath}", {"eurl": "h/"}),
        ("%d{totalsize}", {"reqsize": "1"}),
        ("%d{totalsize}", {"totalsize": 5}),
        ("%s{ologin}", {"login": "a"}),
        ("%s{hostname}", {"host": "h"}),
    ],
)
def test_a_field_that_is_derived_is_not_lacking(field: str, record: dict[str, object]) -> None:
    assert lacked(field, record).counts == {}
    assert set(lacked(field, {}).counts.values()) == {1}


def test_a_placeholder_that_is_stated_is_not_lacking_but_null_is() -> None:
    assert lacked("%s{login}%d{reqsize}", {"login": "None", "reqsize": 0}).counts == {}
    assert lacked("%s{login}", {"login": None}).counts == {"login": 1}


def test_times_are_left_out_and_fields_that_come_twice_count_once() -> None:
    assert lacked("%s{time} %d{hh} %s{login}%s{login}", {}).counts == {"login": 1}


def test_fields_that_the_form_of_the_records_does_not_know_are_lacking() -> None:
    source = input_of(parse(r"%s{login}\t%s{cip}"))
    found = lacking(parse("%s{cip} %s{dept}"), source, b"ana\t10.0.0.1\n", MAX)

    assert found == Lacking(1, {"dept": 1})


def test_records_that_can_not_be_read_do_not_count() -> None:
    found = lacking(presets.load("MCAS"), json_names(), b'{"login":"a"}\nnonsense\n', MAX)

    assert found.records == 1


def test_what_is_printed_of_a_field_that_is_lacking_is_its_placeholder() -> None:
    assert (placeholder("login"), placeholder("reqsize"), placeholder("cip")) == (
        "None",
        "0",
        "0.0.0.0",  # noqa: S104 - a value
    )
