"""Listening at an address, and what holds for every connection that comes in there."""

import asyncio
import contextlib
import socket

from nss.addresses import listener
from nss.errors import SourceError
from nss.wording import error_text

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
        for address in dict.fromkeys(str(address[0]) for *_, address in found):
            listeners.append(listener(address, port, BACKLOG_CONNECTIONS))
            listeners[-1].settimeout(0)
            port = listeners[-1].getsockname()[1]
    except OSError as error:
        for opened in listeners:
            opened.close()
        raise SourceError(
            f"{kind} source: can't listen: {error_text(error)} ({host}:{port})",
            tip="choose an address of this machine and a free port; below 1024 the user "
            "that nss runs as needs CAP_NET_BIND_SERVICE",
        ) from error
    return listeners


def watch_peer(connection: socket.socket) -> None:
    """Have the kernel find out about a peer that is gone without a word, in about two minutes."""
    with contextlib.suppress(OSError):  # gone already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6)
