"""Pairs of key and value in a line: a key that comes twice is an ambiguity, which one is forged."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from formats.reading import BadLine

Keys = frozenset[str]

_KEY = re.compile(r" [A-Za-z][\w.\-]*=|\|[A-Za-z][\w.\-]*\|")
"""A key with what tells it from a value: ` user=`, or `|USER|` as Symantec has it."""


def pairs_of(pieces: Sequence[str], keys: Keys) -> dict[str, str]:
    """Return key=value pieces as a mapping; of a key that comes twice, the first counts.

    Raises `BadLine` when one of `keys` comes twice with different values.
    """
    parted = [piece.partition("=") for piece in pieces]
    values = {key: value for key, equals, value in parted if equals}
    if len(values) == len(parted):
        return values
    values = {}
    for key, equals, value in parted:
        if equals and values.setdefault(key, value) != value and key in keys:
            raise BadLine(f"key {key!r} comes twice with different values")
    return values


def keys_in(static: Iterable[str]) -> frozenset[str]:
    """Return the keys in static texts, with what tells them from a value."""
    return frozenset(key for text in static for key in _KEY.findall(text))


def ambiguity_of(
    texts: Sequence[str | None],
) -> Callable[[str, Mapping[str, str]], None] | None:
    """Return the check of a line of pairs that spaces separate, with its values in order.

    `texts` are the static texts of the line, `None` where a value stands; without pairs in them
    there is no check. It raises `BadLine` when a value holds a key so that the line can be taken
    apart in another way too.
    """
    static = [text for text in texts if text is not None]
    keys = sorted(keys_in(static))
    if not keys:
        return None
    holds_key = re.compile("|".join(map(re.escape, keys))).search
    last = "".join(sorted({key[-1] for key in keys}))
    expected = [sum(text.count(end) for text in static) for end in last]

    def check(line: str, values: Mapping[str, str]) -> None:
        if list(map(line.count, last)) == expected:
            return
        if any(map(holds_key, values.values())):
            _check_only(line, texts, tuple(values.values()))

    return check


def _check_only(line: str, texts: Sequence[str | None], values: Sequence[str]) -> None:
    """Raise `BadLine` unless the static texts can stand only where they were found."""
    found, at, rest = [], 0, iter(values)
    for text in texts:
        if text is not None:
            found.append((at, text))
        at += len(next(rest) if text is None else text)
    end = len(line)
    if found[0][0] == 0:  # the line begins with it
        found = found[1:]
    for place, text in reversed(found):
        end = line.rfind(text, 0, end)
        if end != place:
            raise BadLine(f"{text[:40]!r} comes twice: it can't be told where values end")
