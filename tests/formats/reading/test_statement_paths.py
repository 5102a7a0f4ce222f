"""Statements of JSON by the keys that lead to them, however deep, long or many they are."""

import json

import pytest

from formats.language import parse
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from formats.reading.statements import Statement, _text, label, statement_reader

INNER = r'\{"a":\{"b":\{"l":"%s{login}","d":"%s{dept}","k":1\}\}\}'
APART = r'\{"a":\{"l":"%s{login}"\},"d":"%s{dept}"\}'
ARRAY = r'\{"a":["%s{login}","%s{dept}"]\}'


def statements(text: str, record: object) -> list[Statement]:
    (found,) = statement_reader(input_of(parse(text)))(json.dumps(record).encode())
    return list(found)


def of(key: str, text: str, *fields: str, constant: bool = False) -> Statement:
    return Statement(key, text, fields, constant)


@pytest.mark.parametrize(
    ("text", "record", "found"),
    [
        (
            INNER,
            {"a": {"b": {"d": "x", "k": 2, "l": "ana"}, "c": 3}, "e": 4},
            [of("d", "x", "dept"), of("k", "2", constant=True), of("l", "ana", "login")],
        ),
        # What holds no such object is taken as it is.
        (INNER, {"a": "x"}, [of("a", "x")]),
        (INNER, {"a": {"b": 7, "c": None}}, [of("a / b", "7"), of("a / c", "null")]),
        (
            INNER,
            {"a": {"b": {"l": {"m": [1, {"n": 2}]}, "o": [], "p": {}}}},
            [of("l / m", '[1,{"n":2}]'), of("o", "[]"), of("p", "{}")],
        ),
        (
            APART,
            {"d": "x", "a": {"l": "ana", "m": "y"}},
            [of("d", "x", "dept"), of("a / l", "ana", "login"), of("a / m", "y")],
        ),
        (
            ARRAY,
            {"a": ["ana", "x", "y"], "b": ["z"]},
            [
                *(of("a / 0", "ana", "login"), of("a / 1", "x", "dept")),
                *(of("a / 2", "y"), of("b", '["z"]')),
            ],
        ),
    ],
)
def test_each_value_has_the_keys_that_lead_to_it(
    text: str, record: object, found: list[Statement]
) -> None:
    assert statements(text, record) == found


def test_an_object_under_the_key_of_cloud_nss_is_the_record() -> None:
    record = {"event": {"l": "ana"}, "sourcetype": "x"}
    assert statements(r'\{"l":"%s{login}"\}', record) == [of("l", "ana", "login")]


def test_levels_are_gone_down_to_a_depth() -> None:
    record: object = "x"
    for level in reversed(range(12)):
        record = {f"k{level}": record}
    (found,) = statements(APART, record)
    assert found.key == " / ".join(f"k{level}" for level in range(9))
    assert found.text == '{"k9":{"k10":{"k11":"x"}}}'


def test_long_keys_are_shortened_and_the_first_thousand_count() -> None:
    many = {f"k{number}": number for number in range(1200)}
    for text in (INNER, APART):
        record = {"a": {"b": many}} if text == INNER else many
        found = statements(text, record)
        assert [each.key for each in found] == list(many)[:1000]
    (named,) = statement_reader(json_names())(json.dumps(many).encode())
    assert len(named) == 1000
    assert statements(APART, {"k" * 300: 1}) == [of("k" * 256, "1")]


def test_a_value_too_deep_to_be_written_is_not() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert _text(deep) == "[...]"
    assert _text({"a": [1, None]}) == '{"a":[1,null]}'
    assert _text("a\nb") == "a\nb"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (("hh", "mm"), "time"),
        (("hh",), "hh"),
        (("yy", "mth", "dd"), "time"),
        (("login", "dept"), "login, dept"),
        (("login", "hh", "login"), "login, hh"),
        ((), ""),
    ],
)
def test_several_fields_have_one_name(fields: tuple[str, ...], name: str) -> None:
    assert label(fields) == name
