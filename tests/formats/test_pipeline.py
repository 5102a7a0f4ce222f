"""The pipeline: every record is a line, filtered, or set apart, and nothing gets out of step."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import filters, presets
from formats.language import parse
from formats.order import order_key
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from formats.reading.recognise import input_of

FORMAT = parse("%d{epochtime} %s{login} %s{action}")


def record(n: int, action: str = "Allowed") -> bytes:
    return msgspec.json.encode({"epochtime": 1696583108, "login": f"u{n}", "action": action})


def test_a_batch_comes_out_in_order_with_its_keys() -> None:
    pipeline = Pipeline(json_names(), FeedSettings(FORMAT))
    rendered = pipeline.run(b"".join(record(n) + b"\n" for n in range(5)))
    assert rendered.lines == [f"1696583108 u{n} Allowed".encode() for n in range(5)]
    assert (rendered.filtered, rendered.bad) == (0, [])
    assert pipeline.keys(rendered.records) == [order_key(f"u{n}") for n in range(5)]


def test_the_key_is_the_user_even_when_the_line_does_not_print_it() -> None:
    pipeline = Pipeline(json_names(), FeedSettings(parse("%s{action}")))
    rendered = pipeline.run(b'{"login":"ana"}\n{"elogin":"b%20c"}\n{"b64login":"Y2Q="}\n{}\n')
    users = ["ana", "b%20c", "cd", "None"]
    assert pipeline.keys(rendered.records) == list(map(order_key, users))


def test_an_input_without_users_has_one_key() -> None:
    pipeline = Pipeline(input_of(parse("%s{url},%s{ua}")), FeedSettings(parse("%s{url}")))
    assert pipeline.keys(pipeline.run(b"a,b\nc,d\n").records) == [order_key("None")] * 2


def test_filtered_records_are_counted_and_need_no_time() -> None:
    kept = filters.parse({"action": "Blocked"})
    pipeline = Pipeline(json_names(), FeedSettings(FORMAT, filter=kept))
    batch = b"\n".join(
        [
            record(0),
            record(1, "Blocked"),
            b'{"action":"Allowed"}',
            b'{"action":"Blocked"}',
            b"bad",
            record(2, "Blocked"),
        ]
    )
    rendered = pipeline.run(batch + b"\n")
    assert rendered.lines == [b"1696583108 u1 Blocked", b"1696583108 u2 Blocked"]
    assert rendered.filtered == 2
    assert [(bad.line, bad.reason) for bad in rendered.bad] == [
        (3, "the record has no time"),
        (4, "not JSON: invalid character (byte 0)"),
    ]
    assert pipeline.keys(rendered.records) == [order_key("u1"), order_key("u2")]


def test_control_characters_are_found_behind_filtered_records() -> None:
    kept = filters.parse({"action": "Blocked"})
    pipeline = Pipeline(json_names(), FeedSettings(parse("%s{login}"), filter=kept))
    batch = b"".join(
        msgspec.json.encode({"login": f"{n}\n", "action": "Blocked" if n % 3 else "Allowed"})
        + b"\n"
        for n in range(9)
    )
    assert pipeline.run(batch).lines == [f"{n}%0A".encode() for n in range(9) if n % 3]


def test_a_pipeline_keeps_nothing_from_one_batch_to_the_next() -> None:
    pipeline = Pipeline(json_names(), FeedSettings(FORMAT))
    flat, enveloped = record(1), b'{"event":' + record(2) + b"}"
    for line, user in ((flat, "u1"), (enveloped, "u2"), (b"bad", None), (flat, "u1")):
        lines = pipeline.run(line + b"\n").lines
        assert lines == ([] if user is None else [f"1696583108 {user} Allowed".encode()])


LINES = st.sampled_from(
    [
        record(1),
        record(2, "Blocked"),
        b'{"event":' + record(3) + b"}",
        b'{"epochtime":1696583108,"login":"a\\nb"}',
        b'{"epochtime":1696583108,"login":5}',
        b'{"epochtime":1696583108,"reqsize":"x"}',
        b'{"login":"no time"}',
        b'{"epochtime":"soon"}',
        record(4) + record(5),
        b"{",
        b"}",
        b"bad",
        b" ",
        b"\xff",
        b"[]x",
        b"x" * 300,
    ]
)


@given(
    st.lists(LINES, max_size=12),
    st.sampled_from([None, filters.parse({"not_action": "Blocked"})]),
    st.sampled_from([b"", b"\n"]),
)
def test_every_line_is_rendered_filtered_or_set_apart(
    lines: list[bytes], kept: filters.Filter | None, end: bytes
) -> None:
    settings = FeedSettings(FORMAT, filter=kept, max_record_bytes=200)
    batch = b"\n".join(lines) + end * bool(lines)
    rendered = Pipeline(json_names(), settings).run(batch)
    lines = [line for line in lines if not line.isspace()]
    assert len(rendered.lines) + rendered.filtered + len(rendered.bad) == len(lines)
    assert len(rendered.records) == len(rendered.lines)
    assert [lines[bad.line] for bad in rendered.bad] == [bad.data for bad in rendered.bad]
    assert [bad.line for bad in rendered.bad] == sorted({bad.line for bad in rendered.bad})
    # Each line alone comes to what it came to beside its neighbours.
    alone = [Pipeline(json_names(), settings).run(line + b"\n") for line in lines]
    assert rendered.lines == [line for each in alone for line in each.lines]
    assert rendered.filtered == sum(each.filtered for each in alone)
    assert [b.reason for b in rendered.bad] == [b.reason for each in alone for b in each.bad]


WITHOUT_YEAR = {"SYMANTEC_MSS", "CEF_MULTILINE"}


@pytest.mark.parametrize("target", presets.names())
@pytest.mark.parametrize("source", presets.names())
def test_every_preset_is_read_into_every_other(source: str, target: str) -> None:
    stated = {"time": "Fri Oct  6 09:05:08 2023", "login": "ana", "reqsize": 1, "respsize": 2}
    pipeline = Pipeline(json_names(), FeedSettings(presets.load(source)))
    (line,) = pipeline.run(msgspec.json.encode(stated) + b"\n").lines
    onward = Pipeline(input_of(presets.load(source)), FeedSettings(presets.load(target)))
    rendered = onward.run(line + b"\n")
    if source in WITHOUT_YEAR and {"time", "yy"} & presets.load(target).field_names:
        assert rendered.lines == []
        assert rendered.bad[0].reason.startswith("the time has no ")
    else:
        assert rendered.bad == []
        assert b"ana" in rendered.lines[0]


@pytest.mark.parametrize("field", ["url", "eurl", "b64url"])
@pytest.mark.parametrize("written", ["*/a,b c*", "*/a%2Cb%20c*", "*/A%2cB C*"])
def test_a_url_filter_finds_what_the_escape_characters_of_the_feed_encode(
    field: str, written: str
) -> None:
    url = "e.com/a,b c"
    stated = base64.b64encode(url.encode()).decode() if field == "b64url" else url
    settings = FeedSettings(
        parse("%s{eurl}"), filter=filters.parse({"urls": written}), escape_characters=',"'
    )
    rendered = Pipeline(json_names(), settings).run(msgspec.json.encode({field: stated}) + b"\n")
    assert rendered.lines == [b"e.com/a%2Cb%20c"]


@pytest.mark.parametrize(
    ("stated", "printed"),
    [
        ({"totalsize": -5}, b"-5"),
        ({"totalsize": "-1", "reqsize": 2}, b"-1"),
        ({"totalsize": 0, "reqsize": 2}, b"0"),
        ({"reqsize": -5, "respsize": 2}, b"-3"),
        ({"totalsize": "None", "reqsize": 7}, b"7"),
        ({"totalsize": None, "reqsize": 7}, b"7"),
        ({"totalsize": -(2**63)}, b"-9223372036854775808"),
        ({"totalsize": "-" + 40 * "9"}, b"-" + 40 * b"9"),
    ],
)
def test_a_size_that_is_stated_is_printed_whatever_its_sign(
    stated: dict[str, object], printed: bytes
) -> None:
    source = input_of(parse("size=%d{totalsize};in=%d{reqsize}"))
    settings = FeedSettings(parse("%d{totalsize}"))
    assert Pipeline(json_names(), settings).run(msgspec.json.encode(stated)).lines == [printed]
    if "reqsize" not in stated:
        line = b"size=%s" % str(stated["totalsize"]).encode()
        assert Pipeline(source, settings).run(line).lines == [printed]


def test_single_lines_are_cut_to_what_a_destination_takes() -> None:
    pipeline = Pipeline(json_names(), FeedSettings(parse("%s{login} %s{url}")))
    lines = (b'{"login":"u%d","url":"example.com/%s"}\n' % (n, b"x" * 100) for n in range(3))
    rendered = pipeline.run(b"".join(lines))
    fitted = pipeline.fitted(rendered, [2, 0], 60)
    assert [line and line[:14] for line in fitted] == [b"u2 example.com", b"u0 example.com"]
    assert {len(line) for line in fitted if line} == {60}
    assert pipeline.fitted(rendered, [1], 1) == [None]
