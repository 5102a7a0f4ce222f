"""The records behind lines that were printed without them, decoded when somebody asks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, overload

from formats.reading import Reader


class LaterRecords(Sequence[Any]):
    """Records of a batch, in order, each known by a number until somebody asks for it.

    `numbers` say where in the batch, `data`, the line of a record begins, or the record if others
    are on that line; a negative one is the key of a record in `known`, where what was decoded is
    kept. `order` has the order keys that the core has worked out, by number.
    """

    def __init__(
        self,
        numbers: Sequence[int],
        data: bytes,
        decode: Reader,
        known: dict[int, Any],
        order: Mapping[int, int] | None = None,
    ) -> None:
        self._numbers = numbers
        self._data = data
        self._decode = decode
        self._known = known
        self._order = order or {}

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Any: ...  # noqa: ANN401 - any record
    @overload
    def __getitem__(self, index: slice) -> "LaterRecords": ...
    def __getitem__(self, index: int | slice) -> Any:
        """Return a record, or some of them, still to be decoded."""
        numbers = self._numbers[index] if isinstance(index, slice) else [self._numbers[index]]
        records = LaterRecords(numbers, self._data, self._decode, self._known, self._order)
        return records if isinstance(index, slice) else next(iter(records))

    def __iter__(self) -> Iterator[Any]:
        """Decode what is left in one call."""
        known = self._known
        later = sorted(number for number in self._numbers if number not in known)
        if later:
            known.update(zip(later, self._decoded(later), strict=True))
        return map(known.__getitem__, self._numbers)

    def order_keys(self, key_of: Callable[[Any], int]) -> list[int]:
        """Return the order key of each record: `key_of` says those that the core did not."""
        order, known = self._order, self._known
        if not order:
            return list(map(key_of, self))
        return [order[n] if n in order else key_of(known[n]) for n in self._numbers]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        raise TypeError("records are compared with lists of them, which have no hash")

    def at(self, indices: Sequence[int]) -> "LaterRecords":
        """Return those at some indices, still to be decoded."""
        numbers = [self._numbers[index] for index in indices]
        return LaterRecords(numbers, self._data, self._decode, self._known, self._order)

    def _decoded(self, rows: Sequence[int]) -> list[Any]:
        """Return the records at some offsets, which ascend; their lines are decoded in one call."""
        starts = self._line_starts(rows)
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

    def _line_starts(self, rows: Sequence[int]) -> list[int]:
        """Return where the lines begin that some offsets are in; looks at each byte once."""
        starts, start, at = [], 0, 0
        for row in rows:
            start = self._data.rfind(b"\n", at, row) + 1 or start
            starts.append(start)
            at = row
        return starts

    def _line(self, start: int) -> bytes:
        end = self._data.find(b"\n", start)
        return self._data[start : end + 1] if end >= 0 else self._data[start:] + b"\n"
