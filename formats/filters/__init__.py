"""The NSS feed filters: configuration keys become one predicate over a record.

All keys of a table must hold, and any of the values of a key. `not_` before a key negates it. A key
for several fields holds if any of them fits. Text is compared without regard to case, and `%HH` is
the character that it stands for: a record may have only the `e*` twin of a field, which feed escape
characters may have changed further. Missing values take part as their placeholders:
`not_threats = "None"` passes the records that carry a threat; but of a key for several fields, only
if all of them are missing.
"""

import ipaddress
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial

from formats.errors import FilterError, Problem
from formats.filters.keys import FILTER_KEYS, KINDS, FilterKey
from formats.filters.placeholders import any_field
from formats.filters.predicate import (
    EVERYTHING,
    AllOf,
    Not,
    NumberTest,
    Predicate,
    Reading,
    TextTest,
)
from formats.filters.readings import IPV6_OFFSET, address_number, folded

_NOT = "not_"
_VENDOR_UNIT = re.compile("[0-9] *([KMG])B", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}

Range = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Filter:
    """Decides which records a feed carries. `fields` are the record fields that it reads."""

    fields: frozenset[str]
    predicate: Predicate = EVERYTHING
    doubts: tuple[str, ...] = field(default=(), compare=False)
    """What its values may not have been meant as: sentences for the person who wrote them."""

    @property
    def passes_all(self) -> bool:
        """Whether every record passes, so that there is nothing to evaluate."""
        return self.predicate == EVERYTHING


def parse(table: Mapping[str, object]) -> Filter:
    """Read a table of filter keys, each with one value or a list of values.

    Raises `FilterError` with everything that is wrong in the table.
    """
    problems: list[Problem] = []
    fields: set[str] = set()
    members: list[Predicate] = []
    doubts: list[str] = []
    for name, value in table.items():
        key = FILTER_KEYS.get(name.removeprefix(_NOT))
        if key is None:
            problems.append(Problem(name, value, _unknown(name)))
            continue
        test = _read_values(key, name, value, problems)
        if key.kind == "size":
            doubts += _of_units(name, value)
        reading = _READINGS.get(key.kind, Reading.VALUE)
        passes = any_field(key.fields, test, reading)
        members.append(Not(passes) if name.startswith(_NOT) else passes)
        fields.update(key.fields)
    if problems:
        raise FilterError(tuple(problems))
    return Filter(frozenset(fields), AllOf(tuple(members)), tuple(doubts))


def _of_units(name: str, value: object) -> Iterator[str]:
    """Yield a sentence for each value with KB, MB or GB, which are powers of 1000 elsewhere."""
    for item in value if isinstance(value, list | tuple) else [value]:
        found = dict.fromkeys(match.upper() for match in _VENDOR_UNIT.findall(str(item)))
        if found:
            meant = " and ".join(f"{unit}B is {_UNITS[f'{unit}b'.lower()]:,}" for unit in found)
            right = " and ".join(f"{unit}iB" for unit in found)
            yield f'{name} "{item}": {meant} bytes in filters, as in the service; write {right}'


def _unknown(name: str) -> str:
    twins = {field: key.name for key in FILTER_KEYS.values() for field in key.fields}
    twins |= {_NOT + field: _NOT + key for field, key in twins.items()}
    near = get_close_matches(name, [*FILTER_KEYS, *(_NOT + key for key in FILTER_KEYS)])
    nearest = twins.get(name) or next(iter(near), None)
    return f"unknown key; the nearest is {nearest}" if nearest else "unknown key"


def _read_values(
    key: FilterKey, name: str, value: object, problems: list[Problem]
) -> TextTest | NumberTest:
    """Build the test of one key; what is wrong with its values goes to `problems`."""
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        problems.append(Problem(name, value, "has no values; leave the key out to pass everything"))
    ranges: list[Range] = []
    patterns: list[tuple[str, str]] = []
    read_range = _RANGES.get(key.kind)
    for item in values:
        number = isinstance(item, int) and not isinstance(item, bool)
        if not isinstance(item, str) and not (number and key.kind in {"code", "size", "score"}):
            right = "text, or a list of texts" if read_range is None else KINDS[key.kind]
            problems.append(Problem(name, item, f"must be {right}"))
            continue
        for text in [str(item)] if read_range is None else map(str.strip, str(item).split(",")):
            try:
                if read_range is None:
                    patterns.append(_pattern(key, text))
                else:
                    ranges.append(read_range(text))
            except ValueError as error:
                reason = str(error) or f"must be {KINDS[key.kind]}"
                problems.append(Problem(name, text, reason))
    return _text_test(patterns) if read_range is None else NumberTest(_merged(ranges))


def _pattern(key: FilterKey, text: str) -> tuple[str, str]:
    """Return the form of the text (`x`, `x*`, `*x`, `*x*`) and its word."""
    if key.choices and text.casefold() not in map(str.casefold, key.choices):
        raise ValueError(f"must be one of {', '.join(key.choices)}")
    if key.kind == "list" and "|" in text:
        raise ValueError("holds a |; write each member as a value of its own")
    if key.kind in {"url", "host"} and (scheme := re.match("https?://", text, re.IGNORECASE)):
        raise ValueError(f"records carry no scheme; write {text[scheme.end() :]}")
    word = text.removeprefix("*").removesuffix("*")
    if not word:
        raise ValueError("matches nothing or everything; leave it out")
    if "*" in word:
        raise ValueError("has a * inside; a * may only come first or last")
    return text.replace(word, "x"), word


def _text_test(patterns: list[tuple[str, str]]) -> TextTest:
    def words(form: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(folded(word) for shape, word in patterns if shape == form))

    return TextTest(frozenset(words("x")), words("x*"), words("*x"), words("*x*"))


def _addresses(text: str) -> Range:
    first, dash, last = map(str.strip, text.partition("-"))
    try:
        if dash:
            ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
        else:
            network = ipaddress.ip_network(first, strict=False)
            ends = network[0], network[-1]
    except ValueError:
        raise ValueError from None  # see `_read_values`
    if "/" in first and ends[0] != ipaddress.ip_interface(first).ip:
        raise ValueError(f"is not a network address; write {network} or a single address")
    begin, end = map(address_number, ends)
    if (begin < IPV6_OFFSET) != (end < IPV6_OFFSET):
        raise ValueError("mixes IPv4 and IPv6; both ends must be of the same kind")
    return _in_order(begin, end)


def _codes(text: str) -> Range:
    if re.fullmatch("[1-9]xx", text, re.IGNORECASE):
        return int(text[0]) * 100, int(text[0]) * 100 + 99
    if bounds := re.fullmatch("([0-9]{3}) *- *([0-9]{3})", text):
        return _in_order(int(bounds[1]), int(bounds[2]))
    if code := re.fullmatch("([0-9]{3})(?: - [A-Za-z].*)?", text):
        return int(code[1]), int(code[1])
    raise ValueError


def _amounts(unit: str, most: float, text: str) -> Range:
    amount = f"([0-9]{{1,18}}) *({unit})?"
    match = re.fullmatch(f"{amount}(?: *(-) *(?:{amount})?)?", text, re.IGNORECASE)
    if match is None:
        raise ValueError
    first, first_unit, dash, last, last_unit = match.groups(default="")
    begin = int(first) * _UNITS[first_unit.lower().replace("i", "")]
    end = (
        int(last) * _UNITS[last_unit.lower().replace("i", "")] if last else most if dash else begin
    )
    if max(begin, end) > most:
        raise ValueError
    return _in_order(begin, end)


def _in_order(first: int, last: float) -> Range:
    if first > last:
        raise ValueError("ends before it begins; write the smaller value first")
    return first, last


def _merged(ranges: list[Range]) -> tuple[Range, ...]:
    """Return the ranges sorted, those that touch as one."""
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], last)
        else:
            merged.append((first, last))
    return tuple(merged)


_RANGES: Mapping[str, Callable[[str], Range]] = {
    "address": _addresses,
    "code": _codes,
    "size": partial(_amounts, "(?:[KMG]i?)?B", math.inf),
    "score": partial(_amounts, "(?!)", 100),
}
_READINGS = {
    "address": Reading.ADDRESS,
    "code": Reading.CODE,
    "host": Reading.HOST,
    "list": Reading.MEMBERS,
}
