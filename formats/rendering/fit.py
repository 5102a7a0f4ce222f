"""Fitting a line to a size: its longest values are cut, its structure never."""

from collections.abc import Sequence

from formats.values import cut

MARK = "[...]"
"""Stands at the end of a value that was cut."""


def shorten(pieces: Sequence[str], cuttable: Sequence[int], max_bytes: int) -> bytes | None:
    """Join the pieces of a line into at most `max_bytes`, cutting some of its values.

    `pieces` are static texts and values in order; only those at the indices `cuttable` are cut:
    always the longest, down to the next longest or as far as needed, ending in `MARK`. Works for
    any format, because the structure is never touched. Returns `None` when cutting all of them
    is not enough.
    """
    sizes = [len(piece.encode()) for piece in pieces]
    excess = sum(sizes) - max_bytes
    kept = list(pieces)
    if excess > 0:
        most = _level(sorted((sizes[index] for index in cuttable), reverse=True), excess)
        if most < len(MARK):
            return None
        for index in cuttable:
            kept[index] = cut(pieces[index], most, MARK)
    return "".join(kept).encode()


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
