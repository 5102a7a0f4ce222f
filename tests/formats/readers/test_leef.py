"""LEEF as its readers without quoting read it: by its own rules, and from behind the last pipe."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import presets
from formats.language import FeedFormat, parse
from tests.formats.readers import hostile
from tests.formats.readers.lines import Attributes, leef, rendered, text_fields

Case = tuple[FeedFormat, str, int]
Read = Callable[[str, str, int], Attributes]

ATTRIBUTES = [
    "cat=%s{action}",
    "ua=%s{ua}",
    "url=%s{eurl}",
    "size=%d{reqsize}",
    "usrName=%s{login}",
]
"""Attributes of custom formats; the first value of the header is that of `reason`."""


def leef_2(named: str, separator: str, fields: int = 6) -> Case:
    header = f"LEEF:2.0|Zscaler|NSS|4.1|%s{{reason}}|{named}"
    return parse(header + separator.join(ATTRIBUTES)), separator, fields


CASES: dict[str, Case] = {
    "MCAS": (presets.load("MCAS"), "\t", 5),
    "QRADAR": (presets.load("QRADAR"), "\t", 5),
    "QRADAR_OLD": (presets.load("QRADAR_OLD"), "\t", 5),
    "caret": leef_2("^|", "^"),
    "hex": leef_2("x7E|", "~"),
    "long hex": leef_2("0x0023|", "#"),
    "exclamation": leef_2("!|", "!"),
    "semicolon": leef_2(";|", ";"),
    "not named": leef_2("", "\t", 5),
}


def by_its_rules(text: str, separator: str, header_fields: int) -> Attributes:
    """Split as IBM's page says: pipes of the header, the delimiter, the first equals sign."""
    *header, attributes = text.split("|", header_fields)
    pairs = [piece.split("=", 1) for piece in attributes.split(separator)]
    assert len(pairs) == len({piece[0] for piece in pairs})
    return {piece[0]: piece[1] for piece in pairs} | {"#event_id": header[4]}


def behind_the_last_pipe(text: str, separator: str, _: int) -> Attributes:
    """Split as SC4S does, for which what is behind the last pipe of a line are the attributes."""
    pairs = (piece.partition("=") for piece in text.rsplit("|", 1)[1].split(separator))
    return {key: value for key, equals, value in pairs if equals}


def check(case: Case, records: Sequence[hostile.Record], read: Read, *protect_for: str) -> None:
    feed_format, separator, header_fields = case
    for line in rendered(feed_format, records, protect_for=frozenset(protect_for)):
        expected = leef(line, separator, header_fields)
        if read is behind_the_last_pipe:
            expected.pop("#event_id")
        assert read(line.text, separator, header_fields) == expected


@pytest.mark.parametrize("name", CASES)
def test_every_attribute_is_read_by_the_rules_of_leef(name: str) -> None:
    check(CASES[name], hostile.records(text_fields(CASES[name][0])), by_its_rules)


@pytest.mark.parametrize("name", ["MCAS", "caret", "not named"])
@given(data=st.data())
def test_no_text_breaks_the_rules_of_leef(name: str, data: st.DataObject) -> None:
    protect_for = data.draw(st.sets(st.sampled_from(["quotes", "pipes", "pairs"])))
    records = data.draw(hostile.some_records(text_fields(CASES[name][0]), 3))
    check(CASES[name], records, by_its_rules, *protect_for)


@pytest.mark.parametrize("name", CASES)
def test_every_attribute_is_behind_the_last_pipe(name: str) -> None:
    records = hostile.records(text_fields(CASES[name][0]))
    check(CASES[name], records, behind_the_last_pipe, "pipes")


@pytest.mark.parametrize("name", ["MCAS", "caret", "not named"])
@given(data=st.data())
def test_no_text_has_a_pipe_of_its_own(name: str, data: st.DataObject) -> None:
    records = data.draw(hostile.some_records(text_fields(CASES[name][0]), 3))
    check(CASES[name], records, behind_the_last_pipe, "pipes")


def test_a_pipe_in_a_value_loses_and_forges_attributes_for_who_looks_behind_the_last() -> None:
    record = {"reason": "r", "action": "Blocked", "eurl": "u", "login": "bob"}
    (line,) = rendered(CASES["not named"][0], [record | {"ua": "x|cat=Allowed"}])
    assert behind_the_last_pipe(line.text, "\t", 5) == {
        "cat": "Allowed",
        "url": "u",
        "size": "0",
        "usrName": "bob",
    }
