"""What feeds deliver to: each collector keeps whole lines in the order in which they came."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

MARK = b"\0 everything before has come"

_SO_RCVBUFFORCE = 33  # asm-generic/socket.h; the socket module doesn't name it


async def until(holds: Callable[[], bool], secs: float = 40.0) -> None:
    """Wait until something holds that nobody tells of."""
    async with asyncio.timeout(secs):
        while not holds():  # noqa: ASYNC110 - another process makes it so
            await asyncio.sleep(0.01)


class FileCollector:
    """Reads the file that a sink appends to."""

    def __init__(self, path: Path) -> None:
        self.lines: list[bytes] = []
        self.torn = 0
        """Lines that a crash cut off."""
        self._path = path
        self._read_bytes = 0
        self._rest = b""

    def look(self) -> None:
        """Take what has been written."""
        if not self._path.exists():
            return
        with self._path.open("rb") as stream:
            stream.seek(self._read_bytes)
            data = stream.read()
        self._read_bytes += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.lines += [line for line in lines if line]  # a torn line may have been ended

    async def settle(self) -> None:
        """The writer is dead: a half line stays one."""
        self.look()
        self.torn += bool(self._rest)
        self._rest = b""


class UdpCollector(asyncio.DatagramProtocol):
    """A UDP socket."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._marked = asyncio.Event()

    async def open(self, port: int = 0) -> None:
        """Listen on a port, or on a free one."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", port))
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]
        listening = transport.get_extra_info("socket")
        for option in (socket.SO_RCVBUF, _SO_RCVBUFFORCE):  # the second is for root alone
            with contextlib.suppress(PermissionError):
                listening.setsockopt(socket.SOL_SOCKET, option, 32 << 20)

    def datagram_received(self, data: bytes, _address: object) -> None:
        if data == MARK:
            self._marked.set()
        else:
            self.lines.append(data)

    def look(self) -> None:
        """Everything comes by itself."""

    async def settle(self) -> None:
        """The sender is dead: take what waits in the kernel, which keeps the order."""
        self._marked.clear()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as marker:
            async with asyncio.timeout(20):
                while not self._marked.is_set():  # a full buffer drops it as any other
                    marker.sendto(MARK, ("127.0.0.1", self.port))
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._marked.wait(), 0.5)

    def close(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()


class TcpCollector:
    """Takes connections; a line without its LF was never delivered."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.port = 0
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self, port: int = 0) -> None:
        """Listen on a port, or on a free one."""
        server = self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rest = b""
        try:
            while data := await reader.read(1 << 20):
                *lines, rest = (rest + data).split(b"\n")
                self.lines += lines
        except ConnectionError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def look(self) -> None:
        """Everything comes by itself."""

    async def settle(self) -> None:
        """The sender is dead: read its connections to their ends."""
        await asyncio.sleep(0.01)  # one may not have been taken yet
        if self._serving:
            _, late = await asyncio.wait(self._serving, timeout=10)
            assert not late, "a connection of a dead process does not end"

    async def close(self) -> None:
        """Stop listening, and end all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
