"""Any format of columns, JSON or LEEF is read by those who read such lines."""

import csv
import io
import json

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from formats.language import parse
from tests.formats.readers import custom, hostile
from tests.formats.readers.lines import columns, leef, members, rendered, text_fields
from tests.formats.readers.test_json import every_member
from tests.formats.readers.test_leef import behind_the_last_pipe, by_its_rules

MANY = settings(max_examples=2 * settings().max_examples)


@MANY
@given(drawn=custom.columns(), data=st.data())
def test_every_column_is_read_as_it_was_printed(drawn: custom.Columns, data: st.DataObject) -> None:
    feed_format = parse(drawn.text)
    lines = rendered(feed_format, data.draw(hostile.some_records(text_fields(feed_format), 3)))
    file = io.StringIO("".join(f"{line.text}\n" for line in lines), newline="")
    read = csv.reader(file, delimiter=drawn.separator, strict=True)
    assert list(read) == [columns(line, drawn.separator) for line in lines]


@MANY
@given(drawn=custom.JSON, data=st.data())
def test_every_member_is_read_as_it_was_printed(drawn: custom.Json, data: st.DataObject) -> None:
    feed_format = parse(drawn.before + drawn.text + drawn.behind)
    assume(text_fields(feed_format))
    decoder = json.JSONDecoder()
    for line in rendered(feed_format, data.draw(hostile.some_records(text_fields(feed_format), 3))):
        begin = min(at for at in map(line.template.find, "{[") if at >= 0)
        tree, end = decoder.raw_decode(line.template, begin)
        assert line.filled(line.template[end:]) == drawn.behind
        text = line.text[begin:].removesuffix(drawn.behind)
        assert every_member(text) == list(members(line, tree))


@MANY
@given(text=custom.leef(), protect=st.booleans(), data=st.data())
def test_every_attribute_is_read_as_it_was_printed(
    text: str, *, protect: bool, data: st.DataObject
) -> None:
    feed_format = parse(text)
    records = data.draw(hostile.some_records(text_fields(feed_format), 3))
    for line in rendered(
        feed_format,
        records,
        protect_separators=protect,
        protect_for=frozenset({"pipes"} if protect else {}),
    ):
        expected = leef(line)
        assert by_its_rules(line.text, "\t", 5) == expected
        if protect:
            expected.pop("#event_id")
            assert behind_the_last_pipe(line.text, "\t", 5) == expected
