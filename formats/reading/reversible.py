"""What of a feed format can be read back: what nothing tells apart, and what hostile values can.

A format is reversible when every value ends at something that it can't hold itself. Then all that
`nss` prints in it, structure protected, reads back equal.
"""

from collections.abc import Iterator
from itertools import pairwise, zip_longest

from formats.errors import NotReadable
from formats.fields import ADDRESS_FIELDS, TIME_FIELDS
from formats.language import FeedFormat, Literal, Slot
from formats.reading.patterns import fixed_pattern, glued
from formats.structure import Cell, LineKind, Structure
from formats.structure.quoting import quoting_of
from formats.structure.runs import Unit, is_time, is_whole, units_of
from formats.structure.template import Template

_NUMBER = frozenset("0123456789-")
_HEX = _NUMBER | frozenset("abcdefABCDEF")
_ADDRESS = frozenset("0123456789abcdefABCDEF.:")


def check_apart(structure: Structure) -> None:
    """Raise `NotReadable` when two fields of a format can't be told apart in any line."""
    if structure.kind is LineKind.SEQUENCE:
        for cell, following in pairwise(structure.cells):
            if cell.slots and following.slots:
                raise glued(cell.parts[-1], following.parts[0])
        return
    by_key: dict[object, Cell] = {}
    for cell in structure.cells:
        first = by_key.setdefault(cell.path or cell.key, cell)
        if first.parts != cell.parts:
            specs = " and ".join("".join(p.spec for p in each.parts) for each in (first, cell))
            raise NotReadable(f"key {cell.key!r} stands before {specs}")


def doubts(feed_format: FeedFormat, structure: Structure) -> tuple[str, ...]:
    """Return a sentence for each value that can't be relied on when lines are read back."""
    found = (
        *_lost(feed_format, structure),
        *_open_ended(structure),
        *_half_timed(structure),
        *_no_json(feed_format, structure),
    )
    return tuple(dict.fromkeys(found))


def _no_json(feed_format: FeedFormat, structure: Structure) -> Iterator[str]:
    """Yield the fields of JSON that need quotes around them: it knows no text without, nor `07`."""
    if structure.kind is not LineKind.JSON:
        return
    template = Template(feed_format)
    for slot, place in zip(template.slots, quoting_of(template.text).places, strict=True):
        is_number = slot.conversion == "d" and not (slot.pad == "0" and slot.width > 1)
        if not (place.quotes or is_number):
            yield f"{slot.spec} stands in JSON without quotes: what it prints is not always JSON"


def _half_timed(structure: Structure) -> Iterator[str]:
    names = TIME_FIELDS & {name for cell in structure.cells for name in cell.fields}
    if names and not is_whole(names):
        yield "the time is not whole: feeds whose format prints more of it reject such records"


def _lost(feed_format: FeedFormat, structure: Structure) -> Iterator[str]:
    found = {name for cell in structure.cells for name in cell.fields}
    for name in sorted(feed_format.field_names - found):
        yield f"{name} is not read back: it stands where no value does"


def _open_ended(structure: Structure) -> Iterator[str]:
    """Yield what is wrong with values that may hold the text that ends them."""
    guards = iter(structure.guards)
    for unit, text, following in _ended(structure):
        guard = "".join(next(guards, "") for _ in _slots(unit))
        if text is None or following is None or not _may_hold(unit, text, guard):
            continue
        last, first = _slots(unit)[-1], _slots(following)[0]
        yield (
            f"{last.spec} may hold {text!r}, which ends it before {first.spec}: "
            "it is read back wrong then"
        )


def _ended(structure: Structure) -> Iterator[tuple[Unit, str | None, Unit | None]]:
    """Yield each value with the static text that ends it and the value behind that, if any."""
    cells = [units_of(cell.parts) for cell in structure.cells]
    if structure.kind is LineKind.SEQUENCE:
        cells = [tuple(unit for units in cells for unit in units)]
    for units in cells:
        for unit, text, following in zip_longest(units, units[1:], units[2:]):
            if not isinstance(unit, Literal):
                yield unit, text.text if isinstance(text, Literal) else None, following


def _slots(unit: Unit) -> tuple[Slot, ...]:
    parts = unit if isinstance(unit, tuple) else (unit,)
    return tuple(part for part in parts if isinstance(part, Slot))


def _may_hold(unit: Unit, text: str, guard: str) -> bool:
    if any(character in guard or not character.isprintable() for character in text):
        return False
    slot = _slots(unit)[-1]
    if is_time(slot):
        return fixed_pattern(slot) is None and (text[0].isalnum() or text[0] in "+-/:")
    if slot.field.conversion == "d":
        return not set(text) - (_HEX if slot.conversion == "x" else _NUMBER)
    if slot.field.name in ADDRESS_FIELDS:
        return not set(text) - _ADDRESS
    if slot.field.encoded:
        return all("!" <= character <= "~" for character in text)
    return True
