"""Texts measured in the cells of a terminal: shortened, wrapped at words, set in columns."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len, chop_cells, set_cell_size

PIPE_COLUMNS = 80
"""How wide lines are for a pipe or a file, unless COLUMNS says otherwise."""

MIN_COLUMNS = 20
"""No layout holds below; lines are then wider than the terminal."""

GAP = "  "
_BREAK = re.compile(r"(?<!\bnss)(?<!\bsudo) +(?!(?:s|min|h|d|ago|B|[KMGT]iB)\b)(?!\d\d:\d\d:\d\d)")
"""Where a line may end: not within a duration, a size, a time, or the beginning of a command."""

_MARK = "…"
_ROWS = 24


def columns_of(descriptor: int | None) -> int:
    """Return how many columns there are: COLUMNS, or else the terminal's, or else 80.

    `None` stands for what is no terminal.
    """
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given):
        return max(MIN_COLUMNS, int(given))
    return size_of(descriptor)[0]


def size_of(descriptor: int | None) -> tuple[int, int]:
    """Return the columns and rows of a terminal; one that does not know its size has 80 and 24."""
    columns, rows = 0, 0
    if descriptor is not None and os.isatty(descriptor):
        columns, rows = os.get_terminal_size(descriptor)
    return max(MIN_COLUMNS, columns or PIPE_COLUMNS), rows or _ROWS


def shortened(text: str, cells: int) -> str:
    """Return text of at most so many cells; a mark at its end says that there is more."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, max(0, cells - 1)).rstrip() + _MARK if cells > 0 else ""


def padded(text: str, cells: int, *, right: bool = False) -> str:
    """Return text filled with spaces, or shortened, to so many cells."""
    short = shortened(text, cells)
    spaces = " " * (cells - cell_len(short))
    return spaces + short if right else short + spaces


def wrapped(text: str, width: int, first: str = "", rest: str = "") -> Iterator[str]:
    """Yield text in lines of at most `width` cells, broken between words where that is possible.

    `first` begins the first line, `rest` all others.
    """
    margin, line = first, ""
    for word in filter(None, _BREAK.split(text.strip())):
        joined = f"{line} {word}" if line else word
        if cell_len(margin + joined) <= width:
            line = joined
            continue
        if line:
            yield margin + line
            margin = rest
        line = word
        while cell_len(line) > (room := max(2, width - cell_len(margin))):  # 2: a wide character
            part = chop_cells(line, room)[0]
            yield margin + part
            margin, line = rest, line[len(part) :]
    yield (margin + line).rstrip()


def widths_of(rows: Iterable[Sequence[str]]) -> list[int]:
    """Return the cells that each column of rows of equal length needs."""
    return [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
