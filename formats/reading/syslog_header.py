"""The syslog header that a record may stand behind: where it ends, and where the record may begin.

    <PRI>                                                       as our syslog sinks write it
    <PRI>1 TIMESTAMP HOST APP PROCID MSGID STRUCTURED-DATA      RFC 5424
    [<PRI>]Mmm dd hh:mm:ss [HOST] [TAG[PID]:]                   RFC 3164, as relays write it
    [<PRI>]YYYY-MM-DDThh:mm:ss.ffffff+hh:mm HOST [TAG[PID]:]    RFC 3164 with rsyslog's timestamp

Every pattern is bounded or possessive: a hostile line is looked at once, from its beginning.
"""

import re
from collections.abc import Sequence

_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_ISO = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_PRI = rb"<\d{1,3}>"
_BOM = b"\xef\xbb\xbf"

may_begin = re.compile(
    rb"(?:%b)?(?:%b|%b [ \d]?\d (?:\d{4} )?\d\d:|%b )" % (_BOM, _PRI, _MONTH, _ISO)
).match
"""Finds out cheaply that a line has no header."""

_PARAMETER = rb' [!-~]{1,255}?="(?>[^"\\]++|\\.)*+"'
_ELEMENT = rb'\[[^\s=\]"]{1,255}(?:%b)*+\]' % _PARAMETER
_RFC5424 = re.compile(
    rb"(?:%b)?%b1 (?P<stamp>-|%b) [!-~]{1,255} [!-~]{1,255} [!-~]{1,255} [!-~]{1,255}"
    rb" (?:-|(?:%b)++)(?: |\Z)(?:%b)?" % (_BOM, _PRI, _ISO, _ELEMENT, _BOM)
)
_RFC3164 = re.compile(
    rb"(?:%b)?(?P<pri>%b(?P<version>1 )?)?"
    rb"(?P<stamp>(?:%b [ \d]?\d(?: \d{4})? \d\d:\d\d:\d\d(?:[.,]\d{1,9})?|%b) "
    rb"(?P<host>[\w.:%%\-]{1,255}(?<!:) )?)?"
    rb'(?P<tag>[^\s:\[\]<>"{}|=,]{1,64}(?:\[[^\s\]]{0,32}\])?: )?'
    % (_BOM, _PRI, _MONTH, _ISO)
)  # fmt: skip


def header_end(line: bytes) -> int:
    """Return where the content behind a syslog header begins; 0 when the line has none.

    It is the longest header that the line may have: of content that looks like one itself (LEEF
    and CEF as the vendor sends them), the beginning is skipped too. Never raises.
    """
    return max(content_starts(line), default=0)


def content_starts(line: bytes) -> Sequence[int]:
    """Return where the content behind a syslog header may begin, the likeliest first.

    Empty when the line has no header. An RFC 5424 header has one end; for the others it depends on
    the content whether a timestamp, a host and a tag are still part of them. Never raises.
    """
    if may_begin(line) is None:
        return ()
    found = _RFC5424.match(line)
    if found is not None:
        return (found.end(),)
    found = _RFC3164.match(line)
    if found is None or (found["pri"] is None and found["stamp"] is None):
        return ()
    version = found.start("version") if found["version"] else -1
    host = found.start("host") if found["host"] else -1
    places = (version, found.end("pri"), host, found.end("stamp"), found.end("tag"))
    return sorted({place for place in places if place > 0})


def timestamp(line: bytes) -> str | None:
    """Return the timestamp of an RFC 5424 header; `None` for a line without one."""
    found = _RFC5424.match(line)
    return None if found is None or found["stamp"] == b"-" else found["stamp"].decode("ascii")
