"""The layout of JSON records: which keys they have had so far, and what stood under them."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

_MAX_KEYS, _MAX_KEY_CHARS, _MAX_OPTIONAL = 512, 256, 128
_UNFIT_FOR_KEY = re.compile(r'["\\\x00-\x1f]')
"""What a key of a struct must not hold."""


class Layout:
    """The keys that records had so far, level by level: their order, kinds, and which all had."""

    def __init__(self) -> None:
        self.levels: list[dict[str, frozenset[type]]] = []
        self.optional: list[set[str]] = []
        self.is_too_large = False

    def learn(self, levels: Sequence[Mapping[str, Any]]) -> None:
        """Take in the objects of a record, as many as those of others."""
        if sum(map(len, levels)) > _MAX_KEYS or sum(map(len, self.levels)) > _MAX_KEYS:
            self.is_too_large = True
            return
        first = not self.levels
        if first:
            self.levels = [{} for _ in levels]
            self.optional = [set() for _ in levels]
        for depth, level in enumerate(levels):
            known = self.levels[depth]
            new = level.keys() - known.keys()
            if not first:
                self.optional[depth] |= known.keys() ^ level.keys()
            if new:
                self.levels[depth] = known = _with_new(known, level)
            for key, value in level.items():
                known[key] |= {type(value)}

    @property
    def is_usable(self) -> bool:
        """Whether a struct can be made of it, and its records counted at a reasonable price."""
        keys = list(chain.from_iterable(self.levels))
        return (
            0 < len(keys) <= _MAX_KEYS
            and not self.is_too_large
            and sum(map(len, self.optional)) <= _MAX_OPTIONAL
            and not any(len(key) > _MAX_KEY_CHARS or _UNFIT_FOR_KEY.search(key) for key in keys)
        )


def _with_new(
    known: Mapping[str, frozenset[type]], level: Mapping[str, Any]
) -> dict[str, frozenset[type]]:
    """Return the known keys with those of another record, each behind the one it stands behind.

    msgspec looks for a key from where it found the last one, so the order makes it fast.
    """
    order = list(known)
    place = 0
    for key in level:
        if key in known:
            place = order.index(key) + 1
        else:
            order.insert(place, key)
            place += 1
    return {key: known.get(key, frozenset()) for key in order}
