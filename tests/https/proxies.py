"""A proxy that lets nothing through."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from nss.https.network import Network
from nss.secret import Secret

PAGE = b"<html><body>Your administrator has blocked this page.</body></html>"


class Refusing:
    """A proxy that answers every CONNECT with a status and a page."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.heads: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            head = f"HTTP/1.1 {self.status}\r\nContent-Type: text/html\r\n"
            writer.write(f"{head}Content-Length: {len(PAGE)}\r\n\r\n".encode() + PAGE)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def refusing_proxy(status: str, password: str) -> AsyncIterator[tuple[Refusing, Network]]:
    """Yield such a proxy, and the network behind it."""
    proxy = Refusing(status)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield proxy, Network(proxy=Secret(f"http://u:{password}@127.0.0.1:{port}"), timeout_secs=5)
    finally:
        server.close()
        await server.wait_closed()
