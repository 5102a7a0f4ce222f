"""The sockets to one UDP address: bursts of datagrams, and the errors that come back.

asyncio-dgram owns each socket: it opens it and reads what comes back. Bursts go through a second
descriptor of the same socket, many datagrams in one call (`nss.sinks.syslog.wire`), since an
awaited send for each datagram costs more than the kernel's own work. Error reporting (IP_RECVERR)
is on while a burst runs: without it the kernel claims to have sent a datagram that it dropped for
lack of a buffer, and does not report unreachable hosts. It is off whenever the event loop runs:
switching it off empties the socket's error queue, which nobody reads; asyncio spins on a filled
queue, and uvloop crashes.
"""

import asyncio
import os
import socket
from dataclasses import dataclass
from typing import Any

import asyncio_dgram

from formats.lines import Lines
from nss.sinks.syslog.destinations import Endpoint
from nss.sinks.syslog.wire import SendRun

_ANSWER_STEPS = 10
_PMTUDISC_DO, _PMTUDISC_PROBE = 2, 3


@dataclass(frozen=True, slots=True)
class _Family:
    """The socket options and sizes of one IP version.

    The options are those of linux/in.h and linux/in6.h, which Python 3.11 lacks.
    """

    level: int
    mtu_discover: int
    report_errors: int
    mtu: int
    header_bytes: int
    max_bytes: int


_FAMILIES = {
    socket.AF_INET: _Family(socket.IPPROTO_IP, 10, 11, 14, 28, 65_507),
    socket.AF_INET6: _Family(socket.IPPROTO_IPV6, 23, 25, 24, 48, 65_527),
}


@dataclass(frozen=True, slots=True)
class Burst:
    """How far a burst came, and the error of the send after that, if any."""

    sent: int
    error: OSError | None = None


class UdpPath:
    """The sockets to one endpoint; each has a source port of its own."""

    def __init__(self, endpoint: Endpoint, send_run: SendRun) -> None:
        self.endpoint = endpoint
        self._send_run = send_run
        self._streams: list[Any] = []
        self._readers: list[asyncio.Task[None]] = []
        self._sockets: list[socket.socket] = []
        self._descriptors: list[int] = []
        self._errors: dict[int, OSError] = {}

    async def open(self, source_ports: int, sndbuf_bytes: int | None) -> None:
        """Connect the sockets. Raises OSError, for example when there is no route."""
        for port in range(source_ports):
            stream = await asyncio_dgram.connect((self.endpoint.address, self.endpoint.port))
            self._streams.append(stream)
            self._readers.append(asyncio.create_task(self._read(port)))
            burst_socket = socket.socket(fileno=os.dup(stream.socket.fileno()))
            self._sockets.append(burst_socket)
            self._descriptors.append(burst_socket.fileno())
            burst_socket.settimeout(0)
            if sndbuf_bytes is not None:
                burst_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf_bytes)
        self._family = _FAMILIES[self._sockets[0].family]

    def burst(self, lines: Lines, header: bytes, ports: bytes | None) -> Burst:
        """Send each line behind `header` until one fails; never waits.

        `ports` holds the index of the socket for each line; without it all go to the first.
        """
        self._report_errors(on=True)
        try:
            sent, number = self._send_run(lines, header, self._descriptors, ports)
        finally:
            self._report_errors(on=False)
        return Burst(sent, OSError(number, os.strerror(number)) if number else None)

    def take_errors(self) -> dict[int, OSError]:
        """Return the errors that came back since the last call, by index of the socket."""
        # An ICMP error that another CPU was handling may have entered an error queue after the
        # burst emptied it: uvloop's reader crashes on it, so the queues are emptied once more.
        self._report_errors(on=False)
        errors, self._errors = self._errors, {}
        for port, stream in enumerate(self._streams):
            error = _queued_error(stream)
            if error is not None:
                errors[port] = error
            number = self._sockets[port].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                errors[port] = OSError(number, os.strerror(number))
        return errors

    async def answer(self, wait_secs: float) -> dict[int, OSError]:
        """Return the errors that come back within `wait_secs`, as soon as there is one."""
        errors = self.take_errors()
        for _ in range(_ANSWER_STEPS):
            if errors or not wait_secs:
                break
            await asyncio.sleep(wait_secs / _ANSWER_STEPS)
            errors = self.take_errors()
        return errors

    def max_datagram_bytes(self) -> int:
        """Return the longest datagram that the kernel accepts for this path.

        That is the path's MTU if the socket must not fragment, else what IP can carry.
        """
        family, first = self._family, self._sockets[0]
        if first.getsockopt(family.level, family.mtu_discover) in {_PMTUDISC_DO, _PMTUDISC_PROBE}:
            mtu_bytes = first.getsockopt(family.level, family.mtu)
            return min(mtu_bytes - family.header_bytes, family.max_bytes)
        return family.max_bytes

    async def close(self) -> None:
        """Close all sockets."""
        for burst_socket in self._sockets:
            burst_socket.close()
        for stream in self._streams:
            stream.close()
        await asyncio.gather(*self._readers)

    def _report_errors(self, *, on: bool) -> None:
        level, option = self._family.level, self._family.report_errors
        for burst_socket in self._sockets:
            burst_socket.setsockopt(level, option, on)

    async def _read(self, port: int) -> None:
        """Keep the errors that come back; discard answers, which would pile up in the stream."""
        stream = self._streams[port]
        while True:
            try:
                await stream.recv()
            except asyncio_dgram.TransportClosed:
                return
            except OSError as error:
                self._errors[port] = error


def _queued_error(stream: Any) -> OSError | None:  # noqa: ANN401 - asyncio-dgram has no types
    """Return the last error that asyncio-dgram has kept, and empty its queue."""
    last = None
    while True:
        try:
            _ = stream.exception
        except OSError as error:
            last = error
        else:
            return last
