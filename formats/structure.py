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
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from itertools import pairwise
from typing import Any

import msgspec

from formats.fields import TIME_FIELDS
from formats.language import FeedFormat, Literal, Part, Slot
from formats.leef import HEADER, leef_delimiter

# One character of a supplementary private use area stands for each slot while the static text
# is taken apart with ordinary string functions.
_FIRST_MARK = 0xF0000
_MARKS = "[\U000f0000-\U000ffffd]"
_KEY = re.compile(r"([A-Za-z][\w.\-]*)=")
# QRadar takes a 2.0 header without a delimiter field for TAB.
_DELIMITER = re.compile(r"(?P<delimiter>[^|=\U000f0000-\U000ffffd]{1,6})\|")
_CEF = re.compile(r"CEF:\d+(?:\|[^|]*){6}\|")
_TIME_GLUE = re.compile(r"[ :,./T\-]*")

SYSLOG, EVENT_ID = "#syslog", "#event_id"
"""Keys of the two cells of a LEEF line that are no attributes."""


class LineKind(Enum):
    """The families of line structures."""

    LEEF = auto()
    JSON = auto()
    KEYED = auto()
    COLUMNS = auto()
    SEQUENCE = auto()


@dataclass(frozen=True, slots=True)
class Cell:
    """One value place: an attribute with its `key`, a column or piece with its `position`, or a
    string in a JSON object with the `path` of keys that leads to it.
    """

    parts: tuple[Part, ...]
    key: str = ""
    path: tuple[str, ...] = ()
    position: int = -1

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots in the cell."""
        return tuple(part for part in self.parts if isinstance(part, Slot))

    @property
    def fields(self) -> frozenset[str]:
        """Names of the fields in the cell."""
        return frozenset(slot.field.name for slot in self.slots)

    @property
    def single(self) -> Slot | None:
        """The slot, when the cell is nothing but one slot."""
        first = self.parts[0] if len(self.parts) == 1 else None
        return first if isinstance(first, Slot) else None

    @property
    def is_time(self) -> bool:
        """Whether every slot of the cell is a time field."""
        return bool(self.slots) and self.fields <= TIME_FIELDS


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


@lru_cache(maxsize=256)
def structure_of(feed_format: FeedFormat) -> Structure:
    """Find a feed format's structure from its static text."""
    template = _Template(feed_format)
    text = template.text
    header = HEADER.search(text)
    if header is not None:
        return _leef(template, header)
    if text.lstrip().startswith("{"):
        structure = _json(template)
        if structure is not None:
            return structure
    separator = "" if _CEF.search(text) else "\t" if "\t" in text else _keyed_separator(template)
    if separator:
        return _separated(template, separator)
    quoted = re.fullmatch(rf'"{_MARKS}"(,"{_MARKS}")*', text) is not None
    if quoted or re.fullmatch(rf"{_MARKS}(,{_MARKS})+", text):
        return _csv(template, quoted=quoted)
    return _sequence(template)


class _Template:
    """A feed format as a text in which one private character stands for each slot."""

    def __init__(self, feed_format: FeedFormat) -> None:
        self.slots = feed_format.slots
        pieces, index = [], 0
        for part in feed_format.parts:
            if isinstance(part, Slot):
                pieces.append(chr(_FIRST_MARK + index))
                index += 1
            else:
                pieces.append(part.text)
        self.text = "".join(pieces)

    def parts(self, piece: str) -> tuple[Part, ...]:
        """Turn a piece of the text back into literals and slots."""
        return tuple(
            self.slots[ord(token) - _FIRST_MARK] if ord(token[0]) >= _FIRST_MARK else Literal(token)
            for token in re.findall(f"{_MARKS}|[^\U000f0000-\U000ffffd]+", piece)
        )

    @staticmethod
    def indices(piece: str) -> list[int]:
        """Return the numbers of the slots in a piece."""
        return [ord(mark) - _FIRST_MARK for mark in re.findall(_MARKS, piece)]

    def before(self, following: str, start: int = 0, end: int | None = None) -> frozenset[int]:
        """Return the slots directly before the text `following`, or the end of the piece."""
        piece = self.text[start:end]
        found = re.finditer(rf"({_MARKS})(?={re.escape(following)}|\Z)", piece)
        return frozenset(ord(match[1]) - _FIRST_MARK for match in found)

    def same_guard(self, guard: str) -> tuple[str, ...]:
        return (guard,) * len(self.slots)


def _leef(template: _Template, header: re.Match[str]) -> Structure:
    text = template.text
    named = _DELIMITER.match(text, header.end()) if header["version"] == "2.0" else None
    separator = leef_delimiter(named["delimiter"] if named is not None else "")
    end = named.end() if named is not None else header.end()
    in_header = frozenset(template.indices(text[:end]))
    cells = [
        Cell(template.parts(text[: header.start()]), key=SYSLOG),
        Cell(template.parts(header["event_id"]), key=EVENT_ID),
    ]
    body = text[end:]
    for piece in body.split(separator):
        key, _, value = piece.partition("=")
        cells.append(Cell(template.parts(value), key=key))
    closing = template.before("|", end=end) | template.before(separator, end)
    guard = "" if separator == "\t" else separator
    guards = tuple("|" if index in in_header else guard for index in range(len(template.slots)))
    return Structure(
        LineKind.LEEF,
        tuple(cell for cell in cells if cell.slots),
        guards,
        separator,
        closing=closing,
    )


def _json(template: _Template) -> Structure | None:
    pieces = []
    quoted = False
    for piece in re.findall(rf'\\.|"|{_MARKS}|[^\\"\U000f0000-\U000ffffd]+', template.text):
        if piece == '"':
            quoted = not quoted
        bare_slot = not quoted and ord(piece[0]) >= _FIRST_MARK
        pieces.append(f'"{piece}"' if bare_slot else piece)
    try:
        tree = msgspec.json.decode("".join(pieces))
    except msgspec.DecodeError:
        return None
    cells: list[Cell] = []
    _walk(tree, (), cells, template)
    return Structure(LineKind.JSON, tuple(cells), template.same_guard('"\\'), quoted=True)


def _walk(tree: Any, path: tuple[str, ...], cells: list[Cell], template: _Template) -> None:  # noqa: ANN401 - any JSON
    if isinstance(tree, dict):
        for key, value in tree.items():
            _walk(value, (*path, key), cells, template)
    elif isinstance(tree, str) and template.indices(tree):
        cells.append(Cell(template.parts(tree), key=path[-1], path=path))


def _separated(template: _Template, separator: str) -> Structure:
    """Take apart a TAB-separated or key=value format."""
    pieces = template.text.split(separator)
    keyed = sum(_KEY.match(piece) is not None for piece in pieces) * 2 > len(pieces)
    cells = []
    for position, piece in enumerate(pieces):
        found = _KEY.match(piece) if keyed else None
        value = piece if found is None else piece[found.end() :]
        key = "" if found is None else found[1]
        cells.append(Cell(template.parts(value), key=key, position=position))
    return Structure(
        LineKind.KEYED if keyed else LineKind.COLUMNS,
        tuple(cell for cell in cells if cell.slots or not keyed),
        template.same_guard("" if separator == "\t" else separator[0]),
        separator,
    )


def _csv(template: _Template, *, quoted: bool) -> Structure:
    separator = '","' if quoted else ","
    pieces = template.text.strip('"').split(separator)
    cells = [Cell(template.parts(piece), position=place) for place, piece in enumerate(pieces)]
    guards = template.same_guard('"' if quoted else ",")
    return Structure(LineKind.COLUMNS, tuple(cells), guards, separator, quoted=quoted)


def _between(template: _Template) -> list[str]:
    """Return the static texts between slots, those inside a time left out."""
    texts = re.split(_MARKS, template.text)[1:-1]
    in_time = [slot.field.name in TIME_FIELDS for slot in template.slots]
    return [
        text
        for text, inside in zip(texts, map(all, pairwise(in_time)), strict=True)
        if text and not (inside and _TIME_GLUE.fullmatch(text))
    ]


def _keyed_separator(template: _Template) -> str:
    """Return the separator of a key=value format whose keys all follow the same punctuation."""
    between = _between(template)
    found = [re.match(r"([^\w\s=]+)[A-Za-z][\w.\-]*=$", piece) for piece in between]
    separators = {match[1] for match in found if match is not None}
    return separators.pop() if len(separators) == 1 and all(found) else ""


def _sequence(template: _Template) -> Structure:
    cells, readable = _sequence_cells(template)
    found = _CEF.search(template.text)
    end = found.end() if found is not None else 0
    return Structure(
        LineKind.SEQUENCE,
        cells,
        _sequence_guards(template, end),
        closing=template.before("|", end=end),
        readable=readable,
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
    header = template.indices(template.text[:header_end])
    guards = []
    for index, (slot, after) in enumerate(
        zip(template.slots, re.split(_MARKS, template.text)[1:], strict=True)
    ):
        if index in header:
            guards.append("|")
        elif pairs:
            guards.append("" if slot.field.encoded else "=")
        else:
            first = common or after[:1]
            guard = "" if first.isalnum() or first.isspace() else first
            guards.append('"\\' if guard == '"' else guard)
    return tuple(guards)


def _sequence_cells(template: _Template) -> tuple[tuple[Cell, ...], bool]:
    """Return static texts and cells in turn; time fields that only glue parts make one cell."""
    runs: list[list[Part]] = []
    readable = True
    for part in template.parts(template.text):
        last = runs[-1] if runs else None
        if isinstance(part, Literal) or last is None:
            runs.append([part])
        elif _extends_time(runs, part):
            glue = runs.pop()
            runs[-1] += [*glue, part]
        else:
            readable = readable and isinstance(last[0], Literal) and len(last) == 1
            runs.append([part])
    return tuple(Cell(tuple(run)) for run in runs), readable


def _extends_time(runs: list[list[Part]], part: Slot) -> bool:
    if len(runs) < 2 or part.field.name not in TIME_FIELDS:  # noqa: PLR2004 - a run and its glue
        return False
    glue, before = runs[-1], runs[-2]
    ends = before[-1]
    return (
        len(glue) == 1
        and isinstance(glue[0], Literal)
        and _TIME_GLUE.fullmatch(glue[0].text) is not None
        and isinstance(ends, Slot)
        and ends.field.name in TIME_FIELDS
    )
