"""JSON records: NSS field names, the Cloud NSS envelope, and any JSON that a feed format describes.

The batch is decoded in one call into structs with only the wanted attributes. When that fails,
each line is decoded alone, and a line that fails is read without a type: numbers may stand
as strings and strings as numbers, `null` is a missing field, arrays hold several records.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from formats.fields import TIME_FIELDS, catalogue
from formats.language import FeedFormat
from formats.plan import Attribute, TimeFields, TimeKey
from formats.reading import (
    BadLine,
    Decoded,
    Input,
    Reader,
    count_lines,
    decode_lines,
    describe,
    field_in,
    number,
)
from formats.reading.cells import Match, Places, cells_input
from formats.reading.json_scan import longest_fits, one_object_a_line, suspect_lines, unsafe_places
from formats.reading.reversible import doubts
from formats.record import struct_of
from formats.structure import structure_of

Path = tuple[str | int, ...]
"""The keys, and places in arrays, that lead from the top of a record to a value."""

ENVELOPE = "event"
"""The key under which Cloud NSS puts the fields."""

_OBJECT = re.compile(rb"(?:\[\s*)?\{")
_UNFIT_FOR_KEY = re.compile(r'["\\\x00-\x1f]')
"""What a key of a struct must not hold."""

_TIME_KEYS = ("time", "datetime", "epochtime", "tz", "yy", "yyyy", "mon", "mth", "dd", "hh", "mm",
              "ss")  # fmt: skip


def json_names() -> Input:
    """Return the input of JSON objects with NSS field names, flat or in the Cloud NSS envelope."""
    time_key = TimeFields(_TIME_KEYS)

    def reader(attributes: Sequence[Attribute], max_record_bytes: int) -> Reader:
        names = [attribute.name for attribute in attributes] + list(_TIME_KEYS)
        keys = {name: name for name in names}
        return _ObjectReader(attributes, time_key, keys, (), max_record_bytes).read

    return Input("json", frozenset(catalogue()) - TIME_FIELDS, time_key, reader)


def json_format(feed_format: FeedFormat) -> Input:
    """Return the input of JSON lines as a feed format prints them; the order of keys is free.

    Raises `NotReadable` when a string holds several fields that can't be told apart.
    """

    def reader(
        attributes: Sequence[Attribute], time_key: TimeKey, places: Places, max_record_bytes: int
    ) -> Reader:
        paths = {name: (cell.path, match) for name, (cell, match) in places.items()}
        parents = {path[:-1] for path, _ in paths.values()}
        plain = all(
            match is None
            and not any(isinstance(key, int) or _UNFIT_FOR_KEY.search(key) for key in path)
            for path, match in paths.values()
        )
        if len(parents) > 1 or not plain:
            return _TreeReader(attributes, time_key, paths, max_record_bytes).read
        keys = {name: str(path[-1]) for name, (path, _) in paths.items()}
        path = tuple(map(str, parents.pop() if parents else ()))
        return _ObjectReader(attributes, time_key, keys, path, max_record_bytes).read

    structure = structure_of(feed_format)
    found = cells_input(feed_format.name, structure.cells, reader)
    return replace(found, doubts=doubts(feed_format, structure))


class _TreeReader:
    """Reads line by line without a type, and gives the reason when a line is not a record.

    `paths` lead to the values of all attributes, those of the time among them; a match takes out
    one field of several that share a string.
    """

    def __init__(
        self,
        attributes: Sequence[Attribute],
        time_key: TimeKey,
        paths: Mapping[str, tuple[Path, Match | None]],
        max_record_bytes: int,
    ) -> None:
        self._attributes = tuple(attributes)
        self._numbers = {attribute.name: attribute for attribute in attributes if attribute.number}
        self._time_key = time_key
        self._times = frozenset(time_key.attributes)
        self._paths = paths
        self._max_record_bytes = max_record_bytes
        self._struct = struct_of(attributes, time_key)

    def read(self, data: bytes) -> Decoded:
        """Decode line by line."""
        return decode_lines(
            data,
            self._max_record_bytes,
            lambda line: (self._records(_bare(line)), bool(unsafe_places(line))),
        )

    def _records(self, line: bytes) -> Sequence[Any]:
        tree = _untyped(line)
        if isinstance(tree, list):
            return [self._record(element) for element in tree]
        return (self._record(tree),)

    def _record(self, tree: object) -> msgspec.Struct:
        if not isinstance(tree, dict):
            raise BadLine(f"not a JSON object but {describe(tree)}")
        stated: dict[str, Any] = {}
        for name, value in self._values(tree).items():
            if value is None:
                continue
            timed = name in self._times
            if name in self._numbers:
                stated[name] = number(self._numbers[name], value)
            elif isinstance(value, str | int | float) and not isinstance(value, bool):
                stated[name] = value if timed else str(value)
            else:
                expected = "a time" if timed else "text"
                raise BadLine(f"{name}: {describe(value)}, expected {expected}")
        return self._struct(**stated)

    def _values(self, tree: object) -> Mapping[str, Any]:
        values: dict[str, Any] = {}
        for name, (path, match) in self._paths.items():
            value = _value_at(tree, path)
            if match is not None and isinstance(value, str):
                value = field_in(value, name, match)
            values[name] = value
        return values


class _ObjectReader(_TreeReader):
    """Reads objects whose wanted keys all lie in one object: at the top, or at the end of `path`.

    Without a path, the object may lie in the envelope.
    """

    def __init__(
        self,
        attributes: Sequence[Attribute],
        time_key: TimeKey,
        keys: Mapping[str, str],
        path: tuple[str, ...],
        max_record_bytes: int,
    ) -> None:
        super().__init__(attributes, time_key, {}, max_record_bytes)
        self._keys = keys
        self._path = path or (ENVELOPE,)
        self._nested = bool(path)
        self._ordered = False
        self._decoders: dict[bool, msgspec.json.Decoder[Any]] = {}

    def _build_decoders(self, order: Sequence[str]) -> None:
        traps = () if self._path[0] in self._keys.values() else self._path[:1]
        self._struct = struct_of(self._attributes, self._time_key, self._keys, traps, order)
        nested = self._struct
        for key in reversed(self._path):
            fields = [("event", nested)]
            nested = msgspec.defstruct("Envelope", fields, rename={"event": key}, gc=False)
        self._decoders = {
            True: msgspec.json.Decoder(nested, strict=False),
            False: msgspec.json.Decoder(self._struct, strict=False),
        }

    def _learn_order(self, data: bytes) -> None:
        """Put the attributes in the order of the first record's keys.

        msgspec looks for a key from where it found the last one: in this order it is always the
        next, which makes decoding half as expensive. Any other order is read as well.
        """
        try:
            order = list(self._inner(_untyped(data[: data.find(b"\n")])))
        except BadLine:
            order = []
        self._ordered = bool(order)
        if order or not self._decoders:
            self._build_decoders(order)

    def read(self, data: bytes) -> Decoded:
        """Decode the batch in one call; line by line when that does not work out."""
        if not self._ordered:
            self._learn_order(data)
        decoded = self._decode(data) if longest_fits(data, self._max_record_bytes) else None
        if decoded is not None:
            records, self._nested = decoded
            if len(records) == count_lines(data) and one_object_a_line(data):
                return Decoded(records, suspects=suspect_lines(data))
        return super().read(data)

    def _records(self, line: bytes) -> Sequence[Any]:
        records, _ = self._decode(line) or ((), False)
        return records if len(records) == 1 else super()._records(line)

    def _decode(self, lines: bytes) -> tuple[list[Any], bool] | None:
        """Return the records of lines, and whether they are nested; `None` if they are neither."""
        for nested in (self._nested, not self._nested):
            try:
                records: list[Any] = self._decoders[nested].decode_lines(lines)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            for _ in range(len(self._path) if nested else 0):
                records = [record.event for record in records]
            return records, nested
        return None

    def _values(self, tree: object) -> Mapping[str, Any]:
        inner = self._inner(tree)
        return {name: inner.get(key) for name, key in self._keys.items()}

    def _inner(self, tree: object) -> Mapping[str, Any]:
        """Return the object that holds the fields: at the end of the path, or the record itself."""
        for found in (_value_at(tree, self._path), tree):
            if isinstance(found, dict):
                return found
        return {}


def _value_at(tree: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON
    for key in path:
        if isinstance(key, int):
            tree = tree[key] if isinstance(tree, list) and key < len(tree) else None
        else:
            tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _bare(line: bytes) -> bytes:
    """Return the JSON of a line without byte order mark and without a syslog header before it."""
    line = line.strip().removeprefix(b"\xef\xbb\xbf")
    found = _OBJECT.search(line)
    return line if found is None or line[:1] in b'[{"' else line[found.start() :]


def _untyped(line: bytes) -> object:
    try:
        return msgspec.json.decode(line)
    except UnicodeDecodeError as error:
        raise BadLine(f"not UTF-8: {error.reason}") from None
    except RecursionError:
        raise BadLine("JSON is nested too deeply") from None
    except msgspec.ValidationError as error:  # a number of thousands of digits
        reason, _, _ = str(error).partition(" - at ")  # the place is as long as the record is deep
        raise BadLine(f"JSON: {reason}") from None
    except msgspec.DecodeError as error:
        text = str(error)
        if "truncated" in text:
            raise BadLine("JSON is truncated") from None
        raise BadLine(f"not JSON: {text.removeprefix('JSON is malformed: ')}") from None
