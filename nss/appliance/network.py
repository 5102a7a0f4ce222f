"""The network of the service interface: what it can be, and its file for systemd-networkd.

Pure: texts in, texts out. The file is that of systemd.network(5), with the keys that are here.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nss.errors import UsageError

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface

DHCP = "dhcp"
NONE = "none"
MAX_NAMESERVERS = 3
"""As many as the resolver of libc asks (resolv.conf(5))."""

_LINK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")
_HEAD = "# Written by nss configure and nss configure-network.\n"


@dataclass(frozen=True, slots=True)
class Network:
    """How the service interface is set up."""

    address: Interface | None = None
    """`None`: by DHCP, which then also says the gateway."""
    gateway: Ip | None = None
    nameservers: tuple[Ip, ...] = ()
    """None, with DHCP: those that DHCP names."""

    @property
    def address_text(self) -> str:
        """The address with the length of its network, or `dhcp`."""
        return DHCP if self.address is None else str(self.address)

    def check(self) -> None:
        """Raise `UsageError` if the parts don't fit together."""
        if self.gateway is None:
            return
        if self.address is None:
            raise UsageError(
                "network: with DHCP there is no gateway to choose",
                tip="leave the gateway out, or give an address with its netmask",
            )
        if self.gateway not in self.address.network:
            raise UsageError(
                f"network: the gateway {self.gateway} is not in the network of {self.address}, "
                f"{self.address.network}",
                tip="correct the netmask or the gateway",
            )
        if self.gateway == self.address.ip:
            raise UsageError(
                f"network: {self.gateway} is the machine's own address, and can't be its gateway",
                tip="give the address of the router",
            )
        if not _is_host(self.gateway, self.address.network):
            raise UsageError(
                f"network: {self.gateway} is no machine's address in {self.address.network}",
                tip="give the address of the router",
            )


def read_address(text: str) -> Interface | None:
    """Return an address with its netmask, `None` for `dhcp`. Raises `UsageError`.

    The netmask is a length (`10.0.0.4/24`) or an address (`10.0.0.4/255.255.255.0`).
    """
    text = text.strip()
    if text.lower() == DHCP:
        return None
    address, mark, mask = text.partition("/")
    if not mark:
        raise UsageError(
            f"network: the address has no netmask: {text}",
            tip="for example 10.0.0.4/24 or 10.0.0.4/255.255.255.0; dhcp for DHCP",
        )
    try:
        found = ipaddress.ip_interface(f"{_plain(address)}/{mask}")
    except ValueError:
        raise UsageError(
            f"network: this is no address with a netmask: {text}",
            tip="for example 10.0.0.4/24 or 10.0.0.4/255.255.255.0; dhcp for DHCP",
        ) from None
    if "." in mask and mask != str(found.netmask):  # a mask of Cisco, whose bits are turned round
        raise UsageError(f"network: this is no netmask: {mask}", tip="for example 255.255.255.0")
    if not found.network.prefixlen or not _is_host(found.ip, found.network):
        raise UsageError(
            f"network: {text} is no address that a machine can have",
            tip=f"one within the network: {_example(found.network)}",
        )
    return found


def read_ip(text: str, what: str) -> Ip:
    """Return the address of another machine, which is `what`. Raises `UsageError`."""
    try:
        found = ipaddress.ip_address(_plain(text.strip()))
    except ValueError:
        raise UsageError(
            f"network: the {what} is no IP address: {text.strip()}", tip="for example 10.0.0.1"
        ) from None
    if not _is_usable(found) and not (what == "nameserver" and found.is_loopback):
        raise UsageError(f"network: {found} can't be the address of a {what}")
    return found


def read_nameservers(texts: Sequence[str]) -> tuple[Ip, ...]:
    """Return nameservers in their order, each once. Raises `UsageError`."""
    found = tuple(dict.fromkeys(read_ip(text, "nameserver") for text in texts))
    if len(found) > MAX_NAMESERVERS:
        raise UsageError(
            f"network: {len(found)} nameservers, of which at most {MAX_NAMESERVERS} are asked",
            tip="leave some out",
        )
    return found


def check_link(name: str) -> str:
    """Return the name of an interface if it is fit for a file. Raises `UsageError`."""
    if not _LINK.fullmatch(name):
        raise UsageError(f"network: this is no name of an interface: {name}", tip="ip -brief link")
    return name


def file_of(network: Network, link: str) -> str:
    """Return the file that sets an interface up so."""
    return _HEAD + "\n".join(_lines(network, check_link(link))) + "\n"


def _lines(network: Network, link: str) -> Iterator[str]:
    yield f"[Match]\nName={link}\n\n[Network]"
    if network.address is None:
        yield "DHCP=yes"
    else:
        yield f"DHCP=no\nAddress={network.address}"
        if network.gateway is not None:
            yield f"Gateway={network.gateway}"
    for server in network.nameservers:
        yield f"DNS={server}"
    if network.address is None and network.nameservers:
        yield "\n[DHCPv4]\nUseDNS=no\n\n[DHCPv6]\nUseDNS=no"


def read_file(text: str) -> tuple[str, Network]:
    """Return the interface and the network that a file of `file_of` says.

    Raises `UsageError` for any other: what it says would be lost.
    """
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, mark, value = line.partition("=")
        if mark and not line.startswith(("#", ";")):
            found.setdefault(key.strip(), []).append(value.strip())
    link = (found.get("Name") or [""])[0]
    address = (found.get("Address") or [DHCP])[0]
    gateways = found.get("Gateway", [])
    network = Network(
        read_address(address),
        read_ip(gateways[0], "gateway") if gateways else None,
        read_nameservers(found.get("DNS", [])),
    )
    if file_of(network, link) != text:
        raise UsageError("network: somebody has edited the file: it has more than is asked for")
    return link, network


def _plain(text: str) -> str:
    """Return an address if it has no zone, which may be any text. Raises `ValueError`."""
    if "%" in text:
        raise ValueError(text)
    return text


def _is_usable(address: Ip) -> bool:
    is_broadcast = str(address) == "255.255.255.255"
    this_network = isinstance(address, ipaddress.IPv4Address) and address.packed[0] == 0
    return not (
        address.is_unspecified
        or address.is_multicast
        or address.is_loopback
        or is_broadcast
        or this_network
    )


def _is_host(address: Ip, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """Whether a machine may have an address in a network: neither its first nor its last."""
    if not _is_usable(address):
        return False
    if isinstance(network, ipaddress.IPv6Network) or network.prefixlen > _POINT_TO_POINT - 1:
        return True
    return address not in {network.network_address, network.broadcast_address}


_POINT_TO_POINT = 31
"""Of IPv4: both addresses are machines' (RFC 3021)."""


def _example(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    first = next(iter(network.hosts()), network.network_address)
    return f"{first}/{network.prefixlen}"
