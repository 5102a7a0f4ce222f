"""Filters as docs/configuration.md has them: which records a feed sends."""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from tests.formats.second.language import FIELDS, Spec
from tests.formats.second.values import (
    ADDRESSES,
    NO_ADDRESS,
    NO_TEXT,
    Record,
    number_of,
    printed,
    text_of,
)

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"
ROW = re.compile(r"\| `(\w+)` \| (\w+) \| (`\w+`(?:, `\w+`)*) \| [^|]+ \| `\w+ = [^|]+ \|")
UNITS = {"KB": 1024, "MB": 1024**2, "GB": 1024**3, "": 1}

Keys = Mapping[str, tuple[str, list[str]]]
Filter = Mapping[str, list[str]]  # the values of each key, as they are written


def keys_of_the_page() -> Keys:
    """Return the kind of each key, and the fields that it looks at."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {key: (kind, re.findall(r"\w+", fields)) for key, kind, fields in rows}


KEYS = keys_of_the_page()


def fields_of(wanted: Filter) -> set[str]:
    return {field for key in wanted for field in KEYS[key.removeprefix("not_")][1]}


def passes(record: Record, wanted: Filter, escape_characters: str) -> bool:
    """Whether a record passes a filter: all keys match, and one value of each is enough."""
    return all(
        matches(record, key.removeprefix("not_"), values, escape_characters)
        != key.startswith("not_")
        for key, values in wanted.items()
    )


def matches(record: Record, key: str, values: list[str], escape_characters: str) -> bool:
    kind, fields = KEYS[key]
    stated = [name for name in fields if states(record, name, escape_characters)]
    return any(
        fits(kind, record, name, value, escape_characters)
        for name in stated or fields
        for value in values
    )


def states(record: Record, name: str, escape_characters: str) -> bool:
    """Whether a record has a field, or one that stands for it, and no placeholder in its place."""
    if FIELDS[name]["conversion"] == "d":
        return True
    text = text_of(record, name, escape_characters)
    if name in ADDRESSES:
        return (text or "").lower() not in {"", NO_ADDRESS, *map(str.lower, NO_TEXT)}
    return text is not None and text.lower() != "none"


def fits(kind: str, record: Record, name: str, value: str, escape_characters: str) -> bool:
    if kind in {"size", "score"}:
        most = 100 if kind == "score" else None
        return any(within(number_of(record, name), each, most) for each in value.split(","))
    stated = printed(record, Spec(name, "s"), escape_characters)
    match kind:
        case "address":
            return any(holds(each.strip(), stated) for each in value.split(","))
        case "code":
            return any(is_code(each.strip(), stated) for each in value.split(","))
        case "list":
            return any(is_text(value, member.strip()) for member in stated.split("|"))
        case "host" if re.search(r":[0-9]+\*?$", value) is None:
            stated = re.sub(r":[0-9]+$", "", stated)
    return is_text(value, stated)


def is_text(value: str, stated: str) -> bool:
    value, stated = (unquote(text).casefold() for text in (value, stated))
    core = value.removeprefix("*").removesuffix("*")
    if value.startswith("*") and value.endswith("*"):
        return core in stated
    if value.startswith("*"):
        return stated.endswith(core)
    return stated.startswith(core) if value.endswith("*") else stated == core


def within(number: int, value: str, most: int | None) -> bool:
    first, dash, last = value.strip().partition("-")
    if not dash:
        return number == size(first)
    upper = size(last) if last else most
    return size(first) <= number and (upper is None or number <= upper)


def size(text: str) -> int:
    digits = text.strip().rstrip("KMGB")
    return int(digits) * UNITS[text.strip()[len(digits) :]]


def is_code(value: str, stated: str) -> bool:
    found = re.match(r"[0-9]{3}(?![0-9])", stated)
    if found is None:
        return False
    code = found[0]
    if "-" in value:
        first, last = value.split("-")
        return first <= code <= last
    return code == value or (value.endswith("xx") and code[0] == value[0])


def holds(value: str, stated: str) -> bool:
    try:
        address = ipaddress.ip_address(stated)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    number = (mapped or address).packed
    if "-" in value:
        first, last = (ipaddress.ip_address(each).packed for each in value.split("-"))
    else:
        network = ipaddress.ip_network(value, strict=False)
        first, last = network[0].packed, network[-1].packed
    return len(first) == len(number) and first <= number <= last
