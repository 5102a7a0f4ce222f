"""The receiving side of one connection, read on demand: nothing is read ahead."""

import asyncio
from enum import Enum
from typing import cast

from nss.admission.accepting import reset_when_closed
from nss.admission.places import Place
from nss.batch import BATCH_MAX_BYTES, BATCH_MAX_SECS


class End(Enum):
    """How a connection came to its end."""

    CLOSED = "the peer closed the connection"
    BROKEN = "the connection was broken off"
    SILENT = "nothing came for too long"
    STOPPED = "the source was stopped"
    DISPLACED = "another connection needed its place"


class TcpConnection(asyncio.Protocol):
    """One connection.

    The socket is read only while `read` waits; a peer that sends faster than its records are
    accepted is held back by TCP itself.

    Closing it resets it, until `confirm`: so a peer that ends its side and waits for the end of
    ours knows what became of its records, even if the process is killed.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.end: End | None = None
        self.reason = ""
        """What broke the connection."""
        self.connected = False
        self.transport: asyncio.Transport
        self.lost = asyncio.Event()
        self._blocks: list[bytes] = []
        self._size_bytes = 0
        self._wanted_bytes = 0
        self._waiter: asyncio.Future[None] | None = None

    async def read(self, idle_secs: float) -> bytes:
        """Return about 1 MiB, or what came in 200 ms; nothing at the end.

        When nothing comes for `idle_secs`, that is an end too.
        """
        if not await self._receive(1, idle_secs):
            self._ended(End.SILENT)
        await self._receive(BATCH_MAX_BYTES, BATCH_MAX_SECS)
        self._pause()
        blocks, self._blocks = self._blocks, []
        self._size_bytes = 0
        return b"".join(blocks)

    def shutdown(self) -> None:
        """Read no further; `read` still returns what has come."""
        self._ended(End.STOPPED)

    def displace(self) -> None:
        """Read no further: another connection has got the place."""
        self._ended(End.DISPLACED)

    def confirm(self) -> None:
        """Note that all that came is accepted: from now on, to close is an end in good order."""
        if self.connected and not self.transport.is_closing():
            reset_when_closed(self.transport.get_extra_info("socket"), wanted=False)

    def _begin(self) -> None:
        """From now on records can come."""
        reset_when_closed(self.transport.get_extra_info("socket"))

    async def _receive(self, wanted_bytes: int, wait_secs: float) -> bool:
        """Wait for this many bytes or the end of the input; return False after `wait_secs`."""
        if self._size_bytes >= wanted_bytes or self.end is not None:
            return True
        self._wanted_bytes = wanted_bytes
        self._waiter = asyncio.get_running_loop().create_future()
        if self.connected and not self.transport.is_closing():
            self.transport.resume_reading()
        try:
            async with asyncio.timeout(wait_secs):
                await self._waiter
        except TimeoutError:
            return False
        finally:
            self._waiter = None
        return True

    def _pause(self) -> None:
        if self.connected and not self.transport.is_closing():
            self.transport.pause_reading()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _ended(self, end: End) -> None:
        if self.end is None:
            self.end = end
        self._wake()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self.connected = True
        self._begin()

    def data_received(self, data: bytes) -> None:
        """Keep what came; stop reading at about 1 MiB."""
        self._blocks.append(data)
        self._size_bytes += len(data)
        if self._size_bytes >= BATCH_MAX_BYTES:
            self._pause()
        if self._size_bytes >= self._wanted_bytes:
            self._wake()

    def eof_received(self) -> bool:
        """Note the end of the input; the transport stays open until its records are accepted."""
        self._ended(End.CLOSED)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Note how the connection ended, unless that is known already."""
        if exc is not None:
            self.reason = str(exc)
        self._ended(End.CLOSED if exc is None else End.BROKEN)
        self.lost.set()
