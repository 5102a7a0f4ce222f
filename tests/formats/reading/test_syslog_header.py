"""Syslog headers: what stands before the content of a line, whoever wrote it."""

from datetime import UTC, datetime

import pytest

from formats.reading.syslog_header import content_starts, header_end
from nss.config.sinks import SyslogSinkConfig
from nss.sinks.syslog.header import Header

CONTENT = b'"Fri Oct  6 09:05:08 2023","ana"'
MOMENT = datetime(2023, 10, 6, 9, 5, 8, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "header",
    [
        b"<134>",
        b"<0>",
        b"<134>Oct  6 09:05:08 relay ",
        b"<134>Oct  6 09:05:08 10.0.0.1 zscaler-nss: ",
        b"<134>Oct 16 09:05:08 fe80::1 zscaler-nss[123]: ",
        b"<134>Oct  6 09:05:08 ",
        b"<134>Oct  6 2023 09:05:08 relay: ",
        b"Oct  6 09:05:08 relay zscaler-nss: ",
        b"Oct 06 09:05:08 zscaler-nss: ",
        b"2023-10-06T09:05:08.123456+00:00 relay zscaler-nss: ",
        b"<134>1 2023-10-06T09:05:08.123Z relay zscaler-nss - - - ",
        b"<134>1 - - - - - - ",
        b'<134>1 2023-10-06T09:05:08+02:00 relay app 12 ID47 [a@1 b="c \\"] d" e=""][f] ',
        b"<134>1 2023-10-06T09:05:08Z relay zscaler-nss - - - \xef\xbb\xbf",
        b"\xef\xbb\xbf<134>1 2023-10-06T09:05:08Z relay zscaler-nss - - - ",
        b"<134>1 zscaler-nss: ",
    ],
)
def test_content_begins_where_the_header_ends(header: bytes) -> None:
    assert header_end(header + CONTENT) == len(header)


@pytest.mark.parametrize("rfc5424", [False, True])
def test_the_headers_of_our_own_sinks_end_where_the_line_begins(rfc5424: bool) -> None:  # noqa: FBT001 - both
    settings = SyslogSinkConfig(destinations=(), pri=134, rfc5424=rfc5424, hostname="h\xf6st")
    header = Header(settings, lambda: MOMENT)()
    assert header.startswith(b"<134>")
    assert header_end(header + CONTENT) == len(header)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        CONTENT,
        b"Fri Oct  6 09:05:08 2023\tana",
        b"2023-10-06 09:05:08\treason=Allowed",
        b"2023-10-06T09:05:08Z\treason=Allowed",
        b"|ZSCALER|DATE|Oct 6 09:05:08|",
        b"<1234>x",
        b"<-1>x",
        b"<a> x",
        b"<134",
        b'{"time":"Oct  6 09:05:08"}',
    ],
)
def test_a_line_without_a_header_has_none(line: bytes) -> None:
    assert header_end(line) == 0


def test_what_may_be_header_or_content_is_left_to_the_reader_of_the_content() -> None:
    line = b"<134>Oct 06 09:05:08 host zscaler-nss: LEEF:1.0|"
    assert [line[at:] for at in content_starts(line)] == [
        b"Oct 06 09:05:08 host zscaler-nss: LEEF:1.0|",
        b"host zscaler-nss: LEEF:1.0|",
        b"zscaler-nss: LEEF:1.0|",
        b"LEEF:1.0|",
    ]


@pytest.mark.parametrize(
    ("hostile", "end"),
    [
        (b"<134>1 - - - - - " + b"[a " * 100_000, 7),
        (b"<134>1 - - - - - " + b'[a b="c"' * 100_000, 7),
        (b"<134>1 - - - - - " + b'[a b="' + b"\\" * 300_001, 7),
        (b"<134>1 - - - - - " + b"[a]" * 100_000, 300_017),
        (b"<134>1 - - - - - [a" + b' b="c"' * 100_000, 7),
        (b"<134>1 - - - - - [a" + b" =" * 100_000, 7),
        (b"<134>1 - " + b"a" * 300_000, 7),
        (b"<134>Oct  6 09:05:08 " + b"a" * 300_000, 21),
        (b"<134>Oct  6 09:05:08 a " + b"[" * 300_000, 23),
    ],
)
def test_a_hostile_header_is_looked_at_once(hostile: bytes, end: int) -> None:
    assert header_end(hostile) == end
