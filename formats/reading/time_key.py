"""How records state their time: the cells to look at, the key of a record, what a key states."""

from collections.abc import Callable, Sequence
from typing import Any, assert_never

from formats.language import Part
from formats.plan import TimeCells, TimeFields, TimeKey
from formats.reading.cells import matcher
from formats.structure import Cell
from formats.times import ABSENT, Stated

_COMPLETE = 50
"""Completeness of a cell that needs no other beside it, but for a zone."""


def time_cells(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Return the cells that state a record's time: one if one is enough, and its zone's."""
    candidates = [cell for cell in cells if cell.is_time]
    if not candidates:
        return ()
    best = max(candidates, key=_completeness)
    if _completeness(best) < _COMPLETE:
        return tuple(candidates)
    if best.fields & {"tz", "epochtime"}:
        return (best,)
    zones = [cell for cell in candidates if "tz" in cell.fields]
    return (best, *zones[:1])


def _completeness(cell: Cell) -> int:
    names = cell.fields
    if "epochtime" in names:
        return 100
    if "time" in names:
        return 90
    dated = bool(names & {"yy", "yyyy"}) and bool(names & {"mon", "mth"}) and "dd" in names
    return len(names) + (_COMPLETE if dated and {"hh", "mm", "ss"} <= names else 0)


def cells_key(cells: Sequence[Cell]) -> TimeCells:
    """Return how records of a format state their time; `cells` come from `time_cells`.

    Their texts go to attributes `clock0`, `clock1`, ...
    """
    names = tuple(f"clock{index}" for index in range(len(cells)))
    return TimeCells(names, tuple(cell.parts for cell in cells))


def key_of(time_key: TimeKey) -> Callable[[Any], object]:
    """Return the function from a record to the key under which equal times are equal."""
    names = time_key.attributes
    match time_key:
        case TimeCells():
            return lambda record: (
                getattr(record, names[0])
                if len(names) == 1
                else tuple(getattr(record, name) for name in names) or None
            )
        case TimeFields():
            return lambda record: _fields_key(record, names)
    assert_never(time_key)


def _fields_key(record: Any, names: Sequence[str]) -> object:  # noqa: ANN401 - made at run time
    if record.epochtime is not None or record.time in ABSENT:
        return stated_pairs(record, names)
    return record.time if record.tz is None else (record.time, record.tz)


def stated_pairs(record: Any, names: Sequence[str]) -> tuple[tuple[str, object], ...]:  # noqa: ANN401 - made at run time
    """Return the attributes that the record has, with their names."""
    pairs = ((name, getattr(record, name)) for name in names)
    return tuple(pair for pair in pairs if pair[1] is not None)


def statement_of(time_key: TimeKey) -> Callable[[object], Stated]:
    """Return the function from a key to the time fields that it states."""
    match time_key:
        case TimeCells(_, cells):
            return _cells_statement(cells)
        case TimeFields():
            return _fields_statement
    assert_never(time_key)


def _fields_statement(key: object) -> Stated:
    if not isinstance(key, tuple):
        return {"time": str(key)}
    if key and not isinstance(key[0], tuple):
        return {"time": str(key[0]), "tz": str(key[1])}
    return {name: str(value) for name, value in key}


def _cells_statement(cells: Sequence[Sequence[Part]]) -> Callable[[object], Stated]:
    matches = [matcher(parts) for parts in cells]

    def statement(key: object) -> Stated:
        texts = key if isinstance(key, tuple) else (key,)
        stated: dict[str, str | int | None] = {}
        for match, text in zip(matches, texts, strict=False):  # no cells: the key is None
            if text is None:
                continue
            found = match(str(text))
            stated.update(found if found and all(found.values()) else {"time": str(text)})
        return stated

    return statement
