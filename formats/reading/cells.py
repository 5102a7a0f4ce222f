"""Reading cells back: the text of a value place to the fields that it was built from."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, zip_longest

from formats.fields import TIME_FIELDS
from formats.language import Literal, Part, Slot
from formats.plan import Attribute, TimeCells, TimeKey
from formats.reading import Input, Reader
from formats.reading.patterns import ANY_TIME, fixed_pattern, glued, pattern_of, run_pattern
from formats.structure import Cell
from formats.structure.runs import Run, Unit, fields_of, is_whole, units_of, zone_behind

Match = Callable[[str], dict[str, str] | None]

_HEX = re.compile(r"-?[0-9A-Fa-f]{1,32}")

_COMPLETE = 50
"""Completeness of a time that needs no other beside it, but for a zone."""


def matcher(parts: Sequence[Part]) -> Match:
    """Return a function from text to the texts in it; it returns `None` when the text doesn't fit.

    Texts of fields have the field's name, those of runs are `run0`, `run1`, ... A value ends where
    the text after it first occurs, the last one where it last does; a number and a time end where
    they look finished, if that text follows. Nothing is tried twice: hostile text cannot make it
    slow. What `%x` wrote comes back as decimal text. Raises `NotReadable` for fields that nothing
    tells apart.
    """
    units = units_of(parts)
    fullmatch = re.compile(_pattern(units), re.DOTALL | re.ASCII).fullmatch
    values = [unit for unit in units if not isinstance(unit, Literal)]
    runs = count()
    names = [
        (unit.field.name, unit.conversion == "x")
        if isinstance(unit, Slot)
        else (f"run{next(runs)}", False)
        for unit in values
    ]

    def match(text: str) -> dict[str, str] | None:
        found = fullmatch(text)
        if found is None:
            return None
        values: dict[str, str] = {}
        for (name, is_hex), written in zip(names, found.groups(), strict=True):
            value = decimal(written) if is_hex else written
            if value is None:
                return None
            values.setdefault(name, value)
        return values

    return match


def _pattern(units: Sequence[Unit]) -> str:
    """Return the pattern of the units of a cell, with a group for each that is no static text."""
    pattern = ""
    for at, unit in enumerate(units):
        following = units[at + 1] if at + 1 < len(units) else Literal("")
        if isinstance(unit, Literal):
            pattern += "" if at else re.escape(unit.text)  # else it stands behind its value
        elif isinstance(following, Literal):
            pattern += _ending(unit, re.escape(following.text), last=at + 2 >= len(units))
        else:
            pattern += f"({_fixed(unit, following)})"
    return pattern


def _ending(unit: Slot | Run, text: str, *, last: bool) -> str:
    """Return the pattern of a unit that static text ends, or that is the `last`, with a group."""
    known = unit_pattern(unit)
    if last:
        return f"(.*){text}"
    if known is None:
        return f"(?>(.*?){text})"
    return f"(?>((?:{known})(?={text})|.*?(?={text})){text})"


def unit_pattern(unit: Slot | Run) -> str | None:
    """Return the pattern of what a unit prints; `None` for text, which may be anything."""
    if isinstance(unit, Slot):
        return pattern_of(unit)
    pattern = run_pattern(unit, grouped=False)
    return f"{pattern}|{ANY_TIME}" if _completeness(fields_of(unit)) >= _COMPLETE else pattern


def _fixed(unit: Slot | Run, following: Unit) -> str:
    """Return the pattern of a unit beside another. Raises `NotReadable` if its width varies."""
    last = unit if isinstance(unit, Slot) else unit[-1]
    behind = following[0] if isinstance(following, tuple) else following
    if not isinstance(last, Slot) or fixed_pattern(last) is None:
        raise glued(last, behind)
    return run_pattern((last,) if isinstance(unit, Slot) else unit, grouped=False, behind=behind)


def decimal(text: str) -> str | None:
    """Return in decimal what `%x` wrote; `None` for what it can't have written."""
    digits = text.strip()
    return str(int(digits, 16)) if _HEX.fullmatch(digits) else None


Places = Mapping[str, tuple[Cell, Match | None]]
"""Where each attribute of a record is read from; the match takes out one field of several."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A run of a cell: `parts` is what the text of its attribute is built of.

    These are those of the whole cell where it has nothing but one run, else those of the run, which
    a match with the key `run` takes out. `zone` is named behind it as static text.
    """

    cell: Cell
    run: str
    parts: tuple[Part, ...]
    zone: str | None

    @property
    def fields(self) -> frozenset[str]:
        """Names of the fields in the run."""
        return fields_of(self.parts)

    @property
    def is_cell(self) -> bool:
        """Whether the text of the clock is that of its cell."""
        return self.parts == self.cell.parts


def cells_input(
    name: str,
    cells: Sequence[Cell],
    reader_of: Callable[[Sequence[Attribute], TimeKey, Places, int], Reader],
) -> Input:
    """Return the input of records that have the cells of a feed format.

    `reader_of(attributes, time_key, places, max_record_bytes)` makes a reader; the texts of the
    times go to attributes `clock0`, `clock1`, ... Raises `NotReadable` as `matcher` does.
    """
    clocks = {f"clock{index}": clock for index, clock in enumerate(time_clocks(cells))}
    time_key = TimeCells(
        tuple(clocks),
        tuple(clock.parts for clock in clocks.values()),
        tuple(clock.zone for clock in clocks.values()),
    )
    matches = {cell: matcher(cell.parts) for cell in cells}
    homes: dict[str, Cell] = {}
    for cell in sorted(cells, key=lambda cell: cell.is_text, reverse=True):
        homes |= dict.fromkeys(cell.fields - TIME_FIELDS - homes.keys(), cell)

    fields: Places = {
        name: (cell, None if cell.is_text else matches[cell]) for name, cell in homes.items()
    }
    times: Places = {
        name: (clock.cell, None if clock.is_cell else _taking(matches[clock.cell], clock.run, name))
        for name, clock in clocks.items()
    }

    def reader(attributes: Sequence[Attribute], max_record_bytes: int) -> Reader:
        places = {attribute.name: fields[attribute.name] for attribute in attributes}
        return reader_of(attributes, time_key, {**places, **times}, max_record_bytes)

    return Input(name, frozenset(homes), time_key, reader)


def _taking(match: Match, key: str, name: str) -> Match:
    def taken(text: str) -> dict[str, str] | None:
        found = match(text)
        return None if found is None else {name: found[key]}

    return taken


def time_clocks(cells: Sequence[Cell]) -> tuple[Clock, ...]:
    """Return what states a record's time: a single run if enough, and its zone's."""
    candidates = [clock for cell in cells for clock in _clocks(cell)]
    if not candidates:
        return ()
    best = max(candidates, key=lambda clock: _completeness(clock.fields))
    if _completeness(best.fields) < _COMPLETE:
        return tuple(candidates)
    zoned = best.zone or best.fields & {"tz", "epochtime"}
    zones = [] if zoned else [clock for clock in candidates if "tz" in clock.fields]
    return (best, *zones[:1])


def _clocks(cell: Cell) -> Iterator[Clock]:
    units = units_of(cell.parts)
    values = [unit for unit in units if not isinstance(unit, Literal)]
    runs = 0
    for unit, following in zip_longest(units, units[1:]):
        if isinstance(unit, tuple):
            zone = zone_behind(unit, following) or cell.zone
            yield Clock(cell, f"run{runs}", cell.parts if len(values) == 1 else unit, zone)
            runs += 1


def _completeness(names: frozenset[str]) -> int:
    if "epochtime" in names:
        return 100
    if "time" in names:
        return 90
    return len(names) + (_COMPLETE if is_whole(names) else 0)
