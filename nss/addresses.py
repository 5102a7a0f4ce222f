"""Addresses: how people write host and port, family and owner of one, and listening there."""

import ipaddress
import os
import socket
from errno import errorcode
from urllib.parse import SplitResult

_HTTPS = 443


def host_port(host: str, port: int) -> str:
    """Return `HOST:PORT`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def https_place(parts: SplitResult) -> str:
    """Return host and port as they are written in an https URL; the usual port is left out."""
    return host_port(parts.hostname or "", parts.port or _HTTPS).removesuffix(f":{_HTTPS}")


def address_family(host: str) -> socket.AddressFamily:
    """Return the family of an IP address; a name counts as IPv4."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def one_peer(host: str) -> str:
    """Return what stands for everybody who may be the same peer as an IP address.

    Of IPv6 that is the /64, of which each customer has at least one; all that is link-local is in
    the same, so there it is the address. Anything but an IP address stands for itself.
    """
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    if ip.is_link_local or ip.is_loopback:
        return str(ip)
    return str(ipaddress.ip_network((ip, 64), strict=False))


def listener(host: str, port: int, backlog: int) -> socket.socket:
    """Return a socket that listens at an address. Raises `OSError` with the system's words."""
    try:
        return socket.create_server((host, port), family=address_family(host), backlog=backlog)
    except OSError as error:
        number = error.errno
        if number is None or number not in errorcode:  # a name that has no address
            raise
        # `create_server` adds words of its own.
        raise OSError(number, os.strerror(number)) from None


def bind_for_a_moment(host: str, port: int) -> None:
    """Bind an address as `listener` does, and free it at once; nobody can connect meanwhile.

    Raises `OSError`.
    """
    with socket.socket(address_family(host), socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if trial.family == socket.AF_INET6:
            trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        trial.bind((host, port))
