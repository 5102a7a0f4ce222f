"""Errors of TOML for people: the line, a caret, what is wrong in plain words, and what is meant.

`tomllib` says what its parser did not get. Here the line that it stopped in is looked at for what
people get wrong: backslashes and colons in double quotes, texts without quotes, a key set twice.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from formats.errors import Problem, excerpt
from nss.config.secrecy import ShownLine, shown_line
from nss.config.toml import toml_text
from nss.secret import SHOWN

_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
_ASSIGNED = re.compile(r"\s*(?P<key>[^=#\[\]{}\s][^=#\[\]{}]{0,200}?)\s*=\s*(?P<value>.*)")
_HEADER = re.compile(r"\s*\[\[?\s*([^\]#]{1,500}?)\s*\]")
_NAMED = re.compile(r"\((.*)\)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?0[0-9_]+")
_WITH_UNIT = re.compile(r"([0-9.]+) ?[a-z]+")
_WITH_UNITS = ("_secs", "_minutes", "_hours", "_days")
_MAX_ADVISED = 60
"""Characters of a value that a piece of advice repeats."""

_OTHER_QUOTES = "\u201c\u201d\u201e\u2018\u2019\u00ab`"

_SAME_LINE = "end it on the same line; a text of several lines stands in '''"


class _Advice(NamedTuple):
    reason: str
    tip: str = ""
    at: int | None = None
    """The column from 1, where it is not the one where reading stopped."""


class _Stop(NamedTuple):
    """Where reading stopped."""

    text: str
    said: str
    number: int
    column: int
    shown: ShownLine
    """What may be shown of the line."""

    @property
    def line(self) -> str:
        return self.text.split("\n")[self.number - 1].rstrip("\r")

    @property
    def key(self) -> str:
        """The key that the line sets, for advice."""
        return self.shown.key

    @property
    def value(self) -> str:
        """What the line has behind `=`, without a comment."""
        found = _ASSIGNED.match(self.line)
        return found["value"].partition(" #")[0].strip() if found else ""


def syntax_problem(text: str, error: Exception) -> Problem:
    """Return the problem of a text that `tomllib` refused with an error of its own."""
    found = _PLACE.fullmatch(str(error))
    said = found[1] if found else str(error)
    place = (int(found[2]), int(found[3])) if found and found[2] else _end(text, said)
    stop = _Stop(text, said, *place, shown_line(text, place[0], _key(text, place[0])))
    advice = _advice(stop)
    at = advice.at or stop.column
    reason = f"not TOML: {advice.reason}{_pointed(stop.shown, at)}"
    if advice.tip:
        reason += f"\nTry: {advice.tip}"
    return Problem(f"line {stop.number}, column {at}", None, reason)


def _key(text: str, number: int) -> str:
    found = _ASSIGNED.match(text.split("\n")[number - 1])
    return found["key"] if found else "key"


def _end(text: str, said: str) -> tuple[int, int]:
    """Return line and column of what was open when the text ended, or of its end."""
    text = text.rstrip("\n")
    quote = '"""' if said == "Unterminated string" else said.removeprefix("Expected ").strip('"')
    at = text.rfind(quote) if quote in {"'", "'''", '"""'} else -1
    at = len(text) if at < 0 else at
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _pointed(line: ShownLine, column: int) -> str:
    """Return the line and a caret under a column, or under the stars for what may be a secret."""
    if not line.text:
        return ""
    piece = excerpt(line.text, column if line.is_whole else line.text.find(SHOWN) + 1, 1)
    shown = f"{piece.before}{piece.at}{piece.behind}"
    return f"\n  {shown}\n  {' ' * len(piece.before)}^" if shown.strip() else ""


def _advice(stop: _Stop) -> _Advice:
    for beginning, advise in _ADVICE.items():
        if stop.said.startswith(beginning):
            return advise(stop)
    return _Advice(stop.said[:1].lower() + stop.said[1:])


def _backslash(stop: _Stop) -> _Advice:
    column = stop.line.rfind("\\", 0, stop.column - 1) + 1
    return _Advice(
        "in double quotes a backslash begins an escape, and this is none",
        f"single quotes, which keep backslashes: {stop.key} = {_single_quoted(stop)}",
        column or None,
    )


def _single_quoted(stop: _Stop) -> str:
    """Return the value of the line in single quotes, where it can be shown as it should be."""
    inside = stop.value.strip('"')
    fits = stop.value[:1] == stop.value[-1:] == '"' and not {"'", '"'} & set(inside)
    if not fits or len(inside) > _MAX_ADVISED or not stop.shown.is_whole:
        return "'...'"
    return f"'{inside}'"


def _no_value(stop: _Stop) -> _Advice:
    rest = stop.line[stop.column - 1 :].strip()
    if rest.startswith("="):
        return _Advice("between a key and its value stands one =", f"{stop.key} = ...")
    if not rest or rest.startswith("#"):
        return _Advice(f"there is no value behind {stop.key} =")
    word = re.split(r"[\s,#\]}]", rest)[0]
    if word.lower() in {"true", "false", "yes", "no", "on", "off"}:
        right = "true" if word.lower() in {"true", "yes", "on"} else "false"
        return _Advice(f"{word} is no value", f"{right}, in small letters and without quotes")
    if rest[0] in _OTHER_QUOTES:
        return _Advice(f"{rest[0]} is no quote of TOML", "straight quotes: \" or '")
    return _Advice("a text stands in quotes", _quoted(stop))


def _quoted(stop: _Stop) -> str:
    """Return the assignment of the line with quotes around its value."""
    value = stop.value.strip("\"'")
    if not value or len(value) > _MAX_ADVISED or not stop.shown.is_whole:
        return f'{stop.key} = "..."'
    if value[0] in "[{":
        return 'quotes around each text: ["a", "b"]'
    return f"{stop.key} = '{value}'" if "\\" in value else f"{stop.key} = {toml_text(value)}"


def _behind_value(stop: _Stop) -> _Advice:
    value = stop.value
    if value[:1] in {'"', "'"}:
        return _Advice(
            f"something stands behind the {value[0]} that ends the value",
            "one key on each line; a value with quotes in it stands in ''' quotes",
        )
    if not stop.shown.is_whole:
        return _Advice("something stands behind a value, or a text without quotes")
    if _NUMBER.fullmatch(value):
        return _Advice("a number has no 0 in front", f"{stop.key} = {value.lstrip('+-0_') or 0}")
    unit = _WITH_UNIT.fullmatch(value) if stop.key.endswith(_WITH_UNITS) else None
    if unit is not None:
        return _Advice("a number has no unit: the key names it", f"{stop.key} = {unit[1]}")
    if value and "=" not in value and _ASSIGNED.match(stop.line):
        return _Advice("a text stands in quotes", _quoted(stop), _begun(stop))
    return _Advice("each key stands on a line of its own")


def _no_equals(stop: _Stop) -> _Advice:
    here = stop.line[stop.column - 1 :].strip()
    if here.startswith(":"):
        return _Advice("between a key and its value stands =, not :")
    if "=" in here:
        return _Advice("a key has no blanks in it", "an underscore: log_level = ...")
    return _Advice("there is no = behind the key", "KEY = VALUE, or [NAME] for a table")


def _open_text(stop: _Stop) -> _Advice:
    if stop.line[stop.column - 1 :].startswith('"""'):
        return _Advice('the """ that ends the text is missing')
    return _Advice("the quote that ends the text is missing", _SAME_LINE, _begun(stop))


def _begun(stop: _Stop) -> int | None:
    found = _ASSIGNED.match(stop.line)
    return found.start("value") + 1 if found and found["value"] else None


def _unusual(stop: _Stop) -> _Advice:
    character = stop.line[stop.column - 1 : stop.column]
    if not character:
        return _open_text(stop)
    return _Advice(f"character U+{ord(character):04X} is not allowed here", "leave it out")


def _statement(stop: _Stop) -> _Advice:
    character = stop.line[stop.column - 1 : stop.column] or " "
    if ord(character) > 0x7F:  # noqa: PLR2004 - ASCII
        return _Advice(
            f"character U+{ord(character):04X} can't begin a line",
            "plain blanks; quotes around a key that has more than a-z, 0-9, _ and -",
        )
    return _Advice("a line begins with a key, with [ or with #")


def _declared_twice(stop: _Stop) -> _Advice:
    names = _NAMED.search(stop.said)
    path = ".".join(re.findall(r"'([^']*)'", names[1])) if names else "table"
    first = _first(stop, lambda line: (found := _HEADER.match(line)) and _same(found[1], path))
    where = f"twice{first}" if first else "already, in braces or as a value"
    shown = path if stop.shown.is_whole else SHOWN
    return _Advice(f"the table [{shown}] is there {where}", "put all its keys in one place", 1)


def _same(written: str, path: str) -> bool:
    return re.sub(r"[\s\"']", "", written) == path


def _set_twice(stop: _Stop) -> _Advice:
    header = _HEADER.match(stop.line)
    if header is not None:
        name = header[1] if stop.shown.is_whole else "it"
        return _Advice(f"{name} is a value already, and can't be a table", at=1)
    found = _ASSIGNED.match(stop.line)
    if found is None:
        return _Advice("a key is set twice, or is a value and a table")
    key = found["key"]
    above = stop.text.split("\n")[: stop.number - 1]
    begins = max((at for at, line in enumerate(above) if _HEADER.match(line)), default=-1) + 1
    first = _first(
        stop, lambda line: (other := _ASSIGNED.match(line)) and other["key"] == key, begins
    )
    return _Advice(f"{stop.key} is set twice{first}", "keep one of them", found.start("key") + 1)


def _first(stop: _Stop, is_it: Callable[[str], object], begins: int = 0) -> str:
    """Return the number of the line above that says the same, for the sentence."""
    above = stop.text.split("\n")[begins : stop.number - 1]
    return next(
        (f": the first is line {at}" for at, line in enumerate(above, begins + 1) if is_it(line)),
        "",
    )


_ADVICE: dict[str, Callable[[_Stop], _Advice]] = {
    "Unescaped '\\' in a string": _backslash,
    "Invalid hex value": _backslash,
    "Escaped character is not": _backslash,
    "Invalid value": _no_value,
    "Expected newline or end of document": _behind_value,
    "Expected '=' after a key": _no_equals,
    "Unterminated string": _open_text,
    "Illegal character": _unusual,
    "Found invalid character": _unusual,
    "Invalid statement": _statement,
    "Cannot declare": _declared_twice,
    "Cannot overwrite a value": _set_twice,
    "Expected \"'''": lambda _: _Advice("the ''' that ends the text is missing"),
    "Expected \"'": _open_text,
    "Expected ']' at the end": lambda _: _Advice("the heading of a table ends with ]"),
    "Expected ']]' at the end": lambda _: _Advice("the heading of such a table ends with ]]"),
    "Unclosed array": lambda _: _Advice("the list lacks a comma or the ] at its end"),
    "Unclosed inline table": lambda _: _Advice(
        "a table in { } stands on one line, with commas between its keys",
        "a table of its own, [NAME], and its keys below",
    ),
    "Invalid initial character for a key": lambda _: _Advice("a key is missing here"),
    "Cannot mutate immutable namespace": lambda _: _Advice(
        "this table is complete: it was written in { }", "put the key between those braces"
    ),
    "Cannot redefine namespace": lambda _: _Advice("this table is there already"),
    "Duplicate inline table key": lambda _: _Advice("a key is twice in the table", "keep one"),
}
"""By the beginning of what `tomllib` says: what it means, and what to do."""
