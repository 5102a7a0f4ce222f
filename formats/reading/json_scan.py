"""What JSON lines show without decoding: header, lengths, depth, line ends, quotes, controls."""

import re

from formats.reading.syslog_header import header_end

# Where a control character may be in JSON: escaped, or raw from DEL on (JSON itself refuses raw
# C0). An escaped backslash before one of the letters is found too: that costs one slow record.
# Each begins with one byte, to which memchr skips, ten times faster than the regex engine does.
_UNSAFE = (
    (b"\\", re.compile(rb"\\(?:[bfnrt]|u00[0189]|u007[fF]|u202[89])").match),
    (b"\x7f", re.compile(rb"\x7f").match),
    (b"\xc2", re.compile(rb"\xc2[\x80-\x9f]").match),
    (b"\xe2", re.compile(rb"\xe2\x80[\xa8\xa9]").match),
)
_BRACE = ord("}")
_OBJECT = re.compile(rb"(?:\[\s*)?\{")

MAX_DEPTH = 128
"""How deep JSON may be nested. How deep a decoder gets depends on Python's version, and on how many
calls deep it is itself: a verdict must not."""

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_OPENING = b"[{"


def bare(line: bytes) -> bytes:
    """Return the JSON of a line without byte order mark and without a syslog header before it."""
    line = line.strip()
    if line[:1] == b"{":
        return line
    line = line.removeprefix(b"\xef\xbb\xbf")
    found = _OBJECT.search(line, header_end(line))
    return line if found is None or line[:1] in b'[{"' else line[found.start() :]


def brackets_opened(data: bytes) -> int:
    """Return how many opening brackets there are, those in strings too: no less than the depth."""
    return data.count(b"{") + data.count(b"[")


def is_too_deep(line: bytes) -> bool:
    """Whether values are nested deeper than `MAX_DEPTH` in JSON, or before it breaks off."""
    if brackets_opened(line) <= MAX_DEPTH:
        return False
    depth = 0
    for bracket in _STRING.sub(b"", line).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in _OPENING else -1
        if depth > MAX_DEPTH:
            return True
    return False


def quotes_in(data: bytes) -> int:
    """Return how many quotes begin or end a string: all but those behind a backslash."""
    count = data.count(b'"')
    find = data.find
    at = find(b"\\")
    while at >= 0:
        if data[at + 1 : at + 2] == b'"':
            count -= 1
        at = find(b"\\", at + 2)
    return count


def quotes_of(tree: object) -> int:
    """Return how many quotes a decoded value was written with, if it held no key twice."""
    count = 0
    left = [tree]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            count += 2 * len(value)
            values = list(value.values())
        else:
            values = value if isinstance(value, list) else [value]
        kinds = list(map(type, values))
        count += 2 * kinds.count(str)
        if dict in kinds or list in kinds:
            left += [value for value in values if isinstance(value, dict | list)]
    return count


def objects_by_line(data: bytes) -> int:
    """Return the number of lines of decoded data, or -1 if objects and lines may not be the same.

    As many objects as lines could be two on one line and one on two lines, and then a record's
    number isn't its line's. A line feed between `}` and `{` stands only where a top-level object
    ends.
    """
    lines = 0
    find, startswith = data.find, data.startswith
    end = find(b"\n")
    last = len(data) - 1
    while end >= 0:
        lines += 1
        if not startswith(b"}\n{", end - 1) and (end < last or data[end - 1] != _BRACE):
            return -1
        end = find(b"\n", end + 1)
    return lines + (data[-1:] not in {b"\n", b""})


def longest_fits(data: bytes, max_record_bytes: int) -> bool:
    """Whether no line is too long: from line to line in the largest steps that show it."""
    at = 0
    while len(data) - at > max_record_bytes:
        at = data.rfind(b"\n", at, at + max_record_bytes + 1) + 1
        if not at:
            return False
    return True


def unsafe_places(data: bytes) -> list[int]:
    """Return where in the data a control character may be, in order."""
    places = []
    find = data.find
    for byte, match in _UNSAFE:
        at = find(byte)
        while at >= 0:
            if match(data, at):
                places.append(at)
            at = find(byte, at + 1)
    places.sort()
    return places


def suspect_lines(data: bytes) -> list[int]:
    """Return the numbers of the lines that may hold a control character."""
    suspects: list[int] = []
    line, end = 0, data.find(b"\n")
    for place in unsafe_places(data):
        while 0 <= end < place:
            line += 1
            end = data.find(b"\n", end + 1)
        if not suspects or suspects[-1] != line:
            suspects.append(line)
    return suspects
