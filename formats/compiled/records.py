"""The records behind lines that were printed without them, decoded when somebody asks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSequence
from typing import Any, overload

from formats.reading import Reader


class LaterRecords(MutableSequence[Any]):
    """Records of a batch, in order; one that has not been decoded is known by where it begins."""

    def __init__(
        self,
        rows: list[Any],
        data: bytes,
        decode: Reader,
        order: Mapping[int, int] | None = None,
    ) -> None:
        self._rows = rows
        """A record, or the offset of its line in the batch, which holds nothing else."""
        self._data = data
        self._decode = decode
        self._order = order or {}
        """The order keys that the core has worked out, by where records begin."""

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Any: ...  # noqa: ANN401 - any record
    @overload
    def __getitem__(self, index: slice) -> "LaterRecords": ...
    def __getitem__(self, index: int | slice) -> Any:
        """Return a record, or some of them, still to be decoded."""
        if isinstance(index, slice):
            return LaterRecords(self._rows[index], self._data, self._decode, self._order)
        row = self._rows[index]
        if isinstance(row, int):
            row = self._rows[index] = self._decode(self._line(row)).records[0]
        return row

    def __iter__(self) -> Iterator[Any]:
        """Decode what is left in one call."""
        later = [number for number, row in enumerate(self._rows) if isinstance(row, int)]
        if later:
            lines = b"".join(self._line(self._rows[number]) for number in later)
            for number, record in zip(later, self._decode(lines).records, strict=True):
                self._rows[number] = record
        return iter(self._rows)

    def order_keys(self, key_of: Callable[[Any], int]) -> list[int]:
        """Return the order key of each record: `key_of` says those that the core did not."""
        if not self._order:
            return list(map(key_of, self))
        order, rows = self._order, self._rows
        return [order[row] if isinstance(row, int) else key_of(row) for row in rows]

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

    def _line(self, start: int) -> bytes:
        end = self._data.find(b"\n", start)
        return self._data[start : end + 1] if end >= 0 else self._data[start:] + b"\n"
