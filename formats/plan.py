"""The plan of a pipeline: what a record has, where each value comes from, what a line is made of.

A plan is data: frozen, without functions and without source text, so that any core can run it. It
is made once for one pairing of input and feed:

    record.field_access          FieldAccess   attributes to decode, and a Value for every field
    reading.time_key, .json      TimeKey       where a record states its time
    structure, guards            the guards    which characters must not come out of a value raw
    rendering.planning           RenderPlan    the pieces of a line, and the checks of the loop
    filters.parse                Predicate     see `formats.filters.predicate`

`rendering.generate` turns it into Python; `rendering.renderer` is the readable reference of a line.

To run a plan over a batch:

1. Decode each record into the attributes; what the record lacks has its default.
2. Drop the record unless the predicate holds.
3. Look up the texts of all `TimePiece`s under the record's time key. A new key is worked out by
   `times.resolve`; if that fails, the record has no line and is set apart with the reason.
4. Join the texts of the pieces. Values of `e*` fields are encoded first (`values.encoder`).
5. If any check fires, or if the reader has seen control characters in the record, throw the line
   away and build it again, checking every character of every value as `ValuePiece` says.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from formats.dataclass import dataclass
from formats.fields import Derivation
from formats.language import Literal, Part, Slot

UNSTATED = -(10**40)
"""Default of a number that can be derived: no record can state it (`formats.reading.number`)."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a decoded record: a number (signed, 64 bits) or a text.

    `default` stands for a value that the record lacks. An attribute that a value can be derived
    without, or that others are derived from, defaults to `None` (text) or `UNSTATED` (number).
    """

    name: str
    number: bool
    default: str | int | None


@dataclass(frozen=True, slots=True)
class Constant:
    """The placeholder of a field that no record of the input can have.

    In a `ValuePiece` it is as it is printed, with the guard encoded.
    """

    value: str | int


@dataclass(frozen=True, slots=True)
class Own:
    """The value of an attribute as it was decoded; its default is the field's placeholder."""

    attribute: str


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of the attributes `summands`, unless `own` is an attribute that is not `UNSTATED`."""

    own: str | None
    summands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Derived:
    """The attribute `own` if the record states it; else derived from others; else a placeholder.

    Derivations are tried in order. One fails when its source attribute is absent, when it is
    `None` as text and the conversion would make something of that, or when it is no base64. Text
    that comes out as it went in, or out of base64, has its control characters as `%HH`.
    """

    own: str | None
    derivations: tuple[Derivation, ...]
    placeholder: str | int


@dataclass(frozen=True, slots=True)
class Shifted:
    """The time that the attribute `own` states in the record's zone, in the zone of the feed.

    It is printed like `time`. What states no time stays as it is, and so does the placeholder of
    one that was never set (`times.NEVER`).
    """

    own: str


Value = Constant | Own | Total | Derived | Shifted
"""Where the value of a field comes from. Numbers are integers of any size, all else is text."""


@dataclass(frozen=True, slots=True)
class FieldAccess:
    """Which attributes the records of a pipeline have, and how each wanted field comes from them.

    `values` has no time fields: these follow from the `TimeKey`.
    """

    attributes: tuple[Attribute, ...]
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class KeyTable:
    """Which keys of JSON objects lead to which attributes of a record, times among them.

    `meaning_of(key)` is the attribute, if any, and whether no field at all is known for the key.
    The keys lie at the top of the record, or in the object that it has under the key `envelope`.
    Beside that no key with an attribute may stand but those in `beside`. An attribute of `whose`
    must not have a key in an object that nobody reads. Those of a group in `twins` must agree.
    """

    meaning_of: Callable[[str], tuple[str | None, bool]]
    envelope: str
    beside: Collection[str] = frozenset()
    whose: Collection[str] = frozenset()
    twins: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, slots=True)
class TimeCells:
    """The time stands in texts whose form is known: `cells[i]` is what attribute `i` is built of.

    The key is the text of the only attribute, the texts of all of them in order, or nothing. A
    text that its cell does not match states `time` as a whole, in any known form. `zones[i]` is the
    zone that the format names as static text behind the time of cell `i`.
    """

    attributes: tuple[str, ...]
    cells: tuple[tuple[Part, ...], ...]
    zones: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class TimeFields:
    """Each attribute is called like the time field that it states, `time` in any known form.

    The key is `time`, or `time` and `tz`, for a record that has a `time` and no `epochtime`; for
    every other, all attributes that it has, by name.
    """

    attributes: tuple[str, ...]


TimeKey = TimeCells | TimeFields
"""Where a record states its time. Its attributes hold text or a number, `None` for what it lacks.

Records with equal keys print equal times, so that a distinct time is worked out once.
"""


@dataclass(frozen=True, slots=True)
class TimePiece:
    """Static text and time fields that stand together: the same text for every equal time.

    `zones[i]` is the zone that part `i` is printed in, `None` for that of the feed; without any,
    there are none.
    """

    parts: tuple[Part, ...]
    zones: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ValuePiece:
    """The value of a field, as `slot` prints it (conversion, width, padding: `Slot.text`).

    The reference encodes as `%HH` the characters in `guard` (`|` in a header, say), control
    characters, and for `slot.field.encoded` whatever else the `e*` fields never carry. `closes`
    says that text follows before which a backslash would be read as an escape; if the line up to
    here ends in one, it becomes `%5C`.
    """

    slot: Slot
    value: Value
    guard: str
    closes: bool

    @property
    def name(self) -> str:
        """The name of the field."""
        return self.slot.field.name

    @property
    def variable_text(self) -> bool:
        """Whether the value is text that comes from the record, so that it can hold anything."""
        return self.slot.field.conversion == "s" and not isinstance(self.value, Constant)


Piece = Literal | TimePiece | ValuePiece


@dataclass(frozen=True, slots=True)
class ValueHolds:
    """Fires when the printed value of `field` holds `character`."""

    character: str
    field: str


@dataclass(frozen=True, slots=True)
class LineHolds:
    """Fires when `character` is in the line another number of times than `expected`.

    What stands in the values of `unguarded` fields, which may hold it, does not count. A field
    that a line prints twice is in there twice.
    """

    character: str
    expected: int
    unguarded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BackslashBefore:
    """Fires when a backslash stands before one of `texts`, or last in the line if `at_end`."""

    texts: tuple[str, ...]
    at_end: bool


Check = ValueHolds | LineHolds | BackslashBefore
"""What is checked in a finished line. A check that fires sends its record to the reference.

Checks may fire for a line that is in order, never the other way round.
"""


@dataclass(frozen=True, slots=True)
class RenderPlan:
    """How the records of one input become lines of one feed.

    `escape_characters` are encoded in `e*` fields beyond what always is.
    """

    pieces: tuple[Piece, ...]
    checks: tuple[Check, ...]
    time_key: TimeKey
    escape_characters: str = ""
