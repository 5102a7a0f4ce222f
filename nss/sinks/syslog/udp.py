"""Syslog over UDP: one line is one datagram, without LF (RFC 5426).

A datagram is the line alone, as NSS writes it, or a syslog header and the line; the header's
timestamp is made once for each send.

"Delivered" means that the kernel took the datagrams and that no refusal had come back by then: UDP
can't prove more. On a connected socket an error is about an EARLIER datagram, and the send that
returned it has sent nothing; so sending resumes from the datagram before it. A destination that
refused gets a single message first, and the rest if no refusal comes back.
"""

import asyncio
import errno
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from formats.lines import Lines
from nss import causes
from nss.causes import Cause
from nss.config.sinks import SyslogUdpSinkConfig
from nss.sinks import Delivered, Outcome, Rejected, TooLong, events
from nss.sinks.syslog.destinations import Endpoint
from nss.sinks.syslog.sink import SYSTEM, EndpointFailed, Environment, Sending, SyslogSink
from nss.sinks.syslog.udp_sockets import UdpPath
from nss.sinks.syslog.wire import SendRun
from nss.wording import error_text

MIN_MESSAGE_BYTES = 480
"""What every syslog receiver must accept (RFC 5424 6.1): the limit never falls below this."""

BURST_LINES, BURST_BYTES = 1024, 2 << 20
"""After this many datagrams or bytes, about 2 ms, the event loop gets its turn."""

_WAIT_FIRST_SECS = 0.001
_WAIT_MAX_SECS = 0.02

_BUFFERS_FULL = {errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM}

_ABOUT_EARLIER = {
    errno.EMSGSIZE,
    errno.ECONNREFUSED,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.ENONET,
    errno.ENOPROTOOPT,
    errno.EOPNOTSUPP,
    errno.EPROTO,
    errno.EACCES,
}
"""What the kernel makes of ICMP errors (`icmp_err_convert`, `icmpv6_err_convert`)."""


@dataclass(slots=True)
class _Datagrams(Sending):
    """One call of `send`; of the lines that were sent, those count that are not in doubt."""

    ports: bytes | None = None
    """The index of the source port of each line; `None` is the first for all."""
    first: int = 0
    """The first line that went to the present endpoint: doubt goes back no further."""
    waited_secs: float = 0.0
    """Time spent waiting for buffers since the last datagram was sent."""
    too_long: set[int] = field(default_factory=set)
    """Lines at which EMSGSIZE has come up before."""

    @property
    def message_bytes(self) -> int:
        """Bytes of the next message."""
        return len(self.header) + len(self.lines[self.sent])

    def burst_lines(self) -> int:
        """Return how many of the lines that are left go out at once."""
        rest = self.lines[self.sent : self.sent + BURST_LINES]
        return max(1, rest.fitting(BURST_BYTES))

    def doubt(self, ports: Collection[int]) -> None:
        """Go back to the oldest of the lines sent last through each of `ports`."""
        newest_first = range(self.sent - 1, self.first - 1, -1)
        for port in ports:
            for index in newest_first:
                if self.port_of(index) == port:
                    self.sent = min(self.sent, index)
                    break

    def port_of(self, index: int) -> int:
        return 0 if self.ports is None else self.ports[index]


class SyslogUdpSink(SyslogSink[_Datagrams]):
    """Sends each line as one datagram.

    With `source_ports` over 1 the sink wants keys, and lines with the same key leave through the
    same port, in order. `sndbuf_bytes` is left to the system by default: about 100 datagrams, less
    than the network card's queue holds. `probe_secs` is how long a destination that refused is
    given to refuse again; `stall_secs` how long to wait for full send buffers without a single
    datagram sent. `send_run` (what sends lines on sockets) and `environment` are seams for tests.
    """

    def __init__(
        self,
        name: str,
        settings: SyslogUdpSinkConfig,
        *,
        sndbuf_bytes: int | None = None,
        probe_secs: float = 0.05,
        stall_secs: float = 5.0,
        send_run: SendRun | None = None,
        environment: Environment = SYSTEM,
    ) -> None:
        super().__init__(name, settings, environment)
        self.wants_keys = settings.source_ports > 1
        self._source_ports = settings.source_ports
        self._sndbuf_bytes = sndbuf_bytes
        self._probe_secs = probe_secs
        self._stall_secs = stall_secs
        self._send_run = send_run or self._wire.send_run
        self._path: UdpPath | None = None

    async def send(self, lines: Lines, keys: Sequence[int] | None = None) -> Outcome:
        """Send each line as one datagram; see `Sink.send`."""
        if not lines:
            return Delivered()
        return await self._fail_over(_Datagrams(lines, self._header(), ports=self._ports(keys)))

    async def close(self) -> None:
        """Close the sockets and end lookups; the kernel still sends what it was given."""
        await self._close_path()
        await self._destinations.close()

    async def _attempt(self, sending: _Datagrams, endpoint: Endpoint) -> Outcome:
        path = await self._connect(endpoint)
        try:
            outcome = await self._hand_over(sending, path)
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                # The route or the machine's own address may have changed: connect again.
                await self._close_path()
            raise EndpointFailed(self._cause(endpoint, error)) from error
        self._backoff.reset()
        return outcome

    def _ports(self, keys: Sequence[int] | None) -> bytes | None:
        if self._source_ports == 1 or keys is None:
            return None
        return bytes([key % self._source_ports for key in keys])

    async def _connect(self, endpoint: Endpoint) -> UdpPath:
        """Return the open path to `endpoint`, after closing a path to another."""
        if self._path is not None and self._path.endpoint == endpoint:
            return self._path
        await self._close_path()
        path = UdpPath(endpoint, self._send_run)
        try:
            await path.open(self._source_ports, self._sndbuf_bytes)
        except OSError as error:
            await path.close()
            raise EndpointFailed(self._cause(endpoint, error)) from error
        except BaseException:
            await path.close()
            raise
        self._path = path
        return path

    def _cause(self, endpoint: Endpoint, error: OSError) -> Cause:
        peer = self._peer(endpoint)
        if error.errno in _BUFFERS_FULL:
            return Cause(
                f"this machine does not get rid of what is sent to {peer.place}: the send buffers "
                "are full",
                f"see the network card and its link: ip -s link; or set max_messages_per_sec in "
                f"[{self._section}]",
            )
        return causes.of_connection(error, peer)

    async def _close_path(self) -> None:
        path, self._path = self._path, None
        if path is not None:
            await path.close()

    async def _hand_over(self, datagrams: _Datagrams, path: UdpPath) -> Outcome:
        """Send what is left to one endpoint. Raises OSError when it accepts no more."""
        datagrams.first = datagrams.sent
        probing = self._refused_late(path) or self._destinations.is_suspect(path.endpoint)
        while datagrams.left:
            size = 1 if probing else datagrams.burst_lines()
            if self._pace is not None:
                size = await self._pace.turn(size)
            outcome = await self._burst(datagrams, path, size, probing=probing)
            if outcome is not None:
                return outcome
            if probing and datagrams.sent > datagrams.first:
                probing = False
                self._destinations.worked(path.endpoint)
            await asyncio.sleep(0)
        return Delivered()

    def _refused_late(self, path: UdpPath) -> bool:
        """Return whether messages of earlier sends were refused meanwhile."""
        errors = path.take_errors()
        for error in errors.values():
            events.refused_late(self.name, str(path.endpoint), _reason(error))
        return any(error.errno != errno.EMSGSIZE for error in errors.values())

    async def _burst(
        self, datagrams: _Datagrams, path: UdpPath, size: int, *, probing: bool
    ) -> Outcome | None:
        """Send up to `size` lines; return an outcome if the next line can't be sent as it is."""
        start = datagrams.sent
        ports = datagrams.ports and datagrams.ports[start : start + size]
        burst = path.burst(datagrams.lines[start : start + size], datagrams.header, ports)
        datagrams.sent += burst.sent
        if burst.sent:
            datagrams.waited_secs = 0.0
        errors = await path.answer(self._probe_secs if probing and burst.sent else 0.0)
        stop = burst.error
        if stop is not None and not self._concerns_next_line(stop, datagrams, path):
            errors[datagrams.port_of(datagrams.sent)] = stop
            stop = None
        if errors:
            return self._go_back(datagrams, path, errors)
        if stop is None:
            return None
        if stop.errno == errno.EMSGSIZE:
            return self._too_long(datagrams, path)
        await self._wait(datagrams, path, stop)
        return None

    def _concerns_next_line(self, error: OSError, datagrams: _Datagrams, path: UdpPath) -> bool:
        """Return whether a failed send is about its own line, not about an earlier datagram.

        EMSGSIZE may be either: a router can answer with it as well.
        """
        if error.errno != errno.EMSGSIZE:
            return error.errno in _BUFFERS_FULL
        known = datagrams.sent in datagrams.too_long
        return known or datagrams.message_bytes > path.max_datagram_bytes()

    def _go_back(
        self, datagrams: _Datagrams, path: UdpPath, errors: dict[int, OSError]
    ) -> Outcome | None:
        """Go back to what the errors put in doubt; raise one unless it is only about sizes."""
        reached = datagrams.sent
        datagrams.doubt([port for port, error in errors.items() if error.errno in _ABOUT_EARLIER])
        for error in errors.values():
            if error.errno != errno.EMSGSIZE:
                raise error
        if datagrams.sent in datagrams.too_long:
            return self._too_long(datagrams, path)
        # The kernel has learnt the path's MTU from the answer and sends fragments from now on,
        # so the same line gets a second chance, but not a third.
        datagrams.too_long |= {datagrams.sent, reached}
        return None

    async def _wait(self, datagrams: _Datagrams, path: UdpPath, error: OSError) -> None:
        """Give full send buffers time to drain; raise `error` when they do not."""
        if datagrams.waited_secs >= self._stall_secs:
            raise error
        events.send_waited(self.name, str(path.endpoint), _reason(error))
        delay_secs = min(max(datagrams.waited_secs, _WAIT_FIRST_SECS), _WAIT_MAX_SECS)
        datagrams.waited_secs += delay_secs
        await asyncio.sleep(delay_secs)

    def _too_long(self, datagrams: _Datagrams, path: UdpPath) -> TooLong | Rejected:
        """Lower the limit to what the path is known to carry, or to half of the message's size."""
        size_bytes, limit_bytes = datagrams.message_bytes, path.max_datagram_bytes()
        max_bytes = limit_bytes if size_bytes > limit_bytes else size_bytes // 2
        max_bytes = max(max_bytes, MIN_MESSAGE_BYTES)
        if size_bytes <= max_bytes:
            reason = f"a message of {size_bytes} bytes is too long for the path ({path.endpoint})"
            return Rejected(datagrams.sent, reason)
        self.max_line_bytes = min(self.max_line_bytes, max_bytes - len(datagrams.header))
        events.line_too_long(self.name, str(path.endpoint), size_bytes, self.max_line_bytes)
        return TooLong(datagrams.sent, self.max_line_bytes)


def _reason(error: OSError) -> str:
    if error.errno in _BUFFERS_FULL:
        return "the send buffers are full"
    return error_text(error)
