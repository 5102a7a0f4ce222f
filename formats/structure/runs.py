"""Runs: time fields with nothing between them but glue, and the zone that stands behind them.

A run (`%s{mon} %02d{dd} %02d{hh}:%02d{mm}:%02d{ss}`) is one statement of a time. Static text behind
it that names a zone (`%02d{ss} America/Chicago`) is part of the statement: the time is printed in
that zone whatever the zone of the feed is, and is read back so. The name stands directly behind the
time, or behind one space: an IANA name with a slash, `Z`, `GMT`, `UTC`, these with an offset, or an
offset with minutes.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest

from formats.errors import ZoneError
from formats.fields import TIME_FIELDS
from formats.language import Literal, Part, Slot
from formats.times import zone

Run = tuple[Part, ...]
Unit = Literal | Slot | Run
"""What parts are made of: static text, a field that is no time, or a run."""

_GLUE = re.compile(r"[ :,./T\-]+")
_ZONE = re.compile(
    r"(?: (?P<iana>[A-Z][A-Za-z]{1,20}(?:/[A-Z][\w+\-]{1,30}){1,2})"
    r"| ?(?P<offset>(?:GMT|UTC)(?:[+-]\d{1,2}(?::?[0-5]\d)?)?|Z|[+-]\d\d:?[0-5]\d))"
    r"(?![\w/+:\-])",
    re.ASCII,
)


def is_time(part: Part) -> bool:
    """Whether a part is a slot of a time field."""
    return isinstance(part, Slot) and part.field.name in TIME_FIELDS


def units_of(parts: Sequence[Part]) -> tuple[Unit, ...]:
    """Return the parts of a cell or a format with each run as one unit."""
    return tuple(_units(parts))


def _units(parts: Sequence[Part]) -> Iterator[Unit]:
    run: list[Part] = []
    for part, following in zip_longest(parts, parts[1:]):
        glue = isinstance(part, Literal) and _GLUE.fullmatch(part.text) is not None
        if is_time(part) or (run and glue and following is not None and is_time(following)):
            run.append(part)
            continue
        if run:
            yield tuple(run)
            run = []
        yield part
    if run:
        yield tuple(run)


def fields_of(run: Run) -> frozenset[str]:
    """Return the names of the fields of a run."""
    return frozenset(part.field.name for part in run if isinstance(part, Slot))


def is_whole(names: Collection[str]) -> bool:
    """Whether time fields state a moment, but for its zone."""
    if "epochtime" in names or "time" in names:
        return True
    parts = (("yy", "yyyy"), ("mon", "mth"), ("dd",), ("hh",), ("mm",), ("ss",))
    return all(any(name in names for name in part) for part in parts)


def zone_behind(run: Run, following: Unit | None) -> str | None:
    """Return the zone that the unit behind a run names at its beginning, if any."""
    if not isinstance(following, Literal) or "tz" in fields_of(run):
        return None
    found = _ZONE.match(following.text)
    if found is None:
        return None
    name = str(found["iana"] or found["offset"])
    try:
        zone(name)
    except ZoneError:
        return None
    return name


def zones_of(parts: Sequence[Part]) -> tuple[str | None, ...]:
    """Return for each part the zone that it is printed in, `None` for that of the feed."""
    units = units_of(parts)
    zones: list[str | None] = []
    for unit, following in zip_longest(units, units[1:]):
        if isinstance(unit, tuple):
            zones += [zone_behind(unit, following)] * len(unit)
        else:
            zones.append(None)
    return tuple(zones)
