"""Rows read from the pages of a damaged database, without the trees that lead to them.

A tree is as weak as its root: one bad sector there, and SQLite reads no row of the table; one cell
out of order, and it passes over the rows behind. The rows are still on their pages, and most have
checksums that say what they are.

https://www.sqlite.org/fileformat2.html describes pages, cells and records.
"""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from nss.spool.durable.pages import Pages
from nss.spool.durable.schema import PAGE_BYTES, Value

TABLE = 13
"""The first byte of a leaf page of a table."""

INDEX = 10
"""The same of an index, and of a table `WITHOUT ROWID`."""

_INNER_INDEX = 2
"""The same of an inner page of these, which has rows as well, each behind a link."""

_HEAD_BYTES = {TABLE: 8, INDEX: 8, _INNER_INDEX: 12}
_LINK_BYTES = 4
_MORE = 0x80
"""The bit of a byte of an integer that says that another follows."""
_INT_BYTES = (0, 1, 2, 3, 4, 6, 8)
"""The size of integers by their serial type."""
_MOST_HEAD_BYTES = 9 * 64
"""The types of all columns and their length, at the head of a record: no table has so many."""
_FLOAT = 7
_FIRST_BLOB = 12


class Found(NamedTuple):
    """A row, and where it was found."""

    kind: int
    """`TABLE` or `INDEX`."""
    number: int
    """Its rowid; 0 in an index."""
    values: tuple[Value, ...]
    """Its columns; the rowid is NULL where it is one of them."""


Wanted = Callable[[int, int, int], bool]
"""Whether a row is wanted: of a kind, with so many columns, with a number."""


def rows(pages: Pages, wanted: Wanted) -> Iterator[Found]:
    """Yield the wanted rows of all pages that are not free, whatever is wrong with others."""
    free = pages.free()
    for number in range(2, pages.count + 1):
        page = pages.read(number)
        if page[0] not in _HEAD_BYTES or number in free:
            continue
        head_bytes = _HEAD_BYTES[page[0]]
        cells = min(int.from_bytes(page[3:5], "big"), (PAGE_BYTES - head_bytes) // 2)
        for place in struct.unpack_from(f">{cells}H", page, head_bytes):
            try:
                found = _row(pages, page, place, wanted)
            except (IndexError, ValueError, struct.error):
                continue  # it is no row
            if found is not None:
                yield found


def _row(pages: Pages, page: bytes, place: int, wanted: Wanted) -> Found | None:
    """Return the row in a cell if it is wanted. Raises what damaged cells lead to."""
    kind, number = page[0], 0
    if kind == _INNER_INDEX:
        kind, place = INDEX, place + _LINK_BYTES
    size, place = _varint(page, place)
    if kind == TABLE:
        number, place = _varint(page, place)
    local = _local_bytes(kind, size)
    payload = page[place : place + local]
    types_end, at = _varint(payload, 0)
    if types_end > _MOST_HEAD_BYTES:
        raise ValueError  # a damaged page may have thousands of cells there: each would take long
    types: list[int] = []
    while at < types_end:
        serial, at = _varint(payload, at)
        types.append(serial)
    if not wanted(kind, len(types), number):
        return None
    if types_end + sum(_size_of(serial) for serial in types) != size:
        raise ValueError
    if local < size:
        payload += _overflow(pages, page[place + local : place + local + _LINK_BYTES], size - local)
    values: list[Value] = []
    for serial in types:
        end = types_end + _size_of(serial)
        values.append(_value(serial, payload[types_end:end]))
        types_end = end
    return Found(kind, number, tuple(values))


def _local_bytes(kind: int, size: int) -> int:
    """Return how many bytes of a record are on its page; the others are on overflow pages."""
    most = PAGE_BYTES - 35 if kind == TABLE else (PAGE_BYTES - 12) * 64 // 255 - 23
    if size <= most:
        return size
    least = (PAGE_BYTES - 12) * 32 // 255 - 23
    local = least + (size - least) % (PAGE_BYTES - _LINK_BYTES)
    return local if local <= most else least


def _overflow(pages: Pages, link: bytes, size: int) -> bytes:
    """Return the rest of a record, or as much as there is."""
    parts: list[bytes] = []
    while size > 0:
        number = int.from_bytes(link, "big")
        if not 1 < number <= pages.count or len(parts) > pages.count:
            raise ValueError
        page = pages.read(number)
        link = page[:_LINK_BYTES]
        parts.append(page[_LINK_BYTES : _LINK_BYTES + size])
        size -= len(parts[-1])
    return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return an integer and the place behind it."""
    value = 0
    for place in range(at, at + 8):
        value = value << 7 | data[place] & ~_MORE
        if not data[place] & _MORE:
            return value, place + 1
    return value << 8 | data[at + 8], at + 9


def _size_of(serial: int) -> int:
    """Return the bytes of a value."""
    if serial >= _FIRST_BLOB:
        return (serial - _FIRST_BLOB) // 2
    return 8 if serial == _FLOAT else _INT_BYTES[serial] if serial < _FLOAT else 0


def _value(serial: int, data: bytes) -> Value:
    if serial == 0:
        return None
    if serial < _FLOAT:
        return int.from_bytes(data, "big", signed=True)
    if serial == _FLOAT:
        (number,) = struct.unpack(">d", data)
        return float(number)
    if serial < _FIRST_BLOB:
        return serial - 8  # 0 and 1 have types of their own
    return data.decode("utf-8", "replace") if serial % 2 else data
