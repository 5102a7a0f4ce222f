r"""The NSS feed output format language: a feed output format string, parsed to a `FeedFormat`.

    %s{name}  text           %d{name}  number         %x{name}  lower-case hexadecimal
    %02d{name}  padded with zeros to the width, %2d{name} with spaces
    \t \n \r  TAB, LF, CR    \{ \} \\  { } \          %%  %
    anything else is copied

`%ld`, `%lu` and `%llu`, seen in other vendor strings, mean `%d`. A real TAB means `\t`. A line
break in the string is there for readability: after a control escape it vanishes with the blanks
that follow, elsewhere it becomes one space. LFs at the end of the string are dropped: a record
always ends with one LF, which the writer of the line adds.

What no vendor page defines is refused, and the error says where it stands: an unknown field, `%s`
with a width, `%d` of a text field, an unescaped brace, a lone `%`, a backslash before another
character, and any control or private character, which would break lines or mean something to one
reader only.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from formats.errors import FeedFormatError
from formats.fields import Field, catalogue, nearest
from formats.leef import HEADER, unfit_delimiter
from formats.slips import CONVERSIONS, PATTERN, slip
from formats.values import UNSAFE

MAX_WIDTH = 32
MAX_FIELDS = 1000
"""Far beyond what any feed prints (the vendor advises 50), and small enough to compile at once."""

MAX_NAME = 64
"""Characters of an unknown name that an error repeats; the longest known one has 31."""

_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "{": "{", "}": "}", "\\": "\\"}
_TYPED = {ord(meant): f"\\{written}" for written, meant in _ESCAPES.items()} | {ord("%"): "%%"}
_TOKEN = re.compile(
    r"""(?P<line_break>(?:\r?\n[ \t]*|\r[ \t]*)+)
    | (?P<percent>%%)
    | (?P<slot>%(?P<zero>0?)(?P<width>[0-9]*)(?P<as>s|d|x|ld|lu|llu|lld)\{(?P<name>[^{}\r\n]*)\})
    | """
    + PATTERN
    + r"""
    | (?P<wrong_slot>%0?[0-9]*(?P<letters>[A-Za-z]*)(?P<opened>\{?))
    | (?P<escape>\\[tnr{}\\])
    | (?P<wrong_escape>\\)
    | (?P<brace>[{}])
    | (?P<static>[^%\\{}\r\n]+)""",
    re.VERBOSE,
)
# Everything that never leaves a value raw, but TAB; and the private planes.
_MISPLACED = re.compile(f"(?!\t)[{UNSAFE}\U000f0000-\U0010ffff]")
_SLOT_MARK = "\U000f0000"
_DELIMITER = re.compile(rf"(=|[^|={_SLOT_MARK}]+)\|")
_RECORDED_DELIMITER = re.compile(rf"[^|={_SLOT_MARK}]*{_SLOT_MARK}[^|=]*\|")


@dataclass(frozen=True, slots=True)
class Literal:
    """Static text."""

    text: str

    @property
    def spec(self) -> str:
        """The text as it is typed in a feed output format string."""
        return self.text.translate(_TYPED)


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a field's value. `width` 0 means as wide as the value."""

    field: Field
    conversion: str
    width: int = 0
    pad: str = "0"

    def text(self, value: object) -> str:
        """Return `value` as this slot prints it; a number that is none prints as text."""
        if isinstance(value, int):
            body = f"{value:x}" if self.conversion == "x" else str(value)
            return body.zfill(self.width) if self.pad == "0" else body.rjust(self.width)
        return str(value)

    @property
    def spec(self) -> str:
        """The slot as it is written in a feed output format string."""
        width = f"{'0' if self.pad == '0' else ''}{self.width}" if self.width else ""
        return f"%{width}{self.conversion}{{{self.field.name}}}"


Part = Literal | Slot


@dataclass(frozen=True, slots=True)
class FeedFormat:
    """A compiled feed output format string: literals and slots in order, without the final LF."""

    name: str
    parts: tuple[Part, ...]

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots in order; a field may occur several times."""
        return tuple(part for part in self.parts if isinstance(part, Slot))

    @property
    def field_names(self) -> frozenset[str]:
        """Names of all fields that the format prints."""
        return frozenset(slot.field.name for slot in self.slots)

    @property
    def sample(self) -> str:
        """A line as the format prints it, with `0` for every value."""
        return "".join(part.text if isinstance(part, Literal) else "0" for part in self.parts)


MOST_FAULTS = 20
"""How many errors of a format string are looked for, unless said otherwise."""


def parse(text: str, *, name: str = "custom") -> FeedFormat:
    """Compile a feed output format string in typed or API form.

    Raises `FeedFormatError` with line, column, a caret and the nearest known field name.
    """
    parts: list[Part] = []
    offsets: list[int] = []  # of each character of static text, and of each slot
    end, fields, after_control = len(text.rstrip("\r\n")), 0, True
    for token in _TOKEN.finditer(text, 0, end):
        start, part = token.start(), _part(token)
        if token.lastgroup == "line_break":
            if after_control or token.end() == end:
                continue
            start = token.end() - 1
        elif isinstance(part, Slot):
            fields += 1
            if fields > MAX_FIELDS:
                raise _error(token, f"more than {MAX_FIELDS} fields")
        after_control = isinstance(part, Literal) and part.text[-1] in "\t\n\r"
        offsets += range(start, start + len(part.text)) if isinstance(part, Literal) else [start]
        parts.append(part)
    _check_delimiter(text, parts, offsets)
    return FeedFormat(name, tuple(_merge(parts)))


def faults(text: str, limit: int = MOST_FAULTS) -> tuple[FeedFormatError, ...]:
    """Return what is wrong in a feed output format string, in its order; nothing: it compiles.

    Of what concerns the string as a whole (too many fields, a LEEF delimiter that can't be kept
    out of values) only the first is found, and only when all else is right.
    """
    found: list[FeedFormatError] = []
    unread_brace = False  # the one that ends a slot whose beginning is wrong
    for token in _TOKEN.finditer(text, 0, len(text.rstrip("\r\n"))):
        if unread_brace and token[0] == "}":
            unread_brace = False
            continue
        try:
            _part(token)
        except FeedFormatError as error:
            found.append(error)
            if len(found) >= limit:
                break
        if token["opened"]:
            unread_brace = True
        elif token.lastgroup != "static":
            unread_brace = False
    if not found:
        try:
            parse(text)
        except FeedFormatError as error:
            found.append(error)
    return tuple(found)


def _error(
    token: re.Match[str],
    reason: str,
    tip: str | None = None,
    at: int | None = None,
    length: int = 0,
) -> FeedFormatError:
    """Return the error of a token, or of `length` characters `at` an offset in it."""
    if at is None:
        at, length = token.start(), len(token[0])
    return FeedFormatError(reason, token.string, at, tip, length=max(length, 1))


def _part(token: re.Match[str]) -> Part:
    """Return what a token of the string means. Raises `FeedFormatError`."""
    text = token[0]
    match token.lastgroup:
        case "line_break":
            return Literal(" ")
        case "percent":
            return Literal("%")
        case "slot":
            return _slot(token, *token.group("zero", "width", "as", "name"))
        case "escape":
            return Literal(_ESCAPES[text[1]])
        case "brace":
            raise _error(token, f"unescaped {text}", f"write \\{text} for a brace")
        case "wrong_escape":
            following = token.string[token.end() :][:1]
            reason = f"before {following!r}" if following else "at the end"
            raise _error(token, f"backslash {reason}", r"write \\ for a backslash")
        case "slip":
            raise _slip(token)
        case "wrong_slot":
            raise _wrong_slot(token)
    misplaced = _MISPLACED.search(text)
    if misplaced is not None:
        reason = f"character U+{ord(misplaced[0]):04X} is not allowed in a line"
        tip = r"leave it out; TAB is written \t"
        raise _error(token, reason, tip, token.start() + misplaced.start())
    return Literal(text)


def _slot(token: re.Match[str], zero: str, digits: str, letters: str, name: str) -> Slot:
    field = catalogue().get(name)
    if field is None:
        near = nearest(name)
        tip = None if near is None else f"%{catalogue()[near].conversion}{{{near}}}"
        shown = repr(name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}...")
        at = token.end() - 1 - len(name)
        raise _error(token, f"unknown field {shown}", tip, at, len(name))
    width = int(digits[:9] or 0)
    if width > MAX_WIDTH:
        raise _error(token, f"width {width} is over {MAX_WIDTH}")
    conversion = "d" if letters[0] == "l" else letters
    if conversion == "s" and (zero or digits):
        raise _error(token, "%s takes no width", f"%s{{{name}}}")
    if conversion != "s" and field.conversion == "s":
        raise _error(token, f"{name} is text, %{conversion} wants a number", f"%s{{{name}}}")
    return Slot(field, conversion, width, "0" if zero else " ")


def _slip(token: re.Match[str]) -> FeedFormatError:
    start = token.start()
    before = token.string[start - 1 : start]
    found = slip(token[0], before)
    if found is None:
        return _error(token, "lone %", "write %% for a percent sign")
    begins = start - (before == "$" and token[0][0] == "{")
    return _error(token, found.reason, found.tip, begins, token.end() - begins)


def _wrong_slot(token: re.Match[str]) -> FeedFormatError:
    letters, opened = token.group("letters", "opened")
    if opened and letters in CONVERSIONS:
        return _error(token, "unclosed brace", "end the field with }")
    if opened and letters:
        return _error(token, f"unknown conversion %{letters}", "%s, %d or %x")
    named = letters if letters in catalogue() else letters[1:]
    if letters[:1] in {"s", "d", "x", named[:1]} and named in catalogue():
        tip = f"%{catalogue()[named].conversion}{{{named}}}"
        return _error(token, f"no braces around {named}", tip)
    return _error(token, "lone %", "write %% for a percent sign")


def _check_delimiter(text: str, parts: Sequence[Part], offsets: Sequence[int]) -> None:
    """Refuse a LEEF 2.0 delimiter that values can't be kept free of, or that a record states."""
    line = "".join(part.text if isinstance(part, Literal) else _SLOT_MARK for part in parts)
    at = 0
    while (header := HEADER.search(line, at)) is not None:
        at = header.start() + 1
        if header["version"] != "2.0":
            continue
        tip = "another, like ^, or x09 for TAB"
        if _RECORDED_DELIMITER.match(line, header.end()):
            reason = "the LEEF delimiter would be what a record says"
            raise FeedFormatError(reason, text, offsets[header.end()], tip)
        named = _DELIMITER.match(line, header.end())
        use = None if named is None else unfit_delimiter(named[1])
        if named is not None and use is not None:
            shown = named[1] if named[1].isprintable() else repr(named[1])
            reason = f"values can't be kept free of the LEEF delimiter {shown}, which is {use}"
            raise FeedFormatError(reason, text, offsets[named.start()], tip)


def _merge(parts: list[Part]) -> list[Part]:
    """Join neighbouring literals and drop LFs from the end."""
    merged: list[Part] = []
    for part in parts:
        if isinstance(part, Literal) and merged and isinstance(merged[-1], Literal):
            merged[-1] = Literal(merged[-1].text + part.text)
        else:
            merged.append(part)
    if merged and isinstance(last := merged[-1], Literal):
        merged[-1:] = [Literal(rest)] if (rest := last.text.rstrip("\n")) else []
    return merged
