"""The strategies for foreign JSON make what they promise."""

import json

import pytest
from hypothesis import Phase, find, settings

from tests import foreign

SAMPLE = {"a": "text", "b": {"c": [1, {"d": None}]}}
QUICK = settings(max_examples=5000, phases=[Phase.generate], database=None)


def is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


@pytest.mark.parametrize(
    "wanted",
    [
        lambda data: data.count(b'"a":') == 2,
        lambda data: data.startswith(b'{"b":'),
        lambda data: b'{"d":{' in data,
        lambda data: b'{"d":[' in data,
        lambda data: b'"b":"' in data,
        lambda data: b'"c":[1,{}]' in data,
        lambda data: b"[[[[[[[[[[" in data,
        lambda data: b"\\ud800" in data,
        lambda data: b"\xff" in data,
        lambda data: b"0" * 400 in data,
        lambda data: not data.startswith(b"{"),
        lambda data: data.startswith(b"{") and not is_json(data) and len(data) < 50,
        is_json,
    ],
)
def test_each_kind_of_trouble_comes_up(wanted: object) -> None:
    find(foreign.answers(SAMPLE), wanted, settings=QUICK)  # type: ignore[arg-type] # raises if not


def test_every_place_is_known() -> None:
    assert foreign._places(SAMPLE) == [
        *((), ("a",), ("b",), ("b", "c")),
        *(("b", "c", 0), ("b", "c", 1), ("b", "c", 1, "d")),
    ]
