"""What the compiled core prints is what Python prints, byte for byte, account for account."""

import json
import os
import random
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats import presets
from formats.fields import TIME_FIELDS
from formats.language import parse
from formats.pipeline import FeedSettings
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from formats.times import zone
from tests.formats.compiled.judged import (
    ESCAPES,
    TIME_KEYS,
    Hostile,
    Judged,
    is_number,
    needs_core,
    random_pair,
)
from tests.formats.test_properties import GOLDEN, hostile_record, mutations

pytestmark = needs_core

FUZZ_SECS = float(os.environ.get("NSS_FUZZ_SECS", "1.5"))


def seeded(name: str) -> random.Random:
    return random.Random(f"{name} {time.time_ns() if 'NSS_FUZZ_SECS' in os.environ else 17}")


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_prints_golden_records_in_the_core(name: str) -> None:
    judged = Judged(json_names(), FeedSettings(presets.load(name)))
    data = (GOLDEN / "records.jsonl").read_bytes()
    assert len(judged.check(data)) > 5
    assert judged.engine is not None


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_prints_an_envelope_in_the_core(name: str) -> None:
    judged = Judged(json_names(), FeedSettings(presets.load(name)))
    rows = (GOLDEN / "records.jsonl").read_bytes().splitlines()
    data = b"".join(
        b'{"sourcetype":"w","time":1,"event":' + row + b',"host":"h"}\n' for row in rows
    )
    assert len(judged.check(data)) > 5
    assert judged.handed_over(data) < len(rows) // 2
    astray = b"".join(b'{"event":' + row + b',"login":"outside"}\n' for row in rows)
    assert (judged.check(astray), judged.handed_over(astray)) == ([], len(rows))


def test_lines_of_the_json_preset_are_read_by_the_core() -> None:
    source = input_of(presets.load("JSON"))
    judged = Judged(source, FeedSettings(presets.load("QRADAR")))
    data = (GOLDEN / "JSON.txt").read_bytes()
    assert len(judged.check(data)) > 5
    assert judged.handed_over(data) < data.count(b"\n") // 2


@pytest.mark.parametrize("name", presets.names())
@given(data=st.data())
def test_hostile_text_prints_the_same(name: str, data: st.DataObject) -> None:
    feed_format = presets.load(name)
    records = data.draw(st.lists(hostile_record(feed_format), min_size=1, max_size=3))
    escapes = data.draw(st.sampled_from(ESCAPES))
    protect = data.draw(st.booleans())
    settings = FeedSettings(feed_format, escape_characters=escapes, protect_separators=protect)
    judged = Judged(json_names(), settings)
    judged.check(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    judged.check(b"".join(ascii_json(record) for record in records))


def ascii_json(record: dict[str, object]) -> bytes:
    """Return a record as writers do that escape everything beyond ASCII."""
    return json.dumps(record).encode() + b"\n"


@pytest.mark.parametrize("name", presets.names())
def test_hostile_batches_end_the_same(name: str) -> None:
    feed_format = presets.load(name)
    names = sorted(feed_format.field_names - TIME_FIELDS) + TIME_KEYS
    settings = FeedSettings(feed_format, zone=zone("Europe/Berlin"), max_record_bytes=9000)
    judged = Judged(json_names(), settings)
    hostile = Hostile(seeded(name), names)
    until = time.monotonic() + FUZZ_SECS / 5
    while time.monotonic() < until:
        judged.check(hostile.batch())


def test_random_formats_print_the_same() -> None:
    chance = seeded("formats")
    until = time.monotonic() + FUZZ_SECS
    compiled = 0
    while time.monotonic() < until or compiled <= 5:
        judged, hostile = random_pair(chance)
        compiled += judged.engine is not None
        for _ in range(10):
            judged.check(hostile.batch())


def test_lines_of_random_json_formats_are_read_the_same() -> None:
    chance = seeded("json formats")
    names = ["login", "ua", "reqsize", "eurl", "epochtime", "respsize", "action"]
    until = time.monotonic() + FUZZ_SECS / 2
    compiled = 0
    while time.monotonic() < until:
        chance.shuffle(names)
        pairs = [f'"{name[:3]}":"{catalogue_spec(name)}"' for name in names[:5]]
        inner = "\\{" + ",".join(pairs) + "\\}"
        feed_format = parse(chance.choice([inner, f'\\{{"event":{inner}\\}}']))
        judged = Judged(
            input_of(feed_format), FeedSettings(parse("%s{login}|%d{reqsize} %s{eurl}"))
        )
        compiled += judged.engine is not None
        hostile = Hostile(chance, [name[:3] for name in names[:5]])
        for _ in range(5):
            judged.check(hostile.batch())
    assert compiled


def catalogue_spec(name: str) -> str:
    return f"%{'d' if is_number(name) else 's'}{{{name}}}"


def test_changed_bytes_end_the_same() -> None:
    judged = Judged(json_names(), FeedSettings(presets.load("QRADAR"), max_record_bytes=4000))
    seeds = (GOLDEN / "records.jsonl").read_bytes().splitlines(keepends=True)
    for data in mutations(seeds, FUZZ_SECS / 2):
        judged.check(data)


def test_a_batch_may_be_cut_anywhere() -> None:
    judged = Judged(json_names(), FeedSettings(presets.load("QRADAR")))
    rows = (GOLDEN / "records.jsonl").read_bytes().splitlines(keepends=True)
    data = b"".join(sorted(rows, key=len)[:2])
    for end in range(len(data)):
        judged.check(data[:end])
        judged.check(data[end:])


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n", b"\n\n\n", b" ", b"{", b"{}", b"{}\n", b'{"event":{}}', b"\0", b"\xff\n", b'{"',
        b'{"a', b'{"a"', b'{"a":', b'{"a":1', b'{"a":1,', b'{"event":{"a":1}',
        b'{"event":{"a":1}}x',
        b'{"epochtime":1,"epochtime":2}\n', b'{"event":{"epochtime":1},"event":{"epochtime":2}}\n',
        b'{"event":"x","event":{"epochtime":2}}\n', b'{"event":{"epochtime":1},"event":"x"}\n',
        b'{"event":{"epochtime":1,"event":{"epochtime":2}}}\n', b'{"event":[],"epochtime":1}\n',
        b'{"epochtime":1}{"epochtime":2}\n', b'{"epochtime":1}\r\n{"epochtime":2}\r\n',
        b'{"epochtime":1}\x0b\n',
        b'{"epochtime":1,"odd":{"epochtime":2}}\n', b'{"epochtime":1,\n"login":"x"}\n',
    ],
)  # fmt: skip
def test_small_batches_end_the_same(data: bytes) -> None:
    Judged(json_names(), FeedSettings(parse("%d{epochtime} %s{login}"))).check(data)


def test_a_key_called_as_what_has_no_name_left_is_counted_the_same() -> None:
    handed = ",".join(f'"k{number}":[]' for number in range(63))
    data = f'{{"new":1,"login":"x"}}\n[{{{handed},"...":1,"login":"y"}}]\n'
    Judged(json_names(), FeedSettings(parse("%s{login}"))).check(data.encode())


def test_huge_values_and_batches_end_the_same() -> None:
    settings = FeedSettings(presets.load("QRADAR"), max_record_bytes=2_000_000)
    judged = Judged(json_names(), settings)
    for text in ("a", "\\n", "\\u00e9", "\xe9", " ", "\\\\"):
        value = text * 60_000
        row = f'{{"epochtime":1696583108,"ua":"{value}","eurl":"{value}","odd":"{value}"}}\n'
        judged.check(row.encode())
    judged.check(b'{"epochtime":1696583108}\n' * 5_000)
    judged.check(b"".join(b'{"epochtime":%d}\n' % number for number in range(3_000)))


def test_the_longest_record_is_where_python_puts_it() -> None:
    judged = Judged(json_names(), FeedSettings(parse("%s{login}"), max_record_bytes=40))
    for size in range(20, 50):
        row = b'{"login":"' + b"x" * size + b'"}'
        judged.check(row + b"\n" + row)


def test_parts_of_a_time_that_do_not_matter_may_hold_anything() -> None:
    judged = Judged(json_names(), FeedSettings(parse("%s{time} %s{login}")))
    rows = [
        f'{{"time":"2023-10-06 09:05:0{number}","mon":"{mon}","login":"x"}}\n'
        for number, mon in enumerate(["\xe9", "\\n", "\\u0000", "\x7f", "\u2028", "x" * 200])
    ]
    data = "".join(rows).encode()
    assert (len(judged.check(data)), judged.handed_over(data)) == (6, 0)


def test_more_keys_than_are_learned_end_the_same() -> None:
    judged = Judged(json_names(), FeedSettings(parse("%d{epochtime} %s{login}")))
    rows = [
        "{" + ",".join(f'"k{row}_{key}":1' for key in range(100)) + ',"epochtime":1,"login":"x"}\n'
        for row in range(30)
    ]
    assert len(judged.check("".join(rows).encode())) == 30
