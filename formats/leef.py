"""What LEEF allows: parsing of LEEF 1.0 and 2.0.

Source: IBM QRadar "Log Event Extended Format" guide. LEEF defines no escaping: an attribute's
value is everything up to the next separator, and `=` in it is harmless after the first one.
"""

import re
from dataclasses import dataclass

_HEADER = re.compile(r"LEEF:(1\.0|2\.0)\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|")


class LeefError(ValueError):
    """A line is no LEEF event; the text tells why."""


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
    found = _HEADER.search(line)
    if found is None:
        raise LeefError("no LEEF:1.0 or LEEF:2.0 header with five fields")
    version, vendor, product, product_version, event_id = found.groups()
    body = line[found.end() :]
    separator = "\t"
    if version == "2.0":
        delimiter, pipe, rest = body.partition("|")
        # QRadar takes a 2.0 header without a delimiter field for TAB.
        if pipe and "=" not in delimiter:
            separator, body = leef_delimiter(delimiter), rest
    attributes: dict[str, str] = {}
    for piece in body.split(separator):
        if not piece:
            continue
        key, equals, value = piece.partition("=")
        if not equals:
            raise LeefError(f"no = in attribute {piece[:40]!r}")
        if not key:
            raise LeefError(f"no key before = in attribute {piece[:40]!r}")
        if key in attributes:
            raise LeefError(f"key {key[:40]!r} comes twice")
        attributes[key] = value
    return LeefEvent(
        line[: found.start()].rstrip(" "),
        version,
        vendor,
        product,
        product_version,
        event_id,
        attributes,
    )


def leef_delimiter(written: str) -> str:
    """Return the character that a LEEF 2.0 header names: itself, or `0x`/`x` and hex digits."""
    found = re.fullmatch(r"(?:0x|x|\\x)([0-9A-Fa-f]{1,4})", written)
    if found is not None:
        return chr(int(found[1], 16))
    return written[:1] or "\t"
