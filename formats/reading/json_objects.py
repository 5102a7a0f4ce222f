"""Which keys of a JSON record state which attributes: in one object, or in several."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from formats.dataclass import dataclass
from formats.plan import Attribute, TimeKey
from formats.reading import BadLine, field_in
from formats.reading.cells import Match
from formats.reading.json_lines import LineReader, Object, Pairs, Path

_MAX_REMEMBERED, _MAX_KEY_CHARS = 1024, 64
_MAX_SEEN = 64

_COLLECTORS = frozenset({"time", "host", "source", "sourcetype", "index", "fields"})
"""Keys that Splunk's collectors put beside an event."""

WHOSE = frozenset(
    {
        *("action", "login", "elogin", "b64login", "ologin"),
        *("cip", "cintip", "cpubip", "ocip", "ocpubip", "sip", "url", "eurl", "b64url"),
    }
)
"""Fields that say whose record it is, and what became of the request."""


class Meanings(dict[str, tuple[str | None, bool]]):
    """By key: the attribute that it states, if that is a wanted one, and whether it is unmapped.

    What was looked up is remembered, within bounds.
    """

    def __init__(self, meaning_of: Callable[[str], tuple[str | None, bool]]) -> None:
        super().__init__()
        self._meaning_of = meaning_of

    def __missing__(self, key: str) -> tuple[str | None, bool]:
        found = self._meaning_of(key)
        if len(self) < _MAX_REMEMBERED and len(key) <= _MAX_KEY_CHARS:
            self[key] = found
        return found


class ObjectReader(LineReader):
    """Reads records whose keys all lie in one object: at the end of `path`, or at the top.

    `beside` are keys that a format prints around that object.
    """

    def __init__(
        self,
        attributes: Sequence[Attribute],
        time_key: TimeKey,
        meanings: Meanings,
        path: tuple[str, ...],
        max_record_bytes: int,
        *,
        beside: Collection[str] = (),
    ) -> None:
        super().__init__(attributes, time_key, max_record_bytes)
        self.meanings = meanings
        self.path = path
        self.beside = _COLLECTORS.union(beside)
        """Keys that may stand outside of the envelope, whatever they mean."""
        self.seen: list[list[Object]] = []
        """The objects of some records without contradictions, for whoever learns from them."""

    def levels(self, tree: Object) -> list[Object]:
        """Return the objects from the top of a record to the one that holds the fields."""
        levels = [tree]
        for key in self.path:
            inner = levels[-1].get(key)
            if not isinstance(inner, dict):
                return [tree]
            levels.append(inner)
        return levels

    def is_astray(self, key: str) -> bool:
        """Whether a key outside of the envelope shows that it is none: the fields are beside it.

        A value that leaves its place in a flat record could bring an envelope, and take it over.
        """
        return key not in self.beside and self.meanings[key][0] is not None

    def hidden_in(self, tree: object) -> str | None:
        """Return a key in an object that nobody reads that says whose record it is, if any.

        Two values that leave their places could put what is between them into such an object.
        """
        left = [tree]
        while left:
            value = left.pop()
            if isinstance(value, dict):
                for key, inner in _written(value):
                    if isinstance(inner, dict | list):
                        left.append(inner)
                    elif self.meanings[key][0] in WHOSE:
                        return key
            else:
                assert isinstance(value, list)  # noqa: S101 - nothing else was put there
                left += [inner for inner in value if isinstance(inner, dict | list)]
        return None

    def _check_inner(self, levels: Sequence[Object]) -> None:
        """Raise `BadLine` for an object beside the fields that hides some of them."""
        for level, following in zip_longest(levels, levels[1:]):
            for key, value in _written(level):
                if isinstance(value, dict | list) and value and value is not following:
                    hidden = self.hidden_in(value)
                    if hidden is not None:
                        raise BadLine(f'"{hidden[:40]}" stands inside of "{key[:40]}"')

    def _stated(self, tree: Object, unmapped: list[str]) -> Iterator[tuple[str, str, Any]]:
        meanings, levels = self.meanings, self.levels(tree)
        self._check_inner(levels)
        for level, envelope in zip(levels[:-1], self.path, strict=False):
            for key in filter(self.is_astray, level):
                if key != envelope:
                    raise BadLine(f'"{key[:40]}" stands beside the envelope "{envelope[:40]}"')
        for key, value in levels[-1].items():
            name, is_unmapped = meanings[key]
            if name is not None:
                yield name, key, value
            elif is_unmapped:
                unmapped.append(key)
        if len(self.seen) < _MAX_SEEN:
            self.seen.append(levels)

    def _twice(self, tree: Object) -> Iterator[str]:
        levels = self.levels(tree)
        for level, key in zip(levels, self.path, strict=False):
            if key in twice(level):
                yield key
        yield from (key for key in levels[-1] if key in twice(levels[-1]) and self.meanings[key][0])
        self._check_inner(levels)  # with what is gone from the tree


@dataclass(frozen=True, slots=True)
class Place:
    """Where an attribute is stated; `match` takes out one field of several that share a string."""

    name: str
    path: Path
    match: Match | None


class TreeReader(LineReader):
    """Reads records whose fields lie in several objects, or share strings.

    `known` are the keys that a format prints in each of its objects.
    """

    def __init__(
        self,
        attributes: Sequence[Attribute],
        time_key: TimeKey,
        places: Sequence[Place],
        known: Mapping[Path, frozenset[str]],
        max_record_bytes: int,
    ) -> None:
        super().__init__(attributes, time_key, max_record_bytes)
        self._places = places
        self._known = known

    def _stated(self, tree: Object, unmapped: list[str]) -> Iterable[tuple[str, str, Any]]:
        for path, known in self._known.items():
            found = value_at(tree, path)
            if isinstance(found, dict):
                unmapped.extend(key for key in found if key not in known)
        for place in self._places:
            value = value_at(tree, place.path)
            if place.match is not None and isinstance(value, str):
                value = field_in(value, place.name, place.match)
            yield place.name, str(place.path[-1]), value

    def _twice(self, tree: Object) -> Iterator[str]:
        for place in self._places:
            for depth, key in enumerate(place.path):
                if key in twice(value_at(tree, place.path[:depth])):
                    yield str(key)


def _written(tree: Object) -> Iterable[tuple[str, Any]]:
    """Return the keys and values of an object, as far as is known as often as it has them."""
    return tree.written if isinstance(tree, Pairs) else tree.items()


def twice(tree: object) -> frozenset[str]:
    """Return the keys that an object was written with more than once."""
    return tree.twice if isinstance(tree, Pairs) else frozenset()


def value_at(tree: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON
    """Return what stands in a tree where keys and places in arrays lead; `None` for nothing."""
    for key in path:
        if isinstance(key, int):
            tree = tree[key] if isinstance(tree, list) and key < len(tree) else None
        else:
            tree = tree.get(key) if isinstance(tree, dict) else None
    return tree
