"""How records state their time: the key of a record, and what a key states."""

from collections.abc import Callable, Sequence
from typing import Any, assert_never

from formats.language import Part
from formats.plan import TimeCells, TimeFields, TimeKey
from formats.reading.cells import matcher
from formats.times import ABSENT, Stated


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
