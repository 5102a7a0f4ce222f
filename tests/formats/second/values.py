"""Values of docs/formats.md: what is taken for a field that a record lacks, %HH, base64."""

import base64
import re
from collections.abc import Mapping
from fractions import Fraction

from tests.formats.second.language import FIELDS, Spec

# What a record states: texts, and numbers as the digits that were read.
Record = Mapping[str, str]

ADDRESSES = {"cip", "cintip", "cpubip", "sip", "nsssvcip", "fwd_gw_ip"}
NO_ADDRESS = ".".join("0000")
NO_NUMBER = {"", "none", "n/a", "na", "-", "null"}
NO_TEXT = {"None", "NA", "N/A", "Unknown"}
HEX = "0123456789ABCDEF"


class BadError(Exception):
    """A record that gets no line."""


def hh(text: str) -> str:
    """Return a text with each of its UTF-8 bytes as %HH."""
    return "".join("%" + HEX[byte // 16] + HEX[byte % 16] for byte in text.encode())


def encoded(text: str, escape_characters: str) -> str:
    """Return a text as an `e*` field prints it."""
    return "".join(
        hh(character)
        if character <= " " or character >= "\x7f" or character in escape_characters
        else character
        for character in text
    )


def without_controls(text: str) -> str:
    return "".join(
        hh(character)
        if character < " " or "\x7f" <= character <= "\x9f" or character in "\u2028\u2029"
        else character
        for character in text
    )


def unbase64(text: str) -> str | None:
    """Return what a text in either alphabet stands for; None where it is no base64."""
    text = text.strip()
    if text in NO_TEXT:
        return None
    digits = text.rstrip("=")
    padding = {0: 0, 2: 2, 3: 1}.get(len(digits) % 4)
    if padding is None or len(text) - len(digits) > padding:
        return None
    if re.fullmatch(r"[A-Za-z0-9+/_-]*", digits) is None:
        return None
    whole = digits.replace("-", "+").replace("_", "/") + "=" * padding
    return base64.b64decode(whole).decode("utf-8", "replace")


def path(url: str) -> str:
    """Return the path of a URL without scheme: from its first slash, without the query."""
    before_query = re.split(r"[?#]", url, maxsplit=1)[0]
    at = before_query.find("/")
    return before_query[at:] if at >= 0 else "/"


def number(text: str) -> int | None:
    """Return a number of at most 40 digits that a text states, None where it stands for none."""
    text = text.strip()
    if text.lower() in NO_NUMBER:
        return None
    if re.fullmatch(r"[+-]?[0-9]{1,40}", text):
        return int(text)
    if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?", text) and len(text) <= 40:
        value = Fraction(text)
        if value.denominator == 1 and abs(value) < 2**53:
            return int(value)
    raise BadError(f"{text} is no number")


def text_of(record: Record, name: str, escape_characters: str) -> str | None:
    """Return a text field of a record, from another field if it must be; None if lacking."""
    if name in record:
        stated = record[name]
        return encoded(stated, escape_characters) if is_encoded(name) else stated
    for derivation in FIELDS[name]["derivations"].split():
        how, other = derivation.split(":")
        value = record.get(other)
        if value is not None and how.startswith("unbase64"):
            value = unbase64(value)
        if value is None:
            continue
        if how in {"encode", "unbase64-encode"}:
            return encoded(value, escape_characters)
        if how == "path" and value == "None":
            continue
        if how == "path":
            return encoded(path(value), escape_characters)
        if how == "base64":
            return base64.b64encode(value.encode()).decode()
        return value
    return None


def is_encoded(name: str) -> bool:
    """Whether a field is one of the `e*` fields."""
    return FIELDS[name]["group"] == "Hex-encoded"


def number_of(record: Record, name: str) -> int:
    if name in record:
        value = number(record[name])
        if value is not None:
            return value
    if name == "totalsize":
        return number_of(record, "reqsize") + number_of(record, "respsize")
    return 0


def printed(record: Record, spec: Spec, escape_characters: str) -> str:
    """Return what a spec prints of a record, before anything in it is guarded."""
    if FIELDS[spec.name]["conversion"] == "s":
        value = text_of(record, spec.name, escape_characters)
        if value is None:
            return NO_ADDRESS if spec.name in ADDRESSES else "None"
        return value
    return digits(number_of(record, spec.name), spec)


def digits(value: int, spec: Spec) -> str:
    whole = format(abs(value), "x") if spec.conversion == "x" else str(abs(value))
    sign = "-" if value < 0 else ""
    if spec.zeros:
        return sign + whole.rjust(spec.width - len(sign), "0")
    return (sign + whole).rjust(spec.width)
