"""The rows of sources and of feeds, in columns that both share."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from cli.screen.cells import wrapped
from cli.screen.grid import Grid, Row, fitted, natural_width
from cli.screen.parts import (
    FEED_HEADS,
    SOURCE_COUNTS,
    SOURCE_HEADS,
    Part,
    count_heads,
    feed_part,
    source_part,
)
from nss.status.summary import Status

WIDE_COLUMNS = 100
"""From here on the kind and the account are columns, where all of them fit."""

_INDENT = "  "
_SPARE = (2, 3, 4)
"""Which columns are left out where names would have no room: rate, data or lag, last or pending."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A source or a feed, drawn: its row, and further lines."""

    row: Text
    state: str
    is_wrong: bool
    more: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """All sources, or all feeds; those with something wrong come first, then those that wait."""

    kind: str
    heads: Text
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class _Drawing:
    """Draws rows; `counts` of an account are columns, or none is and the account is a line."""

    grid: Grid
    counts: int | None
    width: int

    def section(self, heads: Part, parts: Sequence[Part]) -> Section:
        ranked = sorted(parts, key=lambda part: part.rank)
        return Section(heads.name, self._row(heads), tuple(map(self._entry, ranked)))

    def _entry(self, part: Part) -> Entry:
        lines = (*part.lines, *(() if self.counts is not None else part.count_lines))
        more = (each for line in lines for each in wrapped(line, self.width, _INDENT, _INDENT * 2))
        return Entry(self._row(part), part.state, part.rank == 0, tuple(map(Text, more)))

    def _row(self, part: Part) -> Text:
        return self.grid.drawn(_row(part, self.counts), part.state)


def sections_of(status: Status, width: int) -> tuple[Section, ...]:
    """Return the sources and the feeds, in lines of at most `width` cells."""
    wrong = frozenset(reason.component for reason in status.health.reasons if reason.degrades)
    counts = count_heads(status.feeds)
    sources = [source_part(source, wrong, status.at) for source in status.sources]
    feeds = [feed_part(feed, wrong, status.at, counts) for feed in status.feeds]
    heads = (Part("source", SOURCE_HEADS, SOURCE_COUNTS), Part("feed", FEED_HEADS, counts))
    parts = (*heads, *sources, *feeds)
    wide = [_row(part, len(counts)) for part in parts]
    if width >= WIDE_COLUMNS and natural_width(wide) <= width:
        drawing = _Drawing(fitted(wide, width, texts=3), len(counts), width)
    else:
        narrow = [_row(part, None) for part in parts]
        drawing = _Drawing(fitted(narrow, width, texts=2, spare=_SPARE), None, width)
    sections = (drawing.section(heads[0], sources), drawing.section(heads[1], feeds))
    return tuple(section for section in sections if section.entries)


def _row(part: Part, counts: int | None) -> Row:
    """Return the cells of a row, with as many counts as columns are for them."""
    name, *others = part.cells
    if counts is None:
        return (name, *others)
    empty = [""] * (counts - len(part.counts))
    return (name, part.kind, *others, *part.counts, *empty)
