"""Which URLs ZIA takes in a category, and which entries concern a URL."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator

MAX_CHARS = 1024
_MAX_HOST_CHARS = 255
_MAX_LABEL_CHARS = 63

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?", re.ASCII | re.IGNORECASE)
_TLD = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*", re.ASCII | re.IGNORECASE)
_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)


def is_valid(url: str) -> bool:
    """Return whether a URL may be in a category: documented rules, `help.zscaler.com`."""
    if len(url) > MAX_CHARS or not _PRINTABLE.fullmatch(url):
        return False
    if "://" in url or "*" in url:
        return False
    host = url.split("/", 1)[0].removeprefix(".")
    host, colon, port = host.partition(":")
    if colon and not port.isdecimal():
        return False
    return _is_host(host)


def is_valid_tld(entry: str) -> bool:
    """Return whether an entry may be in a TLD category, as `.zip` and `.co.uk`."""
    return len(entry) <= _MAX_HOST_CHARS and _TLD.fullmatch(entry) is not None


def _is_host(host: str) -> bool:
    labels = host.split(".")
    if len(host) > _MAX_HOST_CHARS or len(labels) == 1:
        return False
    if any(len(label) > _MAX_LABEL_CHARS or not _LABEL.fullmatch(label) for label in labels):
        return False
    return len(labels) == 2 or not any("_" in label for label in labels[-2:])  # noqa: PLR2004 - a name and its TLD


class Entries:
    """Entries of a category, to be asked which of them concern a URL. Case does not count."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._at: dict[str, list[str]] = {}
        for entry in entries:
            self._at.setdefault(_host(entry), []).append(entry)
        self._backwards = sorted(host[::-1] for host in self._at)

    def concerning(self, url: str) -> Iterator[str]:
        """Yield the entries that match a URL, and those that are more specific than it."""
        asked = url.removeprefix(".").lower()
        labels = _host(url).split(".")
        above = [".".join(labels[start:]) for start in range(len(labels))]
        below = self._subdomains(above[0]) if url.startswith(".") else ()
        for host in (*above, *below):
            for entry in self._at.get(host, ()):
                is_covered = _covers(url.lower(), entry.removeprefix(".").lower())
                if is_covered or _covers(entry.lower(), asked):
                    yield entry

    def covering(self, url: str) -> Iterator[str]:
        """Yield the entries that match a URL, which has no leading dot."""
        return (entry for entry in self.concerning(url) if _covers(entry.lower(), url.lower()))

    def _subdomains(self, host: str) -> Iterator[str]:
        start = f"{host[::-1]}."
        for position in range(bisect_left(self._backwards, start), len(self._backwards)):
            if not self._backwards[position].startswith(start):
                return
            yield self._backwards[position][::-1]


def _host(url: str) -> str:
    return url.removeprefix(".").partition("/")[0].lower()


def _covers(entry: str, url: str) -> bool:
    host, _, path = url.partition("/")
    name, slash, place = entry.removeprefix(".").partition("/")
    if host != name and not (entry.startswith(".") and host.endswith(f".{name}")):
        return False
    return not slash or path.startswith(place)
