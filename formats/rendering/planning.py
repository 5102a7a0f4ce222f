"""A feed format and the access to its fields become the plan that renders lines."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from formats.fields import TIME_FIELDS
from formats.language import FeedFormat, Literal, Part, Slot
from formats.plan import (
    BackslashBefore,
    Check,
    Constant,
    FieldAccess,
    LineHolds,
    Piece,
    RenderPlan,
    TimeKey,
    TimePiece,
    ValueHolds,
    ValuePiece,
)
from formats.structure import LineKind, Structure, structure_of
from formats.structure.guards import for_readers
from formats.structure.runs import zones_of
from formats.values import cleaner

_FEW = 4
"""Up to this many values a guard is looked for in each; with more it is counted in the line."""


def render_plan(
    feed_format: FeedFormat,
    access: FieldAccess,
    time_key: TimeKey,
    *,
    escape_characters: str,
    protect_separators: bool,
    protect_for: frozenset[str] = frozenset(),
) -> RenderPlan:
    """Return the plan of a feed's lines.

    With `protect_separators` the structure of every format is kept from hostile values; without
    it only LEEF's is, and the rest prints exactly what the service prints. What `protect_for`
    names is encoded either way.
    """
    structure = structure_of(feed_format)
    guards = structure.guards
    if not protect_separators and structure.kind is not LineKind.LEEF:
        guards = ("",) * len(guards)
    guards = for_readers(guards, structure.spaced, protect_for)
    pieces = tuple(_pieces(feed_format, access, structure, guards))
    return RenderPlan(pieces, tuple(_checks(pieces, structure)), time_key, escape_characters)


def _pieces(
    feed_format: FeedFormat, access: FieldAccess, structure: Structure, guards: Sequence[str]
) -> Iterator[Piece]:
    guarded = iter(enumerate(guards))
    for fixed, group in groupby(feed_format.parts, _is_fixed):
        run = tuple(group)
        slots = [(part, *next(guarded)) for part in run if isinstance(part, Slot)]
        if not fixed:
            for slot, number, guard in slots:
                value = access.values[slot.field.name]
                if isinstance(value, Constant) and isinstance(value.value, str):
                    value = Constant(cleaner(guard)(value.value))
                yield ValuePiece(slot, value, guard, number in structure.closing)
        elif slots:
            zones = zones_of(run)
            yield TimePiece(run, zones if any(zones) else ())
        else:
            yield from (part for part in run if isinstance(part, Literal))


def _is_fixed(part: Part) -> bool:
    """Whether a part is static text or a time field: what stands together becomes one piece."""
    return isinstance(part, Literal) or part.field.name in TIME_FIELDS


def _checks(pieces: Sequence[Piece], structure: Structure) -> Iterator[Check]:
    """Yield the cheapest checks that find what a guard forbids."""
    values = [piece for piece in pieces if isinstance(piece, ValuePiece)]
    texts = [piece for piece in values if piece.variable_text]
    for character in sorted({character for piece in texts for character in piece.guard}):
        guarded = sorted({p.name for p in texts if character in p.guard})
        if sum(character in piece.guard for piece in texts) <= _FEW:
            yield from (ValueHolds(character, field) for field in guarded)
            continue
        unguarded = tuple(p.name for p in texts if character not in p.guard)
        expected = sum(_static_text(piece).count(character) for piece in pieces)
        yield LineHolds(character, expected, unguarded)
    if structure.closing:
        leef = structure.kind is LineKind.LEEF
        yield BackslashBefore(("|", structure.separator) if leef else ("|",), at_end=leef)


def _static_text(piece: Piece) -> str:
    """Return the text of a piece that is the same in every line."""
    if isinstance(piece, Literal):
        return piece.text
    if isinstance(piece, TimePiece):
        return "".join(part.text for part in piece.parts if isinstance(part, Literal))
    return str(piece.value.value) if isinstance(piece.value, Constant) else ""
