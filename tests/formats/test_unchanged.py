"""Records that go as they came: what was read is what is written, whoever reads it."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import Pipeline, filters, input_of, json_names, presets
from formats.order import order_key
from formats.pipeline import FeedSettings
from formats.unchanged import UNCHANGED

BLOCKED = filters.parse({"action": "Blocked"})


def run_both(data: bytes, settings: FeedSettings, max_bytes: int = 1 << 40) -> list[bytes]:
    """Return the lines of a batch, which the compiled core and Python must agree about."""
    pipeline = Pipeline(json_names(), settings)
    rendered = pipeline.run(data, max_bytes)
    pipeline._engine = None
    plain = pipeline.run(data, max_bytes)
    assert rendered.lines == plain.lines
    assert (rendered.bad, rendered.filtered) == (plain.bad, plain.filtered)
    assert pipeline.keys(rendered.records) == pipeline.keys(plain.records)
    return list(rendered.lines)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b'{"login":"a"}\n', [b'{"login":"a"}']),
        (b'{"login":"a"}', [b'{"login":"a"}']),
        (
            b'{ "login" : "a", "?":[1, 2] }\r\n\r\n \n{}\r\n',
            [b'{ "login" : "a", "?":[1, 2] }', b"{}"],
        ),
        (b'\t{"login":"a"} \n', [b'\t{"login":"a"} ']),
        (b'<14>x {"login":"a"}\n', [b'<14>x {"login":"a"}']),
        (b'[{"login":"a"}]\n', [b'{"login":"a"}']),
        (b' [ {"login":"a"} ]\r\n{}', [b'{"login":"a"}', b"{}"]),
        (b'\xef\xbb\xbf[{"login":"a"}]\n', [b'{"login":"a"}']),
        (b'[{"login":"a"}, {"login":"a"} ,{}]\n{}\n', [b'{"login":"a"}'] * 2 + [b"{}"] * 2),
        (b'[{"login":"a"},5,{"login":"b"}]\n', [b'{"login":"a"}', b'{"login":"b"}']),
        (b'{"login":"\\u001b"}\n{"login":"\x1b"}\n', [b'{"login":"\\u001b"}']),
        (b"[]\nbad\n\n", []),
    ],
)
def test_a_record_goes_as_it_came_without_its_line_end(data: bytes, lines: list[bytes]) -> None:
    assert run_both(data, FeedSettings(UNCHANGED)) == lines


RECORDS = st.fixed_dictionaries(
    {"login": st.text(max_size=9), "action": st.sampled_from(["Allowed", "Blocked"])},
    optional={"other": st.text(max_size=9), "reqsize": st.integers(0, 99)},
)
WRITTEN = st.builds(
    lambda record, is_ascii: json.dumps(record, ensure_ascii=is_ascii).encode(),
    RECORDS,
    st.booleans(),
)


@given(
    arrays=st.lists(st.lists(WRITTEN, max_size=3), max_size=6),
    crlf=st.booleans(),
    filtered=st.booleans(),
)
def test_what_a_filter_takes_goes_in_order(
    arrays: Sequence[Sequence[bytes]], *, crlf: bool, filtered: bool
) -> None:
    end = b"\r\n" if crlf else b"\n"
    data = end.join([b"[" + b", ".join(array) + b"]" for array in arrays])
    data += b"".join(end + record for array in arrays for record in array)
    every = [record for _ in range(2) for array in arrays for record in array]
    wanted = [each for each in every if not filtered or json.loads(each)["action"] == "Blocked"]
    settings = FeedSettings(UNCHANGED, BLOCKED if filtered else None)
    assert run_both(data, settings) == wanted


def test_what_prints_leef_can_be_passed_on_as_well() -> None:
    leef = Pipeline(json_names(), FeedSettings(presets.load("QRADAR")))
    record = {"epochtime": 1696583108, "login": "ana", "action": "Allowed", "url": "a.example/[x]"}
    lines = list(leef.run(json.dumps(record).encode()).lines)
    onwards = Pipeline(input_of(presets.load("QRADAR")), FeedSettings(UNCHANGED))
    rendered = onwards.run(b"\r\n".join([*lines, *lines, b"bad"]))
    assert list(rendered.lines) == lines * 2
    assert [bad.data for bad in rendered.bad] == [b"bad"]
    assert onwards.keys(rendered.records) == [order_key("ana")] * 2


def test_a_record_is_never_shortened_or_cut() -> None:
    long, short = b'{"url":"%s"}' % (b"u" * 100), b"{}"
    assert run_both(long + b"\n" + short, FeedSettings(UNCHANGED), 50) == [long, short]
    pipeline = Pipeline(json_names(), FeedSettings(UNCHANGED))
    rendered = pipeline.run(long + b"\n" + short, 50)
    assert (rendered.max_bytes, rendered.shortened) == (50, {})
    assert pipeline.fitted(rendered, [0, 1], 50) == [None, None]
