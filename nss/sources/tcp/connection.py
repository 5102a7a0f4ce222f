"""What comes in over one connection, read when wanted: nothing is read ahead of need."""

import asyncio
from enum import Enum
from typing import cast

from nss.batch import BATCH_MAX_BYTES, BATCH_MAX_SECS
from nss.sources.listening import TLS_CLOSE_SECS


class End(Enum):
    """How a connection came to its end."""

    CLOSED = "the peer closed the connection"
    BROKEN = "the connection was broken off"
    SILENT = "nothing came for too long"
    STOPPED = "the source was stopped"


class TcpConnection(asyncio.Protocol):
    """The receiving side of a connection.

    Only while `read` waits does the socket get read; a peer that sends faster than its records
    are accepted is held back by TCP itself.
    """

    def __init__(self) -> None:
        self.end: End | None = None
        self.why = ""
        """What broke the connection."""
        self.connected = False
        self._transport: asyncio.Transport | None = None
        self._blocks: list[bytes] = []
        self._size_bytes = 0
        self._wanted_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._lost = asyncio.Event()

    async def read(self, idle_secs: float) -> bytes:
        """Return about 1 MiB, or what came in 200 ms; nothing at the end.

        It is an end too when nothing comes for `idle_secs`.
        """
        if not await self._receive(1, idle_secs):
            self._ended(End.SILENT)
        await self._receive(BATCH_MAX_BYTES, BATCH_MAX_SECS)
        self._pause()
        blocks, self._blocks = self._blocks, []
        self._size_bytes = 0
        return b"".join(blocks)

    def shutdown(self) -> None:
        """Read no further; what came is still returned by `read`."""
        self._ended(End.STOPPED)

    async def close(self) -> None:
        """Close the connection."""
        if self._transport is None:
            return
        self._transport.close()
        try:
            async with asyncio.timeout(TLS_CLOSE_SECS):
                await self._lost.wait()
        except TimeoutError:
            pass
        finally:
            self._transport.abort()

    async def _receive(self, wanted_bytes: int, wait_secs: float) -> bool:
        """Wait until so much is there, or the end; return False after `wait_secs`."""
        if self._size_bytes >= wanted_bytes or self.end is not None:
            return True
        self._wanted_bytes = wanted_bytes
        self._waiter = asyncio.get_running_loop().create_future()
        self._resume()
        try:
            async with asyncio.timeout(wait_secs):
                await self._waiter
        except TimeoutError:
            return False
        finally:
            self._waiter = None
        return True

    def _pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _ended(self, end: End) -> None:
        if self.end is None:
            self.end = end
        self._wake()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; with TLS, hands have been shaken."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self.connected = True

    def data_received(self, data: bytes) -> None:
        """Keep what came; stop reading at about 1 MiB."""
        self._blocks.append(data)
        self._size_bytes += len(data)
        if self._size_bytes >= BATCH_MAX_BYTES:
            self._pause()
        if self._size_bytes >= self._wanted_bytes:
            self._wake()

    def eof_received(self) -> None:
        """Take it as the end; the transport closes itself."""
        self._ended(End.CLOSED)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take it as the end, if it is not known yet."""
        if exc is not None:
            self.why = str(exc)
        self._ended(End.CLOSED if exc is None else End.BROKEN)
        self._lost.set()
