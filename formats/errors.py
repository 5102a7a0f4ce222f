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


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A piece of a line of text: what stands before the place that it is about, at it, behind it.

    TABs are spaces, so that the place is as many columns along as `before` is long.
    """

    before: str
    at: str
    behind: str


class FeedFormatError(FormatsError):
    """A feed output format string can't be compiled.

    `offset` says where in `text` the `length` characters begin that are wrong; `line` and `column`
    count from 1. `tip` is what would be right, for an unknown field the nearest known one.
    """

    def __init__(
        self, reason: str, text: str, offset: int, tip: str | None = None, *, length: int = 1
    ) -> None:
        self.reason = reason
        self.tip = tip
        self.offset = offset
        self.line = text.count("\n", 0, offset) + 1
        self.column = offset - text.rfind("\n", 0, offset)
        self.excerpt = excerpt(text.split("\n")[self.line - 1], self.column, length)
        piece = self.excerpt
        message = (
            f"feed format: {reason} ({self.where})\n"
            f"  {piece.before}{piece.at}{piece.behind}\n"
            f"  {' ' * len(piece.before)}^"
        )
        super().__init__(message if tip is None else f"{message}\nTry: {tip}")

    @property
    def where(self) -> str:
        """The place in words; the line only where it is not the first."""
        column = f"column {self.column}"
        return f"line {self.line}, {column}" if self.line > 1 else column


def excerpt(row: str, column: int, length: int, width: int = 72) -> Excerpt:
    """Return the place in a line of text, columns from 1, cut to a terminal's width."""
    start = max(0, column - 1 - width // 2)
    end = start + width
    place_end = min(column - 1 + length, end)
    before, at, behind = (
        piece.replace("\t", " ")
        for piece in (row[start : column - 1], row[column - 1 : place_end], row[place_end:end])
    )
    return Excerpt(
        f"{'...' if start else ''}{before}", at, f"{behind}{'...' if end < len(row) else ''}"
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: the key, what stood there, and what would be right."""

    key: str
    value: object
    reason: str
    stands_for: int = 1
    """How many problems it is: more than one for "and 3 more"."""


class FilterError(FormatsError):
    """Feed filter keys or values are wrong; `problems` has all of them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{p.key} = {p.value!r}: {p.reason}" for p in problems))


class ZoneError(FormatsError):
    """A time zone is neither an IANA name nor a GMT offset."""


class NotReadable(FormatsError):  # noqa: N818 - named as the sentence reads
    """A feed format can't be read back: its fields have no separator between them."""
