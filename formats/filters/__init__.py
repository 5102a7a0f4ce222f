"""The NSS feed filters: configuration keys compiled into one predicate over a record.

All keys of a table must hold; of the values of one key, one is enough. `not_` before a key turns
it round. A key that looks at several fields holds if one of them fits. Text is compared without
regard to case. Missing values take part as their placeholders: `not_threats = "None"` passes the
records that carry a threat. Text is found in its `%HH` form as well, because a record may have
but the `e*` twin of a field; a feed's own escape characters must be written as `%HH`.

The predicate is one generated expression. Case folding and set look-ups are as cheap as
remembering their answers; what must be parsed first (addresses, codes, lists) is parsed once per
distinct value.
"""

import ipaddress
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from itertools import chain, repeat
from typing import Any

from formats.errors import FilterError, Problem
from formats.filters.keys import FILTER_KEYS, KINDS, FilterKey
from formats.values import encoder

MEMO_MAX_ENTRIES = 32_768
"""So many distinct values are remembered per key, then all are forgotten."""

MEMO_MAX_CHARS = 128
"""Longer values are tested each time, so that senders can't fill the memory."""

_INLINE_RANGES = 8
_NOT = "not_"
_IPV6_OFFSET = 1 << 32
_UNITS = {"": 1, "b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
_encoded = encoder()

Access = Callable[[str], str]
Bind = Callable[[object], str]
Range = tuple[int, float]


@dataclass(frozen=True, slots=True)
class _Text:
    """Passes texts that equal, start with, end with or hold one of the words."""

    equal: frozenset[str]
    starts: tuple[str, ...]
    ends: tuple[str, ...]
    parts: tuple[str, ...]

    def source(self, value: str, bind: Bind) -> str:
        folded = chain([f"(_fv := ({value}).casefold())"], repeat("_fv"))
        tests = []
        if self.equal:
            tests.append(f"{next(folded)} in {bind(self.equal)}")
        if self.starts:
            tests.append(f"{next(folded)}.startswith({bind(self.starts)})")
        if self.ends:
            tests.append(f"{next(folded)}.endswith({bind(self.ends)})")
        tests.extend(f"{part!r} in {next(folded)}" for part in self.parts)
        return " or ".join(tests)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Passes numbers inside one of the ranges, which are sorted and apart."""

    ranges: tuple[Range, ...]

    def source(self, value: str, bind: Bind) -> str:
        if len(self.ranges) > _INLINE_RANGES:
            firsts, lasts = zip(*self.ranges, strict=True)
            return f"{bind(partial(_is_within, firsts, lasts))}({value})"
        number = chain([f"(_fv := ({value}))"], repeat("_fv"))
        return " or ".join(
            f"{next(number)} >= {first}"
            if last == math.inf
            else f"{first} <= {next(number)} <= {last}"
            for first, last in self.ranges
        )


@dataclass(frozen=True, slots=True)
class _Remembered:
    """Passes values of which one reading passes `test`; remembers the answer per value."""

    readings: Callable[[str], Iterable[object]]
    test: _Text | _Numbers

    def source(self, value: str, bind: Bind) -> str:
        namespace: dict[str, object] = {}
        passes = _function("v", self.test.source("v", partial(_bind, namespace)), namespace)
        return f"{bind(_Memo(lambda text: any(map(passes, self.readings(text)))))}[{value}]"


class _Memo(dict[str, bool]):
    """The answers for the values seen; works out a missing one."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Callable[[str], bool]) -> None:
        super().__init__()
        self._answer = answer

    def __missing__(self, value: str) -> bool:
        answer = self._answer(value)
        if len(value) <= MEMO_MAX_CHARS:
            if len(self) >= MEMO_MAX_ENTRIES:
                self.clear()
            self[value] = answer
        return answer


@dataclass(frozen=True, slots=True)
class _Clause:
    """One key of a table: what one of its fields must pass, or none if `negated`."""

    fields: tuple[str, ...]
    test: _Text | _Numbers | _Remembered
    negated: bool

    def source(self, access: Access, bind: Bind) -> str:
        passes = " or ".join(self.test.source(access(field), bind) for field in self.fields)
        return f"not ({passes})" if self.negated else f"({passes})"


@dataclass(frozen=True, slots=True)
class Filter:
    """Decides which records a feed carries. `fields` are the record fields it looks at."""

    fields: frozenset[str]
    clauses: tuple[_Clause, ...] = ()

    @property
    def passes_all(self) -> bool:
        """Whether every record passes, so that there is nothing to call."""
        return not self.clauses

    def compile(self, access: Access, namespace: Mapping[str, object]) -> Callable[[Any], bool]:
        """Return the predicate over a record.

        `access(field)` is a Python expression over the record `r` for a field's value: `str`, or
        `int` for fields of size and score. `namespace` holds the names in these expressions;
        names that start with `_f` are the filter's own. The predicate raises nothing, whatever
        the values are.
        """
        own = dict(namespace)
        bind = partial(_bind, own)
        source = " and ".join(clause.source(access, bind) for clause in self.clauses)
        return _function("r", source or "True", own)


def parse(table: Mapping[str, object]) -> Filter:
    """Read a table of filter keys, each with one value or a list of values.

    Raises `FilterError` with everything that is wrong in the table.
    """
    problems: list[Problem] = []
    clauses: list[_Clause] = []
    for name, value in table.items():
        key = FILTER_KEYS.get(name.removeprefix(_NOT))
        if key is None:
            problems.append(Problem(name, value, _unknown(name)))
            continue
        test = _read_values(key, name, value, problems)
        clauses.append(_Clause(key.fields, test, negated=name.startswith(_NOT)))
    if problems:
        raise FilterError(tuple(problems))
    return Filter(frozenset(field for clause in clauses for field in clause.fields), tuple(clauses))


def _unknown(name: str) -> str:
    twins = {field: key.name for key in FILTER_KEYS.values() for field in key.fields}
    twins |= {_NOT + field: _NOT + key for field, key in twins.items()}
    near = get_close_matches(name, [*FILTER_KEYS, *(_NOT + key for key in FILTER_KEYS)], n=1)
    nearest = twins.get(name) or next(iter(near), None)
    return f"unknown key; the nearest is {nearest}" if nearest else "unknown key"


def _read_values(
    key: FilterKey, name: str, value: object, problems: list[Problem]
) -> _Text | _Numbers | _Remembered:
    """Build the test of one key; what is wrong with its values goes to `problems`."""
    values = value if isinstance(value, list | tuple) else [value]
    if not values:
        problems.append(Problem(name, value, "has no values; leave the key out to pass everything"))
    ranges: list[Range] = []
    patterns: list[tuple[str, str]] = []
    read_range = _RANGES.get(key.kind)
    for item in values:
        number = isinstance(item, int) and not isinstance(item, bool)
        if not isinstance(item, str) and not (number and key.kind in _NUMBER_KINDS):
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
                problems.append(Problem(name, text, str(error)))
    test = _text(patterns) if read_range is None else _Numbers(_merged(ranges))
    readings = _READINGS.get(key.kind)
    return test if readings is None else _Remembered(readings, test)


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
        raise ValueError("stands for no text or for any; leave it out")
    if "*" in word:
        raise ValueError("has a * inside; it may stand first and last only")
    return text.replace(word, "x"), word


def _text(patterns: list[tuple[str, str]]) -> _Text:
    def words(form: str) -> tuple[str, ...]:
        # A record may have but the `e*` twin of a field, and URLs are encoded anyway.
        both = ((word, _encoded(word)) for shape, word in patterns if shape == form)
        return tuple(dict.fromkeys(map(str.casefold, chain.from_iterable(both))))

    return _Text(frozenset(words("x")), words("x*"), words("*x"), words("*x*"))


def _addresses(text: str) -> Range:
    first, dash, last = map(str.strip, text.partition("-"))
    try:
        if dash:
            ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
        else:
            network = ipaddress.ip_network(first, strict=False)
            ends = network[0], network[-1]
    except ValueError:
        raise ValueError(f"must be {KINDS['address']}") from None
    if "/" in first and ends[0] != ipaddress.ip_interface(first).ip:
        raise ValueError(f"is no network address; write {network} or an address alone")
    begin, end = map(_position, ends)
    if (begin < _IPV6_OFFSET) != (end < _IPV6_OFFSET):
        raise ValueError("mixes IPv4 and IPv6; both ends must be of one kind")
    return _in_order(begin, end)


def _codes(text: str) -> Range:
    if re.fullmatch("[1-9]xx", text, re.IGNORECASE):
        return int(text[0]) * 100, int(text[0]) * 100 + 99
    if bounds := re.fullmatch("([0-9]{3}) *- *([0-9]{3})", text):
        return _in_order(int(bounds[1]), int(bounds[2]))
    if code := re.fullmatch("([0-9]{3})(?: - [A-Za-z].*)?", text):
        return int(code[1]), int(code[1])
    raise ValueError(f"must be {KINDS['code']}")


def _amounts(kind: str, unit: str, most: float, text: str) -> Range:
    amount = f"([0-9]{{1,18}}) *({unit})?"
    match = re.fullmatch(f"{amount}(?: *(-) *(?:{amount})?)?", text, re.IGNORECASE)
    if match is None:
        raise ValueError(f"must be {KINDS[kind]}")
    first, first_unit, dash, last, last_unit = match.groups(default="")
    begin = int(first) * _UNITS[first_unit.lower()]
    end = int(last) * _UNITS[last_unit.lower()] if last else most if dash else begin
    if max(begin, end) > most:
        raise ValueError(f"must be {KINDS[kind]}")
    return _in_order(begin, end)


def _in_order(first: int, last: float) -> Range:
    if first > last:
        raise ValueError("ends before it begins; write the smaller one first")
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


def _is_within(firsts: tuple[int, ...], lasts: tuple[float, ...], number: int) -> bool:
    at = bisect_right(firsts, number) - 1
    return at >= 0 and number <= lasts[at]


def _position(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:
    """Place an address on one line for both kinds: IPv4 first, IPv4-mapped IPv6 as its IPv4."""
    if isinstance(address, ipaddress.IPv4Address):
        return int(address)
    mapped = address.ipv4_mapped
    return _IPV6_OFFSET + int(address) if mapped is None else int(mapped)


def _address_readings(value: str) -> Iterable[int]:
    if len(value) > MEMO_MAX_CHARS:
        return ()
    try:
        return (_position(ipaddress.ip_address(value)),)
    except ValueError:
        return ()


def _code_readings(value: str) -> Iterable[int]:
    # Longer digit runs are no status, and int() refuses the longest.
    code = re.match("[0-9]{1,9}(?![0-9])", value)
    return () if code is None else (int(code[0]),)


def _bind(namespace: dict[str, object], value: object) -> str:
    name = f"_f{len(namespace)}"
    namespace[name] = value
    return name


def _function(argument: str, source: str, namespace: dict[str, object]) -> Callable[[Any], bool]:
    function: Callable[[Any], bool] = eval(  # noqa: S307 - the source is ours, values are quoted
        f"lambda {argument}: {source}", namespace
    )
    return function


_NUMBER_KINDS = {"code", "size", "score"}
_RANGES: Mapping[str, Callable[[str], Range]] = {
    "address": _addresses,
    "code": _codes,
    "size": partial(_amounts, "size", "[KMG]?B", math.inf),
    "score": partial(_amounts, "score", "(?!)", 100),
}
_READINGS: Mapping[str, Callable[[str], Iterable[object]]] = {
    "address": _address_readings,
    "code": _code_readings,
    "host": lambda host: (host, re.sub(":[0-9]+$", "", host)),
    "list": lambda joined: map(str.strip, joined.split("|")),
}
