"""How records state their time: the key of a record, and what a key states."""

import re
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from formats.language import Literal, Part, Slot
from formats.plan import TimeCells, TimeKey
from formats.reading.cells import decimal
from formats.reading.patterns import run_pattern
from formats.structure.runs import Unit, units_of
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


def zone_of(time_key: TimeKey) -> Callable[[Any], str | None]:
    """Return the function from a record to the zone that it states itself.

    A zone that stands behind one of several times as static text is only that one's.
    """
    if isinstance(time_key, TimeCells) and any(time_key.zones):
        return lambda _: None
    key, statement = key_of(time_key), statement_of(time_key)

    def zone(record: Any) -> str | None:  # noqa: ANN401 - made at run time
        tz = statement(key(record)).get("tz")
        return None if tz is None else str(tz)

    return zone


def _fields_statement(key: object) -> Stated:
    if not isinstance(key, tuple):
        return {"time": str(key)}
    if key and not isinstance(key[0], tuple):
        return {"time": str(key[0]), "tz": str(key[1])}
    return {name: str(value) for name, value in key}


def _cells_statement(time_key: TimeCells) -> Callable[[object], Stated]:
    zones = time_key.zones or (None,) * len(time_key.cells)
    readings = [_reading(*each) for each in zip(time_key.cells, zones, strict=True)]

    def statement(key: object) -> Stated:
        texts = key if isinstance(key, tuple) else (key,)
        stated: dict[str, str | int | None] = {}
        for reading, text in zip(readings, texts, strict=False):  # no cells: the key is None
            if text is not None:
                stated.update(reading(str(text)))
        return stated

    return statement


def _reading(parts: Sequence[Part], zone: str | None) -> Callable[[str], Stated]:
    """Return the function from the text of a run, and static text around it, to what it states.

    Text in another form than the service prints (with `Z`, say) states the time as a whole.
    """
    units = units_of(parts)
    at, run = next((at, unit) for at, unit in enumerate(units) if isinstance(unit, tuple))
    before, behind = _text(units[:at]), _text(units[at + 1 :])
    slots = [part for part in run if isinstance(part, Slot)]
    only = slots[0].field.name if len(run) == 1 and slots[0].conversion != "x" else None
    fullmatch = re.compile(run_pattern(run, grouped=True), re.ASCII).fullmatch

    def reading(text: str) -> Stated:
        inner = text.removeprefix(before)
        if len(inner) + len(before) != len(text) or not inner.endswith(behind):
            return {"time": text}
        inner = inner.removesuffix(behind)
        found = fullmatch(inner)
        stated: dict[str, str | int | None] = {} if zone is None else {"tz": zone}
        if found is None:
            return stated | {only or "time": inner}
        for slot, written in zip(slots, found.groups(), strict=True):
            stated[slot.field.name] = decimal(written) if slot.conversion == "x" else written
        return stated

    return reading


def _text(units: Sequence[Unit]) -> str:
    return "".join(unit.text for unit in units if isinstance(unit, Literal))
