"""Lines of text through the compiled core: what it prints of them is what Python prints."""

import random
import time

import pytest

from formats import presets
from formats.errors import NotReadable
from formats.language import FeedFormat, parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading import Input
from formats.reading.json import json_names
from formats.reading.recognise import input_of
from nss.lab.generator import RecordGenerator
from tests.formats.compiled.judged import Judged, needs_core
from tests.formats.compiled.test_equality import FUZZ_SECS, seeded
from tests.formats.compiled.text_lines import HostileLines, random_lines_pair
from tests.formats.test_properties import GOLDEN, mutations

pytestmark = needs_core

READ = sorted({*presets.names()} - {"JSON"})
TIMELESS = "%s{login}|%s{ua}|%d{reqsize}|%s{eurl}|%s{action}"
"""What is printed of presets whose time has no year."""


def judged(name: str, output: str = "JSON", max_record_bytes: int = 9000) -> Judged:
    source = presets.load(name)
    printed = presets.load(output) if {"yy", "time"} & source.field_names else parse(TIMELESS)
    return Judged(input_of(source), FeedSettings(printed, max_record_bytes=max_record_bytes))


def printed(name: str, records: int) -> bytes:
    """Return lines of a preset with the share of hostile records that the lab makes."""
    data = RecordGenerator(5, flat=True).batch(records)
    lines = Pipeline(json_names(), FeedSettings(presets.load(name))).run(data).lines
    return b"".join(line + b"\n" for line in lines)


@pytest.mark.parametrize("output", ["JSON", "CSV"])
@pytest.mark.parametrize("name", READ)
def test_lines_of_every_preset_are_read_in_the_core(name: str, output: str) -> None:
    both = judged(name, output, 1 << 20)
    data = printed(name, 200)
    assert len(both.check(data)) == 200
    assert both.handed_over(data) < len(data.splitlines()) * 0.02


@pytest.mark.parametrize("name", READ)
def test_lines_of_the_vendor_are_read_the_same(name: str) -> None:
    assert judged(name).check((GOLDEN / f"{name}.txt").read_bytes())


@pytest.mark.parametrize("name", presets.names())
def test_hostile_lines_end_the_same(name: str) -> None:
    both, chance = judged(name), seeded(f"lines {name}")
    hostile = HostileLines(chance, presets.load(name))
    until = time.monotonic() + FUZZ_SECS / 5
    while time.monotonic() < until:
        both.check(hostile.batch())


def test_lines_of_random_formats_are_read_the_same() -> None:
    chance = seeded("formats of lines")
    until = time.monotonic() + FUZZ_SECS
    compiled = 0
    while time.monotonic() < until or compiled <= 5:
        both, hostile = random_lines_pair(chance)
        compiled += both.engine is not None
        for _ in range(10):
            both.check(hostile.batch())


@pytest.mark.parametrize("name", ["QRADAR", "RSA_SECURITY", "CSV", "TAB_SEPARATED"])
def test_lines_may_be_cut_and_changed_anywhere(name: str) -> None:
    both = judged(name)
    rows = (GOLDEN / f"{name}.txt").read_bytes().splitlines(keepends=True)
    data = b"".join(sorted(rows, key=len)[:2])
    for end in range(0, len(data), 3):
        both.check(data[:end])
        both.check(data[end:])
    for changed in mutations(rows, FUZZ_SECS / 4):
        both.check(changed)


def test_what_ends_a_line_belongs_to_no_value() -> None:
    both = Judged(
        input_of(parse("LEEF:1.0|a|b|c|%s{reason}|usrName=%s{login}")),
        FeedSettings(parse("%s{reason} %s{login}")),
    )
    row = b"LEEF:1.0|a|b|c|x|usrName=ana"
    assert both.check(row + b"\r\n" + row + b"\n" + row) == [b"x ana"] * 3
    assert both.check(row + b"\r\r\n") == [b"x ana%0D"]


def test_quotes_and_backslashes_stand_raw_in_lines_and_are_guarded() -> None:
    both = Judged(input_of(parse("a=%s{login}\\tb=%s{ua}")), FeedSettings(parse('"%s{login}"')))
    data = b'a=x"y\tb=1\na=x\\\tb=1\n'
    both.check(data)
    assert both.handed_over(data) == 0


@pytest.mark.parametrize(
    ("named", "separator"),
    [("^|", b"^"), ("", b"\t"), ("|", b"\t"), ("0x5E|", b"^"), ("x09|", b"\t"), ("^^|", b"^")],
)
def test_leef_names_its_separator_line_by_line(named: str, separator: bytes) -> None:
    both = Judged(
        input_of(parse("LEEF:1.0|a|b|c|%s{reason}|usrName=%s{login}\\tsrc=%s{cip}")),
        FeedSettings(parse("%s{login} %s{cip}")),
    )
    data = b"LEEF:2.0|a|b|c|d|" + named.encode() + b"usrName=ana" + separator + b"src=10.0.0.1\n"
    first = b"LEEF:1.0|a|b|c|d|usrName=a^b\tsrc=10.0.0.1\n"
    assert both.check(first + data + first + data)[1] == b"ana 10.0.0.1"


def test_a_key_that_comes_twice_must_say_the_same() -> None:
    both = Judged(
        input_of(parse("user=%s{login}^^n=%d{reqsize}^^c=%s{cip}")),
        FeedSettings(parse("%s{login} %d{reqsize}")),
    )
    data = b"user=a^^n=1^^n=1^^user=a\nuser=a^^n=1^^user=b\nuser=a^^n=^^n=-\nuser=a^^c=1^^c=2\n"
    assert both.check(data) == [b"a 1", b"a 0"]


def test_columns_of_another_layout_are_told_by_their_values() -> None:
    both = judged("TAB_SEPARATED", "QRADAR")
    old = printed("TAB_SEPARATED_OLD", 5)
    assert len(both.check(old + printed("TAB_SEPARATED", 5))) == 10
    assert both.handed_over(old) == 5


def test_very_long_lines_and_many_pieces_end_the_same() -> None:
    both = judged("SPLUNK_CIM", "QRADAR", 2_000_000)
    row = (GOLDEN / "SPLUNK_CIM.txt").read_bytes().splitlines()[0]
    for more in (b"=", b"\t", b"\t=", b"a=", b"\ta=b", b'"', b"\\", b"\xc3\xa9", b"x"):
        both.check(row + b"\tlast=" + more * 50_000 + b"\n" + row)
    leef = (GOLDEN / "QRADAR.txt").read_bytes().splitlines()[0]
    both = judged("QRADAR", "JSON", 2_000_000)
    for more in (b"L", b"LEEF:1.0", b"LEEF:1.0|", b"|"):
        both.check(more * 50_000 + b"\n" + more * 9000 + leef)


def test_the_longest_line_is_where_python_puts_it() -> None:
    source = input_of(parse("a=%s{login}\\tb=%s{ua}"))
    both = Judged(source, FeedSettings(parse("%s{login}"), max_record_bytes=40))
    for size in range(25, 45):
        row = b"a=" + b"x" * size + b"\tb="
        both.check(row + b"\r\n" + row)


def test_a_batch_of_white_space_has_no_lines() -> None:
    both = judged("TAB_SEPARATED")
    for data in (b"", b"\n", b"\t\t\t\n", b"\r\n", b" ", b"\n\n\t"):
        assert both.check(data) == []


def test_many_columns_and_keys_are_read_the_same() -> None:
    chance = random.Random(4)
    names = sorted(input_of(presets.load("QRADAR")).available)
    for glue in (",", "\\t", '","'):
        feed_format = parse(glue.join(f"%s{{{name}}}" for name in names if name[0] < "p"))
        both = Judged(input_of(feed_format), FeedSettings(parse("%s{cip}|%s{action}")))
        hostile = HostileLines(chance, feed_format)
        for _ in range(20):
            both.check(hostile.batch())


@pytest.mark.parametrize("name", ["JSON", *READ])
@pytest.mark.parametrize(
    "header",
    [
        b"<134>",
        b"<134>1 2023-10-06T09:05:08.123Z host app 12 - - ",
        b'<134>1 - host app 12 id [meta@1 text="]{\\"" n="2"][x] ',
        b"<134>Oct  6 09:05:08 relay nss[12]: ",
        b"Oct  6 09:05:08 relay ",
        b"2023-10-06T09:05:08.123456+02:00 relay nss: ",
    ],
)
def test_lines_behind_a_syslog_header_are_read_the_same(name: str, header: bytes) -> None:
    both = judged(name, "QRADAR", 1 << 20)
    rows = printed(name, 20).splitlines(keepends=True)
    data = b"".join(header + row for row in rows)
    assert len(both.check(data)) == 20
    told = name == "JSON" or b"LEEF:" in data or header[:7] in {b"<134>", b"<134>1 "}
    told = told or rows[0].startswith((b'"', b"datetime=", b"<134>", b"|Z"))
    assert both.handed_over(data) == (0 if told else 20)


def test_values_that_may_hold_a_key_of_cef_are_told_as_python_does() -> None:
    both = Judged(
        input_of(parse("CEF:0|a|b|c|d|%s{action}|3|act=%s{reason} cat=%s{urlcat} suser=%s{login}")),
        FeedSettings(parse("%s{action} %s{reason} %s{urlcat} %s{login}")),
    )
    rows = [
        f"CEF:0|a|b|c|d|{action}|3|act={reason} cat={urlcat} suser={login}"
        for action, reason, urlcat, login in (
            ("x", "y", "z", "ana"), ("x", "a cat=b", "z", "ana"), ("x", "y", "z", "a suser=b"),
            ("x|b|c", "y", "z", "ana"), ("", "", "", ""), ("x", "q?a=1&b=2", "=", " = "),
            ("x|3|act=q", "y", "z", "ana"), ("x", "y", "z suser=q", "ana"),
        )
    ]  # fmt: skip
    for row in rows:
        both.check(row.encode())
    assert [both.handed_over(row.encode()) for row in rows] == [0, 1, 1, 1, 0, 0, 1, 1]


@pytest.mark.parametrize(
    "text",
    ["", "abc", "%s{login}", "%s{login}\\t", "\\t", ",", ",,", "=", "a=", "a=%s{login}", '"', '""',
     '"%s{login}"', "|", "LEEF:1.0|", "CEF:0|%s{login}|", "\\{", "\\{\\}", "%d{epochtime}",
     "%s{time}", "%s{login}%s{ua}", "%s{login}, %s{login}", "x%s{login}x%s{login}x", " %s{login} "],
)  # fmt: skip
def test_formats_of_next_to_nothing_read_and_print_the_same(text: str) -> None:
    feed_format = parse(text)
    lines = b'\nann\nabc\na=ann\n\t\n,\n"ann"\n"\n|\nxannxbobx\n1\n{}\n'
    for printed in (feed_format, parse("%s{login}|%d{epochtime}")):
        for source in (_input_of(feed_format), json_names()):
            if source is not None:
                both = Judged(source, FeedSettings(printed))
                both.check(lines + b'{"login":"ann","epochtime":1}\n')


def _input_of(feed_format: FeedFormat) -> Input | None:
    try:
        return input_of(feed_format)
    except NotReadable:
        return None
