"""The errors of `formats`: each is a sentence for the person whose input it was.

FormatsError
├── FeedFormatError   a feed output format string can't be compiled
├── FilterError       feed filter keys or values are wrong
├── ZoneError         a time zone isn't known
└── NotReadable       a feed format can't be read back
"""

from dataclasses import dataclass


class FormatsError(ValueError):
    """Every error that `formats` raises on purpose."""


class FeedFormatError(FormatsError):
    """A feed output format string can't be compiled.

    `offset` says where in `text`; `tip` is what would be right, for an unknown field the nearest
    known one.
    """

    def __init__(self, reason: str, text: str, offset: int, tip: str | None = None) -> None:
        line = text.count("\n", 0, offset) + 1
        column = offset - text.rfind("\n", 0, offset)
        where = f"line {line}, column {column}" if line > 1 else f"column {column}"
        excerpt = _excerpt(text.split("\n")[line - 1], column)
        message = f"feed format: {reason} ({where})\n{excerpt}"
        super().__init__(message if tip is None else f"{message}\nTry: {tip}")


def _excerpt(row: str, column: int, width: int = 72) -> str:
    """Return the place in a line of text with a caret under it, cut to a terminal's width."""
    start = max(0, column - 1 - width // 2)
    piece = row[start : start + width].replace("\t", " ")
    lead = "..." if start else ""
    trail = "..." if start + width < len(row) else ""
    return f"  {lead}{piece}{trail}\n  {' ' * (len(lead) + column - 1 - start)}^"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: the key, what stood there, and what would be right."""

    key: str
    value: object
    reason: str


class FilterError(FormatsError):
    """Feed filter keys or values are wrong; `problems` has all of them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{p.key} = {p.value!r}: {p.reason}" for p in problems))


class ZoneError(FormatsError):
    """A time zone is neither an IANA name nor a GMT offset."""


class NotReadable(FormatsError):  # noqa: N818 - named as the sentence reads
    """A feed format can't be read back: its fields have no separator between them."""
