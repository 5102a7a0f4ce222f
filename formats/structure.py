"""What a feed format's lines are built like: found from its static text, used by both directions.

    LEEF      syslog header, LEEF header, key=value attributes
    JSON      an object, nested or not
    KEYED     key=value with a separator (TAB, ^^); pieces without a key stand by position
    COLUMNS   values by position with a separator (quoted CSV, plain CSV, TAB)
    SEQUENCE  anything else with static text between its fields (CEF, LogRhythm, Symantec)

A cell is one value place of a line: a single field, or several with static text between them
(`%s{mon} %02d{dd} ...`). A guard is a character that must not come out of a value raw, because
it is the structure: the pipe of a header, the quote of CSV.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from itertools import pairwise, zip_longest
from typing import Any

import msgspec

from formats.fields import TIME_FIELDS
from formats.language import FeedFormat, Literal, Part, Slot
from formats.leef import HEADER, leef_delimiter
from formats.runs import zone_behind

# One private character stands for each slot while the static text is taken apart with ordinary
# string functions; those of time fields are of another plane.
_FIRST_MARK, _FIRST_TIME_MARK = 0xF0000, 0x100000
_MARK = "[\U000f0000-\U0010fffd]"
_TIME_MARK = "[\U00100000-\U0010fffd]"
_STATIC = "[^\U000f0000-\U0010fffd]+"
_CELL = rf"{_TIME_MARK}(?:[ :,./T\-]*{_TIME_MARK})*|{_MARK}"
"""A field, or time fields that nothing but glue stands between."""
_KEY = re.compile(r"([A-Za-z][\w.\-]*)=")
_DELIMITER = re.compile("(?P<delimiter>[^|=\U000f0000-\U0010fffd]{1,6})\\|")
_CEF = re.compile(r"CEF:\d+(?:\|[^|]*){6}\|")

SYSLOG, EVENT_ID = "#syslog", "#event_id"
"""Keys of cells of a LEEF line that are no attributes."""

HEADER_KEYS = {
    "vendor": "#vendor", "product": "#product", "product_version": "#product_version",
    "event_id": EVENT_ID,
}  # fmt: skip
"""Keys of the cells of a LEEF header, by their names in `HEADER`."""


class LineKind(Enum):
    """The families of line structures."""

    LEEF = auto()
    JSON = auto()
    KEYED = auto()
    COLUMNS = auto()
    SEQUENCE = auto()


@dataclass(frozen=True, slots=True)
class Cell:
    """One value place of a line, or static text beside value places.

    `key` is that of an attribute; a column or a piece without a key has `#` and its number, from 0.
    A string in JSON has the `path` of keys and places in arrays that leads to it. `zone` is named
    by the static text behind the cell.
    """

    parts: tuple[Part, ...]
    key: str = ""
    path: tuple[str | int, ...] = ()
    zone: str | None = None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots in the cell."""
        return tuple(part for part in self.parts if isinstance(part, Slot))

    @property
    def fields(self) -> frozenset[str]:
        """Names of the fields in the cell."""
        return frozenset(slot.field.name for slot in self.slots)

    @property
    def is_text(self) -> bool:
        """Whether the text of the cell is that of its one field, so that nothing needs matching."""
        first = self.parts[0] if len(self.parts) == 1 else None
        return isinstance(first, Slot) and first.conversion != "x"


@dataclass(frozen=True, slots=True)
class Structure:
    """How a feed format's line is built.

    `guards[i]` are the characters that slot `i` must not print raw. `closing` are the slots
    directly before a LEEF or CEF header's pipe, a LEEF separator or the end, whose value must not
    end in a backslash. `readable` is false when cells cannot be told apart in a line.
    """

    kind: LineKind
    cells: tuple[Cell, ...]
    guards: tuple[str, ...]
    separator: str = ""
    quoted: bool = False
    closing: frozenset[int] = frozenset()
    readable: bool = True


@lru_cache(maxsize=64)  # more than feeds have formats; one is as large as its string, many times
def structure_of(feed_format: FeedFormat) -> Structure:
    """Find a feed format's structure from its static text."""
    template = _Template(feed_format)
    text = template.text
    header = HEADER.search(text)
    if header is not None:
        return _leef(template, header)
    if text.lstrip().startswith("{") and (structure := _json(template)) is not None:
        return structure
    quoted = re.fullmatch(rf'"{_MARK}"(,"{_MARK}")*', text) is not None
    if quoted or re.fullmatch(rf"{_MARK}(,{_MARK})+", text):
        return _separated(template, '","' if quoted else ",", quoted=quoted)
    separator = "" if _CEF.search(text) else "\t" if "\t" in text else _keyed_separator(template)
    return _separated(template, separator) if separator else _sequence(template)


class _Template:
    """A feed format as a text in which one private character stands for each slot."""

    def __init__(self, feed_format: FeedFormat) -> None:
        self.slots = feed_format.slots
        marks = (
            chr(number + (_FIRST_TIME_MARK if slot.field.name in TIME_FIELDS else _FIRST_MARK))
            for number, slot in enumerate(self.slots)
        )
        self.text = "".join(
            part.text if isinstance(part, Literal) else next(marks) for part in feed_format.parts
        )

    def parts(self, piece: str) -> tuple[Part, ...]:
        """Turn a piece of the text back into literals and slots."""
        return tuple(
            self.slots[_numbers(token)[0]] if re.match(_MARK, token) else Literal(token)
            for token in re.findall(f"{_MARK}|{_STATIC}", piece)
        )

    def before(self, following: str, start: int = 0, end: int | None = None) -> frozenset[int]:
        """Return the slots directly before the text `following`, or the end of the piece."""
        found = re.findall(rf"({_MARK})(?={re.escape(following)}|\Z)", self.text[start:end])
        return frozenset(_numbers("".join(found)))


def _numbers(piece: str) -> list[int]:
    """Return the numbers of the slots in a piece."""
    return [ord(mark) & 0xFFFF for mark in re.findall(_MARK, piece)]


def _leef(template: _Template, header: re.Match[str]) -> Structure:
    text = template.text
    named = _DELIMITER.match(text, header.end()) if header["version"] == "2.0" else None
    separator = leef_delimiter(named["delimiter"] if named is not None else "")
    end = named.end() if named is not None else header.end()
    in_header = frozenset(_numbers(text[:end]))
    cells = [
        Cell(template.parts(text[: header.start()]), SYSLOG),
        *(Cell(template.parts(header[name]), key) for name, key in HEADER_KEYS.items()),
    ]
    for piece in text[end:].split(separator):
        key, _, value = piece.partition("=")
        cells.append(Cell(template.parts(value), key))
    filled = tuple(cell for cell in cells if cell.slots)
    closing = template.before("|", end=end) | template.before(separator, end)
    guard = "" if separator == "\t" else separator
    guards = tuple("|" if index in in_header else guard for index in range(len(template.slots)))
    return Structure(LineKind.LEEF, filled, guards, separator, closing=closing)


def _json(template: _Template) -> Structure | None:
    def quote(found: re.Match[str]) -> str:
        return found[0] if found[0].startswith('"') else f'"{found[0]}"'

    try:
        tree = msgspec.json.decode(re.sub(rf'"(?:\\.|[^"\\])*"|{_MARK}', quote, template.text))
        cells = tuple(_json_cells(tree, (), template))
    except (msgspec.DecodeError, RecursionError):
        return None
    return Structure(LineKind.JSON, cells, ('"\\',) * len(template.slots), quoted=True)


def _json_cells(tree: Any, path: tuple[str | int, ...], template: _Template) -> Iterator[Cell]:  # noqa: ANN401 - any JSON
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _json_cells(value, (*path, key), template)
    elif isinstance(tree, str) and re.search(_MARK, tree):
        yield Cell(template.parts(tree), path=path)


def _separated(template: _Template, separator: str, *, quoted: bool = False) -> Structure:
    """Take apart a CSV, TAB-separated or key=value format."""
    pieces = (template.text.strip('"') if quoted else template.text).split(separator)
    keyed = sum(_KEY.match(piece) is not None for piece in pieces) * 2 > len(pieces)
    cells = []
    for position, piece in enumerate(pieces):
        found = _KEY.match(piece) if keyed else None
        value = piece if found is None else piece[found.end() :]
        key = f"#{position}" if found is None else found[1]
        cells.append(Cell(template.parts(value), key))
    kind = LineKind.KEYED if keyed else LineKind.COLUMNS
    kept = tuple(cell for cell in cells if cell.slots or not keyed)
    guards = ("" if separator == "\t" else separator[0],) * len(template.slots)
    return Structure(kind, kept, guards, separator, quoted=quoted)


def _between(template: _Template) -> list[str]:
    """Return the static texts between slots, those inside a time left out."""
    return list(filter(None, re.split(_CELL, template.text)[1:-1]))


def _keyed_separator(template: _Template) -> str:
    """Return the separator of a key=value format whose keys all follow the same punctuation."""
    between = _between(template)
    found = [re.match(r"([^\w\s=]+)[A-Za-z][\w.\-]*=$", piece) for piece in between]
    separators = {match[1] for match in found if match is not None}
    return separators.pop() if len(separators) == 1 and all(found) else ""


def _sequence(template: _Template) -> Structure:
    found = _CEF.search(template.text)
    end = found.end() if found is not None else 0
    pieces = [template.parts(piece) for piece in re.findall(f"{_CELL}|{_STATIC}", template.text)]
    cells = tuple(
        Cell(piece, f"#{at}", zone=zone_behind(piece, (*following, None)[0]))
        for at, (piece, following) in enumerate(zip_longest(pieces, pieces[1:], fillvalue=()))
    )
    return Structure(
        LineKind.SEQUENCE,
        cells,
        _sequence_guards(template, end),
        closing=template.before("|", end=end),
        readable=not any(first.slots and second.slots for first, second in pairwise(cells)),
    )


def _sequence_guards(template: _Template, header_end: int) -> tuple[str, ...]:
    """Return what ends each value: the text after it begins with that.

    A ` key=` forges a pair where a space separates pairs, so there it is `=`; but encoded values
    hold no space, and URLs are full of `=`.
    """
    between = _between(template)
    firsts = {text[0] for text in between}
    common = firsts.pop() if len(firsts) == 1 else ""
    pairs = header_end or (any("=" in text for text in between) and common in {" ", ""})
    header = _numbers(template.text[:header_end])
    guards = []
    texts = re.split(_MARK, template.text)
    for index, (slot, after) in enumerate(zip(template.slots, texts[1:], strict=True)):
        if index in header:
            guards.append("|")
        elif pairs:
            guards.append("" if slot.field.encoded else "=")
        else:
            first = common or after[:1]
            guard = "" if first.isalnum() or first.isspace() else first
            guards.append('"\\' if guard == '"' else guard)
    return tuple(guards)
