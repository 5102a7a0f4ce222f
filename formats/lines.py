"""Lines in one buffer: what travels from a pipeline to a sink."""

import sys
from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, count
from operator import add, sub
from typing import overload

UNLIMITED = sys.maxsize
"""More bytes than any line has."""

_NO_BOUND = -1


class _Whole:
    """What parts share: one buffer; or lines made one by one, until somebody asks for a buffer."""

    __slots__ = ("_buffer", "texts")

    def __init__(
        self, texts: list[bytes] | None, buffer: tuple[memoryview, memoryview] | None
    ) -> None:
        self.texts = texts
        self._buffer = buffer

    @property
    def buffer(self) -> tuple[memoryview, memoryview]:
        """All lines, each ended by LF, and where each ends."""
        if self._buffer is None:
            texts = self.texts or []
            ends = array("q", list(map(add, accumulate(map(len, texts)), count(1))))
            data = b"\n".join((*texts, b"")) if texts else b""
            self._buffer = memoryview(data), memoryview(ends)
        return self._buffer


class Lines(Sequence[bytes]):
    """Lines that stand one behind the other in `buffer`, each ended by LF, which is not part of it.

    Line `i` of them all ends at `ends[i]`, behind its LF (64-bit integers); these are the lines
    from `first` up to `last`, which it does not include. A part of them is another view of the same
    buffer, so nothing may change it. A line may hold anything, line feeds too. Those that were made
    one by one (`of`) are put into a buffer when somebody asks for it.
    """

    __slots__ = ("_longest", "_whole", "first", "last")

    def __init__(
        self,
        buffer: bytes | memoryview,
        ends: memoryview,
        first: int = 0,
        last: int | None = None,
        longest: int = _NO_BOUND,
    ) -> None:
        self._whole = _Whole(None, (memoryview(buffer), ends))
        self.first = first
        self.last = len(ends) if last is None else last
        self._longest = longest

    @classmethod
    def _part(cls, whole: _Whole, first: int, last: int, longest: int) -> "Lines":
        part = cls.__new__(cls)
        part._whole, part._longest = whole, longest  # noqa: SLF001 - one of its own
        part.first, part.last = first, last
        return part

    @classmethod
    def of(cls, lines: Iterable[bytes]) -> "Lines":
        """Return these lines; the same ones if they are `Lines` already."""
        if isinstance(lines, Lines):
            return lines
        lines = list(lines)
        return cls._part(_Whole(lines, None), 0, len(lines), _NO_BOUND)

    @classmethod
    def joined(cls, parts: Sequence["Lines"]) -> "Lines":
        """Return the lines of all parts, one part after the other."""
        if len(parts) == 1:
            return parts[0]
        ends, size_bytes = array("q"), 0
        for part in parts:
            moved = size_bytes - part.start
            ends.extend([end + moved for end in part.ends[part.first : part.last]])
            size_bytes += part.size_bytes
        longest = max((part.longest for part in parts), default=0)
        return cls(b"".join(part.data for part in parts), memoryview(ends), longest=longest)

    @property
    def buffer(self) -> memoryview:
        """All lines that these are a part of, each ended by LF."""
        return self._whole.buffer[0]

    @property
    def ends(self) -> memoryview:
        """Where each of all lines ends in the buffer, behind its LF."""
        return self._whole.buffer[1]

    @property
    def start(self) -> int:
        """Where the first of them begins in the buffer."""
        return self.ends[self.first - 1] if self.first else 0

    @property
    def end(self) -> int:
        """Where the last of them ends in the buffer, behind its LF."""
        return self.ends[self.last - 1] if self.last else 0

    @property
    def size_bytes(self) -> int:
        """Bytes of all of them, with their LF."""
        return self.end - self.start

    @property
    def data(self) -> memoryview:
        """All of them, each ended by LF."""
        return self.buffer[self.start : self.end]

    @property
    def longest(self) -> int:
        """A number of bytes that none of them exceeds; of a part it may be that of the whole."""
        if self._longest == _NO_BOUND:
            self._longest = max(map(len, self), default=0)
        return self._longest

    def sizes_of(self, indices: Collection[int]) -> list[int]:
        """Return the bytes of lines at some indices, without making those lines."""
        first, texts = self.first, self._whole.texts
        if texts is not None:
            return [len(texts[first + index]) for index in indices]
        ends, start = self.ends, self.start
        befores = [ends[first + index - 1] if index else start for index in indices]
        return [
            ends[first + index] - before - 1 for index, before in zip(indices, befores, strict=True)
        ]

    def fitting(self, size_bytes: int) -> int:
        """Return how many of them, from the first on, have at most `size_bytes` with their LF."""
        return bisect_right(self.ends, self.start + size_bytes, self.first, self.last) - self.first

    def longer(self, size_bytes: int) -> list[int]:
        """Return the indices of those that have more than `size_bytes`; looks at none without need.

        If there are none, it is known from then on.
        """
        if self.longest <= size_bytes:
            return []
        ends, most = self.ends[self.first : self.last].tolist(), size_bytes + 1
        starts = chain((self.start,), ends)
        sizes = map(sub, ends, starts)
        found = [index for index, size in enumerate(sizes) if size > most]
        if not found:
            self._longest = size_bytes
        return found

    def patched(self, others: Mapping[int, bytes | None]) -> "Lines":
        """Return them with other lines at some indices, which ascend; `None`: without that one."""
        if self._whole.texts is not None:
            changed = (others.get(index, text) for index, text in enumerate(self))
            return Lines.of(text for text in changed if text is not None)
        parts, at = [], 0
        for index, other in others.items():
            parts.append(self[at:index])
            if other is not None:
                parts.append(Lines.of([other]))
            at = index + 1
        return Lines.joined([*parts, self[at:]])

    def __len__(self) -> int:
        return self.last - self.first

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> "Lines": ...
    def __getitem__(self, index: int | slice) -> "bytes | Lines":
        """Return a line, or some that follow each other."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                raise ValueError("lines that do not follow each other")
            first, last = self.first + start, self.first + max(start, stop)
            return Lines._part(self._whole, first, last, self._longest)
        number = self.first + (index + len(self) if index < 0 else index)
        if not self.first <= number < self.last:
            raise IndexError(index)
        if self._whole.texts is not None:
            return self._whole.texts[number]
        buffer, ends = self._whole.buffer
        return bytes(buffer[ends[number - 1] if number else 0 : ends[number] - 1])

    def __iter__(self) -> Iterator[bytes]:
        if self._whole.texts is not None:
            return iter(self._whole.texts[self.first : self.last])
        data, start = self.data.tobytes(), self.start
        ends = [end - start for end in self.ends[self.first : self.last]]
        starts = chain((0,), ends)
        return iter([data[at : end - 1] for at, end in zip(starts, ends, strict=False)])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(other) != len(self):
            return NotImplemented if not isinstance(other, Sequence) else False
        return all(one == another for one, another in zip(self, other, strict=True))

    def __hash__(self) -> int:
        raise TypeError("lines are compared with lists of them, which have no hash")

    def __repr__(self) -> str:
        return f"Lines({list(self)!r})"
