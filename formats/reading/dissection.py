"""A line taken apart for people: what stands at each place of it, and what printed that."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from formats import leef
from formats.dataclass import dataclass
from formats.language import FeedFormat, Literal
from formats.reading import BadLine
from formats.reading.lines import SPLITS
from formats.reading.reversible import check_apart
from formats.structure import EVENT_ID, HEADER_KEYS, SYSLOG, Cell, LineKind, Structure, structure_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One place of a line: what it is called there, the text, and what of the format prints it.

    `spec` is written as in the feed output format string, with the names of its `fields` in order.
    Both are empty for static text. `in_header` is for the header of LEEF and CEF.
    """

    place: str
    text: str
    spec: str = ""
    fields: tuple[str, ...] = ()
    in_header: bool = False


def entries(feed_format: FeedFormat, line: str) -> tuple[Entry, ...]:
    """Return what stands at each place of a line that the format has printed, in its order.

    LEEF is read as any reader would, all else by what the format says of its lines. Raises
    `NotReadable` if that is too little, and `BadLine` for a line that is not of the format.
    """
    return structure_entries(structure_of(feed_format), line)


def structure_entries(structure: Structure, line: str) -> tuple[Entry, ...]:
    """Return the entries of a line whose format has this structure; see `entries`."""
    if structure.kind is LineKind.SEQUENCE:
        check_apart(structure)
    return tuple(_ENTRIES[structure.kind](structure, line))


def _entry(place: str, text: str, cell: Cell | None, *, in_header: bool = False) -> Entry:
    if cell is None or not cell.slots:
        return Entry(place, text, in_header=in_header)
    spec = "".join(part.spec for part in cell.parts)
    names = tuple(slot.field.name for slot in cell.slots)
    return Entry(place, text, spec, names, in_header)


JsonPath = tuple[str | int, ...]
"""The keys and places in arrays that lead to a value."""


def _leef(structure: Structure, line: str) -> Iterator[Entry]:
    try:
        event = leef.parse(line)
    except leef.LeefError as error:
        raise BadLine(str(error)) from None
    cells = {cell.key: cell for cell in structure.cells}
    for place, text, cell in (
        ("syslog header", event.syslog, cells.get(SYSLOG)),
        ("LEEF version", event.version, None),
        ("vendor", event.vendor, cells.get(HEADER_KEYS["vendor"])),
        ("product", event.product, cells.get(HEADER_KEYS["product"])),
        ("product version", event.product_version, cells.get(HEADER_KEYS["product_version"])),
        ("event ID", event.event_id, cells.get(EVENT_ID)),
    ):
        yield _entry(place, text, cell, in_header=True)
    for key, text in event.attributes.items():
        yield _entry(key, text, cells.get(key))


def _json(structure: Structure, line: str) -> Iterator[Entry]:
    try:
        tree = msgspec.json.decode(line.encode())
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadLine(f"not JSON: {error}") from None
    cells = {cell.path: cell for cell in structure.cells}
    for path, text in _leaves(tree, ()):
        yield _entry(" / ".join(map(str, path)), text, cells.get(path))


def _leaves(tree: Any, path: JsonPath) -> Iterator[tuple[JsonPath, str]]:  # noqa: ANN401 - any JSON
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _leaves(value, (*path, key))
    else:
        yield path, tree if isinstance(tree, str) else msgspec.json.encode(tree).decode()


def _keyed(structure: Structure, line: str) -> Iterator[Entry]:
    cells = {cell.key: cell for cell in structure.cells}
    for number, piece in enumerate(line.split(structure.separator)):
        unkeyed = cells.get(f"#{number}")
        key, equals, text = piece.partition("=")
        if unkeyed is None and equals:
            yield _entry(key, text, cells.get(key))
        else:
            yield _entry(f"piece {number + 1}", piece, unkeyed)


def _columns(structure: Structure, line: str) -> Iterator[Entry]:
    texts = SPLITS[structure.kind](structure, frozenset())(line)
    for number, cell in enumerate(structure.cells, 1):
        if cell.key in texts:  # the last column may be missing
            yield _entry(f"column {number}", texts[cell.key], cell)


def _sequence(structure: Structure, line: str) -> Iterator[Entry]:
    texts = SPLITS[structure.kind](structure, frozenset())(line)
    before, slots = "", 0
    for cell in structure.cells:
        if cell.slots:
            in_header = slots in structure.closing
            place = "header" if in_header else _last_word(before)
            yield _entry(place, texts[cell.key], cell, in_header=in_header)
            slots += len(cell.slots)
        else:
            before = "".join(part.text for part in cell.parts if isinstance(part, Literal))


def _last_word(before: str) -> str:
    """Return what a value is called by the static text before it: mostly a key."""
    words: Sequence[str] = before.split()
    return words[-1].strip('=:|,;"^').rpartition("|")[2] if words else ""


_ENTRIES: Mapping[LineKind, Callable[[Structure, str], Iterator[Entry]]] = {
    LineKind.LEEF: _leef,
    LineKind.JSON: _json,
    LineKind.KEYED: _keyed,
    LineKind.COLUMNS: _columns,
    LineKind.SEQUENCE: _sequence,
}
