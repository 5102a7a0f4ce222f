"""Bytes of a batch to records: the contract of reading, and the recognition of a sample's format.

A batch is lines, each ended by LF, each one record (a JSON array on a line is several). A record
that can't be read is set apart with its reason and offset; its neighbours are not harmed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from formats.record import Attribute, Moment

MAX_RECORD_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that can't be read. `line` counts from 0, `offset` is its first byte's place."""

    line: int
    offset: int
    reason: str
    data: bytes


class Refused(ValueError):  # noqa: N818 - its text is the reason of a reject
    """A line holds no record of the input's form; the text is the reason."""


@dataclass(slots=True)
class Decoded:
    """What a batch held. `suspects` are indices of records that may hold control characters."""

    records: list[Any] = field(default_factory=list)
    suspects: list[int] = field(default_factory=list)
    bad: list[BadRecord] = field(default_factory=list)


class Reader(Protocol):
    """Reads batches of one input into records with the attributes it was made for."""

    def read(self, data: bytes) -> Decoded:
        """Return the records of a batch in order, and those set apart. Never raises."""


@dataclass(frozen=True, slots=True)
class Input:
    """A form in which records come: which fields it can provide, and how to read them.

    `reader(attributes, max_record_bytes)` makes a reader; every reader's records also have the
    attributes of `moment`.
    """

    name: str
    available: frozenset[str]
    moment: Moment
    reader: Callable[[Sequence[Attribute], int], Reader]


def split_lines(data: bytes) -> list[tuple[int, bytes]]:
    """Return the lines of a batch with their offsets, blank ones left out."""
    lines, offset = [], 0
    for line in data.split(b"\n"):
        if line.strip():
            lines.append((offset, line))
        offset += len(line) + 1
    return lines


def bounded(line: bytes, max_record_bytes: int) -> None:
    """Raise `Refused` for a line that is too long."""
    if len(line) > max_record_bytes:
        raise Refused(f"longer than max_record_bytes ({max_record_bytes})")


def number(value: object, default: int) -> int | None:
    """Return the integer that a value states; placeholders give `default`, anything else `None`."""
    if value is None:
        return default
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if value == value // 1 else None
    return _number_in(value.strip(), default) if isinstance(value, str) else None


def _number_in(text: str, default: int) -> int | None:
    if text.lower() in _NO_NUMBER:
        return default
    digits = text[1:] if text[:1] in {"-", "+"} else text
    # int() would take digits of other scripts, and refuses more than 4300.
    valid = digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS
    return int(text) if valid else None


_NO_NUMBER = frozenset({"", "none", "na", "n/a", "null", "-"})
_MAX_DIGITS = 40
