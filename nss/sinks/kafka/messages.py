"""Lines as messages: each line one, or several lines in one."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from formats.lines import Lines

OVERHEAD_BYTES = 512
"""What a message may have beside its line: the key, and what Kafka puts around a batch of one."""


class Failure(NamedTuple):
    """A message that was not confirmed, as the library names it."""

    key: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines `first` up to `last`, which is not included, as messages of the same way."""

    first: int
    last: int
    pack_bytes: int | None = None
    is_alone: bool = False
    """Whether it is one message, which is sent when no other is on its way."""


class Messages:
    """Lines of one call, and what of them is to be sent yet.

    `keys` is as long as `lines`, or `None`. Indices count all lines of the first call.
    """

    def __init__(self, lines: Lines, keys: Sequence[int] | None, pack_bytes: int | None) -> None:
        self._lines = lines
        self._keys = keys
        self._base = 0
        """How many lines, from the first on, the caller does not give any more."""
        self._left = [Stretch(0, len(lines), pack_bytes)] if lines else []
        """In the order of lines."""

    def is_rest(self, lines: Lines) -> bool:
        """Return whether these are the lines that the caller is to give again."""
        rest = self._lines[self._base :]
        return len(lines) == len(rest) and (lines is rest or lines == rest)

    @property
    def next(self) -> Stretch | None:
        """What is to be sent next."""
        return self._left[0] if self._left else None

    def payloads(self, stretch: Stretch) -> list[dict[str, bytes]]:
        """Return messages as `produce_batch` takes them."""
        lines = self._lines[stretch.first : stretch.last]
        if self._keys is not None:
            keys = self._keys[stretch.first : stretch.last]
            return [
                {"value": line, "key": b"%08x" % key} for line, key in zip(lines, keys, strict=True)
            ]
        if stretch.pack_bytes is None:
            return [{"value": line} for line in lines]
        ends = _ends(lines, stretch.pack_bytes)
        return [{"value": bytes(lines[at:end].data[:-1])} for at, end in pairwise((0, *ends))]

    def confirm(self, stretch: Stretch) -> None:
        """All of a stretch, which is the next, was confirmed."""
        self._left.remove(stretch)

    def keep(self, stretch: Stretch, failed: Counter[Failure], refused: Counter[Failure]) -> None:
        """Of a stretch, which is the next, keep what failed; what was refused, line by line.

        Equal messages are as good as each other.
        """
        kept: list[Stretch] = []
        for part, message in self._messages(stretch):
            if refused[message] > 0:
                refused[message] -= 1
                kept += (Stretch(at, at + 1, is_alone=True) for at in range(part.first, part.last))
            elif failed[message] > 0:
                failed[message] -= 1
                before = kept[-1] if kept else None
                if before and before.last == part.first and not before.is_alone:
                    kept[-1] = replace(before, last=part.last)
                else:
                    kept.append(part)
        self._left[:1] = kept

    def reject(self) -> int:
        """The next stretch, one line, was refused for good; returns its index for the caller."""
        at = self._left.pop(0).first
        index = at - self._base
        self._base = at + 1
        return index

    def hand_over(self) -> int:
        """Return how many of the lines that the caller gave last it does not have to give again."""
        at = self._left[0].first if self._left else len(self._lines)
        done = at - self._base
        self._base = at
        return done

    def _messages(self, stretch: Stretch) -> Iterator[tuple[Stretch, Failure]]:
        """Yield the messages of a stretch, each with its lines."""
        lines = self._lines[stretch.first : stretch.last]
        ends: Sequence[int] = range(1, len(lines) + 1)
        if self._keys is None and stretch.pack_bytes is not None:
            ends = _ends(lines, stretch.pack_bytes)
        payloads = self.payloads(stretch)
        for (at, end), payload in zip(pairwise((0, *ends)), payloads, strict=True):
            part = replace(stretch, first=stretch.first + at, last=stretch.first + end)
            yield part, Failure(payload.get("key"), payload["value"])


def _ends(lines: Lines, pack_bytes: int) -> list[int]:
    """Return where messages end that take as many lines as fit; one takes at least one line."""
    ends, at = [], 0
    while at < len(lines):
        at += max(1, lines[at:].fitting(pack_bytes + 1))  # the last line has no LF
        ends.append(at)
    return ends
