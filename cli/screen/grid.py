"""Sources and feeds, a row each, in columns that both share and that fit the width."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from cli.screen.cells import GAP, padded, widths_of

NAME_CELLS = 12
"""A name has at least as many cells, if it needs them, before a column of numbers is left out."""

_MAX_CELLS = 16

STYLES = {
    **dict.fromkeys(("failing", "stuck", "unconfirmed", "stopped", "degraded"), "bold red"),
    "held": "yellow",
    "healthy": "bold green",
}


Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """How wide the columns are; one that is left out has no width."""

    texts: int
    """So many columns, from the first, are texts; the others are numbers, and lie at the right."""
    widths: tuple[int | None, ...]

    def drawn(self, row: Row, state: str) -> Text:
        """Return a row as a line, with its state in colour; heads have none."""
        line = Text(style="" if state else "bold")
        for index, (cell, width) in enumerate(zip(row, self.widths, strict=True)):
            if width is not None:
                line.append(GAP if index else "")
                style = STYLES.get(state, "") if cell == state else ""
                line.append(padded(cell, width, right=index >= self.texts), style)
        line.rstrip()
        return line


def natural_width(rows: Sequence[Row]) -> int:
    """Return how wide rows are with nothing shortened or left out."""
    widths = widths_of(rows)
    return sum(widths) + len(GAP) * (len(widths) - 1)


def fitted(rows: Sequence[Row], width: int, *, texts: int, spare: Sequence[int] = ()) -> Grid:
    """Return columns for rows that are at most `width` wide.

    Names, the first column, are shortened before the columns of `spare` are left out, in its order.
    """
    kept = {
        index: min(cells, _MAX_CELLS) if index else cells
        for index, cells in enumerate(widths_of(rows))
    }
    left = list(spare)
    while True:
        room = width - sum(len(GAP) + cells for index, cells in kept.items() if index)
        if room >= min(kept[0], NAME_CELLS) or not left:
            break
        del kept[left.pop(0)]
    kept[0] = min(kept[0], max(1, room))
    return Grid(texts, tuple(kept.get(index) for index in range(len(rows[0]))))
