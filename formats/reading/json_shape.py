"""The shape of JSON records: their keys and the kinds of values, and batches decoded by it.

msgspec silently keeps the last of two equal keys. Whether a batch has any is found by counting: a
record of a shape has a known number of quotes, two for each key and each text, and a further key
adds at least two. So a batch is decoded into structs that require all keys of the shape, know no
other, and take a value only in its kind; it is free of duplicates if it holds exactly as many
quotes as its records make. What does not fit is read line by line, see `json_lines`.

Keys that only some records have, and values of several kinds, are counted where they are.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, pairwise, repeat
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from formats.plan import Attribute, TimeKey
from formats.reading import BadLine, number
from formats.reading.json_layout import Layout
from formats.reading.json_objects import ObjectReader
from formats.reading.json_scan import (
    MAX_DEPTH,
    brackets_opened,
    is_too_deep,
    objects_by_line,
    quotes_in,
    quotes_of,
)
from formats.reading.twins import plain_text
from formats.reading.unmapped import count_unmapped

_TEXT, _INTEGER = frozenset({str}), frozenset({int})
_NEVER = 1 << 60
_CONTAINERS = frozenset({dict, list})
_Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What is converted at once; a larger number is converted alone, see `formats.reading.number`."""

Object = Any
"""A record as it was decoded, in its envelope."""
Record = Any


class Shape:
    """Decodes batches whose records all are of a layout, and knows when they are not."""

    def __init__(
        self,
        layout: Layout,
        reader: ObjectReader,
        attributes: Sequence[Attribute],
        time_key: TimeKey,
    ) -> None:
        *outer, inner = layout.levels
        *outer_optional, optional = layout.optional
        fields = _InnerFields(reader, attributes, time_key)
        struct = fields.struct(inner, optional, None if outer else reader.path[0])
        self._levels = [fields.columns]
        for key, level, missing in zip(
            reversed(reader.path[: len(outer)]),
            reversed(outer),
            reversed(outer_optional),
            strict=True,
        ):
            if any(known != key and reader.is_astray(known) for known in level):
                raise Unfit
            envelope = _Fields(reader)
            struct = envelope.envelope(level, missing, key, struct)
            self._levels.insert(0, envelope.columns)
        decoder = msgspec.json.Decoder(struct, strict=True)
        self._decode, self._decode_lines = decoder.decode, decoder.decode_lines
        self._settled = fields.settled
        self._same = fields.same
        self._unmapped = fields.unmapped

    def read(self, data: bytes, unmapped: Counter[str]) -> list[Record] | None:
        """Return the records of a batch, or `None` if they are not all of this shape, or odd."""
        if not data:
            return []
        try:
            objects: list[Object] = self._decode_lines(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if len(objects) != objects_by_line(data):
            return None
        # Each of the others has a bracket a level: few more can't be one record too deep.
        if brackets_opened(data) - len(objects) * len(self._levels) > MAX_DEPTH - len(
            self._levels
        ) and any(map(is_too_deep, data.split(b"\n"))):
            return None
        return self.accept(objects, quotes_in(data), unmapped)

    def decode(self, piece: bytes) -> Object | None:
        """Return what `accept` takes of one record; `None` if it is not of this shape."""
        try:
            return self._decode(piece)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def accept(
        self, objects: Sequence[Object], quotes: int, unmapped: Counter[str]
    ) -> list[Record] | None:
        """Return the records in what was decoded of texts with so many quotes.

        Returns `None` if at least one has a key twice, or values that are none, or differ.
        """
        records = list(objects)
        for depth, columns in enumerate(self._levels):
            if depth:
                records = [record.inner for record in records]
            counts: dict[str, int] = {}  # of the last level: others may have keys of these names
            quotes -= columns.quotes(records, counts)
        if quotes or not self._settle(records):
            return None
        for key in self._unmapped:
            if had := counts.get(key, len(records)):
                count_unmapped(unmapped, (key,), had)
        return records

    def _settle(self, records: Sequence[Record]) -> bool:
        """Bring the values to their final form; return whether all have one, and agree."""
        for one, other in self._same:
            if list(map(one, records)) != list(map(other, records)):
                return False
        try:
            columns = [column for settle in self._settled for column in settle(records)]
        except BadLine:
            return False
        for name, column in columns:
            deque(map(setattr, records, repeat(name), column), maxlen=0)
        return True


class _Columns:
    """How many quotes the keys and values of one level of objects have.

    With what `hidden_in` finds the number is one that no batch has.
    """

    def __init__(self, hidden_in: Callable[[object], str | None]) -> None:
        self.hidden_in = hidden_in
        self.fixed = 0
        self.optional_texts: list[tuple[str, Callable[[Record], Any], object]] = []
        self.loose: list[tuple[str, Callable[[Record], Any]]] = []

    def quotes(self, records: Sequence[Record], counts: dict[str, int]) -> int:
        """Return the quotes, and put into `counts` how many records have each key, if not all."""
        quotes = self.fixed * len(records)
        for key, value_of, default in self.optional_texts:
            absent = sum(value is default for value in map(value_of, records))
            counts[key] = len(records) - absent
            quotes += 4 * counts[key]
        for key, value_of in self.loose:
            values = list(map(value_of, records))
            kinds = list(map(type, values))
            counts[key] = len(records) - kinds.count(UnsetType)
            quotes += 2 * counts[key] + 2 * kinds.count(str)
            if not _CONTAINERS.isdisjoint(kinds):
                inner = [value for value in values if isinstance(value, dict | list)]
                quotes += sum(map(quotes_of, inner))
                quotes += _NEVER * sum(self.hidden_in(value) is not None for value in inner)
        return quotes


class _Fields:
    """The fields of a struct for one level of objects, as far as nobody wants their values."""

    def __init__(self, reader: ObjectReader) -> None:
        self.columns = _Columns(reader.hidden_in)
        self.fields: list[tuple[str, Any, Any]] = []
        self.keys: dict[str, str] = {}

    def envelope(
        self,
        level: Mapping[str, frozenset[type]],
        optional: set[str],
        key: str,
        inner: type[msgspec.Struct],
    ) -> type[msgspec.Struct]:
        """Make the struct around the one that holds the fields, which lies under `key`."""
        for known, kinds in level.items():
            if known == key:
                self.columns.fixed += 2
                self.put("inner", known, inner)
            else:
                self.unread(known, kinds, is_optional=known in optional)
        return self.make()

    def put(self, name: str, key: str, kind: Any, default: Any = msgspec.NODEFAULT) -> None:  # noqa: ANN401 - a type
        """Add a field."""
        self.fields.append((name, kind, default))
        self.keys[name] = key

    def unread(self, key: str, kinds: frozenset[type], *, is_optional: bool) -> str:
        """Add a field for a key whose value nobody wants, and return its name."""
        name = f"_{len(self.fields)}"
        if kinds == _TEXT:
            self.text(name, key, UNSET if is_optional else msgspec.NODEFAULT)
        elif is_optional or str in kinds or not _CONTAINERS.isdisjoint(kinds):
            self.columns.loose.append((key, attrgetter(name)))
            self.put(name, key, Any, UNSET if is_optional else msgspec.NODEFAULT)
        else:
            self.columns.fixed += 2
            self.put(name, key, int | float | bool | None)
        return name

    def text(self, name: str, key: str, default: object) -> None:
        """Add a field for a text; `default` is an object that no decoded value is."""
        if default is msgspec.NODEFAULT:
            self.columns.fixed += 4
        else:
            self.columns.optional_texts.append((key, attrgetter(name), default))
        self.put(name, key, str, default)

    def make(self) -> type[msgspec.Struct]:
        """Make the struct. Records live as long as their batch: nothing for the collector."""
        return msgspec.defstruct(
            "Record",
            [field if field[2] is not msgspec.NODEFAULT else field[:2] for field in self.fields],
            rename=self.keys,
            gc=False,
            kw_only=True,
            forbid_unknown_fields=True,
        )


Settle = Callable[[Sequence[Record]], Iterable[tuple[str, Sequence[Any]]]]
"""Returns the final values of attributes, in the records' order. Raises `BadLine`."""


class _InnerFields(_Fields):
    """The fields of the struct that holds what is wanted."""

    def __init__(
        self, reader: ObjectReader, attributes: Sequence[Attribute], time_key: TimeKey
    ) -> None:
        super().__init__(reader)
        self._reader = reader
        self._attributes = {attribute.name: attribute for attribute in attributes}
        self._defaults: dict[str, Any] = {a.name: a.default for a in attributes}
        self._defaults |= dict.fromkeys(time_key.attributes)
        self._quoted: list[str] = []
        self._kinds: dict[str, frozenset[type]] = {}
        self.settled: list[Settle] = []
        self.same: list[tuple[Callable[[Record], Any], Callable[[Record], Any]]] = []
        self.unmapped: list[str] = []

    def struct(
        self, level: Mapping[str, frozenset[type]], optional: set[str], trap: str | None
    ) -> type[msgspec.Struct]:
        """Make the struct of an object with these keys. Raises `Unfit`.

        Under the key `trap` there must be no object: it would be the one that holds the fields.
        """
        for key, kinds in level.items():
            name, is_unmapped = self._reader.meanings[key]
            is_optional = key in optional
            if name is None:
                if key == trap:
                    self._trap(key, is_optional=is_optional)
                else:
                    self.unread(key, kinds, is_optional=is_optional)
                if is_unmapped:
                    self.unmapped.append(key)
            elif name in self._kinds:
                self._second(name, key, kinds, is_optional=is_optional)
            else:
                self._wanted(name, key, kinds, is_optional=is_optional)
                self._kinds[name] = frozenset() if is_optional else kinds
        for group in self._reader.twins:
            self._twins([name for name in group if name in self._kinds])
        for name, default in self._defaults.items():
            if name not in self._kinds:
                self.put(name, _free_key(name, level), Any, default)
        if self._quoted:
            self.settled.append(self._numbers())
        return self.make()

    def _trap(self, key: str, *, is_optional: bool) -> None:
        name = f"_{len(self.fields)}"
        self.columns.loose.append((key, attrgetter(name)))
        kind = str | int | float | bool | list[Any] | UnsetType | None
        self.put(name, key, kind, UNSET if is_optional else msgspec.NODEFAULT)

    def _second(self, name: str, key: str, kinds: frozenset[type], *, is_optional: bool) -> None:
        """Add another key of an attribute: the values must be equal as they stand."""
        if is_optional or kinds != self._kinds[name] or kinds not in {_TEXT, _INTEGER}:
            raise Unfit
        if kinds == _INTEGER:  # `true` and 1.0 are equal to 1, but state something else
            other = f"_{len(self.fields)}"
            self.columns.fixed += 2
            self.put(other, key, int)
        else:
            other = self.unread(key, kinds, is_optional=False)
        self.same.append((attrgetter(name), attrgetter(other)))

    def _twins(self, names: Sequence[str]) -> None:
        """Have the texts of attributes compared that are twins of each other."""
        if len(names) > 1 and any(self._kinds[name] != _TEXT for name in names):
            raise Unfit
        self.same += pairwise(map(_plain, names))

    def _wanted(self, name: str, key: str, kinds: frozenset[type], *, is_optional: bool) -> None:
        default, is_number = self._defaults[name], self._is_number(name)
        if kinds == _TEXT and is_number and not is_optional:
            self.columns.fixed += 4
            self.put(name, key, str)
            self._quoted.append(name)
        elif kinds == _TEXT and not is_number:
            self.text(name, key, _own(default) if is_optional else msgspec.NODEFAULT)
        elif kinds == _INTEGER and (is_number or name not in self._attributes) and not is_optional:
            self.columns.fixed += 2
            self.put(name, key, _Number)
        else:
            self.columns.loose.append((key, attrgetter(name)))
            self.put(
                name,
                key,
                str | int | float | UnsetType | None,
                UNSET if is_optional else msgspec.NODEFAULT,
            )
            self.settled.append(self._loose(name))

    def _loose(self, name: str) -> Settle:
        value_of, known, default = attrgetter(name), self._reader.value, self._defaults[name]
        plain = int if self._is_number(name) else str

        def final(value: Any) -> Any:  # noqa: ANN401 - what the struct takes
            if type(value) is plain:
                return value
            value = None if value is UNSET else known(name, value)
            return default if value is None else value

        def settle(records: Sequence[Record]) -> Iterable[tuple[str, Sequence[Any]]]:
            return [(name, list(map(final, map(value_of, records))))]

        return settle

    def _is_number(self, name: str) -> bool:
        attribute = self._attributes.get(name)
        return attribute is not None and attribute.number

    def _numbers(self) -> Settle:
        """Return what turns all numbers that stand as texts into numbers."""
        names = self._quoted
        texts_of = attrgetter(*names) if len(names) > 1 else _single(names[0])
        rows_type = list.__class_getitem__(tuple.__class_getitem__((_Number,) * len(names)))
        attributes = [self._attributes[name] for name in names]

        def settle(records: Sequence[Record]) -> Iterable[tuple[str, Sequence[Any]]]:
            texts = list(map(texts_of, records))
            digits = "".join(chain.from_iterable(texts))
            try:
                if "." in digits or "e" in digits or "E" in digits:
                    rows = [tuple(map(number, attributes, row)) for row in texts]
                else:
                    rows = msgspec.convert(texts, rows_type, strict=False)
            except msgspec.ValidationError:
                rows = [tuple(map(number, attributes, row)) for row in texts]
            return zip(names, zip(*rows, strict=True), strict=True)

        return settle


class Unfit(Exception):  # noqa: N818 - named as the sentence reads
    """Records of a layout can't be read at once."""


def _plain(name: str) -> Callable[[Record], str]:
    value_of, plain = attrgetter(name), plain_text(name)
    return lambda record: plain(value_of(record))


def _single(name: str) -> Callable[[Record], tuple[Any, ...]]:
    value_of = attrgetter(name)
    return lambda record: (value_of(record),)


def _own(default: str | None) -> str | None:
    """Return an equal default that is an object of its own, so that it is told from a value."""
    return None if default is None else "".join([default[:1], default[1:]])


def _free_key(name: str, level: Iterable[str]) -> str:
    """Return a key for an attribute that no record of a layout has: none of the layout's."""
    taken = set(level)
    while name in taken:
        name += " "
    return name
