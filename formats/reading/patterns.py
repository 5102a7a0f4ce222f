"""Patterns of what fields print: where a value ends when the text after it may be part of it."""

import re
import string
from itertools import pairwise

from formats.errors import NotReadable
from formats.language import Literal, Part, Slot
from formats.structure.runs import Run

IN_TIMES = frozenset(string.ascii_letters + string.digits + " :,./+-")
"""What times and numbers are made of."""

_CTIME = r"[A-Za-z]{3} [A-Za-z]{3} [ \d]\d \d\d:\d\d:\d\d \d{4}"
_FRACTION = r"(?:[.,]\d{1,9})??"
"""A comma may also separate the time from a number: a fraction is what nothing else explains."""

_CLOCK = rf"\d{{1,2}}:\d{{1,2}}:\d{{1,2}}{_FRACTION}"
_DAY = r"(?:[A-Za-z]{3},? +)?[A-Za-z]{3} +\d{1,2}"
_OFFSET = r"(?:Z|[+-]\d\d:?\d\d)?"
ANY_TIME = "|".join(
    (
        _CTIME,
        rf"{_DAY} {_CLOCK} \d{{4}}",
        rf"\d{{4}}[-/]\d{{1,2}}[-/]\d{{1,2}}[T ]+{_CLOCK}{_OFFSET}",
        rf"{_DAY} \d{{4}} {_CLOCK}",
        r"\d{13}|\d{1,11}",
    )
)
"""A moment in the forms that `times.parse_text` reads, without a zone set apart by a space."""

_TZ = (
    r"[A-Za-z]{1,8}(?:[+-]\d{1,2}(?::?[0-5]\d)?)?"
    r"|[+-]\d{1,2}:?[0-5]\d"
    r"|[A-Za-z]{1,20}(?:/[A-Za-z][\w+\-]{1,30}){1,2}"
)
_NUMBER, _HEX = " *-?[0-9]+", " *-?[0-9A-Fa-f]+"
_TIME_PATTERNS = {"time": _CTIME, "mon": "[A-Za-z]{3}", "day": "[A-Za-z]{3}", "tz": _TZ}
_NOTHING = Literal("")
_TWO, _YEAR = 2, 4
_DIGITS = {"yy": _YEAR, "yyyy": _YEAR} | dict.fromkeys(("mth", "dd", "hh", "mm", "ss"), _TWO)
"""Most digits of the time fields that are numbers; a year has them anyway."""


def pattern_of(slot: Slot) -> str | None:
    """Return the pattern of what a slot prints; `None` for text, which may be anything."""
    name = slot.field.name
    if name in _TIME_PATTERNS:
        return _TIME_PATTERNS[name]
    if slot.field.conversion == "s":
        return None
    return _HEX if slot.conversion == "x" else _NUMBER


def fixed_pattern(slot: Slot) -> str | None:
    """Return the pattern of a slot that always prints as many characters; `None` for others.

    A number is at least as wide as its width, and may be wider; those of a time are not.
    """
    name = slot.field.name
    if name in {"time", "mon", "day"}:
        return _TIME_PATTERNS[name]
    digits = _DIGITS.get(name)
    if digits is None or slot.conversion == "x" or (digits == _TWO and slot.width < _TWO):
        return None
    return f"[ 0-9]{{{max(slot.width, digits)}}}"


def run_pattern(run: Run, *, grouped: bool, behind: Part = _NOTHING) -> str:
    """Return the pattern of a run as the service prints it; `grouped` with a group for each field.

    It also matches a fraction of a second behind the seconds, unless a field stands right `behind`
    them. Raises `NotReadable` when nothing tells two fields apart.
    """
    pattern = ""
    for part, following in pairwise([*run, behind]):
        if isinstance(part, Literal):
            pattern += re.escape(part.text)
            continue
        beside = isinstance(following, Slot)
        found = fixed_pattern(part) if beside else pattern_of(part)
        if found is None:
            raise glued(part, following)
        pattern += f"{'(' if grouped else '(?:'}{found})"
        if part.field.name == "ss" and not beside:
            pattern += _FRACTION
    return pattern


def glued(part: Part, following: Part) -> NotReadable:
    """Return the error of two fields that nothing tells apart in a line."""
    return NotReadable(f"nothing between {part.spec} and {following.spec} tells them apart")
