"""Records and feed formats as JSON of any shape: read, set apart with a reason, or refused."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import presets
from formats.errors import FeedFormatError, NotReadable
from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline, Rendered
from formats.reading import Input
from formats.reading.json import json_names
from formats.reading.recognise import input_of, recognise
from tests import foreign

RECORD = {
    "sourcetype": "zscalernss-web",
    "event": {
        "epochtime": 1696583108,
        "time": "Fri Oct  6 09:05:08 2023",
        "login": "ann@example.com",
        "eurl": "example.com/a?b=c",
        "reqsize": 7,
        "b64host": "ZXhhbXBsZS5jb20=",
    },
}
FLAT = {**RECORD["event"], "day": "6", "month": "10", "yy": "2023", "hh": 9}  # type: ignore[dict-item] # an object
APART = parse(
    '\\{"t":%d{epochtime},"who":\\{"u":"%s{login}"\\},"what":\\{"l":"%s{eurl}","n":%d{reqsize}\\}\\}'
)
NESTED = {"t": 1696583108, "who": {"u": "ann"}, "what": {"l": "example.com", "n": 7}}

RECORDS = (
    foreign.answers(RECORD, FLAT, NESTED)
    .map(lambda data: data.replace(b"\n", b" "))
    .filter(bytes.strip)
)
PIPELINES = {
    name: (source, FeedSettings(presets.load(preset)))
    for name, source, preset in (
        ("names", json_names(), "MCAS"),
        ("nested", input_of(APART), "QRADAR"),
        ("cells", json_names(), "CSV"),
    )
}


@pytest.mark.parametrize("name", PIPELINES)
@foreign.MANY
@given(records=st.lists(RECORDS, min_size=2, max_size=6))
def test_each_record_is_a_line_or_set_apart_whatever_its_neighbours_are(
    name: str, records: list[bytes]
) -> None:
    source, settings = PIPELINES[name]
    pipeline = Pipeline(source, settings)
    alone = [pipeline.run(record + b"\n") for record in records]

    together = pipeline.run(b"".join(record + b"\n" for record in records))

    assert together.lines == [line for one in alone for line in one.lines]
    assert [bad.reason for bad in together.bad] == [bad.reason for one in alone for bad in one.bad]
    assert all(bad.reason.isprintable() and len(bad.reason) < 300 for bad in together.bad)
    assert not any(b"\n" in line or b"\0" in line for line in together.lines)


@foreign.MANY
@given(records=st.lists(RECORDS, min_size=1, max_size=3))
def test_the_form_of_records_is_recognised_or_not(records: list[bytes]) -> None:
    data = b"".join(record + b"\n" for record in records)
    found = foreign.result_of(lambda: recognise(data), NotReadable)
    assert isinstance(found, Input) or str(found) == "the records are in no known format"


SAMPLE = {"a": "%s{login}", "b": {"c": ["%s{eurl}", "x"], "d": "%d{epochtime}"}}


def test_a_feed_format_that_is_nested_beyond_reason_prints_and_need_not_be_readable() -> None:
    for depth in (10, 900, 5000):
        text = '\\{"a":' * depth + '"%s{login}"' + "\\}" * depth
        feed_format = parse(text)
        lines = Pipeline(json_names(), FeedSettings(feed_format)).run(b'{"login":"ann"}\n').lines
        assert lines == [b'{"a":' * depth + b'"ann"' + b"}" * depth]
        foreign.result_of(partial(input_of, feed_format), NotReadable)


@foreign.MANY
@given(data=foreign.answers(SAMPLE))
def test_a_feed_format_in_json_of_any_shape_is_one_or_an_error(data: bytes) -> None:
    text = data.decode("utf-8", "replace").replace("{", "\\{").replace("}", "\\}")
    text = text.replace("%s\\{login\\}", "%s{login}").replace("%s\\{eurl\\}", "%s{eurl}")
    text = text.replace("%d\\{epochtime\\}", "%d{epochtime}")

    def run() -> Rendered:
        feed_format = parse(text)
        return Pipeline(input_of(feed_format), FeedSettings(feed_format)).run(b'{"a":"ann"}\n')

    found = foreign.result_of(run, FeedFormatError, NotReadable)
    assert str(found) if isinstance(found, Exception) else len(found.lines) + len(found.bad) == 1
