"""Corners that once let a value forge an attribute or a time be taken for another."""

from formats import language, leef, presets
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names

TIME = b'"epochtime":1696583108'


def rendered(feed_format: str, record: bytes) -> list[bytes]:
    pipeline = Pipeline(json_names(), FeedSettings(language.parse(feed_format)))
    return list(pipeline.run(record + b"\n").lines)


def test_a_leef_2_header_without_a_delimiter_is_protected_like_any() -> None:
    lines = rendered(
        r"LEEF:2.0|Zscaler|NSS|4.1|%s{reason}|cat=%s{action}\tusrName=%s{login}",
        b'{"reason":"x|^|usrName=admin^a=","action":"A","login":"u"}',
    )
    assert lines == [b"LEEF:2.0|Zscaler|NSS|4.1|x%7C^%7CusrName=admin^a=|cat=A\tusrName=u"]
    assert leef.parse(lines[0].decode()).attributes == {"cat": "A", "usrName": "u"}


def test_a_backslash_before_an_empty_last_value_is_encoded() -> None:
    lines = rendered(
        r"LEEF:1.0|Zscaler|NSS|4.1|e|cat=%s{action}%s{appclass}\tusrName=%s{login}",
        b'{"action":"A\\\\","appclass":"","login":"u\\\\"}',
    )
    assert lines == [b"LEEF:1.0|Zscaler|NSS|4.1|e|cat=A%5C\tusrName=u%5C"]


def test_the_epoch_time_wins_over_a_time_without_a_zone() -> None:
    record = b'{"time":"Fri Oct  6 11:05:08 2023",' + TIME + b"}"
    assert rendered("%s{time}", record) == [b"Fri Oct  6 09:05:08 2023"]


def test_a_placeholder_is_no_time() -> None:
    record = b'{"time":"N/A",' + TIME + b"}"
    assert rendered("%d{epochtime}", record) == [b"1696583108"]
    pipeline = Pipeline(json_names(), FeedSettings(presets.load("MCAS")))
    bad = pipeline.run(b'{"time":"N/A","login":"a"}\n').bad
    assert [record.reason for record in bad] == ["the record has no time"]
