"""Records behind syslog headers: every input reads them, and no value looks like one."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from formats import presets
from formats.language import parse
from formats.pipeline import FeedSettings, Pipeline
from formats.reading.json import json_names
from formats.reading.recognise import input_of, recognise
from nss.config.sinks import SyslogSinkConfig
from nss.sinks.syslog.header import Header

GOLDEN = Path(__file__).parents[1] / "golden"
LINES = [name for name in presets.names() if name != "JSON"]
NOW = datetime(2026, 10, 6, 9, 5, 8, 123_000, tzinfo=UTC)

PLAIN = SyslogSinkConfig(destinations=(), pri=134)
WRAPPED = SyslogSinkConfig(destinations=(), pri=134, rfc5424=True, hostname="nss1.example.com")
OURS = [Header(settings, lambda: NOW)() for settings in (PLAIN, WRAPPED)]
OTHERS = [
    b"Oct  6 09:05:08 relay zscaler-nss: ",
    b"<13>Oct  6 09:05:08 192.0.2.1 ",
    b"<13>Oct  6 09:05:08 relay nss[1]: ",
    b"2026-10-06T09:05:08.123456+00:00 relay nss: ",
    b'<134>1 2026-10-06T09:05:08Z h a 1 ID [x@1 k="v \\" ]"] \xef\xbb\xbf',
    b"<134>1 - - - - - - ",
]


@pytest.mark.parametrize("header", [*OURS, *OTHERS])
@pytest.mark.parametrize("name", LINES)
def test_every_preset_is_read_behind_a_header(name: str, header: bytes) -> None:
    source, target = input_of(presets.load(name)), FeedSettings(presets.load(name))
    lines = (GOLDEN / f"{name}.txt").read_bytes().splitlines()
    behind = Pipeline(source, target).run(b"".join(header + line + b"\n" for line in lines))
    bare = Pipeline(source, target).run(b"".join(line + b"\n" for line in lines))
    assert (behind.lines, behind.bad) == (bare.lines, [])
    assert len(bare.lines) == len(lines)


@pytest.mark.parametrize("header", OURS)
@pytest.mark.parametrize("name", LINES)
def test_a_preset_is_recognised_behind_the_headers_of_our_sinks(name: str, header: bytes) -> None:
    lines = (GOLDEN / f"{name}.txt").read_bytes().splitlines()
    bare = recognise(b"".join(line + b"\n" for line in lines)).name
    assert recognise(b"".join(header + line + b"\n" for line in lines)).name == bare


@pytest.mark.parametrize(
    ("text", "line", "login"),
    [
        # nothing but a value could begin with that: it is one
        ("%s{login},%d{reqsize}", b"<134>ana,7", "<134>ana"),
        (r"%s{login}\t%d{reqsize}", b"<134>1 - - - - - - ana\t7", "<134>1 - - - - - - ana"),
        ("%s{login} [%d{reqsize}]", b"Oct  6 09:05:08 h nss: ana [7]", None),
        # the content's own beginning comes first
        ("<134>1 NSS: user=%s{login}^^size=%d{reqsize}", b"<134>1 NSS: user=ana^^size=7", "ana"),
        ('"%s{login}","%d{reqsize}"', b'"<134>ana","7"', "<134>ana"),
        ('"%s{login}","%d{reqsize}"', b'<134>"<13>ana","7"', "<13>ana"),
        ("%d{recordid},%s{login}", b"7,<134>ana", "<134>ana"),
        ("%d{recordid},%s{login}", b"<134>7,<134>ana", "<134>ana"),
        (r"user=%s{login}\tsize=%d{reqsize}", b"user=<134>ana\tsize=7", "<134>ana"),
        (r"user=%s{login}\tsize=%d{reqsize}", b"<134>Oct  6 09:05:08 h user=ana\tsize=7", "ana"),
        (r"user=%s{login}\tsize=%d{reqsize}", b"<134>size=7\tuser=ana", "ana"),
    ],
)
def test_a_value_is_never_taken_for_a_header(text: str, line: bytes, login: str | None) -> None:
    rendered = Pipeline(input_of(parse(text)), FeedSettings(parse("%s{login}"))).run(line + b"\n")
    login = line.decode().partition(" [")[0] if login is None else login
    assert (list(rendered.lines), rendered.bad) == ([login.encode()], [])


def test_a_time_that_another_writer_gave_is_no_header() -> None:
    """What follows a time may be anything, and must not become the time."""
    source = input_of(parse("%s{time} %s{login} %d{reqsize}"))
    line = b"2023-10-06T09:05:08Z h Sat Oct  7 00:00:00 2023 ana 7\n"
    rendered = Pipeline(source, FeedSettings(parse("%d{epochtime}"))).run(line)
    assert (list(rendered.lines), rendered.bad) == ([b"1696583108"], [])


@pytest.mark.parametrize(
    ("before", "header", "moment"),
    [
        # the format prints the header
        (
            "<134>1 %04d{yyyy}-%02d{mth}-%02d{dd}T%02d{hh}:%02d{mm}:%02d{ss}Z h a - - - ",
            b"<134>1 2023-10-06T09:05:08Z h a - - - ",
            b"1696583108",
        ),
        # a relay put its own in the place of the format's, or before it
        (
            "%s{mon} %02d{dd} %d{yy} %02d{hh}:%02d{mm}:%02d{ss} nss: ",
            b"<134>1 2023-10-06T09:05:08.5Z h a - - - ",
            b"1696583108",
        ),
        (
            "%s{mon} %02d{dd} %d{yy} %02d{hh}:%02d{mm}:%02d{ss} nss: ",
            b"<134>1 2026-10-06T09:05:08.5Z h a - - - Oct 06 2023 09:05:08 nss: ",
            b"1696583108",
        ),
    ],
)
def test_a_leef_header_may_state_the_time(before: str, header: bytes, moment: bytes) -> None:
    source = input_of(parse(f"{before}LEEF:1.0|V|P|1|%s{{reason}}|usrName=%s{{login}}"))
    pipeline = Pipeline(source, FeedSettings(parse("%d{epochtime} %s{login}")))
    rendered = pipeline.run(header + b"LEEF:1.0|V|P|1|ID|usrName=ana\n")
    assert (list(rendered.lines), rendered.bad) == ([moment + b" ana"], [])


@pytest.mark.parametrize("host", [b"", b"host ", b"fade "])
def test_a_header_before_a_number_in_hexadecimal_is_left_out(host: bytes) -> None:
    source = input_of(parse("%x{reqsize}"))
    line = b"<134>Oct  6 09:05:08 " + host + b"app: 41a\n"
    rendered = Pipeline(source, FeedSettings(parse("%d{reqsize}"))).run(line + b"41a\n")
    assert (list(rendered.lines), rendered.bad) == ([b"1050"] * 2, [])


def test_json_names_are_not_affected() -> None:
    rendered = Pipeline(json_names(), FeedSettings(parse("%s{login}"))).run(
        b'<134>Oct  6 09:05:08 h nss: {"login":"<134>ana"}\n'
    )
    assert (list(rendered.lines), rendered.bad) == ([b"<134>ana"], [])
