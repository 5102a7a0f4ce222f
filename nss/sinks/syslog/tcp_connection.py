"""A TCP connection to one address, with or without TLS: what was written and what has arrived.

It uses a plain socket, not a transport: nothing is buffered outside the kernel but the chunk being
written, and SIOCOUTQ says how much the peer's TCP has yet to acknowledge.
"""

import asyncio
import contextlib
import errno
import fcntl
import math
import os
import socket
import ssl
import sys
import termios
from collections.abc import Callable

from nss.addresses import address_family
from nss.sinks.syslog.destinations import Endpoint
from nss.sinks.syslog.tls_stream import READ_BYTES, TlsStream

VERDICT_SECS = 0.5
"""How long a TLS 1.3 peer is given to refuse our certificate before lines are sent.

It does so only after our side of the handshake; most peers send something at once (a session
ticket), and then there is nothing to wait for.
"""

_MAX_READS = 16
"""How many reads of a chatty peer are made in a row."""

_PROBES = 3


class Connection:
    """One connection; positions count bytes on the wire from its beginning.

    `on_lost` is called once, when the peer is found to have gone. `clock` returns seconds.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        tls: TlsStream | None,
        *,
        stall_secs: float,
        on_lost: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self.endpoint = endpoint
        self.error: OSError | None = None
        self.is_reached = False
        """Whether there was a TCP connection, TLS or not."""
        self._tls = tls
        self._stall_secs = stall_secs
        self._on_lost = on_lost
        self._clock = clock
        self._opened_at = math.inf
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(address_family(endpoint.address), socket.SOCK_STREAM)
        self._outgoing = memoryview(b"")
        self._handed = 0
        self._confirmed = 0
        self._heard = asyncio.Event()
        self._gone = asyncio.Event()
        self._may_write = asyncio.Event()

    @property
    def age_secs(self) -> float:
        """How long ago the connection was made."""
        return self._clock() - self._opened_at

    @property
    def peer_ends_at(self) -> float | None:
        """When the certificate that the peer showed ends, in seconds since the epoch."""
        return None if self._tls is None else self._tls.peer_ends_at

    async def open(self, connect_secs: float) -> None:
        """Connect and shake hands. Raises OSError; then the connection is closed."""
        try:
            async with asyncio.timeout(connect_secs):
                self._socket.setblocking(False)  # noqa: FBT003 - the library's signature
                _watch_over(self._socket, self._stall_secs)
                await self._connect()
                self.is_reached = True
                if self._tls is not None:
                    await self._handshake(self._tls)
                self._loop.add_reader(self._socket.fileno(), self._listen)
                if self._tls is not None and self._tls.verdict_is_late:
                    await self._await_verdict()
                self._opened_at = self._clock()
        except TimeoutError as error:
            self.close()
            missing = "TLS" if self.is_reached else "connection"
            description = f"no {missing} within {connect_secs:g} s"
            raise (error if error.errno else TimeoutError(errno.ETIMEDOUT, description)) from None
        except BaseException:
            self.close()
            raise

    async def write(self, data: bytes | memoryview) -> int:
        """Give all of `data` to the kernel; returns the position after it. Raises OSError.

        A cancelled write is completed by the next one or by `finish`.
        """
        self.check()
        wire = data if self._tls is None else self._tls.encrypt(data)
        self._outgoing = memoryview(b"".join((self._outgoing, wire)) if self._outgoing else wire)
        end = self._handed + len(self._outgoing)
        await self._push()
        return end

    def check(self) -> None:
        """Raise OSError if the peer has gone, even if only just now."""
        if self.error is None:
            self._listen()
        if self.error is not None:
            raise self.error

    def confirmed(self) -> int:
        """Return the position up to which the peer's TCP has acknowledged everything."""
        if self._socket.fileno() >= 0:
            unsent = fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4))
            self._confirmed = self._handed - int.from_bytes(unsent, sys.byteorder)
        return self._confirmed

    async def finish(self, finish_secs: float) -> bool:
        """Close gracefully: write what is left, and close once the peer has seen the end.

        Returns `False` when that takes longer; the kernel still delivers what it was given.
        """
        try:
            async with asyncio.timeout(finish_secs):
                await self._push()
                if self._tls is not None:
                    self._outgoing = memoryview(self._tls.closing())
                    await self._push()
                self._socket.shutdown(socket.SHUT_WR)
                await self._gone.wait()
        except TimeoutError:
            return False
        except OSError:
            return True
        finally:
            self.close()
        return True

    def close(self) -> None:
        """Close the socket."""
        if self._socket.fileno() < 0:
            return
        self.confirmed()
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()

    async def _connect(self) -> None:
        try:
            address = (self.endpoint.address, self.endpoint.port)
            await self._loop.sock_connect(self._socket, address)
        except OSError as error:
            number = error.errno
            if number is None or number not in errno.errorcode:
                raise
            # asyncio gives the address instead of the reason.
            raise OSError(number, os.strerror(number)) from error

    async def _handshake(self, tls: TlsStream) -> None:
        try:
            while not tls.handshake():
                self._outgoing = memoryview(tls.to_send())
                await self._push()
                data = await self._loop.sock_recv(self._socket, READ_BYTES)
                if not data:
                    raise ConnectionResetError("it closed the connection during the handshake")
                tls.received(data)
        except ssl.SSLError:
            # Only with our alert can the peer's log say why it failed.
            with contextlib.suppress(OSError):
                self._socket.send(tls.to_send())
            raise
        self._outgoing = memoryview(tls.to_send())
        await self._push()

    async def _await_verdict(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(VERDICT_SECS):
                await self._heard.wait()
        self.check()

    async def _push(self) -> None:
        while self._outgoing:
            if self.error is not None:
                raise self.error
            try:
                count = self._socket.send(self._outgoing)
            except BlockingIOError:
                await self._wait_for_room()
            except OSError as error:
                self._lose(error)
            else:
                self._handed += count
                self._outgoing = self._outgoing[count:]

    async def _wait_for_room(self) -> None:
        self._may_write.clear()
        self._loop.add_writer(self._socket.fileno(), self._may_write.set)
        try:
            async with asyncio.timeout(self._stall_secs):
                await self._may_write.wait()
        except TimeoutError:
            description = f"it accepted nothing for {self._stall_secs:g} s"
            raise TimeoutError(errno.ETIMEDOUT, description) from None
        finally:
            if self._socket.fileno() >= 0:
                self._loop.remove_writer(self._socket.fileno())

    def _listen(self) -> None:
        """Notice when the peer has gone; discard what it sends."""
        try:
            for _ in range(_MAX_READS):
                data = self._socket.recv(READ_BYTES)
                if not data:
                    raise ConnectionResetError(errno.ECONNRESET, "it closed the connection")
                if self._tls is not None:
                    self._tls.drop(data)
                self._heard.set()
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        if error.errno == errno.ETIMEDOUT:
            description = f"it confirmed nothing for {self._stall_secs:g} s"
            error = TimeoutError(errno.ETIMEDOUT, description)
        self.error = error
        self.close()
        self._heard.set()
        self._gone.set()
        self._may_write.set()
        self._on_lost()


def _watch_over(connected: socket.socket, stall_secs: float) -> None:
    """Have the kernel give up on a peer that confirms nothing for `stall_secs`, busy or idle."""
    tcp = socket.IPPROTO_TCP
    probe_secs = max(1, round(stall_secs / (_PROBES + 1)))
    connected.setsockopt(tcp, socket.TCP_NODELAY, 1)
    connected.setsockopt(tcp, socket.TCP_USER_TIMEOUT, round(stall_secs * 1000))
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connected.setsockopt(tcp, socket.TCP_KEEPIDLE, probe_secs)
    connected.setsockopt(tcp, socket.TCP_KEEPINTVL, probe_secs)
    connected.setsockopt(tcp, socket.TCP_KEEPCNT, _PROBES)
