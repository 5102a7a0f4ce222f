"""The contract of reading: the bytes of a batch become records.

A batch is lines, each ended by LF, each one record (a JSON array on a line is several, a line of
nothing but white space none). A record that can't be read is set apart with its reason and offset;
its neighbours are not affected.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from formats.dataclass import dataclass
from formats.language import FeedFormat
from formats.plan import Attribute, KeyTable, TimeKey

MAX_RECORD_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that can't be read. `line` counts from 0, blank ones left out, `offset` is its
    first byte's place.

    `data` is the whole line, or the record's own bytes where a JSON array has several on a line.
    """

    line: int
    offset: int
    reason: str
    data: bytes


class BadLine(ValueError):  # noqa: N818 - its text is the reason of a reject
    """A line holds no record of the input's form; the text is the reason."""


@dataclass(slots=True)
class Decoded:
    """What a batch held. `suspects` are indices of records that may hold control characters.

    `line_of` is the line of each record; it is empty when record `i` is line `i`. Where records
    share a line, `pieces` has the offset and the bytes of each by its index. `unmapped` are
    keys that no field is known for, and in how many records each was: at most 64 names of at most
    64 characters, what is beyond that under `...`. Only JSON has any.
    """

    records: list[Any] = field(default_factory=list)
    line_of: list[int] = field(default_factory=list)
    suspects: list[int] = field(default_factory=list)
    bad: list[BadRecord] = field(default_factory=list)
    unmapped: Counter[str] = field(default_factory=Counter)
    pieces: dict[int, tuple[int, bytes]] = field(default_factory=dict)


Reader = Callable[[bytes], Decoded]
"""Reads a batch into its records, in order, and those set apart. Never raises."""


@runtime_checkable
class KeyedReader(Protocol):
    """A reader of JSON objects that can say which keys it reads."""

    @property
    def table(self) -> KeyTable | None:
        """The keys; `None` when there is more to reading the records than their keys."""

    def __call__(self, data: bytes) -> Decoded:
        """Read a batch, as every reader does."""


@dataclass(frozen=True, slots=True)
class Input:
    """A form in which records come: which fields it can provide, and how to read them.

    `reader(attributes, max_record_bytes)` makes a reader; every reader's records also have the
    attributes of `time_key`. `doubts` are sentences on values that may be read back wrong. `format`
    is the feed format that prints such records; `None` for JSON that is read by the names of its
    keys.
    """

    name: str
    available: frozenset[str]
    time_key: TimeKey
    reader: Callable[[Sequence[Attribute], int], Reader]
    doubts: tuple[str, ...] = ()
    format: FeedFormat | None = None


def count_lines(data: bytes) -> int:
    """Return the number of lines in `data`; the last one may lack its LF.

    Hops from LF to LF with memchr: three to four times faster than `bytes.count` for lines of
    about 1 KB, which compares byte by byte.
    """
    lines, at = 0, data.find(b"\n")
    while at >= 0:
        lines += 1
        at = data.find(b"\n", at + 1)
    return lines + (data[-1:] not in {b"\n", b""})


def split_lines(data: bytes) -> list[tuple[int, bytes]]:
    """Return the lines of a batch with their offsets, those of white space alone left out."""
    lines, offset = [], 0
    for line in data.split(b"\n"):
        if line and not line.isspace():
            lines.append((offset, line))
        offset += len(line) + 1
    return lines


def decode_lines(
    data: bytes, max_record_bytes: int, records_of: Callable[[bytes], tuple[Sequence[Any], bool]]
) -> Decoded:
    """Decode a batch line by line, and set apart what `records_of` raises `BadLine` for.

    It returns the records of a line, and whether they may hold control characters.
    """
    decoded = Decoded()
    for index, (offset, line) in enumerate(split_lines(data)):
        try:
            admit(line, max_record_bytes)
            records, suspect = records_of(line)
        except BadLine as error:
            decoded.bad.append(BadRecord(index, offset, str(error), line))
            continue
        if suspect:
            first = len(decoded.records)
            decoded.suspects.extend(range(first, first + len(records)))
        decoded.records.extend(records)
        decoded.line_of.extend([index] * len(records))
    return decoded


def admit(line: bytes, max_record_bytes: int) -> None:
    """Raise `BadLine` for a line that is too long or blank."""
    if len(line) > max_record_bytes:
        raise BadLine(f"longer than max_record_bytes ({max_record_bytes})")


def field_in(text: str, name: str, match: Callable[[str], Mapping[str, str] | None]) -> str:
    """Return a field of a cell with more in it than its text. Raises `BadLine` if it has none."""
    found = match(text)
    if found is None:
        name = "time" if name.startswith("clock") else name
        raise BadLine(f"{name}: text {text[:40]!r} is not what the feed format prints")
    return found[name]


def number(attribute: Attribute, value: object) -> int:
    """Return the integer that a value states, or the attribute's default for a placeholder.

    Raises `BadLine` for anything else.
    """
    if type(value) is str and len(value) <= _MAX_DIGITS and value.isdigit() and value.isascii():
        return int(value)
    assert isinstance(attribute.default, int)  # noqa: S101 - it is the attribute of a number
    text = value.strip() if isinstance(value, str) else None
    found = _integer(value) if text is None else _number_in(text, attribute.default)
    if found is None:
        raise BadLine(f"{attribute.name}: {describe(value)}, expected a number")
    return found


def states_number(value: object) -> bool:
    """Whether a value is there at all: neither `null` nor what stands for no number."""
    return not (value is None or (isinstance(value, str) and value.strip().lower() in _NO_NUMBER))


def describe(value: object) -> str:
    """Return what a JSON value is, for people."""
    if isinstance(value, str):
        return f"text {value[:40]!r}"
    kinds = {dict: "an object", list: "an array", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value)) or f"number {value!r:.40}"


def _integer(value: object) -> int | None:
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _MAX_EXACT else None
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) < _TOO_LARGE else None
    return None


def _number_in(text: str, default: int) -> int | None:
    if text.lower() in _NO_NUMBER:
        return default
    # int() would take digits of other scripts, and refuses more than 4300.
    if _INTEGER.fullmatch(text):
        return int(text)
    if len(text) > _MAX_DIGITS or _DECIMAL.fullmatch(text) is None:
        return None
    exact = Decimal(text)  # a float would round it before it is seen that it is not whole
    return int(exact) if abs(exact) < _MAX_EXACT and exact == int(exact) else None


_NO_NUMBER = frozenset({"", "none", "na", "n/a", "null", "-"})
_MAX_DIGITS = 40
_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?")
_TOO_LARGE = 10**40
_MAX_EXACT = 2**53
"""From here on a float may be the one that its neighbour was rounded to."""
