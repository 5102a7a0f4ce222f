"""Records of docs/formats.md: JSON with NSS field names, one character of doubt at a time."""

import json
import re
from collections.abc import Mapping

from tests.formats.second.language import FIELDS, Part, Spec
from tests.formats.second.times import PARTS, WHOLE
from tests.formats.second.values import BadError, Record, number

TIMES = {*WHOLE, *PARTS, "tz"}


class Number(str):
    """The digits of a number, which JSON writes without quotes."""

    __slots__ = ()


class Twice(dict[str, object]):
    """An object that has a key twice."""


def objects(text: bytes) -> list[object]:
    """Return what one line of JSON holds: an object, or what an array has."""
    try:
        found = json.loads(
            text.decode(), parse_int=whole, parse_float=broken, parse_constant=no_constant
        )
    except (ValueError, RecursionError) as error:
        raise BadError(str(error)) from error
    return found if isinstance(found, list) else [found]


def whole(digits: str) -> Number:
    return Number("0" if digits == "-0" else digits)


def broken(digits: str) -> Number:
    return Number(repr(float(digits)))


def no_constant(name: str) -> Number:
    raise BadError(name)


def wanted(parts: list[Part], filtered: set[str]) -> set[str]:
    """Return the fields that a feed reads: what it prints, what stands in, times and the user."""
    names = {part.name for part in parts if isinstance(part, Spec)} | {"login"} | TIMES | filtered
    if "totalsize" in names:
        names |= {"reqsize", "respsize"}
    for name in list(names):
        for derivation in FIELDS.get(name, {"derivations": ""})["derivations"].split():
            names.add(derivation.split(":")[1])
    return names


def record_of(found: object, names: set[str]) -> Record:
    """Return what an object states of these fields as text; Bad where a value is of no use."""
    if not isinstance(found, dict):
        raise BadError("no object")
    event = found.get("event")
    if isinstance(event, Mapping):
        found = event
    record = {}
    for name in names:
        value = found.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise BadError(f"{name} is neither text nor a number")
        if re.search("[\ud800-\udfff]", value):
            raise BadError("half a surrogate pair")
        if name not in TIMES and FIELDS[name]["conversion"] == "d":
            number(value)
        record[name] = str(value)
    return record
