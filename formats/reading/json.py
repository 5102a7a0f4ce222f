"""JSON records: NSS field names, the Cloud NSS envelope, and any JSON that a feed format describes.

The batch is decoded in one call into structs with only the wanted attributes. When that fails,
each line is decoded alone, and a line that fails is looked at without a type: numbers may stand
as strings and strings as numbers, `null` is a missing field, arrays hold several records.
"""

import re
from collections.abc import Mapping, Sequence
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
from formats.reading.cells import cells_by_field, matcher, own_text, readable_fields
from formats.reading.json_scan import longest_fits, one_object_a_line, suspect_lines, unsafe_places
from formats.reading.time_key import cells_key, time_cells
from formats.record import struct_of
from formats.structure import Cell, structure_of

ENVELOPE = "event"
"""The key under which Cloud NSS puts the fields."""

_OBJECT = re.compile(rb"(?:\[\s*)?\{")
_UNFIT_FOR_KEY = re.compile(r'["\\\x00-\x1f]')
"""What a key of a struct must not hold."""

_TIME_KEYS = ("time", "datetime", "epochtime", "tz", "yy", "yyyy", "mon", "mth", "dd", "hh", "mm",
              "ss")  # fmt: skip


def json_names() -> Input:
    """Return the input of JSON objects with NSS field names, flat or in the Cloud NSS envelope."""
    available = frozenset(catalogue()) - TIME_FIELDS
    time_key = TimeFields(_TIME_KEYS)

    def reader(attributes: Sequence[Attribute], max_record_bytes: int) -> Reader:
        return _JsonReader(attributes, time_key, {}, (), max_record_bytes)

    return Input("json", available, time_key, reader)


def json_format(feed_format: FeedFormat) -> Input:
    """Return the input of JSON lines as a feed format prints them; the order of keys is free.

    Raises `NotReadable` when a string holds several fields that can't be told apart.
    """
    structure = structure_of(feed_format)
    clocks = time_cells(structure.cells)
    time_key = cells_key(clocks)
    available = readable_fields(structure.cells)
    cells = cells_by_field(structure.cells)

    def reader(attributes: Sequence[Attribute], max_record_bytes: int) -> Reader:
        places = dict(zip(time_key.attributes, clocks, strict=True))
        places |= {a.name: cells[a.name] for a in attributes}
        if _all_in_one_object(places, time_key):
            keys = {name: cell.path[-1] for name, cell in places.items()}
            path = next((cell.path[:-1] for cell in places.values()), ())
            return _JsonReader(attributes, time_key, keys, path, max_record_bytes)
        return _TreeReader(attributes, time_key, places, max_record_bytes)

    return Input(feed_format.name, available, time_key, reader)


def _all_in_one_object(places: Mapping[str, Cell], time_key: TimeKey) -> bool:
    """Whether all values are strings of their own in one object, under keys a struct can have."""
    return len({cell.path[:-1] for cell in places.values()}) <= 1 and all(
        (own_text(cell) or name in time_key.attributes)
        and not any(map(_UNFIT_FOR_KEY.search, cell.path))
        for name, cell in places.items()
    )


class _TypelessReader:
    """Reads line by line without a type, and gives the reason when a line is not a record.

    `_values` takes a record apart: what it returns stands for the attributes by name.
    """

    _struct: type[msgspec.Struct]

    def __init__(
        self, attributes: Sequence[Attribute], time_key: TimeKey, max_record_bytes: int
    ) -> None:
        self._attributes = tuple(attributes)
        self._time_key = time_key
        self._max_record_bytes = max_record_bytes

    def _values(self, tree: Mapping[str, Any]) -> Mapping[str, Any]:
        raise NotImplementedError

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
        values = self._values(tree)
        stated: dict[str, Any] = {}
        for attribute in self._attributes:
            name, value = attribute.name, values.get(attribute.name)
            if value is None:
                continue
            if attribute.number:
                stated[name] = number(attribute, value)
            else:
                stated[name] = str(_scalar(name, value, "text"))
        for name in self._time_key.attributes:
            value = values.get(name)
            stated[name] = None if value is None else _scalar(name, value, "a time")
        return self._struct(**stated)


class _JsonReader(_TypelessReader):
    """Reads objects whose wanted keys all lie in one object, at the top or in an envelope."""

    def __init__(
        self,
        attributes: Sequence[Attribute],
        time_key: TimeKey,
        keys: Mapping[str, str],
        path: tuple[str, ...],
        max_record_bytes: int,
    ) -> None:
        super().__init__(attributes, time_key, max_record_bytes)
        names = [attribute.name for attribute in attributes] + list(time_key.attributes)
        self._keys = {name: keys.get(name, name) for name in names}
        self._path = path or (ENVELOPE,)
        self._depth = len(self._path)
        self._nested = bool(path)
        self._ordered = False
        self._build_decoders(())

    def _build_decoders(self, order: Sequence[str]) -> None:
        traps = () if self._path[0] in self._keys.values() else self._path[:1]
        self._struct = struct_of(self._attributes, self._time_key, self._keys, traps, order)
        nested = self._struct
        for key in reversed(self._path):
            nested = msgspec.defstruct(
                "Envelope", [("event", nested)], rename={"event": key}, gc=False
            )
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
            tree = _untyped(data[: data.find(b"\n")])
        except BadLine:
            return
        if isinstance(tree, dict):
            self._build_decoders(list(self._inner(tree)))
            self._ordered = True

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
            for _ in range(self._depth if nested else 0):
                records = [record.event for record in records]
            return records, nested
        return None

    def _values(self, tree: Mapping[str, Any]) -> Mapping[str, Any]:
        found = self._inner(tree)
        return {name: found.get(key) for name, key in self._keys.items()}

    def _inner(self, tree: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the object that holds the fields: in the envelope, or the record itself."""
        inner: Any = tree
        for key in self._path:
            inner = inner.get(key) if isinstance(inner, dict) else None
        return inner if isinstance(inner, dict) else tree


class _TreeReader(_TypelessReader):
    """Reads objects whose wanted values lie in several objects, or share a string."""

    def __init__(
        self,
        attributes: Sequence[Attribute],
        time_key: TimeKey,
        places: Mapping[str, Cell],
        max_record_bytes: int,
    ) -> None:
        super().__init__(attributes, time_key, max_record_bytes)
        self._struct = struct_of(attributes, time_key)
        self._places = places
        self._matches = {
            name: matcher(cell.parts)
            for name, cell in places.items()
            if not own_text(cell) and name not in time_key.attributes
        }

    def _values(self, tree: Mapping[str, Any]) -> Mapping[str, Any]:
        values: dict[str, Any] = {}
        for name, cell in self._places.items():
            value: Any = tree
            for key in cell.path:
                value = value.get(key) if isinstance(value, dict) else None
            if name in self._matches and isinstance(value, str):
                value = field_in(value, name, self._matches[name])
            values[name] = value
        return values


def _scalar(name: str, value: object, expected: str) -> str | float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadLine(f"{name}: {describe(value)}, expected {expected}")
    return value


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
        raise BadLine(f"JSON: {error}") from None
    except msgspec.DecodeError as error:
        text = str(error)
        if "truncated" in text:
            raise BadLine("JSON is truncated") from None
        raise BadLine(f"not JSON: {text.removeprefix('JSON is malformed: ')}") from None
