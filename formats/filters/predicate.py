"""The predicate of a feed filter as data: a tree of comparisons that any core can evaluate.

`filters.parse` builds it, `rendering.generate` turns it into Python. Missing values take part as
their placeholders, so that every field has a value.
"""

from enum import Enum, auto

from formats.dataclass import dataclass


class Reading(Enum):
    """What of a field's value is tested. A comparison passes if one of the readings does."""

    VALUE = auto()
    """The value itself."""
    HOST = auto()
    """The value, and the value without `:` and digits at its end."""
    MEMBERS = auto()
    """Each of the texts between `|`, without the blanks around it."""
    ADDRESS = auto()
    """The number of an IP address, see `readings.address_number`; no reading for other text."""
    CODE = auto()
    """The number that the value begins with, if it has at most nine digits."""


@dataclass(frozen=True, slots=True)
class TextTest:
    """Passes a text that equals, starts with, ends with or holds one of the words.

    The words are folded, and the text is before it is compared: `readings.folded`.
    """

    equal: frozenset[str]
    starts: tuple[str, ...]
    ends: tuple[str, ...]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NumberTest:
    """Passes a number in one of the ranges: first and last, sorted, apart; the last may be inf."""

    ranges: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Passes a record whose `field`, read as `reading`, passes `test`."""

    field: str
    test: TextTest | NumberTest
    reading: Reading = Reading.VALUE


@dataclass(frozen=True, slots=True)
class Not:
    """Passes what `negated` does not."""

    negated: "Predicate"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Passes what each member does; everything, if there is none."""

    members: tuple["Predicate", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Passes what one of the members does; nothing, if there is none."""

    members: tuple["Predicate", ...]


Predicate = Comparison | Not | AllOf | AnyOf

EVERYTHING = AllOf(())
"""What no table restricts."""
