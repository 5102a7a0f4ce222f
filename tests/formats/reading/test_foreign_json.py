"""JSON records of the wrong shape: an object where text is expected, or text for an object."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading import Input
from formats.reading.json import json_names
from formats.reading.recognise import input_of

PRINTED = parse("%d{epochtime} %s{login} %s{eurl} %d{reqsize}\n")
FLAT = {"epochtime": 1696583108, "login": "ann", "eurl": "e.com/", "reqsize": 7}
NESTED = '\\{"event":\\{"t":"%d{epochtime}","u":"%s{login}","l":"%s{eurl}","n":"%d{reqsize}"\\}\\}'
APART = (
    '\\{"t":%d{epochtime},"who":\\{"u":"%s{login}"\\},'
    '"what":\\{"l":"%s{eurl}","n":%d{reqsize}\\}\\}'
)
INNER = {"t": 1696583108, "u": "ann", "l": "e.com/", "n": 7}
FORMS: dict[str, tuple[Input, dict[str, object]]] = {
    "names": (json_names(), dict(FLAT)),
    "envelope": (json_names(), {"sourcetype": "web", "event": FLAT}),
    "one object": (input_of(parse(NESTED)), {"event": INNER}),
    "objects": (
        input_of(parse(APART)),
        {"t": 1696583108, "who": {"u": "ann"}, "what": {"l": "e.com/", "n": 7}},
    ),
}
"""Inputs, and a record of each."""

LINE = b"1696583108 ann e.com/ 7"
ODD: list[object] = [{"a": 5}, [], ["x"], True, None, 5, -1.5, "", "text", {"": {"": []}}, [[]]]


def read(source: Input, *records: object) -> tuple[list[bytes], list[tuple[int, str]]]:
    """Return what records print, and the number and reason of those set apart."""
    data = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    rendered = Pipeline(source, FeedSettings(PRINTED)).run(data)
    return list(rendered.lines), [(bad.line, bad.reason) for bad in rendered.bad]


def put(record: object, path: tuple[str, ...], value: object) -> object:
    """Return a record with another value at the end of a path."""
    if not path:
        return value
    assert isinstance(record, dict)
    return {**record, path[0]: put(record[path[0]], path[1:], value)}


def paths(record: object) -> list[tuple[str, ...]]:
    """Return the paths to all values of a record, the record itself among them."""
    inner = record.items() if isinstance(record, dict) else ()
    return [(), *((key, *path) for key, value in inner for path in paths(value))]


CASES = [(form, path) for form, (_, record) in FORMS.items() for path in paths(record)]


@pytest.mark.parametrize("odd", ODD, ids=json.dumps)
@pytest.mark.parametrize(("form", "path"), CASES, ids=str)
def test_a_value_of_another_shape_harms_no_neighbour(
    form: str, path: tuple[str, ...], odd: object
) -> None:
    source, record = FORMS[form]
    lines, bad = read(source, record, put(record, path, odd), record)
    assert (lines[0], lines[-1]) == (LINE, LINE)
    assert [number for number, _ in bad] in ([], [1])
    is_empty_array = path == () and odd == []
    assert len(lines) + len(bad) == 2 + (not is_empty_array)


@pytest.mark.parametrize(
    ("form", "path", "field"),
    [
        *(("names", ("login",), "login"), ("envelope", ("event", "login"), "login")),
        *(("one object", ("event", "u"), "login"), ("objects", ("what", "l"), "eurl")),
    ],
)
def test_an_object_in_the_place_of_a_text_is_said_to_be_one(
    form: str, path: tuple[str, ...], field: str
) -> None:
    source, record = FORMS[form]
    assert read(source, put(record, path, {"a": 5})) == (
        [],
        [(0, f"{field}: an object, expected text")],
    )


KEYS = st.sampled_from([*FLAT, *INNER, "event", "who", "what"])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*FLAT, *INNER, "event", "who"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.sampled_from(CASES), ANY)
def test_any_value_anywhere_is_read_or_set_apart(
    case: tuple[str, tuple[str, ...]], odd: object
) -> None:
    source, record = FORMS[case[0]]
    lines, _ = read(source, record, put(record, case[1], odd), record)
    assert (lines[0], lines[-1]) == (LINE, LINE)


@pytest.mark.parametrize(("key", "value"), [("login", True), ("login", 1.0), ("reqsize", True)])
def test_what_only_compares_equal_to_an_integer_is_not_the_same_under_another_key_of_the_field(
    key: str, value: object
) -> None:
    good = {"epochtime": 1, key: 1, key.upper(): 1}
    lines, bad = read(json_names(), good, good, good | {key.upper(): value}, good)
    assert (len(lines), [line for line, _ in bad]) == (3, [2])
