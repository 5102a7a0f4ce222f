"""Values of JSON that leave their places, as Cloud NSS escapes no quotes: nothing is forged."""

import pytest

from formats import presets
from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading import Input
from formats.reading.json import json_names
from formats.reading.json_layout import Layout
from formats.reading.recognise import input_of
from tests.formats.reading.test_json import GOOD, GOOD_LINE, joined, read


@pytest.mark.parametrize(
    ("source", "envelope", "key"),
    [
        (json_names(), b"event", b"user"),
        (input_of(presets.load("JSON")), b"event", b"user"),
        (input_of(parse(r'\{"t":"%d{epochtime}","u":"%s{login}"\}')), b"event", b"u"),
        (input_of(parse(r'\{"a":\{"t":"%d{epochtime}","u":"%s{login}"\}\}')), b"a", b"u"),
    ],
)
@pytest.mark.parametrize("beside", [b'"eve"', b"7", b"null", b"{}"])
def test_an_envelope_that_came_out_of_a_value_is_none(
    source: Input, envelope: bytes, key: bytes, beside: bytes
) -> None:
    time = b"t" if key == b"u" else b"epochtime"
    inner = b'{"%s":1,"%s":"bob"}' % (time, key)
    good = b'{"x":"y","%s":%s}' % (envelope, inner)
    forged = b'{"%s":%s,"x":"y","%s":%s}' % (key, beside, envelope, inner)
    for batch in ([forged], [good] * 9 + [forged] + [good] * 9, [forged, good, forged]):
        printed, bad = read(joined(batch), source, "%d{epochtime} %s{login}")
        assert printed == [b"1 bob"] * batch.count(good)
        reason = f'"{key.decode()}" stands beside the envelope "{envelope.decode()}"'
        assert [why for _, _, why in bad] == [reason] * batch.count(forged)


@pytest.mark.parametrize(
    "forged",
    [
        b'{"event":{"epochtime":1,"ua":"x"},"b":{"q":"","user":"eve"}}',
        b'{"event":{"epochtime":1,"ua":"x"},"fields":[[{"q":"","user":"eve"}]]}',
        b'{"epochtime":1,"ua":"x","b":{"q":"","user":"eve","url":"x"},"r":""}',
        b'{"epochtime":1,"ua":"x","b":{"q":"","user":"eve","url":"x"},"r":"","b":1}',
        b'{"epochtime":1,"ua":"x","b":{"c":[{"q":"","user":"eve"}],"r":"","c":1}}',
        b'{"epochtime":1,"ua":"x","login":"bob","b":{"q":"","user":"bob","c":{"user":"eve"}}}',
    ],
)
def test_two_values_that_leave_their_places_hide_nothing_between_them(forged: bytes) -> None:
    good = b'{"event":{"epochtime":1,"login":"ana","x":{"y":{"action":"a"}}},"b":{"q":"","z":[]}}'
    for batch in ([forged], [good] * 9 + [forged] * 2 + [good] * 9, [forged, good, forged]):
        printed, bad = read(joined(batch), printed="%d{epochtime} %s{login}")
        assert printed == [b"1 ana"] * batch.count(good)
        reasons = {f'"user" stands inside of "{key}"' for key in ("b", "fields", "c")}
        assert len(bad) == batch.count(forged)
        assert {why for _, _, why in bad} <= reasons


def test_what_hides_in_a_batch_of_the_shape_of_those_before_is_found() -> None:
    good = b'{"event":{"epochtime":1,"login":"ana"},"b":{"q":""}}'
    forged = b'{"event":{"epochtime":1,"login":"ana"},"b":{"user":"eve"}}'
    pipeline = Pipeline(json_names(), FeedSettings(parse("%s{login}")))
    for _ in range(3):
        assert pipeline.run(joined([good] * 20)).lines == [b"ana"] * 20
    ran = pipeline.run(joined([forged] * 20))
    assert (list(ran.lines), len(ran.bad)) == ([], 20)
    assert {each.reason for each in ran.bad} == {'"user" stands inside of "b"'}


def test_what_collectors_put_beside_an_envelope_is_not_read() -> None:
    collected = b'{"time":5,"host":"nss","source":"x","sourcetype":"y","event":%s}' % GOOD
    assert read(joined([collected] * 3)) == ([GOOD_LINE] * 3, [])
    own = input_of(parse(r'\{"u":"x","a":\{"t":"%d{epochtime}","u":"%s{login}"\}\}'))
    line = b'{"u":"x","a":{"t":1,"u":"ana"}}'
    assert read(joined([line] * 3), own, "%s{login}") == ([b"ana"] * 3, [])


def test_a_value_that_leaves_its_place_takes_no_other_key() -> None:
    agent = b'x","action":"Allowed","user":"bob'
    record = b'{"event":{"time":"1","user":"eve","action":"Blocked","useragent":"%s"}}'
    printed = "%s{login} %s{action} %s{ua}"
    assert read(joined([record % b"x", record % agent]), printed=printed) == (
        [b"eve Blocked x"],
        [(1, len(record % b"x") + 1, 'duplicate key "user"')],
    )
    envelope = b'x"},"event":{"time":"1","user":"bob'
    assert read(joined([record % envelope]), printed=printed) == (
        [],
        [(0, 0, 'duplicate key "event"')],
    )


def test_a_reason_has_the_beginning_of_keys_that_are_too_long_to_show() -> None:
    forged = b'{"epochtime":1,"%s":{"user":"eve"},"login":"ana"}' % (b"k" * 60)
    _, bad = read(joined([forged]), printed="%s{login}")
    assert [why for _, _, why in bad] == [f'"user" stands inside of "{"k" * 40}"']


@pytest.mark.parametrize("first", [1, 513])
def test_a_layout_with_more_keys_than_it_may_learn_is_of_no_use(first: int) -> None:
    layout = Layout()
    layout.learn([{f"k{number}": 1 for number in range(first)}])
    layout.learn([{f"k{number}": 1 for number in range(513)}])
    assert (layout.is_too_large, layout.is_usable) == (True, False)
