"""Lines of text to records: LEEF, key=value, CSV, TAB-separated and any other readable format.

The columns or keys are those of the feed format. LEEF and key=value pairs may come in any order
and may be missing; columns must be as many as the format has; other formats are taken apart at
their static text.
"""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import msgspec

from formats.errors import NotReadable
from formats.language import FeedFormat, Literal
from formats.leef import HEADER, split_body
from formats.plan import Attribute, TimeKey
from formats.reading import BadLine, Input, Reader, decode_lines, field_in, number
from formats.reading.cells import Places, cells_input
from formats.reading.layouts import Layouts, layouts_of
from formats.record import struct_of
from formats.structure import EVENT_ID, SYSLOG, LineKind, Structure, structure_of
from formats.values import find_unsafe

Values = Mapping[str, str]
"""Texts of a line by cell name (key, position, or order)."""
Split = Callable[[str], Values]

_PRI = re.compile(r"<\d{1,3}>(?:1 )?")


def line_format(feed_format: FeedFormat, *, alone: bool = False) -> Input:
    """Return the input of lines as a feed format prints them.

    A preset of columns reads the layouts of the presets beside it too (`formats.reading.layouts`),
    unless it is to be read `alone`. Raises `NotReadable` when the format's fields cannot be told
    apart in a line.
    """
    structure = structure_of(_without_final_cr(feed_format))
    texts = [part.text for part in feed_format.parts if isinstance(part, Literal)]
    if not structure.readable or any("\n" in text for text in texts):
        raise NotReadable(
            f"feed format {feed_format.name}: its fields can't be told apart in a line"
        )
    split = SPLITS[structure.kind](structure)
    cells = structure.cells
    if structure.kind is LineKind.COLUMNS and not alone:
        layouts = layouts_of(structure)
        split, cells = _split_of_columns(structure, layouts), layouts.cells
    elif structure.kind is LineKind.SEQUENCE:  # of the same cell twice, the last counts
        cells = tuple({cell.parts: cell for cell in cells}.values())

    def reader(
        attributes: Sequence[Attribute], time_key: TimeKey, places: Places, max_record_bytes: int
    ) -> Reader:
        struct = struct_of(attributes, time_key)
        numbers = {attribute.name: attribute for attribute in attributes if attribute.number}
        parts = [
            (name, cell.key, match, numbers.get(name)) for name, (cell, match) in places.items()
        ]

        def records_of(line: bytes) -> tuple[Sequence[msgspec.Struct], bool]:
            values = split(_text(line))
            stated: dict[str, str | int] = {}
            for name, key, match, attribute in parts:
                value = values.get(key)
                if value is None:
                    continue
                if match is not None:
                    value = field_in(value, name, match)
                stated[name] = value if attribute is None else number(attribute, value)
            return (struct(**stated),), find_unsafe(" ".join(values.values())) is not None

        return lambda data: decode_lines(data, max_record_bytes, records_of)

    return cells_input(feed_format.name, cells, reader)


def _text(line: bytes) -> str:
    try:
        return line.decode().removeprefix("\ufeff").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise BadLine(f"not UTF-8: {error.reason} (byte {error.start})") from None


def _without_final_cr(feed_format: FeedFormat) -> FeedFormat:
    """Return a format without CR at its end: CR before LF belongs to the line break when read."""
    parts = feed_format.parts
    if parts and isinstance(last := parts[-1], Literal):
        rest = last.text.rstrip("\r")
        parts = (*parts[:-1], Literal(rest)) if rest else parts[:-1]
    return FeedFormat(feed_format.name, parts)


def _pairs(pieces: Sequence[str]) -> dict[str, str]:
    """Return key=value pieces as a mapping; of a key that comes twice, the first counts."""
    values: dict[str, str] = {}
    for piece in pieces:
        key, equals, value = piece.partition("=")
        if equals:
            values.setdefault(key, value)
    return values


def _leef_split(structure: Structure) -> Split:
    known = frozenset(cell.key for cell in structure.cells)

    def split(line: str) -> Values:
        header = HEADER.search(line)
        if header is None:
            raise BadLine("no LEEF header")
        separator, body = split_body(line, header)
        values = _pairs(body.split(separator))
        if not known & values.keys():
            raise BadLine("no known LEEF attribute")
        values[EVENT_ID] = header["event_id"]
        values[SYSLOG] = _PRI.sub("", line[: header.start()], count=1)
        return values

    return split


def _keyed_split(structure: Structure) -> Split:
    separator = structure.separator
    known = frozenset(cell.key for cell in structure.cells)
    positions = {int(key[1:]): key for key in known if key.startswith("#")}

    def split(line: str) -> Values:
        pieces = line.split(separator)
        values = _pairs(pieces)
        if not known & values.keys():
            raise BadLine("no known key")
        for position, name in positions.items():
            if position < len(pieces):
                values[name] = pieces[position]
        return values

    return split


def _column_split(structure: Structure) -> Split:
    return _split_of_columns(structure, replace(layouts_of(structure), alone=True))


def _split_of_columns(structure: Structure, layouts: Layouts) -> Split:
    separator, quoted = structure.separator, structure.quoted
    counts = layouts.by_count

    def split(line: str) -> Values:
        inner = line[1:-1] if quoted and line[:1] == line[-1:] == '"' else line
        columns = inner.split(separator)
        # The service doubles no quotes; others do, and then nothing else makes sense as CSV.
        if separator != "\t" and (len(columns) not in counts or '""' in line):
            rows = _csv_columns(line)
            columns = rows if len(rows) in counts else columns
        return layouts.values(columns)

    return split


def _csv_columns(line: str) -> list[str]:
    """Return the columns of a line whose writer doubles quotes (RFC 4180); none if it is none."""
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return []


def _sequence_split(structure: Structure) -> Split:
    # Each cell with its static text, if it is one, and the static text that ends it.
    firsts = [cell.parts[0] for cell in structure.cells]
    texts = [first.text if isinstance(first, Literal) else None for first in firsts]
    steps = [
        (cell.key, *pair)
        for cell, pair in zip(structure.cells, pairwise([*texts, None]), strict=True)
    ]

    def split(line: str) -> Values:
        values: dict[str, str] = {}
        at = 0
        for key, text, following in steps:
            if text is not None:
                if not line.startswith(text, at):
                    raise BadLine(f"no {text[:40]!r} at character {at + 1}")
                at += len(text)
                continue
            end = len(line) if following is None else line.find(following, at)
            if end < 0:
                raise BadLine(f"no {following!r:.60} after character {at + 1}")
            values[key] = line[at:end]
            at = end
        return values

    return split


SPLITS: Mapping[LineKind, Callable[[Structure], Split]] = {
    LineKind.LEEF: _leef_split,
    LineKind.KEYED: _keyed_split,
    LineKind.COLUMNS: _column_split,
    LineKind.SEQUENCE: _sequence_split,
}
"""What takes a line of each kind apart into the texts of its cells; raises `BadLine`."""
