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
reader only. So is a LEEF 2.0 header with a delimiter that can't be kept out of values by encoding
it as `%HH`: `%` and the hexadecimal digits are part of that, and `=` separates keys from values.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from formats.errors import FeedFormatError
from formats.fields import Field, catalogue, nearest
from formats.leef import HEADER
from formats.values import UNSAFE

MAX_WIDTH = 32
MAX_FIELDS = 1000
"""Far beyond what any feed prints (the vendor advises 50), and small enough to compile at once."""

_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "{": "{", "}": "}", "\\": "\\"}
_SPEC = re.compile(r"%(0?)([0-9]*)(s|d|x|ld|lu|llu|lld)\{([^{}\r\n]*)\}")
_SPEC_START = re.compile(r"%0?[0-9]*([A-Za-z]*)(\{?)")
_BREAK = re.compile(r"(?:\r?\n[ \t]*|\r[ \t]*)+")
_STATIC = re.compile(r"[^%\\{}\r\n]+")
# Everything that never leaves a value raw, but TAB; and the private planes.
_MISPLACED = re.compile(f"(?!\t)[{UNSAFE}\U000f0000-\U0010ffff]")
_SLOT_MARK = "\U000f0000"
# A delimiter is written as its hexadecimal code or as itself, when only its first character counts.
_UNSAFE_DELIMITER = re.compile(
    r"(?:(?:0x|x|\\x)0{0,2}(?:25|3[0-9Dd]|[46][1-6])|=|"
    rf"(?!0x[0-9A-Fa-f]{{1,4}}\|)[%0-9A-Fa-f][^|={_SLOT_MARK}]{{0,5}})(?=\|)"
)


@dataclass(frozen=True, slots=True)
class Literal:
    """Static text."""

    text: str


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


def parse(text: str, *, name: str = "custom") -> FeedFormat:
    """Compile a feed output format string in typed or API form.

    Raises `FeedFormatError` with line, column, a caret and the nearest known field name.
    """
    parser = _Parser(text)
    parts = parser.parts()
    _check_delimiter(text, parts, parser.starts)
    return FeedFormat(name, tuple(_merge(parts)))


class _Parser:
    """Walks over the string once; `at` is the offset of the next character.

    `starts` are the offsets of the parts.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.end = len(text.rstrip("\r\n"))
        self.at = 0
        self.starts: list[int] = []
        self._fields = 0

    def parts(self) -> list[Part]:
        parts: list[Part] = []
        after_control = True
        while self.at < self.end:
            char = self.text[self.at]
            if char in "\r\n":
                found = _BREAK.match(self.text, self.at)
                self.at = found.end() if found is not None else self.end
                if not after_control and self.at < self.end:
                    self.starts.append(self.at - 1)
                    parts.append(Literal(" "))
                continue
            start = self.at
            self.starts.append(start)
            if char == "%":
                parts.append(self._percent())
                after_control = False
            elif char == "\\":
                parts.append(self._escape())
                after_control = self.text[start + 1] in "tnr"
            elif char in "{}":
                raise FeedFormatError(
                    f"unescaped {char}", self.text, start, f"write \\{char} for a brace"
                )
            else:
                static = self._static()
                parts.append(static)
                after_control = static.text[-1] == "\t"
        return parts

    def _static(self) -> Literal:
        start = self.at
        found = _STATIC.match(self.text, start, self.end)
        assert found is not None  # noqa: S101 - the caller looked at the first character
        misplaced = _MISPLACED.search(found[0])
        if misplaced is not None:
            raise FeedFormatError(
                f"character U+{ord(misplaced[0]):04X} is not allowed in a line",
                self.text,
                start + misplaced.start(),
                r"leave it out; TAB is written \t",
            )
        self.at = found.end()
        return Literal(found[0])

    def _escape(self) -> Literal:
        following = self.text[self.at + 1 : self.at + 2]
        if following not in _ESCAPES or not following:
            raise FeedFormatError(
                f"backslash before {following!r}" if following else "backslash at the end",
                self.text,
                self.at,
                r"write \\ for a backslash",
            )
        self.at += 2
        return Literal(_ESCAPES[following])

    def _percent(self) -> Part:
        start = self.at
        if self.text.startswith("%%", start):
            self.at += 2
            return Literal("%")
        found = _SPEC.match(self.text, start)
        if found is None:
            raise self._spec_error(start)
        zero, digits, letters, name = found.groups()
        field = catalogue().get(name)
        if field is None:
            near = nearest(name)
            raise FeedFormatError(
                f"unknown field {name!r}",
                self.text,
                found.start(4),
                None if near is None else f"%{catalogue()[near].conversion}{{{near}}}",
            )
        width = int(digits[:9] or 0)
        if width > MAX_WIDTH:
            raise FeedFormatError(f"width {width} is over {MAX_WIDTH}", self.text, start)
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise FeedFormatError(f"more than {MAX_FIELDS} fields", self.text, start)
        conversion = "d" if letters[0] == "l" else letters
        if conversion == "s" and (zero or digits):
            raise FeedFormatError("%s takes no width", self.text, start, f"%s{{{name}}}")
        if conversion != "s" and field.conversion == "s":
            raise FeedFormatError(
                f"{name} is text, %{conversion} wants a number", self.text, start, f"%s{{{name}}}"
            )
        self.at = found.end()
        return Slot(field, conversion, width, "0" if zero else " ")

    def _spec_error(self, start: int) -> FeedFormatError:
        found = _SPEC_START.match(self.text, start)
        letters, brace = found.groups() if found is not None else ("", "")
        if brace and letters in {"s", "d", "x", "ld", "lu", "llu", "lld"}:
            return FeedFormatError("unclosed brace", self.text, start, "end the field with }")
        if brace and letters:
            return FeedFormatError(
                f"unknown conversion %{letters}", self.text, start, "%s, %d or %x"
            )
        return FeedFormatError("lone %", self.text, start, "write %% for a percent sign")


def _check_delimiter(text: str, parts: Sequence[Part], starts: Sequence[int]) -> None:
    """Refuse a LEEF delimiter that no encoding keeps out of the values."""
    static = [part.text if isinstance(part, Literal) else _SLOT_MARK for part in parts]
    line, at = "".join(static), 0
    while (header := HEADER.search(line, at)) is not None:
        at = header.start() + 1
        unsafe = _UNSAFE_DELIMITER.match(line, header.end())
        if unsafe is not None and header["version"] == "2.0":
            offsets = [
                start + place
                for start, piece in zip(starts, static, strict=True)
                for place in range(len(piece))
            ]
            raise FeedFormatError(
                f"values can't be kept free of the LEEF delimiter {unsafe[0]}",
                text,
                offsets[unsafe.start()],
                "another, like ^, or x09 for TAB",
            )


def _merge(parts: list[Part]) -> list[Part]:
    """Join neighbouring literals and drop LFs from the end."""
    merged: list[Part] = []
    for part in parts:
        if isinstance(part, Literal) and merged and isinstance(merged[-1], Literal):
            merged[-1] = Literal(merged[-1].text + part.text)
        else:
            merged.append(part)
    last = merged[-1] if merged else None
    if isinstance(last, Literal):
        merged.pop()
        rest = last.text.rstrip("\n")
        if rest:
            merged.append(Literal(rest))
    return merged
