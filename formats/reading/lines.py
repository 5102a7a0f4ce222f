"""Lines of text to records: LEEF, key=value, CSV, TAB-separated and any other readable format.

The columns or keys are those of the feed format. LEEF and key=value pairs may come in any order
and may be missing; columns must be as many as the format has; other formats are taken apart at
their static text.
"""

import csv
import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

import msgspec

from formats.errors import NotReadable
from formats.language import FeedFormat, Literal
from formats.leef import HEADER, split_body
from formats.plan import Attribute, Table, TimeKey
from formats.reading import BadLine, Decoded, Input, Reader, decode_lines, field_in, number
from formats.reading.cells import Places, cells_input, unit_pattern
from formats.reading.content import content_of
from formats.reading.layouts import Layouts, layouts_of
from formats.reading.line_table import static_texts, table_of
from formats.reading.pairs import Keys, ambiguity_of, pairs_of
from formats.reading.patterns import IN_TIMES
from formats.reading.reversible import check_apart, doubts
from formats.reading.syslog_header import timestamp
from formats.record import struct_of
from formats.structure import HEADER_KEYS, SYSLOG, Cell, LineKind, Structure, structure_of
from formats.structure.runs import units_of
from formats.values import find_unsafe

Values = Mapping[str, str]
"""Texts of a line by cell name (key, position, or order)."""
Split = Callable[[str], Values]


def line_format(feed_format: FeedFormat, *, alone: bool = False) -> Input:
    """Return the input of lines as a feed format prints them.

    A preset of columns reads the layouts of the presets beside it too (`formats.reading.layouts`),
    unless it is to be read `alone`. Raises `NotReadable` when the format's fields cannot be told
    apart in a line.
    """
    structure = _readable_structure(feed_format)
    layouts = layouts_of(structure) if structure.kind is LineKind.COLUMNS and not alone else None

    def reader(
        attributes: Sequence[Attribute], time_key: TimeKey, places: Places, max_record_bytes: int
    ) -> Reader:
        numbers = {attribute.name: attribute for attribute in attributes if attribute.number}
        records_of = _records_of(
            feed_format, structure, layouts, places, numbers, struct_of(attributes, time_key)
        )
        table = table_of(feed_format, structure, layouts, places)
        return _LineReader(records_of, table, max_record_bytes)

    cells = structure.cells if layouts is None else layouts.cells
    if structure.kind is LineKind.SEQUENCE:  # of the same cell twice, the last counts
        cells = tuple({(cell.parts, cell.zone): cell for cell in cells}.values())
    found = cells_input(feed_format.name, cells, reader)
    return replace(found, doubts=doubts(feed_format, structure))


class _LineReader:
    """Reads batches line by line."""

    def __init__(
        self,
        records_of: Callable[[bytes], tuple[Sequence[msgspec.Struct], bool]],
        table: Table | None,
        max_record_bytes: int,
    ) -> None:
        self._records_of = records_of
        self._max_record_bytes = max_record_bytes
        self.table = table
        """See `KeyedReader`."""

    def __call__(self, data: bytes) -> Decoded:
        """Decode a batch."""
        return decode_lines(data, self._max_record_bytes, self._records_of)


def _records_of(
    feed_format: FeedFormat,
    structure: Structure,
    layouts: Layouts | None,
    places: Places,
    numbers: Mapping[str, Attribute],
    struct: type[msgspec.Struct],
) -> Callable[[bytes], tuple[Sequence[msgspec.Struct], bool]]:
    """Return the function from a line to its record, and whether it may hold control characters."""
    is_leef = structure.kind is LineKind.LEEF
    keys = frozenset(cell.key for cell, _ in places.values())
    if layouts is not None:
        split = _split_of_columns(structure, layouts)
    else:
        split = SPLITS[structure.kind](structure, keys)
    # A LEEF header is found wherever it stands.
    content = content_of(feed_format, structure) if not is_leef or SYSLOG in keys else None
    parts = [(name, cell.key, match, numbers.get(name)) for name, (cell, match) in places.items()]

    def records_of(line: bytes) -> tuple[Sequence[msgspec.Struct], bool]:
        record = line if content is None else content(line)
        values = split(_text(record))
        if is_leef and record is not line and not values[SYSLOG]:
            values = {**values, SYSLOG: timestamp(line) or ""}
        stated: dict[str, str | int] = {}
        for name, key, match, attribute in parts:
            value = values.get(key)
            if value is None:
                continue
            if match is not None:
                value = field_in(value, name, match)
            stated[name] = value if attribute is None else number(attribute, value)
        return (struct(**stated),), find_unsafe(" ".join(values.values())) is not None

    return records_of


def _text(line: bytes) -> str:
    try:
        return line.decode().removeprefix("\ufeff").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise BadLine(f"not UTF-8: {error.reason} (byte {error.start})") from None


def _readable_structure(feed_format: FeedFormat) -> Structure:
    """Return what the lines of a format are built like when read. Raises `NotReadable`."""
    if any("\n" in part.text for part in feed_format.parts if isinstance(part, Literal)):
        raise NotReadable("it prints a line break inside a record")
    structure = structure_of(_without_final_cr(feed_format))
    check_apart(structure)
    return structure


def _without_final_cr(feed_format: FeedFormat) -> FeedFormat:
    """Return a format without CR at its end: CR before LF belongs to the line break when read."""
    parts = feed_format.parts
    if parts and isinstance(last := parts[-1], Literal):
        rest = last.text.rstrip("\r")
        parts = (*parts[:-1], Literal(rest)) if rest else parts[:-1]
    return FeedFormat(feed_format.name, parts)


def _leef_split(structure: Structure, keys: Keys) -> Split:
    known = frozenset(cell.key for cell in structure.cells)
    named = [(name, key) for name, key in HEADER_KEYS.items() if key in known]
    attributes = known - {SYSLOG, *HEADER_KEYS.values()}

    def split(line: str) -> Values:
        header = HEADER.search(line)
        if header is None:
            raise BadLine("no LEEF header")
        separator, body = split_body(line, header)
        values = pairs_of(body.split(separator), keys)
        if attributes and not attributes & values.keys():
            raise BadLine("no known LEEF attribute")
        for name, key in named:
            values[key] = header[name]
        values[SYSLOG] = line[: header.start()]
        return values

    return split


def _keyed_split(structure: Structure, keys: Keys) -> Split:
    separator = structure.separator
    known = frozenset(cell.key for cell in structure.cells)
    positions = {int(key[1:]): key for key in known if key.startswith("#")}
    before = len(positions)
    all_first = positions.keys() == set(range(before))

    def split(line: str) -> Values:
        # From the end: a value may end in a character of a longer separator, and no key begins so.
        pieces = line.rsplit(separator)
        # A piece that has its place is no pair, whatever it holds; but it may be missing.
        values = pairs_of(pieces[before:] if all_first else _without(pieces, positions), keys)
        for at in positions:
            key, equals, value = (pieces[at] if at < len(pieces) else "").partition("=")
            if equals:
                values.setdefault(key, value)
        if not known & values.keys():
            raise BadLine("no known key")
        for position, name in positions.items():
            if position < len(pieces):
                values[name] = pieces[position]
        return values

    return split


def _without(pieces: Sequence[str], places: Container[int]) -> list[str]:
    return [piece for at, piece in enumerate(pieces) if at not in places]


def _column_split(structure: Structure, _keys: Keys) -> Split:
    return _split_of_columns(structure, replace(layouts_of(structure), alone=True))


def _split_of_columns(structure: Structure, layouts: Layouts) -> Split:
    separator, quoted = structure.separator, structure.quoted
    counts = layouts.by_count
    most = max(counts)

    def split(line: str) -> Values:
        inner = line[1:-1] if quoted and line[:1] == line[-1:] == '"' else line
        columns = inner.split(separator)
        fits = len(columns) in counts
        # The service doubles no quotes; others do, and then nothing else makes sense as CSV. But of
        # too many columns, one value may have left its place, and another hide that.
        may_double = '""' in line or len(columns) < most if quoted else not fits
        if separator != "\t" and may_double and not (quoted and len(columns) > most):
            rows = _csv_columns(line)
            if len(rows) in counts:
                if fits and rows != [column.replace('""', '"') for column in columns]:
                    raise BadLine(_UNTOLD)
                return layouts.values(rows)
        if quoted and '",","' in inner and columns != inner.rsplit(separator):
            raise BadLine(_UNTOLD)
        return layouts.values(columns)

    return split


_UNTOLD = "it can't be told where columns end: one ends or begins with a quote and a comma"


def _csv_columns(line: str) -> list[str]:
    """Return the columns of a line whose writer doubles quotes (RFC 4180); none if it is none."""
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return []


def _sequence_split(structure: Structure, _keys: Keys) -> Split:
    # Each cell with its static text, if it is one, the static text that ends it, and what finds
    # that end where the text of the cell may hold it.
    texts = static_texts(structure)
    steps = [
        (cell.key, text, following or "", _end_of(cell, following))
        for cell, (text, following) in zip(structure.cells, pairwise([*texts, None]), strict=True)
    ]
    if len(steps) > 1 and texts[-1] is not None and texts[-2] is None:
        steps[-2] = (*steps[-2][:3], partial(_last_end, texts[-1]))
    check = ambiguity_of(texts)

    def split(line: str) -> Values:
        values: dict[str, str] = {}
        at = 0
        for key, text, following, end_of in steps:
            if text is not None:
                if not line.startswith(text, at):
                    raise BadLine(f"no {text[:40]!r} at character {at + 1}")
                at += len(text)
                continue
            end = line.find(following, at) if end_of is None else end_of(line, at)
            if end < 0:
                raise BadLine(f"no {following!r:.60} after character {at + 1}")
            values[key] = line[at:end]
            at = end
        if check is not None:
            check(line, values)
        return values

    return split


def _end_of(cell: Cell, following: str | None) -> Callable[[str, int], int] | None:
    """Return what finds the end of a cell, if it is not where the text behind it first occurs."""
    if following is None:
        return lambda line, _: len(line)
    unit = units_of(cell.parts)[0]
    if isinstance(unit, Literal) or set(following) - IN_TIMES:
        return None
    known = unit_pattern(unit)
    if known is None:
        return None
    match = re.compile(f"(?:{known})(?={re.escape(following)})", re.ASCII).match

    def end(line: str, at: int) -> int:
        found = match(line, at)
        return line.find(following, at) if found is None else found.end()

    return end


def _last_end(text: str, line: str, at: int) -> int:
    """Return where the last cell ends, before the static text at the end of the line."""
    return len(line) - len(text) if line.endswith(text, at) else line.find(text, at)


SPLITS: Mapping[LineKind, Callable[[Structure, Keys], Split]] = {
    LineKind.LEEF: _leef_split,
    LineKind.KEYED: _keyed_split,
    LineKind.COLUMNS: _column_split,
    LineKind.SEQUENCE: _sequence_split,
}
"""What takes a line of each kind apart into the texts of its cells; raises `BadLine`.

It is made for the keys whose values are read, which must not come twice with different ones.
"""
