"""Recognising what a sample of records is in."""

import msgspec
import pytest

from formats import presets
from formats.errors import NotReadable
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from formats.reading.recognise import LOOK_BYTES, LOOK_RECORDS, _candidates, recognise

SAMPLE = {
    "time": "Fri Oct  6 09:05:08 2023", "recordid": "7012000000000000001", "login": "ana",
    "dept": "Finance", "location": "Lisbon office", "action": "Allowed", "reason": "Allowed",
    "cip": "192.0.2.10", "cintip": "203.0.113.8", "sip": "198.51.100.20", "reqsize": "1050",
    "respsize": "8550", "totalsize": "9600", "proto": "HTTPS", "reqmethod": "GET", "ua": "Mozilla",
    "respcode": "200", "eurl": "www.example.com/a?b=c", "ehost": "www.example.com", "urlcat": "X",
    "appname": "Dropbox", "appclass": "Web Mail", "riskscore": "12", "appnameid": "1201",
    "contenttype": "image/gif", "deviceowner": "ana", "devicehostname": "LAPTOP-0042",
}  # fmt: skip


@pytest.mark.parametrize("name", presets.names())
def test_a_line_of_each_preset_is_recognised(name: str) -> None:
    pipeline = Pipeline(json_names(), FeedSettings(presets.load(name)))
    (line,) = pipeline.run(msgspec.json.encode(SAMPLE) + b"\n").lines
    # The older QRadar string has the same keys; the new one reads the zone in its devTime too.
    expected = {"QRADAR_OLD": "QRADAR", "JSON": "json"}.get(name, name)
    assert recognise(line + b"\n").name == expected
    assert recognise((line + b"\n") * 3 + b"garbage\n").name == expected


def test_lines_of_little_but_placeholders_are_in_the_format_that_has_all_their_keys() -> None:
    record = {"time": SAMPLE["time"], "login": "ana", "eurl": "www.example.com"}
    for name in ("MCAS", "QRADAR"):
        pipeline = Pipeline(json_names(), FeedSettings(presets.load(name)))
        (line,) = pipeline.run(msgspec.json.encode(record) + b"\n").lines
        assert recognise(line + b"\n").name == name


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"<134>", b"garbage\n"])
def test_json_records_with_field_names_are_recognised(before: bytes) -> None:
    record = msgspec.json.encode(SAMPLE)
    assert recognise(before + record + b"\n").name == "json"
    assert recognise(before + b'{"event":' + record + b"}\n").name == "json"
    assert recognise(before + b"[" + record + b"]\n").name == "json"


@pytest.mark.parametrize(
    "sample",
    [b"", b"\n", b"hello\n", b"\xff\xfe\n", b"{}\n", b'{"a":1}\n', b"[]\n", b",\n", b"\0" * 99],
)
def test_what_is_in_no_known_form_is_not_readable(sample: bytes) -> None:
    with pytest.raises(NotReadable) as caught:
        recognise(sample)
    assert str(caught.value) == "the records are in no known format"


LINE = msgspec.json.encode(SAMPLE) + b"\n"


@pytest.mark.parametrize(
    "junk",
    [
        16 * b"# comment\n",
        b"x" * 200_000 + b"\n",
        1000 * b"x\n",
        16 * b" \t\n",
        20 * (b"y" * 50_000 + b"\n"),
        (LOOK_BYTES + 1) * b"z" + b"\n",
        100 * LOOK_RECORDS * b"x\n",
    ],
)
def test_lines_that_nothing_reads_are_skipped_over(junk: bytes) -> None:
    assert recognise(junk + 100 * LINE).name == "json"


@pytest.mark.parametrize("records", [LOOK_RECORDS - 1, LOOK_RECORDS + 20_000])
def test_a_single_record_is_found_among_those_that_are_all_looked_at(records: int) -> None:
    sample = records * b"x\n" + LINE + 1000 * b"x\n"
    if records < LOOK_RECORDS:
        assert recognise(sample).name == "json"
    else:
        with pytest.raises(NotReadable):
            recognise(sample)


def test_the_form_of_most_records_wins_over_one_line_that_looks_like_another() -> None:
    odd = b"Fri Oct  6 09:05:08 2023\tuser=ann\n"
    assert recognise(odd).name != "json"
    assert recognise(odd + 16 * b"# comment\n" + 100 * LINE).name == "json"


def test_the_last_line_may_lack_its_end() -> None:
    assert recognise(LINE.rstrip(b"\n")).name == "json"
    assert recognise(b"x\n" + LINE.rstrip(b"\n")).name == "json"


def test_json_of_which_no_record_is_one_is_json_so_that_the_reason_is_told() -> None:
    forged = b'{"time":"2023-10-06 09:05:08","action":"Blocked","ua":"x","action":"Allowed"}\n'
    assert recognise(b"x\n" + forged).name == "json"
    pipeline = Pipeline(recognise(forged), FeedSettings(presets.load("MCAS")))
    assert [bad.reason for bad in pipeline.run(forged).bad] == ['duplicate key "action"']
    for none in (b"{}\n", b"[1]\n", b"{x}\n", b'"a"\n'):
        with pytest.raises(NotReadable):
            recognise(none)


def test_a_score_counts_each_value_and_each_placeholder() -> None:
    own = next(each for each in _candidates(json=True) if each.input.name == json_names().name)
    sample = b'{"login":"ana","host":"h","action":"Allowed","refererURL":"None"}\n{"login":"b"}\n'
    score = own.score(sample)
    assert (score.records, score.stated, score.present) == (2, 4, 5)
