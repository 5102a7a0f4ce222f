"""The difference between two texts, line by line, within a bounded time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

CONTEXT = 3
"""Unchanged lines that are shown around a change."""

MAX_PAIRS = 1_000_000
"""Of lines that are compared with each other; beyond, all that differs counts as one change."""

NO_NEWLINE = "\\ No newline at the end"

Opcode = tuple[str, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a difference, or what stands before a group of them."""

    kind: Literal["same", "added", "removed", "place"]
    text: str

    def __str__(self) -> str:
        return {"same": " ", "added": "+", "removed": "-", "place": ""}[self.kind] + self.text


@dataclass(frozen=True, slots=True)
class Difference:
    """What is to be seen of a change, and how many lines it touches."""

    lines: tuple[Line, ...]
    added: int
    removed: int


def lines_of(text: str) -> list[str]:
    """Return the lines of a text; that the last one has no line feed is a line of its own."""
    lines = text.split("\n")
    if lines[-1]:
        return [*lines, NO_NEWLINE]
    return lines[:-1]


def difference(
    old: Sequence[str],
    new: Sequence[str],
    old_shown: Sequence[str] | None = None,
    new_shown: Sequence[str] | None = None,
) -> Difference:
    """Return the difference of two lists of lines; `shown` are what people see of each line."""
    codes = _opcodes(old, new)
    removed = sum(code[2] - code[1] for code in codes if code[0] != "equal")
    added = sum(code[4] - code[3] for code in codes if code[0] != "equal")
    lines = tuple(_lines(codes, old_shown or old, new_shown or new))
    return Difference(lines, added, removed)


def _opcodes(old: Sequence[str], new: Sequence[str]) -> list[Opcode]:
    """Return how `old` becomes `new`, as `SequenceMatcher.get_opcodes` does."""
    begin, shorter = 0, min(len(old), len(new))
    while begin < shorter and old[begin] == new[begin]:
        begin += 1
    end = 0
    while end < shorter - begin and old[-1 - end] == new[-1 - end]:
        end += 1
    a, b = old[begin : len(old) - end], new[begin : len(new) - end]
    codes: list[Opcode] = [("equal", 0, begin, 0, begin)] if begin else []
    if len(a) * len(b) > MAX_PAIRS:
        inner: list[Opcode] = [("replace", 0, len(a), 0, len(b))]
    else:
        inner = list(SequenceMatcher(None, a, b).get_opcodes())
    codes += ((tag, i + begin, j + begin, k + begin, m + begin) for tag, i, j, k, m in inner)
    if end:
        codes.append(("equal", len(old) - end, len(old), len(new) - end, len(new)))
    return codes


def _lines(codes: Sequence[Opcode], old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    for group in _groups(codes):
        (_, i, _, k, _), (_, _, j, _, m) = group[0], group[-1]
        yield Line("place", f"@@ -{_range(i, j)} +{_range(k, m)} @@")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (Line("same", text) for text in old[i1:i2])
                continue
            yield from (Line("removed", text) for text in old[i1:i2])
            yield from (Line("added", text) for text in new[j1:j2])


def _groups(codes: Sequence[Opcode]) -> Iterator[list[Opcode]]:
    """Yield changes with their context; those near each other together."""
    group: list[Opcode] = []
    for at, (tag, i1, i2, j1, j2) in enumerate(codes):
        if tag != "equal":
            group.append((tag, i1, i2, j1, j2))
            continue
        is_last = at == len(codes) - 1
        if group and (is_last or i2 - i1 > 2 * CONTEXT):
            tail = min(CONTEXT, i2 - i1)
            yield [*group, (tag, i1, i1 + tail, j1, j1 + tail)]
            group = []
        elif group:
            group.append((tag, i1, i2, j1, j2))
            continue
        if not is_last:
            head = min(CONTEXT, i2 - i1)
            group = [(tag, i2 - head, i2, j2 - head, j2)]
    if any(code[0] != "equal" for code in group):
        yield group


def _range(begin: int, end: int) -> str:
    """Return lines as unified differences name them."""
    count = end - begin
    first = begin + 1 if count else begin
    return f"{first}" if count == 1 else f"{first},{count}"
