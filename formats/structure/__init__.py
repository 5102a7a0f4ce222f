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
from dataclasses import replace
from enum import Enum, auto
from functools import lru_cache
from itertools import zip_longest
from typing import Any

import msgspec

from formats.dataclass import dataclass
from formats.language import FeedFormat, Part, Slot
from formats.leef import HEADER, WRITTEN, leef_delimiter
from formats.structure.guards import guards_of, leef_guards, spaced_slots
from formats.structure.runs import zone_behind
from formats.structure.template import CELL, MARK, STATIC, Template, slots_in

_KEY = re.compile(r"([A-Za-z][\w.\-]*)=")
_DELIMITER = re.compile("(?P<delimiter>[^|=\U000f0000-\U0010fffd]*)\\|")
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
    end in a backslash; a `=` in that of the `spaced` slots may be one of a pair.
    """

    kind: LineKind
    cells: tuple[Cell, ...]
    guards: tuple[str, ...]
    separator: str = ""
    quoted: bool = False
    closing: frozenset[int] = frozenset()
    spaced: frozenset[int] = frozenset()


@lru_cache(maxsize=64)  # more than feeds have formats; one is as large as its string, many times
def structure_of(feed_format: FeedFormat) -> Structure:
    """Find a feed format's structure from its static text."""
    template = Template(feed_format)
    return replace(_built(template), spaced=_spaced(template))


def _spaced(template: Template) -> frozenset[int]:
    """Return the slots whose `=` may be taken for that of a pair.

    CEF has each `=` of a value escaped, so its readers do not look for the blank before the key;
    and who looks for the first key of a line, behind a header of LEEF say, takes any before it.
    """
    if _CEF.search(template.text):
        return frozenset(range(len(template.slots)))
    before_pairs, equals, _ = template.text.partition("=")
    return spaced_slots(template) | frozenset(slots_in(before_pairs) if equals else ())


def _built(template: Template) -> Structure:
    text = template.text
    header = HEADER.search(text)
    if header is not None:
        return _leef(template, header)
    if text.lstrip().startswith("{") and (structure := _json(template)) is not None:
        return structure
    quoted = re.fullmatch(rf'"{MARK}"(,"{MARK}")*', text) is not None
    if quoted or re.fullmatch(rf"{MARK}(,{MARK})+", text):
        return _separated(template, '","' if quoted else ",", quoted=quoted)
    separator = "" if _CEF.search(text) else "\t" if "\t" in text else _keyed_separator(template)
    return _separated(template, separator) if separator else _sequence(template)


def _leef(template: Template, header: re.Match[str]) -> Structure:
    text = template.text
    named = _DELIMITER.match(text, header.end()) if header["version"] == "2.0" else None
    separator = leef_delimiter(named["delimiter"] if named is not None else "")
    end = named.end() if named is not None else header.end()
    is_first = header["version"] == "1.0"
    cells = [
        Cell(template.parts(text[: header.start()]), SYSLOG),
        *(Cell(template.parts(header[name]), key) for name, key in HEADER_KEYS.items()),
    ]
    for piece in text[end:].split(separator):
        key, _, value = piece.partition("=")
        cells.append(Cell(template.parts(value), key))
    filled = tuple(cell for cell in cells if cell.slots)
    closing = template.before("|", end=end) | template.before(separator, end)
    guards = leef_guards(template, separator, end, names_delimiter=named is not None or is_first)
    return Structure(LineKind.LEEF, filled, guards, separator, closing=closing)


def _json(template: Template) -> Structure | None:
    def quote(found: re.Match[str]) -> str:
        return found[0] if found[0].startswith('"') else f'"{found[0]}"'

    try:
        tree = msgspec.json.decode(re.sub(rf'"(?:\\.|[^"\\])*"|{MARK}', quote, template.text))
        cells = tuple(_json_cells(tree, (), template))
    except (msgspec.DecodeError, RecursionError):
        return None
    return Structure(LineKind.JSON, cells, guards_of(template), quoted=True)


def _json_cells(tree: Any, path: tuple[str | int, ...], template: Template) -> Iterator[Cell]:  # noqa: ANN401 - any JSON
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _json_cells(value, (*path, key), template)
    elif isinstance(tree, str) and re.search(MARK, tree):
        yield Cell(template.parts(tree), path=path)


def _separated(template: Template, separator: str, *, quoted: bool = False) -> Structure:
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
    guards = guards_of(
        template,
        separator=separator,
        keyless=frozenset(
            slots_in("".join(piece for piece in pieces if keyed and not _KEY.match(piece)))
        ),
        is_columns=not keyed,
    )
    return Structure(kind, kept, guards, separator, quoted=quoted)


def _keyed_separator(template: Template) -> str:
    """Return the separator of a key=value format whose keys all follow the same punctuation.

    A line can't be split at a character that times and numbers have: it is read as a sequence.
    """
    between = filter(None, re.split(CELL, template.text)[1:-1])
    found = [re.match(r"([^\w\s=]+)[A-Za-z][\w.\-]*=$", piece) for piece in between]
    separators = {match[1] for match in found if match is not None}
    if len(separators) != 1 or not all(found):
        return ""
    separator = separators.pop()
    return "" if separator in WRITTEN else separator


def _sequence(template: Template) -> Structure:
    found = _CEF.search(template.text)
    end = found.end() if found is not None else 0
    pieces = [template.parts(piece) for piece in re.findall(f"{CELL}|{STATIC}", template.text)]
    cells = tuple(
        Cell(piece, f"#{at}", zone=zone_behind(piece, (*following, None)[0]))
        for at, (piece, following) in enumerate(zip_longest(pieces, pieces[1:], fillvalue=()))
    )
    return Structure(
        LineKind.SEQUENCE,
        cells,
        guards_of(template, header_end=end, is_sequence=True),
        closing=template.before("|", end=end),
    )
