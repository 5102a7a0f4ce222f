"""A piece has the same digest exactly if it is the same lines of the same batches."""

from collections.abc import Sequence

import pytest

from formats.lines import Lines
from nss.sinks.cloud_discovery.pieces import BatchKey, GrowingPiece, Piece, Stretch

FIRST, SECOND = (1, 1763942400.123456), (2, 1763942400.123457)


def piece(*stretches: Stretch) -> Piece:
    growing = GrowingPiece()
    for stretch in stretches:
        growing.add(stretch)
    return growing.piece()


def stretch(batch: BatchKey, line: int, lines: Sequence[bytes]) -> Stretch:
    return Stretch(batch, line, Lines.of(lines))


BASE = (stretch(FIRST, 3, [b"a", b"b"]), stretch(SECOND, 0, [b"c"]))

OTHERS: dict[str, Sequence[Stretch]] = {
    "another line": (stretch(FIRST, 3, [b"a", b"x"]), BASE[1]),
    "another order": (stretch(FIRST, 3, [b"b", b"a"]), BASE[1]),
    "one line less": (stretch(FIRST, 3, [b"a"]), BASE[1]),
    "a line of the other batch": (stretch(FIRST, 3, [b"a"]), stretch(SECOND, 0, [b"b", b"c"])),
    "other lines of the batch": (BASE[0], stretch(SECOND, 1, [b"c"])),
    "another sequence": (BASE[0], stretch((3, SECOND[1]), 0, [b"c"])),
    "another time": (BASE[0], stretch((2, SECOND[1] + 1e-6), 0, [b"c"])),
    "a gap": (stretch(FIRST, 3, [b"a"]), stretch(FIRST, 5, [b"b"]), BASE[1]),
    "an empty line": (stretch(FIRST, 3, [b"a", b"b", b""]), BASE[1]),
}


@pytest.mark.parametrize("other", OTHERS)
def test_anything_else_is_another_piece(other: str) -> None:
    assert piece(*OTHERS[other]).digest != piece(*BASE).digest


def test_it_does_not_matter_in_how_many_steps_it_came() -> None:
    parts = (stretch(FIRST, 3, [b"a"]), stretch(FIRST, 4, [b"b"]), BASE[1])
    found = piece(*parts)
    assert found == piece(*BASE)
    assert (found.sequence, found.accepted_at, found.line, found.records) == (*FIRST, 3, 3)


def test_a_piece_can_grow_on() -> None:
    growing = GrowingPiece()
    growing.add(BASE[0])
    before = growing.piece()
    growing.add(BASE[1])
    assert (before, growing.piece()) == (piece(BASE[0]), piece(*BASE))


def test_nothing_is_no_piece() -> None:
    with pytest.raises(ValueError, match=r"^the piece has no lines$"):
        GrowingPiece().piece()
