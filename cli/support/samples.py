"""The beginning of a file of records, for commands that look at a sample."""

from dataclasses import dataclass
from pathlib import Path

from cli.records import Piece, pieces_of
from nss.errors import InputMissing

SAMPLE_RECORDS = 1000
SAMPLE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """The first records of a file; `is_all` is whether it has no others.

    `damage` is why it could not be read further.
    """

    argument: str
    name: str
    pieces: tuple[Piece, ...]
    data: bytes
    is_all: bool
    damage: InputMissing | None = None

    def place(self, offset: int) -> str:
        """Return where in the file the record is that begins at an offset of the data."""
        for piece in self.pieces:
            if offset < len(piece.data):
                return piece.place(self.name, offset)
            offset -= len(piece.data)
        return self.name


def read_sample(file: Path, command: str) -> Sample:
    """Return the first records of a file (`-`: stdin). Raises `InputMissing`."""
    name = "stdin" if file == Path("-") else str(file)
    pieces: list[Piece] = []
    size = lines = 0
    is_all = True
    damage = None
    try:
        for piece in pieces_of(file, name, command):
            if size >= SAMPLE_BYTES or lines >= SAMPLE_RECORDS:
                is_all = False
                break
            pieces.append(piece)
            size += len(piece.data)
            lines += piece.data.count(b"\n")
    except InputMissing as error:
        if not pieces:
            raise
        is_all, damage = False, error
    data = b"".join(piece.data for piece in pieces)
    kept = _first_lines(data, SAMPLE_RECORDS)
    return Sample(str(file), name, tuple(pieces), kept, is_all and len(kept) == len(data), damage)


def _first_lines(data: bytes, count: int) -> bytes:
    at = 0
    for _ in range(count):
        end = data.find(b"\n", at)
        if end < 0:
            return data
        at = end + 1
    return data[:at]
