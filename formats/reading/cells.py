"""Reading cells back: the text of a value place to the fields that it was built from."""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest

from formats.errors import NotReadable
from formats.fields import TIME_FIELDS
from formats.language import Literal, Part, Slot
from formats.plan import Attribute, TimeCells, TimeKey
from formats.reading import Input, Reader
from formats.structure import Cell

Match = Callable[[str], dict[str, str] | None]

_HEX = re.compile(r"-?[0-9A-Fa-f]{1,32}")

_COMPLETE = 50
"""Completeness of a cell that needs no other beside it, but for a zone."""


def matcher(parts: Sequence[Part]) -> Match:
    """Return a function from text to field texts; it returns `None` when the text doesn't fit.

    A field ends where the static text after it first occurs, and nothing is tried twice: hostile
    text cannot make it slow. Fields with nothing between them are told apart by their width; raises
    `NotReadable` when they have none. What `%x` wrote comes back as decimal text.
    """
    slots: list[Slot] = []
    pattern = ""
    for part, following in zip_longest(parts, parts[1:]):
        if isinstance(part, Literal):
            pattern += "" if slots else re.escape(part.text)  # else it stands behind its field
            continue
        slots.append(part)
        if isinstance(following, Literal):
            pattern += f"(?>(.*?){re.escape(following.text)})"
        elif following is None:
            pattern += "(.*)"
        elif part.width:
            pattern += f"(.{{{part.width}}})"
        else:
            raise NotReadable(f"nothing between {part.spec} and the field after it")
    fullmatch = re.compile(pattern, re.DOTALL).fullmatch

    def match(text: str) -> dict[str, str] | None:
        found = fullmatch(text)
        values: dict[str, str] = {}
        for slot, written in zip(slots, found.groups() if found else (), strict=False):
            value = _decimal(written) if slot.conversion == "x" else written
            if value is None:
                return None
            values.setdefault(slot.field.name, value)
        return values if found else None

    return match


def _decimal(text: str) -> str | None:
    digits = text.strip()
    return str(int(digits, 16)) if _HEX.fullmatch(digits) else None


Places = Mapping[str, tuple[Cell, Match | None]]
"""Where each attribute of a record is read from; the match takes out one field of several."""


def cells_input(
    name: str,
    cells: Sequence[Cell],
    reader_of: Callable[[Sequence[Attribute], TimeKey, Places, int], Reader],
) -> Input:
    """Return the input of records that have the cells of a feed format.

    `reader_of(attributes, time_key, places, max_record_bytes)` makes a reader; the texts of the
    time's cells go to attributes `clock0`, `clock1`, ... Raises `NotReadable` as `matcher` does.
    """
    clocks = {f"clock{index}": cell for index, cell in enumerate(time_cells(cells))}
    time_key = TimeCells(tuple(clocks), tuple(cell.parts for cell in clocks.values()))
    matches = {cell: matcher(cell.parts) for cell in cells}
    homes: dict[str, Cell] = {}
    for cell in sorted(cells, key=lambda cell: cell.is_text, reverse=True):
        homes |= dict.fromkeys(cell.fields - homes.keys(), cell)

    fields: Places = {
        name: (cell, None if cell.is_text else matches[cell]) for name, cell in homes.items()
    }
    times: Places = {clock: (cell, None) for clock, cell in clocks.items()}

    def reader(attributes: Sequence[Attribute], max_record_bytes: int) -> Reader:
        places = {attribute.name: fields[attribute.name] for attribute in attributes}
        return reader_of(attributes, time_key, {**places, **times}, max_record_bytes)

    return Input(name, frozenset(homes) - TIME_FIELDS, time_key, reader)


def time_cells(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Return the cells that state a record's time: a single cell if enough, and its zone's."""
    candidates = [cell for cell in cells if cell.is_time]
    if not candidates:
        return ()
    best = max(candidates, key=_completeness)
    if _completeness(best) < _COMPLETE:
        return tuple(candidates)
    zoned = best.fields & {"tz", "epochtime"}
    zones = [] if zoned else [cell for cell in candidates if "tz" in cell.fields]
    return (best, *zones[:1])


def _completeness(cell: Cell) -> int:
    names = cell.fields
    if "epochtime" in names:
        return 100
    if "time" in names:
        return 90
    dated = bool(names & {"yy", "yyyy"}) and bool(names & {"mon", "mth"}) and "dd" in names
    return len(names) + (_COMPLETE if dated and {"hh", "mm", "ss"} <= names else 0)
