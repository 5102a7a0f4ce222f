"""A plan and the keys of its records become the program that the compiled core runs.

A program is the plan once more, flat and with everything looked up that the core must not know:
catalogue, guards, placeholders. A plan that the core can't run has no program.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from itertools import combinations

from formats.compiled.layout import Layout, layout_of
from formats.fields import Derivation
from formats.language import Literal
from formats.plan import (
    Attribute,
    Constant,
    Derived,
    KeyTable,
    Own,
    RenderPlan,
    Shifted,
    Table,
    TimeFields,
    TimeKey,
    TimePiece,
    Total,
    ValuePiece,
)
from formats.rendering.shortening import is_shortened, mark_of, marks_of
from formats.values import cleaner, encoder

MAX_WAYS = 4
_MAX_WIDTH = 104
_MAX_KEY = 200
MAX_CUTS = 16
MAX_NUMBER = 2**62
_QUOTES = frozenset('"\\')
_NO_KEYS = KeyTable(lambda _: (None, False), "")


class Printed(IntEnum):
    """What a piece of a line prints; the numbers are those of render.pxi."""

    STATIC = 0
    TIMES = 1
    TEXT = 2
    NUMBER = 3
    TOTAL = 4


class How(IntEnum):
    """What the core does to derive a text; the numbers are those of render.pxi."""

    SAME = 0
    ENCODE = 1
    ELSEWHERE = 2
    UNBASE64 = 3
    UNBASE64_ENCODE = 4
    TO_BASE64 = 5
    PATH = 6


_HOW = {
    "same": How.SAME,
    "encode": How.ENCODE,
    "unbase64": How.UNBASE64,
    "unbase64-encode": How.UNBASE64_ENCODE,
    "base64": How.TO_BASE64,
    "path": How.PATH,
}


class Taken(IntEnum):
    """What the value of a key may be; the numbers are those of core.pxi."""

    TEXT = 0
    NUMBER = 1
    TIME = 2


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of a line.

    `prefix` is static text, which is printed first. `slot` is that of the field's own value. `text`
    is the placeholder, and `otherwise` the number, for a record that states nothing. `cleans` and
    `encodes` say for each byte whether it is printed as `%HH`, in a text and in an encoded one;
    `guarded`, whether `cleans` names more than control characters. `mark` stands behind a text that
    was cut.
    `ways` are slots to derive from or to sum up, each with a `How` and a number for its absence.
    """

    kind: Printed
    number: int = 0
    slot: int = -1
    closes: bool = False
    encoded: bool = False
    hexadecimal: bool = False
    width: int = 0
    pad: int = ord(" ")
    prefix: bytes = b""
    text: bytes = b""
    otherwise: int = 0
    mark: bytes = b""
    guarded: bool = False
    quotes_only: bool = False
    cleans: bytes = bytes(256)
    encodes: bytes = bytes(256)
    ways: tuple[tuple[int, How, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """What `Core` runs. `times` are the slots of what states the time, in the plan's order.

    `envelope` is the key of the object that may hold the fields; `envelope_counted`, whether it
    counts as unmapped elsewhere. `clock` are the slots of `time`, `tz` and `epochtime` for times by
    field name, else -1. `twins` are two slots whose texts must agree, and which one is in base64:
    1, 2, or 0 for neither. With a `layout` records are lines of text, and none of the
    keys matters.

    `cuts` are the numbers of the pieces that are cut when a line is too long, of which each keeps
    `least` bytes; -1: Python does it.
    """

    envelope: bytes
    envelope_counted: bool
    slots: tuple[Taken, ...]
    times: tuple[int, ...]
    twins: tuple[tuple[int, int, int], ...]
    clock: tuple[int, ...]
    pieces: tuple[Step, ...]
    time_pieces: int
    max_record_bytes: int
    cuts: tuple[int, ...]
    least: int
    layout: Layout | None = None


class Unfit(Exception):  # noqa: N818 - nothing is wrong
    """The core can't run a plan or a filter; the text is the reason."""


def program_of(
    plan: RenderPlan, attributes: Sequence[Attribute], table: Table, max_record_bytes: int
) -> Program | None:
    """Return the program of a plan; `None` when the core can't run it."""
    times = plan.time_key.attributes
    slots = slots_of(attributes, plan.time_key)
    taken = [Taken.NUMBER if attribute.number else Taken.TEXT for attribute in attributes]
    by_name = isinstance(plan.time_key, TimeFields)
    if len(slots) != len(attributes) + len(times):  # an attribute is a part of the time as well
        return None
    keys = table if isinstance(table, KeyTable) else _NO_KEYS
    layout = None if isinstance(table, KeyTable) else layout_of(table, slots)
    if layout is None and keys is not table:
        return None
    try:
        steps = tuple(_joined(_Steps(plan, attributes, slots).steps()))
        return Program(
            _key(keys.envelope),
            keys.meaning_of(keys.envelope)[1],
            (*taken, *[Taken.TIME] * len(times)),
            tuple(slots[name] for name in times),
            tuple(_twins(keys, slots)),
            tuple(slots[name] if by_name else -1 for name in ("time", "tz", "epochtime")),
            steps,
            sum(step.kind is Printed.TIMES for step in steps),
            max_record_bytes,
            *_cuts(plan, steps),
            layout,
        )
    except Unfit:
        return None


def how_of(way: Derivation) -> How:
    """Return what the core does for a derivation."""
    return _HOW.get(way.how, How.ELSEWHERE)


def slots_of(attributes: Sequence[Attribute], time_key: TimeKey) -> dict[str, int]:
    """Return the number of each attribute's value, those of the time last."""
    names = [*(attribute.name for attribute in attributes), *time_key.attributes]
    return {name: number for number, name in enumerate(names)}


def _twins(table: KeyTable, slots: Mapping[str, int]) -> Iterator[tuple[int, int, int]]:
    for group in table.twins:
        for one, other in combinations(group, 2):
            in_base64 = 1 if one.startswith("b64") else 2 if other.startswith("b64") else 0
            yield slots[one], slots[other], in_base64


def _cuts(plan: RenderPlan, steps: Sequence[Step]) -> tuple[tuple[int, ...], int]:
    """Return which steps may be cut, and how much of each stays at least."""
    marks = marks_of(plan.pieces)
    least = max(map(len, marks.values()), default=0)
    cuts = tuple(number for number, step in enumerate(steps) if step.mark)
    constants = (
        len(piece.slot.text(piece.value.value).encode())
        for piece in map(plan.pieces.__getitem__, marks)
        if isinstance(piece, ValuePiece) and isinstance(piece.value, Constant)
    )
    # A constant of no more than `least` changes no level from there on: it need not be looked at.
    if len(cuts) > MAX_CUTS or any(size > least for size in constants):
        return (), -1
    return cuts, least


def _key(key: str) -> bytes:
    if not key.isascii() or not key.isprintable() or _QUOTES & set(key) or len(key) > _MAX_KEY:
        raise Unfit("a key that can be written in several ways")
    return key.encode()


class _Steps:
    """Makes the steps of a plan."""

    def __init__(
        self, plan: RenderPlan, attributes: Sequence[Attribute], slots: dict[str, int]
    ) -> None:
        self._plan = plan
        self._slots = slots
        self._attributes = {attribute.name: attribute for attribute in attributes}
        self._encode = encoder(plan.escape_characters)
        self._escapes = _characters(plan.escape_characters)

    def steps(self) -> Iterator[Step]:
        """Yield them in order. Raises `Unfit`."""
        times = 0
        for piece in self._plan.pieces:
            match piece:
                case Literal(text):
                    yield Step(Printed.STATIC, prefix=text.encode())
                case TimePiece():
                    yield Step(Printed.TIMES, times)
                    times += 1
                case ValuePiece(slot, Constant(constant)):
                    text = slot.text(constant)
                    yield Step(Printed.STATIC, prefix=text.encode(), closes=piece.closes)
                case ValuePiece(slot):
                    number = slot.field.conversion == "d"
                    yield self._number(piece) if number else self._text(piece)

    def _text(self, piece: ValuePiece) -> Step:
        guards, field = _characters(piece.guard), piece.slot.field
        placeholder = cleaner(piece.guard)(self._placeholder(piece))
        return Step(
            Printed.TEXT,
            slot=self._own(piece),
            closes=piece.closes,
            encoded=field.encoded,
            text=(self._encode(placeholder) if field.encoded else placeholder).encode(),
            guarded=bool(guards),
            quotes_only=guards <= _QUOTES,
            cleans=_table(guards, encoded=False),
            encodes=_table(guards | self._escapes, encoded=True),
            ways=tuple(self._ways(piece)),
            mark=self._mark(piece),
        )

    def _mark(self, piece: ValuePiece) -> bytes:
        return mark_of(piece).encode() if is_shortened(piece) else b""

    def _placeholder(self, piece: ValuePiece) -> str:
        match piece.value:
            case Own(name) | Shifted(name):
                return str(self._attributes[name].default)
            case Derived(_, _, placeholder):
                return str(placeholder)
        raise Unfit("a text that is a sum")

    def _number(self, piece: ValuePiece) -> Step:
        slot = piece.slot
        if slot.width > _MAX_WIDTH:
            raise Unfit("a wide number")
        match piece.value:
            case Own(name):
                otherwise = self._attributes[name].default
            case Derived(_, _, otherwise):
                pass
            case _:
                otherwise = 0
        if not isinstance(otherwise, int) or abs(otherwise) > MAX_NUMBER:
            raise Unfit("a number without a default")
        return Step(
            Printed.TOTAL if isinstance(piece.value, Total) else Printed.NUMBER,
            slot=self._own(piece),
            closes=piece.closes,
            hexadecimal=slot.conversion == "x",
            width=slot.width,
            pad=ord("0" if slot.pad == "0" else " "),
            otherwise=otherwise,
            ways=tuple(self._ways(piece)),
        )

    def _own(self, piece: ValuePiece) -> int:
        """Return the slot of the field's own value. Raises `Unfit` for one of another kind."""
        value = piece.value
        own = value.attribute if isinstance(value, Own) else None
        if isinstance(value, Total | Derived):
            own = value.own
        if own is None:
            return -1
        if self._attributes[own].number != (piece.slot.field.conversion == "d"):
            raise Unfit("a text that is printed as a number")
        return self._slots[own]

    def _ways(self, piece: ValuePiece) -> Iterator[tuple[int, How, int]]:
        value = piece.value
        if isinstance(value, Total):
            for name in value.summands:
                default = self._attributes[name].default
                if not isinstance(default, int) or abs(default) > MAX_NUMBER:
                    raise Unfit("a sum of what has no default")
                yield self._slots[name], How.SAME, default
        elif isinstance(value, Derived):
            if len(value.derivations) > MAX_WAYS:
                raise Unfit("many derivations")
            for way in value.derivations:
                if self._attributes[way.source].number:
                    raise Unfit("a text derived from a number")
                yield self._slots[way.source], how_of(way), 0
        elif isinstance(value, Shifted):
            yield self._slots[value.own], How.ELSEWHERE, 0


def _joined(steps: Iterator[Step]) -> Iterator[Step]:
    """Put static texts before the steps that follow; what closes ends one."""
    text = b""
    for step in steps:
        if step.kind is Printed.STATIC and not step.closes:
            text += step.prefix
        else:
            yield replace(step, prefix=text + step.prefix)
            text = b""
    if text:
        yield Step(Printed.STATIC, prefix=text)


def _characters(text: str) -> frozenset[str]:
    """Return the characters of a guard, or of what is encoded in encoded fields.

    Raises `Unfit` for what `%HH` itself consists of: what is encoded twice differs then.
    """
    if not text.isascii() or any(letter.isalnum() or letter == "%" for letter in text):
        raise Unfit("a guard that %HH may hold")
    return frozenset(text)


@cache
def _table(guards: frozenset[str], *, encoded: bool) -> bytes:
    highest = 0x20 if encoded else 0x1F
    return bytes(
        byte <= highest or byte == 0x7F or (encoded and byte > 0x7F) or chr(byte) in guards  # noqa: PLR2004 - DEL
        for byte in range(256)
    )
