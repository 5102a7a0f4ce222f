"""Whatever way JSON is read, at once or line by line, it comes to what a plain reader comes to."""

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading import Input
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from formats.reading.synonyms import field_of, is_constant

PRINTED = parse("%d{epochtime}|%s{login}|%d{reqsize}|%s{cip}|%d{recordid}|%s{url}")
TEXTS, NUMBERS, TIME = ("login", "cip", "url"), ("reqsize", "recordid"), "epochtime"
FORMAT = (
    '\\{"a":\\{"t":%d{epochtime},"login":"%s{login}","user":"%s{login}","reqsize":%d{reqsize},'
    '"recordid":"%d{recordid}","cip":"%s{cip}","url":"%s{url}","x":"static"\\},"other":1\\}'
)
OWN = {"t": TIME, "user": "login"} | {name: name for name in (*TEXTS, *NUMBERS)}


class Pairs(list[tuple[str, Any]]):
    """An object with each key as often as it was written."""


Meaning = Callable[[str], tuple[str | None, bool]]
"""The field that a key states, and whether it is unmapped."""


class Refused(Exception):  # noqa: N818 - named as the sentence reads
    """The plain reader takes no record from a text."""


# ---- the plain reader


def plain_names(key: str) -> tuple[str | None, bool]:
    field = field_of(key)
    return field, field is None and not is_constant(key)


def plain_format(key: str) -> tuple[str | None, bool]:
    return OWN.get(key), key not in OWN and key != "x"


def plain(text: str, envelope: str, meaning: Meaning) -> tuple[list[str] | None, set[str]]:
    """Return the texts of one object's printed fields, if it has a time, and its unmapped keys."""
    top = json.loads(text, object_pairs_hook=Pairs)
    if not isinstance(top, Pairs):
        raise Refused
    once = [value for key, value in top if key == envelope]
    if len(once) > 1:
        raise Refused
    inner = once[0] if once and isinstance(once[0], Pairs) else top
    check_around(top, inner, envelope, meaning)
    values: dict[str, Any] = {TIME: None}
    seen: set[str] = set()
    for key, value in inner:
        field, _ = meaning(key)
        if field not in {*TEXTS, *NUMBERS, TIME}:
            continue
        if key in seen:
            raise Refused
        seen.add(key)
        stated = plain_value(field, value)
        if stated is not None and values.setdefault(field, stated) != stated:
            if values[field] is not None:
                raise Refused
            values[field] = stated
    unmapped = {key for key, _ in inner if meaning(key)[1]}
    moment = re.fullmatch(r"\s*(\d{1,11})(\.\d+)?\s*", str(values[TIME]), re.ASCII)
    if moment is None:
        return None, unmapped
    values[TIME] = int(moment[1])
    defaults = dict.fromkeys(TEXTS, "None") | dict.fromkeys(NUMBERS, 0) | {"cip": "0.0.0.0"}  # noqa: S104 - a value
    printed = defaults | values
    order = (TIME, "login", "reqsize", "cip", "recordid", "url")
    return [str(printed[name]) for name in order], unmapped


def check_around(top: Pairs, inner: Pairs, envelope: str, meaning: Meaning) -> None:
    """Refuse fields outside of the object that is read."""
    beside = [meaning(key)[0] for key, _ in top if key != envelope] if inner is not top else []
    if not {*TEXTS, *NUMBERS, TIME}.isdisjoint(beside):
        raise Refused
    around = [*top, *inner] if inner is not top else top
    if any(value is not inner and plain_hides(value, meaning) for _, value in around):
        raise Refused


def plain_hides(value: object, meaning: Meaning) -> bool:
    """Whether an object has a key that says whose record it is, or one within it has."""
    if isinstance(value, Pairs):
        return any(
            plain_hides(inner, meaning)
            if isinstance(inner, list)
            else meaning(key)[0] in {"login", "cip", "url"}
            for key, inner in value
        )
    return isinstance(value, list) and any(plain_hides(inner, meaning) for inner in value)


def plain_value(field: str, value: object) -> object:
    if value is None:
        return None
    if isinstance(value, bool | list):
        raise Refused
    if field == TIME:
        return None if value in {"", "None"} else value
    if field in TEXTS:
        return str(value)
    if isinstance(value, str):
        if value.strip().lower() in {"", "none", "-"}:
            return None
        if not re.fullmatch(r"[+-]?[0-9]+(\.0)?", value.strip()):
            raise Refused
        return int(value.strip().removesuffix(".0"))
    if isinstance(value, float) and not value.is_integer():
        raise Refused
    return int(value)  # type: ignore[call-overload]


# ---- what is read

FORMS: dict[str, tuple[Input, str, Meaning]] = {
    "names": (json_names(), "event", plain_names),
    "format": (input_of(parse(FORMAT)), "a", plain_format),
}
KEYS = ("epochtime", "login", "reqsize", "recordid", "cip", "ClientIP", "clientip", "usrName",
        "url", "t", "user", "x", "y", "sourcetype", "event", "a", "extra")  # fmt: skip
VALUES: st.SearchStrategy[object] = st.one_of(
    st.sampled_from(["a", "b", "", "None", 'q"', "b\\", "\u00e4\u2028", '","x":"', ":", '\\"']),
    st.sampled_from(
        [7, 0, "7", "0", "+7", "007", " 7 ", "7.0", 1.5, "1.5", 2**53 + 1, "9" * 19, -3]
    ),
    st.sampled_from([None, True, [], {}, ["a", {"b": "c"}], {"login": "no"}, {"a": 1, "b": '"'}]),
)
TAILS = ("", "", "", ',"sourcetype":"x"', ',"x":[1,"a"],"x":2', ',"url":7')
USUAL: dict[str, st.SearchStrategy[object]] = {
    "epochtime": st.sampled_from([1696583108, "1696583108"]),
    "t": st.sampled_from([1696583108, "1696583108"]),
}


def written(draw: st.DrawFn, value: object) -> str:
    """Write a value as JSON somehow: with white space, with more escapes than it needs."""
    space = draw(st.sampled_from(["", "", "", " "]))
    if isinstance(value, str) and draw(st.integers(0, 5)) == 0:
        return '"' + "".join(f"\\u{ord(c):04x}" for c in value) + '"' + space
    return json.dumps(value, ensure_ascii=draw(st.booleans())) + space


@st.composite
def objects(draw: st.DrawFn, keys: list[str]) -> str:
    """Draw an object: mostly the keys that others have, some left out, added, or twice."""
    chosen = [key for key in keys if draw(st.integers(0, 15))]
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
        chosen.insert(draw(st.integers(0, len(chosen))), draw(st.sampled_from(KEYS)))
    pairs = []
    for key in chosen:
        usual = draw(st.integers(0, 9)) > 0
        value = draw(USUAL.get(key, st.sampled_from(["7", "8"])) if usual else VALUES)
        pairs.append(f"{written(draw, key)}:{written(draw, value)}")
    return "{" + ",".join(pairs) + "}"


@st.composite
def batches(draw: st.DrawFn, envelope: str) -> list[list[str]]:
    """Draw lines, cut into batches."""
    keys = draw(st.permutations(KEYS[:5] + KEYS[8:13])) if draw(st.booleans()) else []
    keys = list(dict.fromkeys([*draw(st.sampled_from([["epochtime"], ["t"]])), *keys]))
    nested = draw(st.booleans())
    lines = []
    for _ in range(draw(st.integers(1, 20))):
        text = draw(objects(keys))
        if nested != (draw(st.integers(0, 9)) == 0):
            tail = draw(st.sampled_from(TAILS))
            again = draw(st.sampled_from(["", "", "", "", "", f',"{envelope}":{text}']))
            inner = draw(st.sampled_from([text] * 9 + ["null", "[]", '"x"', "{}"]))
            text = f'{{"{envelope}":{inner}{tail}{again}}}'
        lines.append(draw(st.sampled_from(["", "", "", "", "<13>"])) + text)
    size = draw(st.integers(1, len(lines)))
    return [lines[at : at + size] for at in range(0, len(lines), size)]


@pytest.mark.parametrize("form", ["names", "format"])
@given(data=st.data())
def test_records_and_verdicts_are_those_of_a_plain_reader(form: str, data: st.DataObject) -> None:
    source, envelope, meaning = FORMS[form]
    pipeline = Pipeline(source, FeedSettings(PRINTED, protect_separators=False))
    for batch in data.draw(batches(envelope)):
        expected: list[str] = []
        refused: list[int] = []
        unmapped: Counter[str] = Counter()
        for number, line in enumerate(batch):
            try:
                values, unknown = plain(line.removeprefix("<13>"), envelope, meaning)
            except Refused:
                refused.append(number)
                continue
            unmapped.update(unknown)
            if values is None:
                refused.append(number)
            else:
                expected.append("|".join(values).replace("\u2028", "%E2%80%A8"))
        rendered = pipeline.run("".join(f"{line}\n" for line in batch).encode())
        assert [line.decode() for line in rendered.lines] == expected
        assert [bad.line for bad in rendered.bad] == refused
        assert rendered.unmapped == unmapped
