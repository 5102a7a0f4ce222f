"""Fields that state the same text: a plain one, its `%HH`-encoded and its base64 twin."""

from collections.abc import Callable, Collection, Sequence

from formats.fields import catalogue
from formats.values import from_base64, unescaped

_PLAIN_WAYS = frozenset({"encode", "base64"})


def twins_among(names: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """Return the fields among `names` that are twins of each other, a group for each text."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(_plain_twin(name), []).append(name)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def _plain_twin(name: str) -> str:
    ways = catalogue()[name].derivations
    return next((way.source for way in ways if way.how in _PLAIN_WAYS), name)


def agree(names: Sequence[str], texts: Sequence[str]) -> bool:
    """Whether twins have the same text, whatever of it is encoded."""
    return len({plain_text(name)(text) for name, text in zip(names, texts, strict=True)}) == 1


def plain_text(name: str) -> Callable[[str], str]:
    """Return the function from the text of one of several twins to what all have in common."""
    return _from_base64 if name.startswith("b64") else unescaped


def _from_base64(text: str) -> str:
    """Return the text of a `b64*` field; what is no base64 stays, and so does its placeholder."""
    plain = from_base64(text)
    return unescaped(text if plain is None else plain)
