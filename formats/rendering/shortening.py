"""Lines that are too long for their way: URL, referrer and user agent are cut, visibly.

The compiled core cuts by itself (`shorten.pxi`); this is what it is compared with.
"""

from collections.abc import Mapping, Sequence
from typing import TypeGuard

from formats.plan import Piece, ValuePiece
from formats.values import cleaner, cut

SHORTENED_FIELDS = frozenset(
    {"url", "eurl", "eurlpath", "referer", "ereferer", "erefererpath", "ua", "eua"}
)
"""What is cut when a line is too long for its way: URL, referrer and user agent."""

MARK = "[...]"
"""Stands at the end of a value that was cut, with what must not stand in the value as `%HH`."""


def is_shortened(piece: Piece) -> TypeGuard[ValuePiece]:
    """Return whether a piece may be cut."""
    return isinstance(piece, ValuePiece) and piece.name in SHORTENED_FIELDS


def mark_of(piece: ValuePiece) -> str:
    """Return what stands at the end of a piece that was cut."""
    return cleaner(piece.guard)(MARK)


def marks_of(pieces: Sequence[Piece]) -> dict[int, str]:
    """Return the marks of the pieces that may be cut, by index."""
    return {index: mark_of(piece) for index, piece in enumerate(pieces) if is_shortened(piece)}


def shorten(pieces: Sequence[str], marks: Mapping[int, str], max_bytes: int) -> bytes | None:
    """Join the pieces of a line into at most `max_bytes`, cutting some of its values.

    `pieces` are static texts and values in order; only those at the indices of `marks` are cut:
    always the longest, down to the next longest or as far as needed, ending in the mark. Works for
    any format, because the structure is never touched. Returns `None` when cutting all of them
    is not enough.
    """
    sizes = [len(piece.encode()) for piece in pieces]
    excess = sum(sizes) - max_bytes
    if excess <= 0:
        return "".join(pieces).encode()
    most = _level(sorted((sizes[index] for index in marks), reverse=True), excess)
    if most < max(map(len, marks.values()), default=0):
        return None
    shortened = {index: cut(pieces[index], most, mark) for index, mark in marks.items()}
    return "".join(shortened.get(index, piece) for index, piece in enumerate(pieces)).encode()


def _level(sizes: Sequence[int], excess: int) -> int:
    """Return the most that each of the `sizes` (largest first) may keep to lose `excess` in all.

    Negative when all of them together are less than that.
    """
    together = 0
    level = -1
    for count, size in enumerate(sizes, 1):
        if size <= level:
            break
        together += size
        level = (together - excess) // count
    return level
