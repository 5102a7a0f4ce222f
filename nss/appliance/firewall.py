"""The rules of nftables that a configuration asks for: one for each port that others may reach.

The base of the table is `/etc/nftables.conf` of the image: all that comes in is dropped unless a
rule accepts it. Of that table only the chain `configured` is filled here.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nss.config.model import Config
from nss.config.sources import HttpSourceConfig, TcpSourceConfig
from nss.config.values import Address, ip_address, is_every_interface, is_loopback

TABLE, CHAIN = "nss", "configured"

MAX_COMMENT = 100
"""Bytes; nft takes 128."""

_UNQUOTABLE = re.compile(r"[^A-Za-z0-9 _.-]")


@dataclass(frozen=True, slots=True)
class Opening:
    """A port over TCP that others may reach, and whose it is."""

    listen: Address
    owner: str
    """`source tcp`, `portal`, `metrics`."""


def openings(config: Config) -> Iterator[Opening]:
    """Yield what a configuration opens: every listener that is not on loopback.

    A port of 0 is any that is free, which no rule can name.
    """
    for source in config.sources:
        if isinstance(source, TcpSourceConfig | HttpSourceConfig):
            yield from _opening(source.listen, f"source {source.name}")
    yield from _opening(config.portal.listen, "portal")
    yield from _opening(config.service.metrics_listen, "metrics")


def _opening(listen: Address | None, owner: str) -> Iterator[Opening]:
    if listen is not None and listen.port and not is_loopback(listen.host):
        yield Opening(listen, owner)


def script(found: Iterable[Opening]) -> str:
    """Return what `nft -f` does in one transaction: the chain has these rules and no others.

    It fails, and changes nothing, where the base of the table is not loaded.
    """
    lines = [f"flush chain inet {TABLE} {CHAIN}"]
    lines += [f"add rule inet {TABLE} {CHAIN} {_rule(opening)}" for opening in found]
    return "\n".join(lines) + "\n"


def _rule(opening: Opening) -> str:
    host, port = opening.listen
    match = f"tcp dport {int(port)} accept"
    address = None if is_every_interface(host) else ip_address(host)
    if isinstance(address, ipaddress.IPv4Address):
        match = f"ip daddr {address} {match}"
    elif address is not None:  # without its zone, which may be any text
        match = f"ip6 daddr {ipaddress.IPv6Address(int(address))} {match}"
    return f'{match} comment "{_comment(opening.owner)}"'


def _comment(owner: str) -> str:
    """Return an owner as nft takes it between quotes: it knows no escapes, and 128 bytes."""
    return _UNQUOTABLE.sub("?", owner)[:MAX_COMMENT]
