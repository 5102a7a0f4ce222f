"""The record between reading and rendering: which attributes it has and how fields come from them.

A record is a `msgspec.Struct` made for one pairing of input and output: it has an attribute for
every field that the output (or a filter) wants and the input can provide, and for the twins that
a missing one is derived from.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from formats.fields import SHIFTED_FIELDS, TIME_FIELDS, Field, How, catalogue
from formats.plan import (
    UNSTATED,
    Attribute,
    Constant,
    Derived,
    FieldAccess,
    Own,
    Shifted,
    TimeKey,
    Total,
    Value,
)
from formats.values import Remembered, clean, encoder, from_base64, obfuscator, to_base64, url_path

_TOTAL, _SUMMANDS = "totalsize", ("reqsize", "respsize")

_Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What is decoded at once; a larger number is read alone, see `formats.reading.number`."""


def struct_of(
    attributes: Iterable[Attribute],
    time_key: TimeKey,
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
    fields += [(name, str | int | float | None, None) for name in time_key.attributes]
    fields += [(name, str | int | float | bool | None, None) for name in traps]
    keys = dict(keys or {})
    places = {key: place for place, key in enumerate(order)}
    fields.sort(key=lambda field: places.get(keys.get(field[0], field[0]), len(places)))
    # Records live as long as their batch and hold only scalars: nothing for the collector.
    return msgspec.defstruct("Record", fields, rename=keys, gc=False)


def field_access(wanted: Collection[str], available: Collection[str]) -> FieldAccess:
    """Return how each wanted field comes from records whose input provides `available`."""
    provided = frozenset(available) - TIME_FIELDS
    fields = [catalogue()[name] for name in sorted(set(wanted) - TIME_FIELDS)]
    values = {field.name: _value(field, provided) for field in fields}
    defaults: dict[str, str | int | None] = {}
    for field in fields:
        if field.name in provided:
            own = isinstance(values[field.name], Own | Shifted)
            defaults[field.name] = field.placeholder if own else _unstated(field)
    for value in values.values():
        if isinstance(value, Derived):
            for way in value.derivations:
                defaults[way.source] = _unstated(catalogue()[way.source])
        elif isinstance(value, Total):
            for summand in value.summands:
                defaults.setdefault(summand, 0)
    for name, value in values.items():
        if isinstance(value, Own) and defaults[name] is None:  # others are derived from it
            values[name] = Derived(name, (), catalogue()[name].placeholder)
    attributes = tuple(
        Attribute(name, catalogue()[name].conversion == "d", default)
        for name, default in defaults.items()
    )
    return FieldAccess(attributes, MappingProxyType(values))


def _unstated(field: Field) -> int | None:
    return UNSTATED if field.conversion == "d" else None


def _value(field: Field, provided: frozenset[str]) -> Value:
    own = field.name if field.name in provided else None
    if field.name == _TOTAL and provided.issuperset(_SUMMANDS):
        return Total(own, _SUMMANDS)
    if own is not None and own in SHIFTED_FIELDS:
        return Shifted(own)
    derivations = tuple(way for way in field.derivations if way.source in provided)
    if derivations:
        return Derived(own, derivations, field.placeholder)
    return Constant(field.placeholder) if own is None else Own(own)


Deriver = Callable[[Any], str | int]
"""The slow way from a record to a field: own value, then each derivation, then placeholder."""


def derivers(access: FieldAccess, escape_characters: str, key: bytes) -> dict[str, Deriver]:
    """Return the functions that work out the `Derived` values of a pipeline, by field.

    `escape_characters` are encoded in `e*` fields beyond what always is; `key` is for `o*` fields.
    """
    steps = _steps(escape_characters, key)
    return {
        field: _deriver(value, [(way.source, steps[way.how]) for way in value.derivations])
        for field, value in access.values.items()
        if isinstance(value, Derived)
    }


Step = Callable[[str], str | None]


def _steps(escape_characters: str, obfuscation_key: bytes) -> Mapping[How, Step]:
    """Return what each way of derivation does with the source's text; `None` when it fails.

    Text that comes out as it went in, or out of base64, may hold anything.
    """
    encode = Remembered(encoder(escape_characters)).__getitem__

    return {
        "same": clean,
        "encode": encode,
        "unbase64": lambda text: (plain := from_base64(text)) and clean(plain),
        "unbase64-encode": lambda text: (plain := from_base64(text)) and encode(plain),
        "base64": to_base64,
        "obfuscate": obfuscator(obfuscation_key),
        "path": lambda url: None if url == "None" else encode(url_path(url)),
    }


def _deriver(value: Derived, ways: Sequence[tuple[str, Step]]) -> Deriver:
    own, number = value.own, isinstance(value.placeholder, int)

    def derive(record: Any) -> str | int:  # noqa: ANN401 - a struct made at run time
        if own is not None and not number and (text := getattr(record, own)) is not None:
            return str(text)
        for source, step in ways:
            text = getattr(record, source)
            derived = None if text is None else step(str(text))
            if derived is not None:
                return int(derived) if number else derived
        return value.placeholder

    return derive
