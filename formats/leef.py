"""What LEEF allows: parsing of LEEF 1.0 and 2.0, and fitting a line to a size.

Source: IBM QRadar "Log Event Extended Format" guide. LEEF defines no escaping: an attribute's
value is everything up to the next separator, and `=` in it is harmless after the first one.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from itertools import pairwise
from typing import Any
import msgspec
from formats.fields import TIME_FIELDS
from formats.language import FeedFormat, Literal, Part, Slot

import re
from collections.abc import Sequence
from dataclasses import dataclass

from formats.structure import leef_delimiter
from formats.values import cut

MARK = "[...]"
"""Stands at the end of a value that was cut."""

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


def shorten(pieces: Sequence[str], cuttable: Sequence[int], max_bytes: int) -> bytes | None:
    """Join the pieces of a line into at most `max_bytes`, cutting some of its values.

    `pieces` are static texts and values in order; only those at the indices `cuttable` are cut:
    always the longest, down to the next longest or as far as needed, ending in `MARK`. Works for
    any format, because the structure is never touched. Returns `None` when cutting all of them
    is not enough.
    """
    sizes = [len(piece.encode()) for piece in pieces]
    excess = sum(sizes) - max_bytes
    kept = list(pieces)
    if excess > 0:
        most = _level(sorted((sizes[index] for index in cuttable), reverse=True), excess)
        if most < len(MARK):
            return None
        for index in cuttable:
            kept[index] = cut(pieces[index], most, MARK)
    return "".join(kept).encode()


def _level(sizes: Sequence[int], excess: int) -> int:
    """Return the most that each of the `sizes` (largest first) may keep to lose `excess` in all.

    Negative when all of them together are less than that.
    """
    together = 0
    level = -1
    for count, size in enumerate(sizes, 1):
        if size <= level:
            break
        together += size
        level = (together - excess) // count
    return level


def leef_delimiter(written: str) -> str:
    """Return the character that a LEEF 2.0 header names: itself, or `0x`/`x` and hex digits."""
    found = re.fullmatch(r"(?:0x|x|\\x)([0-9A-Fa-f]{1,4})", written)
    if found is not None:
        return chr(int(found[1], 16))
    return written[:1] or "\t"
