"""Addresses: how people write host and port, the family of one, and listening there."""

import os
import socket
from errno import errorcode


def host_port(host: str, port: int) -> str:
    """Return `HOST:PORT`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address_family(host: str) -> socket.AddressFamily:
    """Return the family of an IP address; a name counts as IPv4."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


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
