"""The language of docs/formats.md, one character at a time: a string becomes texts and specs."""

import csv
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import formats

MAX_FIELDS = 1000
MAX_WIDTH = 32

with (Path(formats.__file__).parent / "catalogue.csv").open(encoding="utf-8") as rows:
    FIELDS = {row["name"]: row for row in csv.DictReader(rows)}

ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "{": "{", "}": "}", "\\": "\\"}
SPEC = re.compile(r"%([0-9]*)(s|d|x|ld|lld|lu|llu)\{([A-Za-z0-9_]*)\}")


class RefusedError(Exception):
    """A string that is no feed output format."""


@dataclass(frozen=True)
class Spec:
    name: str
    conversion: str  # s, d or x
    width: int = 0
    zeros: bool = False


Part = str | Spec


def parse(text: str) -> list[Part]:
    """Return texts and specs in turn: no text is empty, no two are neighbours."""
    parts: list[Part] = []
    at = 0
    while at < len(text):
        spec = SPEC.match(text, at)
        if spec is not None:
            parts.append(checked(spec))
            at = spec.end()
        elif text[at] in "\r\n":
            while at < len(text) and text[at] in "\r\n \t":
                at += 1
            last = parts[-1] if parts else "\n"
            if at < len(text) and not (isinstance(last, str) and last[-1] in "\t\n\r"):
                add(parts, " ")
        else:
            character, at = character_at(text, at)
            add(parts, character)
    if parts and isinstance(parts[-1], str):
        parts[-1] = parts[-1].rstrip("\n")
        if parts[-1] == "":
            parts.pop()
    if sum(isinstance(part, Spec) for part in parts) > MAX_FIELDS:
        raise RefusedError("too many fields")
    return parts


def character_at(text: str, at: int) -> tuple[str, int]:
    """Return what the text prints at this place, and the place behind it."""
    character = text[at]
    following = text[at + 1 : at + 2]
    if character == "%" and following == "%":
        return "%", at + 2
    if character == "\\" and following in ESCAPES:
        return ESCAPES[following], at + 2
    if character in "%\\{}" or not printable(character):
        raise RefusedError(f"{character!r} at {at}")
    return character, at + 1


def printable(character: str) -> bool:
    """Whether static text may hold it: TAB is the only control character."""
    return character == "\t" or (
        unicodedata.category(character) not in {"Cc", "Cs"}
        and character not in "\u2028\u2029"
        and character < "\U000f0000"
    )


def checked(spec: re.Match[str]) -> Spec:
    digits, conversion, name = spec.groups()
    conversion = {"s": "s", "x": "x"}.get(conversion, "d")
    if name not in FIELDS:
        raise RefusedError(f"unknown field {name}")
    if conversion == "s" and digits:
        raise RefusedError("%s with a width")
    if conversion != "s" and FIELDS[name]["conversion"] == "s":
        raise RefusedError(f"%d of a text field {name}")
    width = int(digits[-9:] or "0") if len(digits.lstrip("0")) < 9 else MAX_WIDTH + 1
    if width > MAX_WIDTH:
        raise RefusedError("too wide")
    return Spec(name, conversion, width, digits.startswith("0"))


def add(parts: list[Part], text: str) -> None:
    if parts and isinstance(parts[-1], str):
        parts[-1] += text
    else:
        parts.append(text)


def refuses(text: str) -> bool:
    try:
        parse(text)
    except RefusedError:
        return True
    return False
