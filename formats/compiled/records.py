"""The records behind lines that were printed without them, decoded when somebody asks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, overload

from formats.reading import Reader

_LF = ord("\n")


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

    def texts(self, known: Sequence[bytes], text_of_line: Callable[[bytes], bytes]) -> list[bytes]:
        """Return the text of each record as it came; `known` has that of the known ones.

        `text_of_line` makes that of a line on which there is no other record.
        """
        data, apart = self._data, list[int]()
        found: dict[int, bytes] = {}
        for row in self._numbers:
            if row > 0 and data[row - 1] != _LF:
                apart.append(
                    row
                )  # an element of an array, which does not begin where its line does
            elif row >= 0:
                end = data.find(b"\n", row)
                found[row] = text_of_line(data[row:] if end < 0 else data[row:end])
        if apart:
            read = self._read(apart, text_of_line)
            found |= {row: text for row, (_, text) in zip(apart, read, strict=True)}
        return [known[i] if row < 0 else found[row] for i, row in enumerate(self._numbers)]

    def _decoded(self, rows: Sequence[int]) -> list[Any]:
        """Return the records at some offsets, which ascend."""
        return [record for record, _ in self._read(rows)]

    def _read(
        self, rows: Sequence[int], text_of_line: Callable[[bytes], bytes] = bytes
    ) -> list[tuple[Any, bytes]]:
        """Return the records at some offsets, which ascend, and the text of each.

        Their lines are decoded in one call.
        """
        starts = self._line_starts(rows)
        offsets = list(dict.fromkeys(starts))
        lines = [self._line(offset) for offset in offsets]
        decoded = self._decode(b"".join(lines))
        moved = [
            offset - place
            for offset, place in zip(offsets, accumulate(map(len, lines), initial=0), strict=False)
        ]
        found: dict[int, tuple[Any, bytes]] = {}
        for index, record in enumerate(decoded.records):
            line = decoded.line_of[index] if decoded.line_of else index
            piece = decoded.pieces.get(index)
            if piece is None:
                found[offsets[line]] = record, text_of_line(lines[line][:-1])
            else:
                found[moved[line] + piece[0]] = record, piece[1]
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
