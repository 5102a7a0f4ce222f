"""What LEEF allows: parsing of LEEF 1.0 and 2.0.

Source: IBM QRadar "Log Event Extended Format" guide. LEEF defines no escaping: an attribute's
value is everything up to the next separator, and `=` in it is harmless after the first one.
"""

import re

from formats.dataclass import dataclass

HEADER = re.compile(
    r"LEEF:(?P<version>1\.0|2\.0)\|(?P<vendor>[^|]*)\|(?P<product>[^|]*)"
    r"\|(?P<product_version>[^|]*)\|(?P<event_id>[^|]*)\|"
)
"""A LEEF header. In version 2.0 a delimiter and another pipe may follow, see `split_body`."""


class LeefError(ValueError):
    """A line is not a LEEF event; the text is the reason."""


@dataclass(frozen=True, slots=True)
class LeefEvent:
    """One parsed LEEF event. `syslog` is what stood before it."""

    syslog: str
    version: str
    vendor: str
    product: str
    product_version: str
    event_id: str
    attributes: dict[str, str]


def parse(line: str) -> LeefEvent:
    """Parse a LEEF 1.0 or 2.0 line, with or without a syslog header.

    Strict where an event would be lost or forged: raises `LeefError` for a missing header, line
    breaks, an attribute without key or `=`, and a key that comes twice.
    """
    line = line.removesuffix("\n").removesuffix("\r")
    if "\n" in line or "\r" in line or "\0" in line:
        raise LeefError("a control character breaks the line")
    header = HEADER.search(line)
    if header is None:
        raise LeefError("no LEEF:1.0 or LEEF:2.0 header with five fields")
    separator, body = split_body(line, header)
    attributes: dict[str, str] = {}
    for piece in body.split(separator):
        if not piece:
            continue
        key, equals, value = piece.partition("=")
        if not key or not equals:
            missing = "key before =" if equals else "="
            raise LeefError(f"no {missing} in attribute {piece[:40]!r}")
        if key in attributes:
            raise LeefError(f"key {key[:40]!r} comes twice")
        attributes[key] = value
    syslog = line[: header.start()].rstrip(" ")
    return LeefEvent(syslog, **header.groupdict(), attributes=attributes)


def split_body(line: str, header: re.Match[str]) -> tuple[str, str]:
    """Return the separator of a line's attributes, and the attributes as they stand there."""
    body = line[header.end() :]
    if header["version"] == "2.0":
        delimiter, pipe, rest = body.partition("|")
        # QRadar reads a 2.0 header without a delimiter field as one with TAB.
        if pipe and "=" not in delimiter:
            return leef_delimiter(delimiter), rest
    return "\t", body


def leef_delimiter(written: str) -> str:
    """Return the character that a LEEF 2.0 header names: itself, or `0x`/`x` and hex digits."""
    found = re.fullmatch(r"(?:0x|x|\\x)([0-9A-Fa-f]{1,4})", written)
    if found is not None:
        return chr(int(found[1], 16))
    return written[:1] or "\t"


def unfit_delimiter(written: str) -> str | None:
    """Return what NSS itself writes the character for that a LEEF 2.0 header names, if it does.

    The delimiter must not come out of a value, so NSS encodes it there; but it is in what NSS
    encodes it as, or in values that can't be encoded without becoming something else.
    """
    delimiter = leef_delimiter(written)
    if delimiter.isascii() and delimiter.isalnum():
        return "in keys, numbers, times and placeholders"
    if "\ud800" <= delimiter <= "\udfff":
        return "half a character, and no part of a line"
    return WRITTEN.get(delimiter)


_IN_MOMENTS, _IN_MARKS = "in times, zones and addresses", "the mark [...] of values that were cut"

WRITTEN = {
    "%": "in %HH, as characters are encoded",
    "=": "between key and value",
    **dict.fromkeys(" :+-", _IN_MOMENTS),
    ".": f"in addresses, and in {_IN_MARKS}",
    **dict.fromkeys("[]", f"in {_IN_MARKS}"),
    "/": "in URLs and base64",
    "\\": "an escape for some readers",
    **dict.fromkeys("\n\r\0", "no part of a line"),
}
"""What NSS itself writes these characters for, in values or around them; letters and digits too."""
