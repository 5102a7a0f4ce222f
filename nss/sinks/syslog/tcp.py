"""Syslog over TCP, with or without TLS: lines ended by LF, or each behind its octet count.

A message is the line alone, as NSS writes it, or a syslog header and the line; the header's
timestamp is made once a send. Octet counting is that of RFC 6587 3.4.1 and RFC 5425: the count
of bytes in decimal, a blank, the message. Receivers that tell the framings apart by the first
character (rsyslog) take a line that begins with a digit for a counted one: such lines need octet
counting or a `<PRI>`.

"Delivered" means written to the kernel's socket buffer. What the collector's TCP has not yet
acknowledged is kept, and if the connection breaks it is sent first on the next one, as it was,
before anything new. So nothing is lost on the way, and a collector may get lines twice. What its
TCP has acknowledged and it never read (it crashed) is beyond what TCP tells: `resend_secs` sends
the last lines again whatever was acknowledged.
"""

import asyncio
import contextlib
import random
import re
import ssl
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Literal

from nss.sinks import Delivered, Outcome, Rejected, RetryAfter, events
from nss.sinks.backoff import Backoff
from nss.sinks.syslog.destinations import Destinations, Resolve, Target, resolve_name
from nss.sinks.syslog.header import Header, Now, utc_now
from nss.sinks.syslog.pacing import Pace
from nss.sinks.syslog.resend import RESEND_MAX_BYTES, Chunk, Kept
from nss.sinks.syslog.tcp_connection import Connection
from nss.sinks.syslog.tls_stream import TlsStream
from nss.tls import error_text

CHUNK_BYTES = 128 * 1024
"""Lines are written in chunks of about this size, or one at a time where one is longer."""

STEADY_SECS = 1.0
"""A connection that held so long and was then closed is made anew at once; one that did not
counts as a failure of its destination, which waits."""

_BREAKS = re.compile(rb"[\n\r\0]")
"""What ends a message, or makes it another one, in receivers of newline framing."""


@dataclass(slots=True)
class _Progress:
    """One call of `send`: what is to be sent, and how far it has come."""

    lines: Sequence[bytes]
    header: bytes
    sent: int = 0

    @property
    def left(self) -> int:
        return len(self.lines) - self.sent


class SyslogTcpSink:
    """Sends the lines of a feed to the first of several collectors that takes them.

    `pri` is the syslog priority, `None` for no header at all (with `rfc5424`: 134).
    `max_message_bytes` counts the header, not the framing. With an `ssl_context` (see
    `tls_stream.client_context`) the connection is TLS to a peer named `tls_server_name`, by
    default the destination's host. A connection that takes or confirms nothing for `stall_secs`
    is given up, and one must be made within `connect_secs`. With `resend_secs` the lines of so
    many seconds before a connection was lost are sent again, at most `resend_max_bytes`. A
    connection is given `finish_secs` to end in good order.

    `resolve`, `clock` (seconds), `now` (the header's time) and `jitter` are seams for tests.
    """

    wants_keys = False
    last_error: str | None = None

    def __init__(
        self,
        name: str,
        destinations: Sequence[tuple[str, int]],
        *,
        framing: Literal["newline", "octet"] = "newline",
        pri: int | None = None,
        rfc5424: bool = False,
        hostname: str = "-",
        app_name: str = "zscaler-nss",
        max_message_bytes: int = 64 * 1024,
        max_messages_per_sec: float | None = None,
        ssl_context: ssl.SSLContext | None = None,
        tls_server_name: str | None = None,
        connect_secs: float = 10.0,
        stall_secs: float = 30.0,
        resend_secs: float = 0.0,
        resend_max_bytes: int = RESEND_MAX_BYTES,
        finish_secs: float = 5.0,
        resolve_secs: float = 300.0,
        failback_secs: float = 60.0,
        resolve: Resolve = resolve_name,
        clock: Callable[[], float] = time.monotonic,
        now: Now = utc_now,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._destinations = Destinations(
            name,
            destinations,
            resolve=resolve,
            resolve_secs=resolve_secs,
            failback_secs=failback_secs,
            clock=clock,
        )
        self._frame = _counted if framing == "octet" else _ended
        self._header = Header(pri, rfc5424=rfc5424, hostname=hostname, app_name=app_name, now=now)
        self._tls_to = partial(_tls_to, ssl_context, tls_server_name)
        self._connect_secs = connect_secs
        self._stall_secs = stall_secs
        self._finish_secs = finish_secs
        self._clock = clock
        self._backoff = Backoff(jitter)
        self._pace = Pace(max_messages_per_sec, clock=clock) if max_messages_per_sec else None
        self._kept = Kept(resend_secs, clock, resend_max_bytes)
        self._connection: Connection | None = None
        self._busy = False
        self._restoring: asyncio.Task[None] | None = None
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
                await self._connection_to(target)
            except OSError as error:
                self.last_error = f"connecting failed: {error_text(error)} ({target})"

    async def send(self, lines: Sequence[bytes], keys: Sequence[str] | None = None) -> Outcome:  # noqa: ARG002 - the contract's
        """Write each line as one message; see `Sink.send`."""
        if not lines:
            return Delivered()
        await self._stop_restoring()
        self._busy = True
        try:
            outcome = await self._send(lines)
        finally:
            self._busy = False
        if not isinstance(outcome, RetryAfter):
            self._restore_if_lost()
        return outcome

    async def close(self) -> None:
        """Have what was written arrive, within `finish_secs` or so, and close the connection."""
        await self._stop_restoring()
        self._busy = True
        ended = await self._part()
        if ended and self._kept.owed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._finish_secs):
                    await self._send_owed()
            await self._part()
        if self._kept.unconfirmed_lines:
            events.never_confirmed(self.name, self.destination, self._kept.unconfirmed_lines)
        self._kept.clear()
        await self._destinations.close()

    async def _send_owed(self) -> None:
        """Send what is owed, however often it takes."""
        outcome = await self._send(())
        while isinstance(outcome, RetryAfter):
            await asyncio.sleep(outcome.delay_secs)
            outcome = await self._send(())

    async def _send(self, lines: Sequence[bytes]) -> Outcome:
        """Send what is owed from earlier connections, then the lines."""
        progress = _Progress(lines, self._header())
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
                connection = await self._connection_to(target)
            except OSError as error:
                reason = f"connecting failed: {error_text(error)} ({target})"
                self._destinations.failed(target, reason)
                tried.add(target)
                continue
            try:
                rejected = await self._hand_over(progress, connection)
            except OSError as error:
                reason = f"sending failed: {error_text(error)} ({target})"
                if not self._lose(connection, error):
                    self._destinations.failed(target, reason)
                    tried.add(target)
                continue
            if connection.age_secs >= STEADY_SECS:
                self._backoff.reset()
            self._destinations.worked(target)
            self.last_error = None
            return rejected or Delivered()

    async def _connection_to(self, target: Target) -> Connection:
        """Return the connection to `target`; one that leads elsewhere ends once it is there."""
        present = self._connection
        if present is not None and present.target == target:
            return present
        connection = Connection(
            target,
            self._tls_to(target),
            stall_secs=self._stall_secs,
            on_lost=self._restore_if_lost,
            clock=self._clock,
        )
        await connection.open(self._connect_secs)
        try:
            await self._part()
        finally:
            self._connection = connection
        return connection

    async def _part(self) -> bool:
        """Close the connection in good order; returns whether it came to its end in time."""
        connection, self._connection = self._connection, None
        if connection is None:
            return True
        broken = connection.error is not None
        try:
            return await connection.finish(self._finish_secs)
        finally:
            end = self._kept.lost if broken else self._kept.parted
            self._cut(end(connection.confirmed()))

    async def _hand_over(self, progress: _Progress, connection: Connection) -> Rejected | None:
        """Write what is owed and what is left. Raises OSError when the connection broke."""
        connection.check()
        await self._write_owed(connection)
        ends = list(accumulate(map(len, progress.lines), initial=0))
        while progress.left:
            start = progress.sent
            fitting = bisect_right(ends, ends[start] + CHUNK_BYTES, start + 1) - 1 - start
            size = max(1, fitting)
            if self._pace is not None:
                size = await self._pace.turn(size)
            lines = progress.lines[start : start + size]
            data, fault = self._frame(lines, progress.header)
            if fault is not None:
                lines = lines[: fault.sent]
                if not lines:
                    return Rejected(start, fault.reason)
                data, _ = self._frame(lines, progress.header)
            await self._write(Chunk(data, len(lines)), connection)
            progress.sent += len(lines)
            if progress.left:
                await asyncio.sleep(0)
        return None

    async def _write_owed(self, connection: Connection) -> None:
        owed = self._kept.owed
        while owed:
            chunk = owed[0]
            if self._pace is not None:
                await self._pace.turn(chunk.lines)
            await self._write(chunk, connection)
            owed.popleft()
            events.lines_resent(self.name, str(connection.target), chunk.lines)

    async def _write(self, chunk: Chunk, connection: Connection) -> None:
        self._cut(self._kept.confirm(connection.confirmed()))
        self._kept.written(chunk, await connection.write(chunk.data))

    def _lose(self, connection: Connection, error: OSError) -> bool:
        """Give up a connection; returns whether it is worth making anew at once."""
        self._connection = None
        connection.close()
        self._cut(self._kept.lost(connection.confirmed()))
        lines = sum(chunk.lines for chunk in self._kept.owed)
        events.connection_lost(self.name, str(connection.target), error_text(error), lines)
        return isinstance(error, ConnectionError) and connection.age_secs >= STEADY_SECS

    def _cut(self, lines: int) -> None:
        if lines:
            events.resend_cut(self.name, self._kept.max_bytes, lines)

    def _restore_if_lost(self) -> None:
        """Have what a lost connection owes sent again, though no new lines may come for long."""
        connection = self._connection
        if self._busy or connection is None or connection.error is None:
            return
        self._cut(self._kept.confirm(connection.confirmed()))
        if self._kept:
            self._restoring = asyncio.create_task(self._restore())

    async def _restore(self) -> None:
        self._busy = True
        while True:
            outcome = await self._send(())
            if not isinstance(outcome, RetryAfter):
                break
            await asyncio.sleep(outcome.delay_secs)
        self._busy = False
        self._restore_if_lost()

    async def _stop_restoring(self) -> None:
        task, self._restoring = self._restoring, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _tls_to(
    context: ssl.SSLContext | None, server_name: str | None, target: Target
) -> TlsStream | None:
    """Return TLS to a target, if there is a context for it."""
    if context is None:
        return None
    # The zone of a link-local address is nobody's name.
    return TlsStream(context, server_name or target.host.partition("%")[0])


def _ended(lines: Sequence[bytes], header: bytes) -> tuple[bytes, Rejected | None]:
    """Return messages ended by LF, and which of the lines can't be one, if any."""
    data = b"%b%b\n" % (header, (b"\n" + header).join(lines))
    if data.count(b"\n") == len(lines) and b"\r" not in data and b"\0" not in data:
        return data, None
    index = next(index for index, line in enumerate(lines) if _BREAKS.search(line))
    return b"", Rejected(
        index, "the line has a control character that ends a message (LF, CR, NUL)"
    )


def _counted(lines: Sequence[bytes], header: bytes) -> tuple[bytes, Rejected | None]:
    """Return messages behind their octet counts, and which of the lines can't be one, if any."""
    if not header and b"" in lines:
        return b"", Rejected(lines.index(b""), "an empty line can't be octet-counted")
    extra = len(header)
    return b"".join([b"%d %b%b" % (len(line) + extra, header, line) for line in lines]), None
