"""Where the content of a line begins: behind a syslog header, unless it is the content's own.

A line that begins as the feed format does is taken as it stands. So are all lines of a format that
begins with a text field: whoever wrote the value could have written a header too.
"""

import re
from collections.abc import Callable

from formats.language import FeedFormat, Literal, Slot
from formats.plan import Headers
from formats.reading.cells import unit_pattern
from formats.reading.syslog_header import content_starts, may_begin
from formats.structure import LineKind, Structure
from formats.structure.runs import units_of

_LEEF = "LEEF:"


def content_of(feed_format: FeedFormat, structure: Structure) -> Callable[[bytes], bytes] | None:
    """Return the function from a line to its content; `None` when lines are read as they stand.

    The structure is that of the format. A line without a header is returned as it is.
    """
    pattern = _beginning(feed_format, structure)
    if pattern is None:
        return None
    begins = re.compile(pattern.encode()).match

    def content(line: bytes) -> bytes:
        if may_begin(line) is None or begins(line) is not None:
            return line
        starts = content_starts(line)
        for start in starts:
            if begins(line, start) is not None:
                return line[start:]
        # A time in another form, keys in another order: nothing of ours begins with <PRI>.
        return line[starts[-1] :] if starts and b"<" in line[:4] else line

    return content


def headers_of(feed_format: FeedFormat, structure: Structure) -> Headers | None:
    """Return what `content_of` does as data; `None` when lines are read as they stand."""
    pattern = _beginning(feed_format, structure)
    if pattern is None:
        return None
    if _begins_with_key(structure):
        return Headers(with_key=True)
    first = (units_of(feed_format.parts) or (Literal(""),))[0]
    if isinstance(first, Literal):
        return Headers(_static(first.text))
    behind = _behind_first(feed_format, structure)
    dates = ("Oct 06 09:05:08", "Jan 31 23:59:59")
    begins = re.compile(pattern.encode()).match
    known = bool(behind) and all(begins(f"{date}{behind}".encode()) for date in dates)
    return Headers(date_behind=behind if known else "")


def _behind_first(feed_format: FeedFormat, structure: Structure) -> str:
    """Return the static text behind the first field or time of a format, if there is any."""
    if structure.separator and structure.kind is not LineKind.LEEF:
        return structure.separator
    _, *others = units_of(feed_format.parts)
    return _static(others[0].text) if others and isinstance(others[0], Literal) else ""


def _begins_with_key(structure: Structure) -> bool:
    return structure.kind is LineKind.KEYED and not structure.cells[0].key.startswith("#")


def _beginning(feed_format: FeedFormat, structure: Structure) -> str | None:
    """Return the pattern of what the lines of a format begin with; `None` if with any text."""
    if _begins_with_key(structure):
        return r"[A-Za-z][\w.\-]*="
    first, *others = units_of(feed_format.parts) or (Literal(""),)
    if isinstance(first, Literal):
        return re.escape(_static(first.text))
    known = unit_pattern(first) if isinstance(first, Slot | tuple) else None
    if known is None:
        return None
    if structure.separator and structure.kind is not LineKind.LEEF:
        return f"(?:{known})(?:{re.escape(structure.separator)}|\\Z)"
    if isinstance(first, Slot) and not others:  # of a host `fade` all letters are hexadecimal
        return rf"(?:{known})\s*\Z"
    behind = _static(others[0].text) if others and isinstance(others[0], Literal) else ""
    return f"(?:{known}){re.escape(behind)}"


def _static(text: str) -> str:
    """Return static text as far as every line has it: LEEF may be another version's or vendor's."""
    before, leef, _ = text.partition(_LEEF)
    return before + leef
