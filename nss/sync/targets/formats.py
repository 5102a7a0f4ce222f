"""The list as other proxies and DNS servers read it.

plain   a URL a line; a leading dot means subdomains as well
squid   domains for `acl NAME dstdomain "FILE"`: the same dot, and no paths
hosts   `0.0.0.0 NAME`: names only, their subdomains stay open
rpz     a response policy zone (BIND, Unbound, PowerDNS, Knot): NXDOMAIN for names
json    {"hosts": [..], "suffixes": [..], "urls": [..]}: what a PAC file would compare with
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import orjson

from formats.dataclass import dataclass
from nss.sync.domains import SetAside, host_of, is_address, is_host, parents

Format = Literal["plain", "squid", "hosts", "rpz", "json"]

_HEAD = (
    "Unsanctioned apps from Microsoft Defender for Cloud Apps. Written by NSS: changes are lost."
)
_TTL_SECS = 300

_NO_PATH = "has a port or a path, which {} can't express"
_NO_ADDRESS = "is an IP address, which {} never sees"
_NO_NAME = "is longer than {} can take, or would be read as an order to it"

MAX_NAME_CHARS = 190
"""Of a name in a zone: DNS has 253, and the zone's own name and `*.` are added to it."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file, and what could not be expressed in it."""

    data: bytes
    set_aside: tuple[SetAside, ...]


def render(urls: Sequence[str], format_: Format, serial: int) -> Rendered:
    """Return the file for normalised URLs. `serial` is that of the zone in a file for DNS."""
    match format_:
        case "plain":
            return Rendered(_lines(urls), ())
        case "json":
            return Rendered(_json(urls), ())
        case "squid":
            kept, aside = _sorted_out(urls, is_host, _NO_PATH.format("dstdomain"))
            return Rendered(_lines([f"# {_HEAD}", *_uncovered(kept)]), tuple(aside))
        case "hosts":
            names, aside = _names(urls, "a hosts file")
            lines = [f"0.0.0.0 {name}" for name in sorted(set(map(host_of, names)))]
            return Rendered(_lines([f"# {_HEAD}", *lines]), tuple(aside))
        case "rpz":
            names, aside = _names(urls, "DNS")
            fit, unfit = _sorted_out(names, _is_for_zone, _NO_NAME.format("a response policy zone"))
            return Rendered(_lines(_zone(fit, serial)), (*aside, *unfit))


def advice(format_: Format) -> str | None:
    """Return what somebody should know of a format, as a sentence."""
    if format_ == "hosts":
        return "a hosts file blocks names only: subdomains stay open (rpz and squid block them)"
    return None


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _json(urls: Sequence[str]) -> bytes:
    suffixes = [url for url in urls if url.startswith(".") and is_host(url)]
    hosts = [url for url in urls if not url.startswith(".") and is_host(url)]
    rest = [url for url in urls if not is_host(url)]
    found = {"hosts": hosts, "suffixes": suffixes, "urls": rest}
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _zone(names: Iterable[str], serial: int) -> Iterator[str]:
    yield f"; {_HEAD}"
    yield f"$TTL {_TTL_SECS}"
    yield f"@ IN SOA localhost. nobody.localhost. {serial} 3600 600 604800 {_TTL_SECS}"
    yield "@ IN NS localhost."
    for name in names:
        yield f"{host_of(name)} IN CNAME ."
        if name.startswith("."):
            yield f"*{name} IN CNAME ."


def _is_for_zone(name: str) -> bool:
    """Return whether a name is only a name in a response policy zone.

    One that is too long with the zone's own name keeps all of the zone from being loaded; below
    `rpz-ip` and its like stand addresses of answers and clients: `1.0.0.0.0.rpz-ip` is half the
    internet.
    """
    host = host_of(name)
    return len(host) <= MAX_NAME_CHARS and not host.rpartition(".")[2].startswith("rpz-")


def _names(urls: Iterable[str], reader: str) -> tuple[list[str], list[SetAside]]:
    """Return the names among URLs, for a reader that knows nothing else."""
    hosts, paths = _sorted_out(urls, is_host, _NO_PATH.format(reader))
    names, addresses = _sorted_out(
        hosts, lambda url: not is_address(url), _NO_ADDRESS.format(reader)
    )
    return _uncovered(names), paths + addresses


def _sorted_out(
    urls: Iterable[str], is_fit: Callable[[str], bool], reason: str
) -> tuple[list[str], list[SetAside]]:
    fit: list[str] = []
    aside: list[SetAside] = []
    for url in urls:
        if is_fit(url):
            fit.append(url)
        else:
            aside.append(SetAside(url, reason))
    return fit, aside


def _uncovered(hosts: Sequence[str]) -> list[str]:
    """Return hosts without those below a leading dot, however deep: Squid refuses them."""
    dotted = {host for host in hosts if host.startswith(".")}
    return [
        host
        for host in hosts
        if not any(
            f".{name}" in dotted and f".{name}" != host for name in parents(host.removeprefix("."))
        )
    ]
