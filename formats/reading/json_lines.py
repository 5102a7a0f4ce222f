"""JSON lines one by one, exactly: the reference that any faster way of reading agrees with.

A line is an object, or an array of objects, each a record of its own. Numbers may stand as strings
and strings as numbers, `null` is a missing field. A key that is there twice, or two keys that state
one field differently, make it a matter of the reader whom a record is about: it is set apart.
"""

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any

import msgspec

from formats.plan import Attribute, TimeKey
from formats.reading import (
    BadLine,
    BadRecord,
    Decoded,
    admit,
    describe,
    number,
    split_lines,
    states_number,
)
from formats.reading.json_scan import bare, is_too_deep, quotes_in, quotes_of, unsafe_places
from formats.reading.twins import agree, twins_among
from formats.reading.unmapped import count_unmapped
from formats.record import struct_of
from formats.times import ABSENT, BadTime, parse_text

Path = tuple[str | int, ...]
"""The keys, and places in arrays, that lead from the top of a record to a value."""

Object = Mapping[str, Any]


class LineReader(ABC):
    """Reads line by line without a type, and gives the reason when a line is not a record."""

    def __init__(
        self, attributes: Sequence[Attribute], time_key: TimeKey, max_record_bytes: int
    ) -> None:
        self._numbers = {attribute.name: attribute for attribute in attributes if attribute.number}
        self._texts = frozenset(attribute.name for attribute in attributes if not attribute.number)
        self._times = frozenset(time_key.attributes)
        self._max_record_bytes = max_record_bytes
        self._struct = struct_of(attributes, time_key)
        self.twins = twins_among({attribute.name for attribute in attributes})
        """The attributes that must agree if a record states several of a group."""

    @abstractmethod
    def _stated(self, tree: Object, unmapped: list[str]) -> Iterable[tuple[str, str, Any]]:
        """Yield the attributes that a record states: name, key and value.

        Keys that nobody knows are appended to `unmapped`.
        """

    @abstractmethod
    def _twice(self, tree: Object) -> Iterator[str]:
        """Yield the keys of a tree of `_Pairs` that are there twice and matter."""

    def read(self, data: bytes) -> Decoded:
        """Decode line by line."""
        decoded = Decoded()
        self.read_lines(data, 0, 0, decoded)
        return decoded

    def read_lines(self, data: bytes, line_number: int, start: int, decoded: Decoded) -> int:
        """Add the records of some lines, and return how many lines these were."""
        lines = split_lines(data)
        for index, (offset, line) in enumerate(lines, line_number):
            try:
                admit(line, self._max_record_bytes)
                shared, pieces = _pieces(line)
            except BadLine as error:
                decoded.bad.append(BadRecord(index, start + offset, str(error), line))
                continue
            suspect = bool(unsafe_places(line))
            for at, piece in pieces:
                place = start + offset + at
                try:
                    record = self._record(piece, decoded.unmapped)
                except BadLine as error:
                    bad = (place, piece) if shared else (start + offset, line)
                    decoded.bad.append(BadRecord(index, bad[0], str(error), bad[1]))
                    continue
                number = len(decoded.records)
                if shared:
                    decoded.pieces[number] = place, piece
                if suspect:
                    decoded.suspects.append(number)
                decoded.records.append(record)
                decoded.line_of.append(index)
        return len(lines)

    def _record(self, piece: bytes, counter: Counter[str]) -> msgspec.Struct:
        tree = untyped(piece)
        if not isinstance(tree, dict):
            raise BadLine(f"not a JSON object but {describe(tree)}")
        if quotes_in(piece) != quotes_of(tree):
            for key in self._twice(_pairs(piece)):
                raise BadLine(f'duplicate key "{key[:40]}"')
        unmapped: list[str] = []
        stated = self._values(self._stated(tree, unmapped))
        count_unmapped(counter, unmapped, 1)
        return self._struct(**stated)

    def _values(self, statements: Iterable[tuple[str, str, Any]]) -> Mapping[str, Any]:
        """Return the values by attribute; what stands for a value that is not there comes last."""
        values: dict[str, Any] = {}
        keys: dict[str, str] = {}
        absent: set[str] = set()
        texts = self._texts
        for name, key, value in statements:
            known = value if name in texts and type(value) is str else self.value(name, value)
            if known is None:
                continue
            says_nothing = name in self._times and known in ABSENT
            if name not in keys or (name in absent and not says_nothing):
                keys[name], values[name] = key, known
                (absent.add if says_nothing else absent.discard)(name)
            elif not says_nothing and not self._same(name, known, values[name]):
                raise _contradiction(keys[name], key)
        for group in self.twins:
            names = [name for name in group if name in keys]
            if len(names) > 1 and not agree(names, [values[name] for name in names]):
                first, second, *_ = (key for name, key in keys.items() if name in names)
                raise _contradiction(first, second)
        return values

    def value(self, name: str, value: object) -> str | float | None:
        """Return what a value states of an attribute; `None` for none. Raises `BadLine`."""
        if value is None:
            return None
        if name in self._numbers:
            return number(self._numbers[name], value) if states_number(value) else None
        timed = name in self._times
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            # 2023.0 equals 2023, under which its time may be remembered: it has to be the same.
            whole = timed and isinstance(value, float) and value.is_integer()
            return int(value) if whole else value if timed else str(value)
        raise BadLine(f"{name}: {describe(value)}, expected {'a time' if timed else 'text'}")

    def _same(self, name: str, one: object, other: object) -> bool:
        return one == other or (name in self._times and _same_moment(str(one), str(other)))


def _contradiction(one: str, other: str) -> BadLine:
    return BadLine(f'"{one[:40]}" and "{other[:40]}" contradict each other')


def _same_moment(one: str, other: str) -> bool:
    try:
        return parse_text(one, UTC) == parse_text(other, UTC)
    except BadTime:
        return False


class Pairs(dict[str, Any]):
    """An object as it was written: the last value of each key, the keys that came twice, and all
    keys with their values.
    """

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.written = pairs
        counts = Counter(key for key, _ in pairs) if len(self) < len(pairs) else {}
        self.twice = frozenset(key for key, count in counts.items() if count > 1)


def _pairs(piece: bytes) -> Pairs:
    """Decode an object that `untyped` has decoded, with the keys that it holds twice."""
    tree = json.loads(piece, object_pairs_hook=Pairs)
    assert isinstance(tree, Pairs)  # noqa: S101 - it was decoded before
    return tree


def _pieces(line: bytes) -> tuple[bool, list[tuple[int, bytes]]]:
    """Return whether records share a line, as in an array, and the JSON of each with its place."""
    text = bare(line)
    at = line.find(text)
    if text[:1] != b"[":
        return False, [(at, text)]
    pieces = []
    for raw in decoded(text, _ELEMENTS):
        piece = bytes(raw)
        at = line.find(piece, at)
        pieces.append((at, piece))
        at += len(piece)
    return len(pieces) > 1, pieces


_ELEMENTS: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[msgspec.Raw])
_UNTYPED: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def untyped(line: bytes) -> object:
    """Decode JSON. Raises `BadLine`."""
    return decoded(line, _UNTYPED)


def decoded(line: bytes, decoder: "msgspec.json.Decoder[Any]") -> Any:  # noqa: ANN401 - any JSON
    """Decode JSON. Raises `BadLine` with the reason in people's words."""
    if is_too_deep(line):
        raise BadLine("JSON is nested too deeply")
    try:
        return decoder.decode(line)
    except UnicodeDecodeError as error:
        raise BadLine(f"not UTF-8: {error.reason}") from None
    except msgspec.ValidationError as error:  # a number of thousands of digits
        reason, _, _ = str(error).partition(" - at ")  # the place is as long as the record is deep
        raise BadLine(f"JSON: {reason}") from None
    except msgspec.DecodeError as error:
        text = str(error)
        if "truncated" in text:
            raise BadLine("JSON is truncated") from None
        raise BadLine(f"not JSON: {text.removeprefix('JSON is malformed: ')}") from None
