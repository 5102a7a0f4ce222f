"""Lines of text to records: LEEF, key=value, CSV, TAB-separated and any other readable format.

The columns or keys are those of the feed format. LEEF and key=value pairs may come in any order
and may be missing; columns must be as many as the format has; other formats are taken apart at
their static text.
"""

import csv
import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from formats.errors import NotReadable
from formats.language import FeedFormat, Literal
from formats.leef import HEADER, split_body
from formats.plan import Attribute, TimeKey
from formats.reading import BadLine, Decoded, Input, Reader, decode_lines, field_in, number
from formats.reading.cells import Match, cells_by_field, matcher, own_text, readable_fields
from formats.reading.time_key import cells_key, time_cells
from formats.record import struct_of
from formats.structure import EVENT_ID, SYSLOG, Cell, LineKind, Structure, structure_of
from formats.values import find_unsafe

Values = Mapping[str, str]
"""Texts of a line by cell name (key, position, or order)."""
Split = Callable[[str], Values]

_PRI = re.compile(r"<\d{1,3}>(?:1 )?")


def line_format(feed_format: FeedFormat) -> Input:
    """Return the input of lines as a feed format prints them.

    Raises `NotReadable` when the format's fields cannot be told apart in a line.
    """
    structure = structure_of(_without_final_cr(feed_format))
    if not structure.readable or any(
        "\n" in part.text for part in feed_format.parts if isinstance(part, Literal)
    ):
        raise NotReadable(
            f"feed format {feed_format.name}: its fields can't be told apart in a line"
        )
    clocks = time_cells(structure.cells)
    time_key = cells_key(clocks)
    available = readable_fields(structure.cells)

    def reader(attributes: Sequence[Attribute], max_record_bytes: int) -> Reader:
        return _LineReader(structure, attributes, time_key, clocks, max_record_bytes)

    return Input(feed_format.name, available, time_key, reader)


def _without_final_cr(feed_format: FeedFormat) -> FeedFormat:
    """Return a format without CR at its end: CR before LF belongs to the line break when read."""
    last = feed_format.parts[-1] if feed_format.parts else None
    if not isinstance(last, Literal) or not last.text.endswith("\r"):
        return feed_format
    rest = last.text.rstrip("\r")
    kept = (*feed_format.parts[:-1], Literal(rest)) if rest else feed_format.parts[:-1]
    return FeedFormat(feed_format.name, kept)


class _LineReader:
    def __init__(
        self,
        structure: Structure,
        attributes: Sequence[Attribute],
        time_key: TimeKey,
        clocks: Sequence[Cell],
        max_record_bytes: int,
    ) -> None:
        self._split = _split_of(structure)
        self._attributes = tuple(attributes)
        self._struct = struct_of(attributes, time_key)
        self._max_record_bytes = max_record_bytes
        self._clocks = [
            (name, cell.key) for name, cell in zip(time_key.attributes, clocks, strict=True)
        ]
        cells = cells_by_field(structure.cells)
        self._places = [(a, *_place(cells[a.name])) for a in attributes]

    def read(self, data: bytes) -> Decoded:
        return decode_lines(data, self._max_record_bytes, self._records)

    def _records(self, line: bytes) -> tuple[Sequence[msgspec.Struct], bool]:
        try:
            text = line.decode().removeprefix("\ufeff").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise BadLine(f"not UTF-8: {error.reason} (byte {error.start})") from None
        values = self._split(text)
        return (self._record(values),), find_unsafe(" ".join(values.values())) is not None

    def _record(self, values: Values) -> msgspec.Struct:
        stated: dict[str, str | int] = {}
        for attribute, name, match in self._places:
            text = values.get(name)
            if text is None:
                continue
            if match is not None:
                text = field_in(text, attribute.name, match)
            stated[attribute.name] = number(attribute, text) if attribute.number else text
        for attribute_name, name in self._clocks:
            if name in values:
                stated[attribute_name] = values[name]
        return self._struct(**stated)


def _place(cell: Cell) -> tuple[str, Match | None]:
    """Return where the split puts a cell, and how its field is taken out if it has more."""
    return cell.key, None if own_text(cell) else matcher(cell.parts)


def _split_of(structure: Structure) -> Split:
    match structure.kind:
        case LineKind.LEEF:
            return _leef_split(structure)
        case LineKind.KEYED:
            return _keyed_split(structure)
        case LineKind.COLUMNS:
            return _column_split(structure)
    return _sequence_split(structure)


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
    separator, quoted = structure.separator, structure.quoted
    count = len(structure.cells)

    def split(line: str) -> Values:
        inner = line[1:-1] if quoted and line[:1] == line[-1:] == '"' else line
        columns = inner.split(separator)
        # The service doubles no quotes; others do, and then nothing else makes sense as CSV.
        if separator != "\t" and (len(columns) != count or '""' in line):
            rows = _csv_columns(line)
            columns = rows if len(rows) == count else columns
        if len(columns) != count:
            raise BadLine(f"{len(columns)} columns, expected {count}")
        return {f"#{position}": column for position, column in enumerate(columns)}

    return split


def _csv_columns(line: str) -> list[str]:
    """Return the columns of a line whose writer doubles quotes (RFC 4180); none if it is none."""
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return []


def _sequence_split(structure: Structure) -> Split:
    cells = structure.cells
    texts = [_static(cell) for cell in cells]

    def split(line: str) -> Values:
        values: dict[str, str] = {}
        at = 0
        for order, text in enumerate(texts):
            if text is not None:
                if not line.startswith(text, at):
                    raise BadLine(f"no {text[:40]!r} at character {at + 1}")
                at += len(text)
                continue
            following = texts[order + 1] if order + 1 < len(texts) else None
            end = len(line) if following is None else line.find(following, at)
            if end < 0:
                raise BadLine(f"no {following!r:.60} after character {at + 1}")
            values[f"#{order}"] = line[at:end]
            at = end
        return values

    return split


def _static(cell: Cell) -> str | None:
    part = cell.parts[0] if len(cell.parts) == 1 else None
    return part.text if isinstance(part, Literal) else None
