"""How records state their time: the key of a record, and what a key states."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from formats.plan import TimeCells, TimeKey
from formats.reading.cells import matcher
from formats.times import ABSENT, Stated


def key_of(time_key: TimeKey) -> Callable[[Any], object]:
    """Return the function from a record to the key under which equal times are equal."""
    names = time_key.attributes
    if isinstance(time_key, TimeCells):
        return attrgetter(*names) if names else lambda _: None

    def key(record: Any) -> object:  # noqa: ANN401 - made at run time
        if record.epochtime is not None or record.time in ABSENT:
            return stated_pairs(record, names)
        return record.time if record.tz is None else (record.time, record.tz)

    return key


def stated_pairs(record: Any, names: Sequence[str]) -> tuple[tuple[str, object], ...]:  # noqa: ANN401 - made at run time
    """Return the attributes that the record has, with their names."""
    pairs = ((name, getattr(record, name)) for name in names)
    return tuple(pair for pair in pairs if pair[1] is not None)


def statement_of(time_key: TimeKey) -> Callable[[object], Stated]:
    """Return the function from a key to the time fields that it states."""
    return _cells_statement(time_key) if isinstance(time_key, TimeCells) else _fields_statement


def _fields_statement(key: object) -> Stated:
    if not isinstance(key, tuple):
        return {"time": str(key)}
    if key and not isinstance(key[0], tuple):
        return {"time": str(key[0]), "tz": str(key[1])}
    return {name: str(value) for name, value in key}


def _cells_statement(time_key: TimeCells) -> Callable[[object], Stated]:
    matches = [matcher(parts) for parts in time_key.cells]

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
