"""The collector: receives LEEF lines over UDP, checks each one and adds them up."""

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Self

import asyncio_dgram

from formats import leef
from nss.lab.discovery import Discovery

# Linux, asm-generic/socket.h; the socket module doesn't name it. Root may pass net.core.rmem_max.
_SO_RCVBUFFORCE = 33
_MAX_DATAGRAM_BYTES = 65_535
_BURST = 64  # datagrams between two looks at the event loop's own queue
_KEPT_MALFORMED = 5
_SETTLE_SECS = 2.0  # a sender that never stops must not keep the collector from closing


class Collector:
    """A UDP syslog receiver on `host` and `port` (0 takes a free one), used with `async with`.

    Every datagram must be one LEEF line. Good ones are added up in `discovery`, the others
    are counted in `malformed`. Datagrams may be taken out of order. Leaving the `async with`
    takes what still waits in the kernel.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        rcvbuf_bytes: int = 64 << 20,
    ) -> None:
        self.messages = 0
        self.bytes = 0
        self.malformed = 0
        self.malformed_examples: list[tuple[bytes, str]] = []
        """The first few malformed messages, each with what is wrong with it."""
        self.last = b""
        """The last message, good or not."""
        self.rcvbuf_bytes = 0
        """The receive buffer obtained, as the kernel counts it (its overhead included)."""
        self.discovery = Discovery()
        self._address = (host, port)
        self._wanted_rcvbuf_bytes = rcvbuf_bytes
        self._buffer = bytearray(_MAX_DATAGRAM_BYTES)
        self._progress = asyncio.Event()

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self._stream.sockname[1]
        return port

    @property
    def kernel_drops(self) -> int | None:
        """How many datagrams the kernel dropped, `None` where the kernel doesn't say."""
        inode = str(os.fstat(self._burst_socket.fileno()).st_ino)
        # Columns of a row: Documentation/networking/proc_net_tcp.rst; drops is the last.
        name = "udp6" if self._burst_socket.family == socket.AF_INET6 else "udp"
        with contextlib.suppress(OSError):
            for row in Path("/proc/net", name).read_text(encoding="ascii").splitlines()[1:]:
                columns = row.split()
                if columns[9] == inode:
                    return int(columns[-1])
        return None

    async def __aenter__(self) -> Self:
        self._stream = await asyncio_dgram.bind(self._address)
        # asyncio-dgram owns the socket; its event loop hands over one datagram at a time, so
        # bursts are read from a second descriptor of the same socket.
        self._burst_socket = socket.socket(fileno=os.dup(self._stream.socket.fileno()))
        self._burst_socket.settimeout(0)
        self.rcvbuf_bytes = _enlarge_receive_buffer(self._burst_socket, self._wanted_rcvbuf_bytes)
        self._task = asyncio.create_task(self._receive())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        deadline = asyncio.get_running_loop().time() + _SETTLE_SECS
        while self._take_burst() and asyncio.get_running_loop().time() < deadline:
            pass
        await asyncio.sleep(0)  # lets the task take what the event loop itself had read
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._stream.close()
        self._burst_socket.close()

    async def arrived(self, messages: int) -> None:
        """Wait until this many messages have come in since the start, good or malformed."""
        while self.messages < messages:
            self._progress.clear()
            await self._progress.wait()

    async def _receive(self) -> None:
        while True:
            datagram, _sender = await self._stream.recv()
            self._take(datagram)
            self._take_burst()
            self._progress.set()

    def _take_burst(self) -> bool:
        """Receive what waits in the kernel, but not for long; return whether there may be more."""
        receive_into = self._burst_socket.recv_into
        view = memoryview(self._buffer)
        for _ in range(_BURST):
            try:
                size = receive_into(view)
            except BlockingIOError:
                return False
            self._take(view[:size])
        return True

    def _take(self, message: bytes | memoryview) -> None:
        self.messages += 1
        self.bytes += len(message)
        self.last = bytes(message)
        try:
            self.discovery.add(leef.parse(str(message, "utf-8")).attributes)
        except KeyError as error:
            self._complain(message, f"attribute {error} is missing")
        except ValueError as error:
            self._complain(message, str(error))

    def _complain(self, message: bytes | memoryview, reason: str) -> None:
        self.malformed += 1
        if len(self.malformed_examples) < _KEPT_MALFORMED:
            self.malformed_examples.append((bytes(message), reason))


def _enlarge_receive_buffer(sock: socket.socket, wanted_bytes: int) -> int:
    """Ask for a receive buffer, above the system's limit if allowed; return what was obtained."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, wanted_bytes)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted_bytes)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
