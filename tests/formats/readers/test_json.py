"""Python's json and orjson read every member of our JSON lines, and none that nobody wrote."""

import json
from collections.abc import Callable, Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import presets
from formats.language import parse
from tests.formats.readers import hostile
from tests.formats.readers.lines import Line, members, rendered, text_fields

Members = list[tuple[str, str]]

PRESET = presets.load("JSON")
FORMATS = {
    "preset": PRESET,
    "array": parse(r'[\{"login":"%s{login}","ua":"%s{ua}","size":%d{reqsize}\}]'),
    "number first": parse(r'\{"id":%d{recordid},"ua":"%s{ua}","action":"%s{action}"\}'),
    "nested": parse(r'\{"a":\{"b":["%s{ua}","%s{eurl}"]\},"action":"%s{action}"\}'),
    "several in a string": parse(r'\{"who":"%s{login} (%s{dept})","action":"%s{action}"\}'),
    "list of texts": parse('["%s{ua}", "%s{action}", %d{reqsize}]'),
}
BEHIND = {
    "<134>1 ZSCALERNSS: ": parse(
        r'<134>1 ZSCALERNSS: \{"ua":"%s{ua}","action":"%s{action}","size":%d{reqsize}\}'
    ),
    "Oct  6 09:05:08 nss: ": parse(
        r'%s{mon}  %d{dd} %02d{hh}:%02d{mm}:%02d{ss} nss: \{"ua":"%s{ua}","action":"%s{action}"\}'
    ),
    "web ": parse(r'web \{"ua":"%s{ua}","event":\{"action":"%s{action}"\}\} end'),
    "web: ": parse(r'web: \{"n":%d{reqsize},"who":"%s{ua} (%s{action})","last":"-%s{action}-"\}'),
}


def every_member(text: str) -> Members:
    """Return each scalar with the keys that lead to it, in order, those given twice twice."""
    found: Members = []

    def note(value: object, path: str) -> None:
        if isinstance(value, list) and value and isinstance(value[0], tuple):
            for key, member in value:
                note(member, f"{path}.{key}")
        elif isinstance(value, list):
            for number, member in enumerate(value):
                note(member, f"{path}.{number}")
        else:
            found.append((path.lstrip("."), str(value)))

    note(json.loads(text, object_pairs_hook=list), "")
    return found


def expected(line: Line, template: str) -> Members:
    return list(members(line, json.loads(template)))


def orjson_members(text: str) -> Members:
    return list(members(Line(text, text, ()), orjson.loads(text)))


READERS: list[Callable[[str], Members]] = [every_member, orjson_members]


def check(lines: Sequence[Line]) -> None:
    for line in lines:
        for reader in READERS:
            assert reader(line.text) == expected(line, line.template)


@pytest.mark.parametrize("name", FORMATS)
def test_every_member_is_read_as_it_was_printed(name: str) -> None:
    check(rendered(FORMATS[name], hostile.records(text_fields(FORMATS[name]))))


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_no_text_leaves_its_string(name: str, data: st.DataObject) -> None:
    records = data.draw(hostile.some_records(text_fields(FORMATS[name]), 3))
    check(rendered(FORMATS[name], records))


@pytest.mark.parametrize("header", BEHIND)
def test_an_object_behind_a_header_is_read_as_it_was_printed(header: str) -> None:
    for line in rendered(BEHIND[header], hostile.records(["ua", "action"])):
        assert line.text.startswith(header)
        _, end = json.JSONDecoder().raw_decode(line.text, len(header))
        assert line.text[end:] in {"", " end"}
        template = line.template[len(header) :].removesuffix(" end")
        assert every_member(line.text[len(header) : end]) == expected(line, template)


def test_a_file_of_lines_is_one_record_a_line_for_readers_of_any_line_end() -> None:
    lines = rendered(PRESET, hostile.records(text_fields(PRESET)))
    whole = "".join(f"{line.text}\n" for line in lines)
    assert len(whole.splitlines()) == len(lines)


def test_an_array_of_all_lines_is_read_as_one_document() -> None:
    lines = rendered(PRESET, hostile.records(text_fields(PRESET)))
    document = orjson.loads("[" + ",".join(line.text for line in lines) + "]")
    assert len(document) == len(lines)
