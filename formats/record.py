"""The record between reading and rendering: which attributes it has and how fields come from them.

A record is a `msgspec.Struct` made for one pairing of input and output: it has an attribute for
every field that the output (or a filter) wants and the input can provide, and for the twins that
a missing one is derived from. Generated code asks `Access` for the Python expression of a field.
"""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from formats.fields import TIME_FIELDS, Derivation, Field, catalogue
from formats.values import Remembered, clean, encoder, from_base64, obfuscator, to_base64, url_path

NOT_TOLD = -1
"""Default of a number that can be derived; sizes and ids are never negative."""

_VALUES_ONLY = frozenset({"unbase64", "unbase64-encode", "path"})
"""Derivations that would make something else of the placeholder `None` (it is valid base64)."""

_Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What is decoded at once; a larger number is looked at alone, see `formats.reading.number`."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a record. `default` stands for a field that the record lacks."""

    name: str
    number: bool
    default: str | int | None


@dataclass(frozen=True, slots=True)
class Moment:
    """How the time of a record is found.

    `attributes` hold what the input tells of it, as text or a number, `None` when it does not.
    `expression` yields a key (over the record `r`, with the names in `namespace`) under which
    equal times are equal; `tell` turns a key into the time fields it states.
    """

    attributes: tuple[str, ...]
    expression: str
    tell: Callable[[Any], Mapping[str, str | int | None]]
    namespace: Mapping[str, object] = dataclasses.field(default_factory=dict)


def struct_of(
    attributes: Iterable[Attribute],
    moment: Moment,
    keys: Mapping[str, str] | None = None,
    traps: Iterable[str] = (),
    order: Sequence[str] = (),
) -> type[msgspec.Struct]:
    """Make the record type. `keys` are the JSON keys of attributes called otherwise there.

    `traps` are keys that must not hold an object: a line that has one there is in another
    shape than the reader takes it for. `order` are keys that come first, in this order.
    """
    fields: list[tuple[str, Any, Any]] = [
        (a.name, _Number if a.number else str if a.default is not None else str | None, a.default)
        for a in attributes
    ]
    fields += [(name, str | int | float | None, None) for name in moment.attributes]
    fields += [(name, str | int | float | bool | None, None) for name in traps]
    keys = dict(keys or {})
    places = {key: place for place, key in enumerate(order)}
    fields.sort(key=lambda field: places.get(keys.get(field[0], field[0]), len(places)))
    # Records live as long as their batch and hold only scalars: nothing for the collector.
    return msgspec.defstruct("Record", fields, rename=keys, gc=False)


class Access:
    """How each wanted field comes from a record whose input provides the fields `available`.

    `expression(field)` yields `str` for text and `int` for numbers, whatever a record lacks;
    the names in it are in `namespace`. Derived values come out clean of control characters.
    """

    def __init__(
        self,
        wanted: Collection[str],
        available: Collection[str],
        *,
        escape_characters: str = "",
        obfuscation_key: bytes = b"",
    ) -> None:
        self._available = frozenset(available) - TIME_FIELDS
        self._encode = Remembered(encoder(escape_characters)).__getitem__
        self._obfuscate = obfuscator(obfuscation_key)
        self.namespace: dict[str, object] = {}
        fields = [catalogue()[name] for name in sorted(set(wanted) - TIME_FIELDS)]
        self._ways = {field.name: self._ways_to(field) for field in fields}
        self.attributes = self._attributes(fields)
        optional = {attribute.name for attribute in self.attributes if attribute.default is None}
        self._expressions = {field.name: self._expression(field, optional) for field in fields}

    def expression(self, name: str) -> str:
        """Return the expression of a wanted field over the record `r`."""
        return self._expressions[name]

    def constant(self, name: str) -> str | int | None:
        """Return the placeholder of a wanted field that no record can have, else `None`."""
        field = catalogue()[name]
        told = self._ways[name] or name in self._available or self._sizes(field)
        return None if told else field.placeholder

    def _ways_to(self, field: Field) -> tuple[Derivation, ...]:
        if field.name == "totalsize":
            return ()
        return tuple(way for way in field.derivations if way.source in self._available)

    def _sizes(self, field: Field) -> bool:
        return field.name == "totalsize" and {"reqsize", "respsize"} <= self._available

    def _attributes(self, fields: list[Field]) -> tuple[Attribute, ...]:
        """Collect own and source attributes; one that may have to be derived defaults to None."""
        defaults: dict[str, str | int | None] = {}
        for field in fields:
            if field.name in self._available:
                derivable = self._ways[field.name] or self._sizes(field)
                told = NOT_TOLD if field.conversion == "d" else None
                defaults.setdefault(field.name, told if derivable else field.placeholder)
        for field in fields:
            for way in self._ways[field.name]:
                source = catalogue()[way.source]
                defaults[way.source] = NOT_TOLD if source.conversion == "d" else None
            if self._sizes(field):
                defaults.setdefault("reqsize", 0)
                defaults.setdefault("respsize", 0)
        return tuple(
            Attribute(name, catalogue()[name].conversion == "d", default)
            for name, default in defaults.items()
        )

    def _expression(self, field: Field, optional: Collection[str]) -> str:
        own = field.name in self._available
        if self._sizes(field):
            total = "r.reqsize + r.respsize"
            return f"(r.totalsize if r.totalsize >= 0 else {total})" if own else f"({total})"
        ways = self._ways[field.name]
        if not own and not ways:
            return repr(field.placeholder)
        if own and not ways and field.name not in optional:
            return f"r.{field.name}"
        name = f"_derive_{field.name}"
        self.namespace[name] = self._derive(field, ways, own=own)
        if not own:
            return f"{name}(r)"
        if field.conversion == "d":
            return f"(r.{field.name} if r.{field.name} >= 0 else {name}(r))"
        return f"(r.{field.name} or {name}(r))"

    def _derive(
        self, field: Field, ways: tuple[Derivation, ...], *, own: bool
    ) -> Callable[[Any], str | int]:
        """Return the slow way to a field: own value, then each derivation, then placeholder."""
        # What comes out as it went in, or out of base64, may hold anything.
        steps = tuple(
            (self._step(way), way.source, clean if way.how in {"same", "unbase64"} else str)
            for way in ways
        )
        number = field.conversion == "d"

        def derive(record: Any) -> str | int:  # noqa: ANN401 - a struct made at run time
            if own and not number:
                value = getattr(record, field.name)
                if value is not None:
                    return str(value)
            for step, source, finish in steps:
                told = getattr(record, source)
                if told is None:
                    continue
                value = step(str(told))
                if value is not None:
                    return int(value) if number else finish(value)
            return field.placeholder

        return derive

    def _step(self, way: Derivation) -> Callable[[str], str | None]:
        steps: Mapping[str, Callable[[str], str | None]] = {
            "same": str,
            "encode": self._encode,
            "unbase64": from_base64,
            "unbase64-encode": self._decode_and_encode,
            "base64": to_base64,
            "obfuscate": self._obfuscate,
            "path": lambda url: self._encode(url_path(url)),
        }
        step = steps[way.how]
        if way.how in _VALUES_ONLY:
            return lambda text: None if text == "None" else step(text)
        return step

    def _decode_and_encode(self, text: str) -> str | None:
        plain = from_base64(text)
        return None if plain is None else self._encode(plain)
