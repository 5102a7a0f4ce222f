"""Which entry of a URL category a URL belongs to, by ZIA's rules.

A leading dot stands for a name, what is up to five levels below it, and any path; an entry without
one for that host alone. A path stands for everything that begins with it. The more specific entry
wins.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

WILDCARD_LEVELS = 5
"""How deep below its name a leading dot reaches."""

USUAL_PORT = "443"


class Entry(NamedTuple):
    """An entry, taken apart."""

    host: str
    """Without a leading dot."""
    is_wildcard: bool
    path: str
    """Without the leading slash; empty: any."""
    port: str = ""
    """Empty: any."""

    @property
    def rank(self) -> tuple[int, bool, int, bool]:
        """How specific it is: the longer name, then the exact one, the longer path, the port."""
        return self.host.count("."), not self.is_wildcard, len(self.path), bool(self.port)

    def takes(self, url: "Entry") -> bool:
        """Return whether a URL, whose host is this one or below it, belongs to this entry."""
        levels = url.host.count(".") - self.host.count(".")
        if levels and not (self.is_wildcard and levels <= WILDCARD_LEVELS):
            return False
        # Without a port a URL means the usual one, and an entry means any.
        is_port = not self.port or (url.port or USUAL_PORT) == self.port
        return is_port and url.path.startswith(self.path)


def entry_of(text: str) -> Entry:
    """Return an entry as it is in a category, or a URL that somebody asks about."""
    bare = text.strip().lower()
    _, found, rest = bare.partition("://")
    host, _, path = (rest if found else bare).partition("/")
    name, _, port = host.removeprefix(".").partition(":")
    return Entry(name, host.startswith("."), path, port)


class Matcher:
    """The entries of several categories, by host."""

    def __init__(self, categories: Mapping[str, Iterable[str]]) -> None:
        self._by_host: dict[str, list[tuple[Entry, str, str]]] = {}
        for category, texts in categories.items():
            for text in texts:
                entry = entry_of(text)
                self._by_host.setdefault(entry.host, []).append((entry, category, text))

    def matches(self, url: Entry) -> list[tuple[Entry, str, str]]:
        """Return the entries that a URL belongs to, with their categories, the best first."""
        found = [
            (entry, category, text)
            for host in _with_parents(url.host)
            for entry, category, text in self._by_host.get(host, ())
            if entry.takes(url)
        ]
        return sorted(found, key=lambda match: match[0].rank, reverse=True)

    def entries(self, category: str) -> Iterator[tuple[Entry, str]]:
        """Yield the entries of a category."""
        for found in self._by_host.values():
            for entry, its, text in found:
                if its == category:
                    yield entry, text


def _with_parents(host: str) -> Iterator[str]:
    while host:
        yield host
        _, _, host = host.partition(".")
