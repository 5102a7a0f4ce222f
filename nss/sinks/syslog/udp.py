"""Syslog over UDP: one line is one datagram, without LF (RFC 5426).

A datagram is the line alone, as NSS writes it, or a syslog header and the line; the header's
timestamp is made once a send.

UDP says little. "Delivered" means that the kernel took the datagrams and that no refusal had come
back by then: nobody can prove more. On a connected socket an error tells of an EARLIER datagram,
and the send that returned it has sent nothing; so sending goes on from the datagram before it.
A destination that refused gets one message alone, and the rest once no refusal came back.
"""

import asyncio
import errno
import random
import time
import zlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from nss.sinks import Delivered, Outcome, Rejected, RetryAfter, TooLong, events
from nss.sinks.backoff import Backoff
from nss.sinks.syslog.destinations import Destinations, Resolve, Target, resolve_name
from nss.sinks.syslog.header import Header, Now, utc_now
from nss.sinks.syslog.pacing import Pace
from nss.sinks.syslog.udp_sockets import Path, SendOf
from nss.wording import error_text

MIN_MESSAGE_BYTES = 480
"""What every syslog receiver must take (RFC 5424 6.1): the limit never falls below."""

BURST_LINES = 1024
"""After as many datagrams the event loop gets its turn: about 2 ms."""

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
class _Progress:
    """One call of `send`: what is to be sent, and how far it has come."""

    lines: Sequence[bytes]
    ports: Sequence[int] | None
    header: bytes
    sent: int = 0
    """Lines not in doubt."""
    first: int = 0
    """The first line that went to the present target: doubt goes back no further."""
    waited_secs: float = 0.0
    """Time spent waiting for buffers since the last datagram was sent."""
    too_long: set[int] = field(default_factory=set)
    """Lines at which EMSGSIZE has come up before."""

    @property
    def left(self) -> int:
        return len(self.lines) - self.sent

    @property
    def message_bytes(self) -> int:
        """Bytes of the next message."""
        return len(self.header) + len(self.lines[self.sent])

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


class SyslogUdpSink:
    """Sends the lines of a feed to the first of several collectors that takes them.

    `pri` is the syslog priority, `None` for no header at all (with `rfc5424`: 134).
    `max_message_bytes` counts the header. With `source_ports` over 1 the sink wants keys, and
    lines with the same key leave through the same port, in order. `sndbuf_bytes` is left to the
    system by default: about 100 datagrams, less than the network card's queue takes.
    `probe_secs` is how long a destination that refused is given to refuse again; `stall_secs` how
    long full send buffers are waited for without a single datagram sent.

    `resolve`, `clock` (seconds), `now` (the header's time), `jitter` and `send_of` (what sends on
    a socket) are seams for tests.
    """

    def __init__(
        self,
        name: str,
        destinations: Sequence[tuple[str, int]],
        *,
        pri: int | None = None,
        rfc5424: bool = False,
        hostname: str = "-",
        app_name: str = "zscaler-nss",
        max_message_bytes: int = 8192,
        max_messages_per_sec: float | None = None,
        source_ports: int = 1,
        resolve_secs: float = 300.0,
        failback_secs: float = 60.0,
        sndbuf_bytes: int | None = None,
        probe_secs: float = 0.05,
        stall_secs: float = 5.0,
        resolve: Resolve = resolve_name,
        clock: Callable[[], float] = time.monotonic,
        now: Now = utc_now,
        jitter: Callable[[], float] = random.random,
        send_of: SendOf = attrgetter("send"),
    ) -> None:
        self.name = name
        self.wants_keys = source_ports > 1
        self.last_error: str | None = None
        self._destinations = Destinations(
            name,
            destinations,
            resolve=resolve,
            resolve_secs=resolve_secs,
            failback_secs=failback_secs,
            clock=clock,
        )
        self._header = Header(pri, rfc5424=rfc5424, hostname=hostname, app_name=app_name, now=now)
        self._source_ports = source_ports
        self._sndbuf_bytes = sndbuf_bytes
        self._probe_secs = probe_secs
        self._stall_secs = stall_secs
        self._send_of = send_of
        self._backoff = Backoff(jitter)
        self._pace = Pace(max_messages_per_sec, clock=clock) if max_messages_per_sec else None
        self._path: Path | None = None
        self.max_line_bytes = max_message_bytes - len(self._header())

    @property
    def destination(self) -> str:
        """Where lines go at the moment."""
        return str(self._destinations)

    async def open(self) -> None:
        """Start the name lookups and connect, if the destination can be reached already."""
        target = await self._destinations.current()
        if target is not None:
            try:
                await self._path_to(target)
            except OSError as error:
                self.last_error = _sentence(target, error)

    async def send(self, lines: Sequence[bytes], keys: Sequence[str] | None = None) -> Outcome:
        """Send each line as one datagram; see `Sink.send`."""
        if not lines:
            return Delivered()
        progress = _Progress(lines, self._ports(keys), self._header())
        tried: set[Target] = set()
        reason = ""
        while True:
            target = await self._destinations.current()
            if target is None:
                reason = self._destinations.lookup_error
            if target is None or target in tried:
                self.last_error = reason
                return RetryAfter(progress.sent, self._backoff.next_secs(), reason)
            try:
                path = await self._path_to(target)
                outcome = await self._hand_over(progress, path)
            except OSError as error:
                reason = _sentence(target, error)
                self._destinations.failed(target, reason)
                tried.add(target)
                if error.errno != errno.ECONNREFUSED:
                    # The route or the machine's own address may have changed: connect anew.
                    await self._close_path()
                continue
            self._backoff.reset()
            self.last_error = None
            return outcome

    async def close(self) -> None:
        """Close the sockets and end lookups; what was sent stays with the kernel."""
        await self._close_path()
        await self._destinations.close()

    def _ports(self, keys: Sequence[str] | None) -> list[int] | None:
        if self._source_ports == 1 or keys is None:
            return None
        ports, crc32 = self._source_ports, zlib.crc32
        return [crc32(key.encode("utf-8", "surrogatepass")) % ports for key in keys]

    async def _path_to(self, target: Target) -> Path:
        """Return the open path to `target`, after closing one that leads elsewhere."""
        if self._path is not None and self._path.target == target:
            return self._path
        await self._close_path()
        path = Path(target, self._send_of)
        try:
            await path.open(self._source_ports, self._sndbuf_bytes)
        except BaseException:
            await path.close()
            raise
        self._path = path
        return path

    async def _close_path(self) -> None:
        path, self._path = self._path, None
        if path is not None:
            await path.close()

    async def _hand_over(self, progress: _Progress, path: Path) -> Outcome:
        """Send what is left to one target. Raises OSError when that takes no more."""
        progress.first = progress.sent
        probing = self._heard_late(path) or self._destinations.is_suspect(path.target)
        while progress.left:
            size = 1 if probing else min(progress.left, BURST_LINES)
            if self._pace is not None:
                size = await self._pace.turn(size)
            outcome = await self._burst(progress, path, size, probing=probing)
            if outcome is not None:
                return outcome
            if probing and progress.sent > progress.first:
                probing = False
                self._destinations.worked(path.target)
            await asyncio.sleep(0)
        return Delivered()

    def _heard_late(self, path: Path) -> bool:
        """Return whether messages of earlier sends were refused meanwhile."""
        errors = path.take_errors()
        for error in errors.values():
            events.refused_late(self.name, str(path.target), _why(error))
        return any(error.errno != errno.EMSGSIZE for error in errors.values())

    async def _burst(
        self, progress: _Progress, path: Path, size: int, *, probing: bool
    ) -> Outcome | None:
        """Send up to `size` lines; return an outcome if the next line can't be sent as it is."""
        start = progress.sent
        ports = progress.ports and progress.ports[start : start + size]
        burst = path.burst(progress.lines[start : start + size], progress.header, ports)
        progress.sent += burst.sent
        if burst.sent:
            progress.waited_secs = 0.0
        errors = await path.answer(self._probe_secs if probing and burst.sent else 0.0)
        stop = burst.error
        if stop is not None and not self._concerns_next_line(stop, progress, path):
            errors[progress.port_of(progress.sent)] = stop
            stop = None
        if errors:
            return self._go_back(progress, path, errors)
        if stop is None:
            return None
        if stop.errno == errno.EMSGSIZE:
            return self._too_long(progress, path)
        await self._wait(progress, path, stop)
        return None

    def _concerns_next_line(self, error: OSError, progress: _Progress, path: Path) -> bool:
        """Return whether a failed send is about its own line, not about an earlier datagram.

        EMSGSIZE may be either: a router can answer with it as well.
        """
        if error.errno != errno.EMSGSIZE:
            return error.errno in _BUFFERS_FULL
        known = progress.sent in progress.too_long
        return known or progress.message_bytes > path.max_datagram_bytes()

    def _go_back(
        self, progress: _Progress, path: Path, errors: dict[int, OSError]
    ) -> Outcome | None:
        """Go back to what the errors put in doubt; raise one unless it is only about sizes."""
        reached = progress.sent
        progress.doubt([port for port, error in errors.items() if error.errno in _ABOUT_EARLIER])
        for error in errors.values():
            if error.errno != errno.EMSGSIZE:
                raise error
        if progress.sent in progress.too_long:
            return self._too_long(progress, path)
        # The kernel has learnt the path's MTU from the answer and sends fragments from now on,
        # so the same line gets a second chance, but not a third.
        progress.too_long |= {progress.sent, reached}
        return None

    async def _wait(self, progress: _Progress, path: Path, error: OSError) -> None:
        """Give full send buffers time to drain; raise `error` when they never do."""
        if progress.waited_secs >= self._stall_secs:
            raise error
        events.send_waited(self.name, str(path.target), _why(error))
        delay_secs = min(max(progress.waited_secs, _WAIT_FIRST_SECS), _WAIT_MAX_SECS)
        progress.waited_secs += delay_secs
        await asyncio.sleep(delay_secs)

    def _too_long(self, progress: _Progress, path: Path) -> TooLong | Rejected:
        """Lower the limit to what the path is known to take, else to half of the line's size."""
        size_bytes, limit_bytes = progress.message_bytes, path.max_datagram_bytes()
        max_bytes = limit_bytes if size_bytes > limit_bytes else size_bytes // 2
        max_bytes = max(max_bytes, MIN_MESSAGE_BYTES)
        if size_bytes <= max_bytes:
            why = f"a message of {size_bytes} bytes is too long for the path ({path.target})"
            return Rejected(progress.sent, why)
        self.max_line_bytes = min(self.max_line_bytes, max_bytes - len(progress.header))
        events.line_too_long(self.name, str(path.target), size_bytes, self.max_line_bytes)
        return TooLong(progress.sent, self.max_line_bytes)


def _why(error: OSError) -> str:
    if error.errno in _BUFFERS_FULL:
        return "the send buffers are full"
    return error_text(error)


def _sentence(target: Target, error: OSError) -> str:
    return f"sending failed: {_why(error)} ({target})"
