"""Entries of the list from MCAS, brought to the form in which a URL category takes them.

    HTTPS://Bücher.Example/Shop/  ->  xn--bcher-kva.example/shop/
    *.Logz.io                     ->  .logz.io

A leading dot means the name, its subdomains and everything below; without a dot the name alone,
also with a port or a path. The rules are those of the vendor's page "URL Format Guidelines": lower
case, ASCII, no scheme, no `*`, a host of at most 255 characters with labels of at most 63, no bare
top-level domain, no `_` where a name is registered. What can't be used is set aside with its
reason; the rest counts all the same.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from formats.dataclass import dataclass

MAX_URL_CHARS = 1024
MAX_HOST_CHARS = 255
MAX_LABEL_CHARS = 63

WILDCARD_LEVELS = 5
"""How deep below its name a leading dot reaches."""

MAX_SHOWN_CHARS = 120

_MAX_PORT = 65_535
_COMMENTS = ("#", ";", "!")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+-]*:(?://)?(?=[^0-9])|[A-Za-z][A-Za-z0-9+.-]*://|//")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_NO_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_USER = re.compile("(?<=//).*@|(?<=:).*@|^[^/]*@")
_BESIDE_ASCII_LETTERS = "/!$&'()+,-.:;=?@_~%"
"""What a path may have besides letters and digits (RFC 3986), without `*`, `#` and brackets."""

_REGISTERED_LABELS = 2


@dataclass(frozen=True, slots=True)
class SetAside:
    """An entry that is not synced."""

    entry: str
    """As it was delivered, shortened, and without a user's name and password."""
    reason: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list comes to."""

    urls: tuple[str, ...]
    """Sorted, without repetitions and without entries that another covers."""
    set_aside: tuple[SetAside, ...]
    repeated: int
    """Entries that stand in the list more than once, each repetition counted."""
    covered: int
    """Entries that a shorter entry covers."""


class _Unfit(Exception):  # noqa: N818 - named as the sentence reads
    """An entry can't be in a URL category; the text is the reason."""


def normalised(entries: Iterable[str], *, max_url_chars: int = MAX_URL_CHARS) -> Wanted:
    """Return what should be in a URL category for the entries of a list."""
    found: set[str] = set()
    aside: list[SetAside] = []
    repeated = 0
    for entry in entries:
        text = entry.strip("\ufeff \t\r\n\f\v\xa0")
        if not text or text.startswith(_COMMENTS):
            continue
        try:
            url = _url(text, max_url_chars)
        except _Unfit as unfit:
            aside.append(SetAside(_shown(text), str(unfit)))
            continue
        repeated += url in found
        found.add(url)
    below = _below_folders(sorted(found))
    kept = tuple(sorted(url for url in found if url not in below and not _is_covered(url, found)))
    return Wanted(kept, tuple(aside), repeated, len(found) - len(kept))


def host_of(url: str) -> str:
    """Return the host of a normalised URL, without the dot of a wildcard, port and path."""
    return re.split("[:/?]", url.removeprefix("."), maxsplit=1)[0]


def is_host(url: str) -> bool:
    """Return whether a normalised URL is a host, with or without subdomains, and nothing else."""
    return url.removeprefix(".") == host_of(url)


def is_address(url: str) -> bool:
    """Return whether the host of a normalised URL is an IP address."""
    return _is_ipv4(host_of(url))


def parents(host: str) -> Iterator[str]:
    """Yield a host and the names above it, from the longest to the shortest."""
    labels = host.split(".")
    return (".".join(labels[at:]) for at in range(len(labels)))


def _url(text: str, max_url_chars: int) -> str:
    if any(letter.isspace() for letter in text):
        raise _Unfit("has a blank inside")
    if not text.isprintable():
        raise _Unfit("has control characters")
    rest = _SCHEME.sub("", text, count=1) if _SCHEME.match(text) else text
    rest = rest.partition("#")[0]
    if len(rest) > max_url_chars:
        raise _Unfit(f"is longer than {max_url_chars} characters")
    authority, separator, path = _split(rest)
    if "@" in authority:
        raise _Unfit("has a user name before the host")
    is_wildcard, authority = _wildcard(authority)
    if authority.startswith("[") or authority.count(":") > 1:
        raise _Unfit("is an IPv6 address, which a URL category does not take")
    name, colon, port = authority.partition(":")
    host = _host(name)
    if colon and not (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) <= _MAX_PORT):
        raise _Unfit("has no valid port after the colon")
    dot = "." if is_wildcard and not _is_ipv4(host) else ""
    root = "/" if separator == "?" else ""  # a query right after the host is that of the root
    below = "" if (separator, path) == ("/", "") else root + separator + _path(path)
    url = f"{dot}{host}{colon}{port}{below}"
    if len(url) > max_url_chars:
        raise _Unfit(f"is longer than {max_url_chars} characters")
    return url


def _split(text: str) -> tuple[str, str, str]:
    """Return host and port, what ends them (`/`, `?` or nothing), and what follows."""
    found = re.search("[/?]", text)
    if found is None:
        return text, "", ""
    return text[: found.start()], found[0], text[found.end() :]


def _wildcard(authority: str) -> tuple[bool, str]:
    """Return whether subdomains are meant, and the name without the sign for it."""
    for sign in ("*.", "."):
        if authority.startswith(sign):
            return True, authority.removeprefix(sign)
    return False, authority


def _host(name: str) -> str:
    """Return a host in lower case and ASCII."""
    if "*" in name:
        raise _Unfit("has a * inside; only a * at its start, for all subdomains, can be used")
    host = name.lower().removesuffix(".")
    if not host.isascii():
        import idna  # noqa: PLC0415 - its tables are needed for few lists, and not by a service

        try:
            host = idna.encode(host, uts46=True, transitional=False).decode()
        except idna.IDNAError:
            raise _Unfit("is not a name by the rules for international names") from None
    if not host:
        raise _Unfit("has no host")
    if not _is_ipv4(host):
        _check_name(host)
    return host


def _check_name(host: str) -> None:
    if len(host) > MAX_HOST_CHARS:
        raise _Unfit(f"has a host of more than {MAX_HOST_CHARS} characters")
    labels = host.split(".")
    for label in labels:
        if len(label) > MAX_LABEL_CHARS:
            raise _Unfit(f"has a part of more than {MAX_LABEL_CHARS} characters between dots")
        if not _LABEL.fullmatch(label):
            raise _Unfit("is not a valid host name")
    if len(labels) < _REGISTERED_LABELS:
        raise _Unfit("is a top-level domain or a name without one")
    if labels[-1].isdigit():
        raise _Unfit("is neither a name nor an IPv4 address")
    checked = labels[-1:] if len(labels) == _REGISTERED_LABELS else labels[-2:]
    if any("_" in label for label in checked):
        raise _Unfit("has a _ in the part that is registered")


def _path(text: str) -> str:
    """Return a path with its query, in lower case and ASCII."""
    if "*" in text:
        raise _Unfit("has a * in its path, which a URL category does not take")
    if _NO_ESCAPE.search(text):
        raise _Unfit("has a % in its path that begins no escape")
    return quote(text, safe=_BESIDE_ASCII_LETTERS).lower()


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _is_covered(url: str, urls: set[str]) -> bool:
    """Return whether other entries match all that an entry matches, to the depth they reach."""
    host = host_of(url)
    is_wildcard = url.startswith(".")
    if not is_wildcard and url != host and host in urls:
        return True
    for levels, name in enumerate(parents(host)):
        if levels > WILDCARD_LEVELS:
            return False
        if f".{name}" in urls and f".{name}" != url:
            return True
    return False


def _below_folders(urls: Iterable[str]) -> set[str]:
    """Return those of sorted URLs that a folder above, which ends with `/`, covers."""
    below: set[str] = set()
    folder = None
    for url in urls:
        if folder is not None and url.startswith(folder):  # it follows its folder immediately
            below.add(url)
        elif url.endswith("/") and not url.startswith("."):
            folder = url
    return below


def _shown(text: str) -> str:
    text = _USER.sub("***@", text)  # it may be followed by a password
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[: MAX_SHOWN_CHARS - 3]}..."
