"""Two feed formats compared: fields that came, went, moved or are printed otherwise, and texts."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Literal as Word

from formats.language import FeedFormat, Literal, Part, Slot

_PIECE = re.compile(r"[\t\n|,;^]?[^\t\n|,;^]+|[\t\n|,;^]")
"""Static text is compared in pieces that begin at what may separate values."""

MAX_SLOTS = 200
"""Comparing takes time with the product of both; the vendor advises 50 fields."""


@dataclass(frozen=True, slots=True)
class Change:
    """A stretch as it is typed in a format string: in both, only in the base, only in the other."""

    kind: Word["same", "removed", "added"]
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of a base on the way to another format; names of fields in their order there.

    `moved` stand elsewhere among the fields that both have; `reworded` are the fields whose specs
    differ, as in `%d{dd}` and `%02d{dd}`. `texts` is how many stretches of static text differ.
    """

    changes: tuple[Change, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    moved: tuple[str, ...]
    reworded: tuple[tuple[str, str], ...]
    texts: int

    @property
    def is_same(self) -> bool:
        """Whether both print the same."""
        return all(change.kind == "same" for change in self.changes)


def comparison(base: FeedFormat, other: FeedFormat) -> Comparison | None:
    """Compare two formats; `None` if one has more than `MAX_SLOTS` fields or as many texts."""
    before, after = _tokens(base), _tokens(other)
    if max(len(before), len(after)) > MAX_SLOTS * 4:
        return None
    changes = tuple(_changes(before, after))
    old, new = _specs(base), _specs(other)
    common = [name for name in old if name in new]
    return Comparison(
        changes,
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        moved=_moved(common, [name for name in new if name in old]),
        reworded=tuple(
            _distinct(old[name], new[name])
            for name in common
            if sorted(old[name]) != sorted(new[name])
        ),
        texts=_texts(before, after),
    )


def nearest(feed_format: FeedFormat, among: Sequence[FeedFormat]) -> FeedFormat:
    """Return the one of several formats that has most parts in common with a format."""
    parts = frozenset(feed_format.parts)

    def likeness(other: FeedFormat) -> float:
        theirs = frozenset(other.parts)
        return len(parts & theirs) / max(len(parts | theirs), 1)

    return max(among, key=likeness)


def _tokens(feed_format: FeedFormat) -> list[Part]:
    tokens: list[Part] = []
    for part in feed_format.parts:
        if isinstance(part, Slot):
            tokens.append(part)
        else:
            tokens += map(Literal, _PIECE.findall(part.text))
    return tokens


def _changes(before: Sequence[Part], after: Sequence[Part]) -> Iterator[Change]:
    for tag, a0, a1, b0, b1 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            yield Change("same", _typed(before[a0:a1]))
            continue
        if a0 < a1:
            yield Change("removed", _typed(before[a0:a1]))
        if b0 < b1:
            yield Change("added", _typed(after[b0:b1]))


def _typed(parts: Sequence[Part]) -> str:
    return "".join(part.spec for part in parts)


def _specs(feed_format: FeedFormat) -> dict[str, list[str]]:
    """Return the specs of each field, in the order in which fields come first."""
    specs: dict[str, list[str]] = {}
    for slot in feed_format.slots:
        specs.setdefault(slot.field.name, []).append(slot.spec)
    return specs


def _distinct(old: Sequence[str], new: Sequence[str]) -> tuple[str, str]:
    """Return both lists of specs as texts, without repetition where they differ without it."""
    if set(old) != set(new):
        old, new = list(dict.fromkeys(old)), list(dict.fromkeys(new))
    return " ".join(old), " ".join(new)


def _moved(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    stayed = {
        name for block in matcher.get_matching_blocks() for name in before[block.a :][: block.size]
    }
    return tuple(name for name in after if name not in stayed)


def _texts(before: Sequence[Part], after: Sequence[Part]) -> int:
    """Return how many stretches of static text between fields have no twin."""
    old, new = _stretches(before), _stretches(after)
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return max(len(old), len(new)) - sum(block.size for block in blocks)


def _stretches(tokens: Sequence[Part]) -> list[str]:
    return [
        _typed(list(group))
        for is_text, group in groupby(tokens, lambda part: isinstance(part, Literal))
        if is_text
    ]
