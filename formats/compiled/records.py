"""The records behind lines that were printed without them, decoded when somebody asks."""

from collections.abc import Iterable, Iterator, MutableSequence, Sequence
from itertools import accumulate
from typing import Any, overload

from formats.reading import Reader


class LaterRecords(MutableSequence[Any]):
    """Records of a batch, in order; one that has not been decoded is known by where it begins."""

    def __init__(self, rows: list[Any], data: bytes, decode: Reader) -> None:
        self._rows = rows
        """A record, or its offset in the batch; that of its line, unless others are on it."""
        self._data = data
        self._decode = decode

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Any: ...  # noqa: ANN401 - any record
    @overload
    def __getitem__(self, index: slice) -> "LaterRecords": ...
    def __getitem__(self, index: int | slice) -> Any:
        """Return a record, or some of them, still to be decoded."""
        if isinstance(index, slice):
            return LaterRecords(self._rows[index], self._data, self._decode)
        row = self._rows[index]
        if isinstance(row, int):
            (row,) = self._decoded([row])
            self._rows[index] = row
        return row

    def __iter__(self) -> Iterator[Any]:
        """Decode what is left in one call."""
        later = [number for number, row in enumerate(self._rows) if isinstance(row, int)]
        if later:
            records = self._decoded([self._rows[number] for number in later])
            for number, record in zip(later, records, strict=True):
                self._rows[number] = record
        return iter(self._rows)

    def __setitem__(self, index: Any, value: Any) -> None:  # noqa: ANN401 - any record
        self._rows[index] = value

    def __delitem__(self, index: int | slice) -> None:
        del self._rows[index]

    def insert(self, index: int, value: Any) -> None:  # noqa: ANN401 - any record
        """Insert a record."""
        self._rows.insert(index, value)

    def extend(self, values: Iterable[Any]) -> None:
        """Add records at the end."""
        self._rows.extend(values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MutableSequence) and list(self) == list(other)

    def __hash__(self) -> int:
        raise TypeError("records can change")

    def _decoded(self, rows: Sequence[int]) -> list[Any]:
        """Return the records at some offsets; all of their lines are decoded in one call."""
        starts = [self._data.rfind(b"\n", 0, row) + 1 for row in rows]
        offsets = list(dict.fromkeys(starts))
        lines = [self._line(offset) for offset in offsets]
        decoded = self._decode(b"".join(lines))
        moved = [
            offset - place
            for offset, place in zip(offsets, accumulate(map(len, lines), initial=0), strict=False)
        ]
        found: dict[int, Any] = {}
        for index, record in enumerate(decoded.records):
            line = decoded.line_of[index] if decoded.line_of else index
            piece = decoded.pieces.get(index)
            found[offsets[line] if piece is None else moved[line] + piece[0]] = record
        # An array of one record does not share its line.
        return [
            found[row if row in found else start] for row, start in zip(rows, starts, strict=True)
        ]

    def _line(self, start: int) -> bytes:
        end = self._data.find(b"\n", start)
        return self._data[start : end + 1] if end >= 0 else self._data[start:] + b"\n"
