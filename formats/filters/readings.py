"""What of a value is compared: the readings of `predicate.Reading`, worked out."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from formats.filters.predicate import Reading
from formats.values import unescaped

MEMO_MAX_ENTRIES = 32_768
"""This many distinct values are remembered per comparison, then all are forgotten."""

MEMO_MAX_CHARS = 128
"""Longer values are tested each time, so that senders can't fill the memory."""

IPV6_OFFSET = 1 << 32
"""IPv6 addresses stand behind all of IPv4 on the line of numbers."""


def folded(text: str) -> str:
    """Return what texts have in common that differ in case, or in what is written as `%HH`."""
    return unescaped(text).casefold()


def address_number(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:
    """Place an address on one line for both kinds: IPv4 first, IPv4-mapped IPv6 as its IPv4."""
    if isinstance(address, ipaddress.IPv4Address):
        return int(address)
    mapped = address.ipv4_mapped
    return IPV6_OFFSET + int(address) if mapped is None else int(mapped)


def _addresses(value: str) -> Iterable[int]:
    if len(value) > MEMO_MAX_CHARS:
        return ()
    try:
        return (address_number(ipaddress.ip_address(value)),)
    except ValueError:
        return ()


def _codes(value: str) -> Iterable[int]:
    # Longer digit runs are no status, and int() refuses the longest.
    code = re.match("[0-9]{1,9}(?![0-9])", value)
    return () if code is None else (int(code[0]),)


READINGS: Mapping[Reading, Callable[[str], Iterable[object]]] = MappingProxyType(
    {
        Reading.VALUE: lambda value: (value,),
        Reading.HOST: lambda host: (host, re.sub(":[0-9]+$", "", host)),
        Reading.MEMBERS: lambda joined: map(str.strip, joined.split("|")),
        Reading.ADDRESS: _addresses,
        Reading.CODE: _codes,
    }
)
"""From a value to what of it is tested."""
