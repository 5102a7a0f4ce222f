"""Listening at an address, and what holds for every connection that comes in there."""

import asyncio
import contextlib
import os
import socket

from nss.errors import SourceError

BACKLOG_CONNECTIONS = 1024


async def listen(kind: str, host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen, one for each address of `host`, all at one port.

    Port 0 is any that is free. Raises `SourceError`, which calls the source `kind`.
    """
    listeners: list[socket.socket] = []
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, _, _, _, address in dict.fromkeys(found):
            listener = socket.create_server(
                (address[0], port), family=family, backlog=BACKLOG_CONNECTIONS
            )
            listeners.append(listener)
            listener.settimeout(0)
            port = listener.getsockname()[1]
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise SourceError(
            f"{kind} source: can't listen: {reason(error)} ({host}:{port})",
            tip="choose an address of this machine and a free port; below 1024 the user "
            "that nss runs as needs CAP_NET_BIND_SERVICE",
        ) from error
    return listeners


def peer_name(address: tuple[str, int]) -> str:
    """Return the address of a peer as people write it."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reason(error: OSError) -> str:
    """Return the system's words alone; `create_server` adds some of its own."""
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or str(error)
    return os.strerror(error.errno)


def watch_peer(connection: socket.socket) -> None:
    """Have the kernel find out about a peer that is gone without a word, in about two minutes."""
    with contextlib.suppress(OSError):  # gone already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6)
