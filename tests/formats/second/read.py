"""Records of docs/formats.md: JSON with NSS field names, one character of doubt at a time."""

import json
import re
from contextlib import suppress
from datetime import UTC
from urllib.parse import unquote

from tests.formats.second.language import FIELDS, Part, Spec
from tests.formats.second.synonyms import field_of
from tests.formats.second.times import NO_TIME, PARTS, WHOLE, moment_of
from tests.formats.second.values import BadError, Record, number, unbase64

COLLECTORS = {"time", "host", "source", "sourcetype", "index", "fields"}
WHOSE = {
    *("action", "login", "elogin", "b64login", "url", "eurl", "b64url"),
    *("cip", "cintip", "cpubip", "sip"),
}
TIMES = {*WHOLE, *PARTS, "tz"}


class Number(str):
    """The digits of a number, which JSON writes without quotes."""

    __slots__ = ()


class Object(dict[str, object]):
    """An object, and its members as they were written: a key may come twice."""

    def __init__(self, members: list[tuple[str, object]]) -> None:
        super().__init__(members)
        self.members = members


def objects(text: bytes) -> list[object]:
    """Return what one line of JSON holds: an object, or what an array has."""
    try:
        found = json.loads(
            text.decode(),
            parse_int=whole,
            parse_float=broken,
            parse_constant=no_constant,
            object_pairs_hook=Object,
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
    if not isinstance(found, Object):
        raise BadError("no object")
    found = content(found, names)
    record: dict[str, str] = {}
    keys: dict[str, str] = {}
    for key, value in found.members:
        name = field_of(key)
        if name is None or name not in names:
            continue
        if key in keys:
            raise BadError(f"{key} comes twice")
        keys[key] = name
        if value is None:
            continue
        text = stated(name, value)
        before = record.get(name)
        if before is None or says_nothing(name, before):
            record[name] = text
        elif not says_nothing(name, text) and meaning(name, before) != meaning(name, text):
            raise BadError(f"{key} and another key contradict each other")
    check_twins(record, names)
    return record


def content(found: Object, names: set[str]) -> Object:
    """Return what is in the envelope of an object, or the object if it has none."""
    envelopes = [value for key, value in found.members if key == "event"]
    if not any(isinstance(value, Object) for value in envelopes):
        check_unread(found.members, names)
        return found
    if len(envelopes) > 1:
        raise BadError("event comes twice")
    for key in found.keys() - {"event", *COLLECTORS}:
        if field_of(key) in names:
            raise BadError(f"{key} stands outside of the envelope")
    (inner,) = envelopes
    assert isinstance(inner, Object)
    check_unread([each for each in found.members if each[1] is not inner], names)
    check_unread(inner.members, names)
    return inner


def check_unread(members: list[tuple[str, object]], names: set[str]) -> None:
    """Reject a record with whose it is in an object that is not read."""
    left = [value for _, value in members]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, Object):
            for key, each in value.members:
                left.append(each)
                if isinstance(each, str) and field_of(key) in WHOSE & names:
                    raise BadError(f"{key} is in an object that is not read")


def check_twins(record: Record, names: set[str]) -> None:
    """Reject a record whose plain, encoded and base64 fields state different texts."""
    texts: dict[str, str] = {}
    for name in record.keys() & names - TIMES:
        text, twin = record[name], plain_twin(name)
        if name.startswith("b64"):
            decoded = unbase64(text)
            text = text if decoded is None else decoded
        text = unquote(text, errors="backslashreplace")
        if texts.setdefault(twin, text) != text:
            raise BadError(f"{name} and its twin contradict each other")


def says_nothing(name: str, text: str) -> bool:
    if name in TIMES:
        return text.lower() in NO_TIME
    return FIELDS[name]["conversion"] == "d" and number(text) is None


def meaning(name: str, text: str) -> object:
    """Return what two keys must agree upon: a moment, a number or the text itself."""
    if name in WHOLE:
        with suppress(BadError):
            return moment_of({name: text}, UTC, UTC)
    return number(text) if name not in TIMES and FIELDS[name]["conversion"] == "d" else text


def plain_twin(name: str) -> str:
    """Return the plain field of an encoded or base64 one, and any other as it is."""
    hows = [each.split(":") for each in FIELDS[name]["derivations"].split()]
    return next((plain for how, plain in hows if how in {"encode", "base64"}), name)


def of_fields(fields: dict[str, object], names: set[str]) -> Record:
    """Return the same of what a line states, whose format names the fields."""
    return {
        name: stated(name, value)
        for name, value in fields.items()
        if name in names and value is not None
    }


def stated(name: str, value: object) -> str:
    """Return the value of a field as text; Bad where it is neither text nor a number."""
    if not isinstance(value, str):
        raise BadError(f"{name} is neither text nor a number")
    if re.search("[\ud800-\udfff]", value):
        raise BadError("half a surrogate pair")
    if name not in TIMES and FIELDS[name]["conversion"] == "d":
        number(value)
    if name in TIMES and isinstance(value, Number) and float(value).is_integer():
        return str(int(float(value))) if re.search(r"[.eE]", value) else str(value)
    return str(value)
