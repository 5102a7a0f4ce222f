"""Syslog over TCP, with or without TLS: lines ended by LF, or each behind its octet count.

A message is the line alone, as NSS writes it, or a syslog header and the line; the header's
timestamp is made once for each send. Octet counting is that of RFC 6587 3.4.1 and RFC 5425: the
count of bytes in decimal, a blank, the message. Receivers that recognise the framing by the first
character (rsyslog) take a line that begins with a digit for a counted message: such lines need
octet counting or a `<PRI>`.

"Delivered" means written to the kernel's socket buffer. What the collector's TCP has not yet
acknowledged is kept, and if the connection breaks it is sent unchanged on the next connection,
before anything new. So nothing is lost on the way, and a collector may get lines twice. TCP does
not say whether a collector has read what its TCP has acknowledged; for one that crashed,
`resend_secs` sends the last lines again whatever was acknowledged.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Sequence

from formats.lines import Lines
from nss import causes
from nss.addresses import host_port
from nss.causes import Cause
from nss.config.sinks import SyslogTcpSinkConfig
from nss.expiry import Expiry
from nss.sinks import Delivered, Outcome, Rejected, RetryAfter, events
from nss.sinks.syslog.destinations import Endpoint
from nss.sinks.syslog.resend import RESEND_MAX_BYTES, Chunk, ResendBuffer
from nss.sinks.syslog.sink import SYSTEM, EndpointFailed, Environment, Sending, SyslogSink
from nss.sinks.syslog.tcp_connection import Connection
from nss.sinks.syslog.tls_stream import TlsStream
from nss.tls import error_text

CHUNK_BYTES = 128 * 1024
"""Lines are written in chunks of about this size, or singly where a line is longer."""

STEADY_SECS = 1.0
"""A connection that lasted this long and was then closed is made again at once; a shorter
connection counts as a failure of its destination."""


_BREAKS = "the line has a control character that ends a message (LF, CR, NUL)"
_EMPTY = "an empty line can't be octet-counted"


class SyslogTcpSink(SyslogSink[Sending]):
    """Sends each line as one message over a connection.

    With an `ssl_context` (see `nss.tls.client_context`) the connection is TLS. At most
    `resend_max_bytes` are kept for `resend_secs` of the settings. A connection is given
    `finish_secs` to end gracefully. `environment` is a seam for tests.
    """

    def __init__(
        self,
        name: str,
        settings: SyslogTcpSinkConfig,
        *,
        ssl_context: ssl.SSLContext | None = None,
        resend_max_bytes: int = RESEND_MAX_BYTES,
        finish_secs: float = 5.0,
        environment: Environment = SYSTEM,
    ) -> None:
        super().__init__(name, settings, environment)
        self._settings = settings
        self._counts = settings.framing == "octet"
        self._ssl_context = ssl_context
        self._finish_secs = finish_secs
        self._clock = environment.clock
        self._resend = ResendBuffer(settings.resend_secs, environment.clock, resend_max_bytes)
        self._connection: Connection | None = None
        self._shown: dict[str, Expiry] = {}
        """The certificates that collectors showed last, by destination."""
        self._busy = False
        self._restoring: asyncio.Task[None] | None = None

    async def send(self, lines: Lines, keys: Sequence[int] | None = None) -> Outcome:  # noqa: ARG002 - the contract's
        """Write each line as one message; see `Sink.send`."""
        if not lines:
            return Delivered()
        self._busy = True
        try:
            await self._stop_restoring()
            outcome = await self._send(lines)
        finally:
            self._busy = False
        if not isinstance(outcome, RetryAfter):
            self._restore_if_lost()
        return outcome

    async def expiries(self) -> Sequence[Expiry]:
        """See `ExpiringSink.expiries`."""
        return tuple(self._shown.values())

    async def close(self) -> None:
        """Give what was written about `finish_secs` to arrive, and close the connection."""
        self._busy = True
        await self._stop_restoring()
        ended = await self._disconnect()
        if ended and self._resend.owed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._finish_secs):
                    await self._send_owed()
            await self._disconnect()
        if self._resend.unconfirmed_lines:
            events.never_confirmed(self.name, self.destination, self._resend.unconfirmed_lines)
        self._resend.clear()
        await self._destinations.close()

    async def _send_owed(self) -> None:
        """Send what is owed, with as many attempts as it takes."""
        outcome = await self._send(Lines.of(()))
        while isinstance(outcome, RetryAfter):
            await asyncio.sleep(outcome.delay_secs)
            outcome = await self._send(Lines.of(()))

    async def _send(self, lines: Lines) -> Outcome:
        """Send what is owed from earlier connections, then the lines."""
        return await self._fail_over(Sending(lines, self._header()))

    async def _attempt(self, sending: Sending, endpoint: Endpoint) -> Outcome:
        connection = await self._connect(endpoint)
        try:
            rejected = await self._hand_over(sending, connection)
        except OSError as error:
            cause = self._cause(endpoint, error, is_connected=True)
            raise EndpointFailed(cause, reconnect=self._lose(connection, error)) from error
        if connection.age_secs >= STEADY_SECS:
            self._backoff.reset()
        self._destinations.worked(endpoint)
        return rejected or Delivered()

    async def _connect(self, endpoint: Endpoint) -> Connection:
        """Return the connection to `endpoint`; close one to another endpoint once this is made.

        Raises `EndpointFailed`.
        """
        present = self._connection
        if present is not None and present.endpoint == endpoint:
            return present
        connection: Connection | None = None
        try:
            connection = Connection(
                endpoint,
                self._tls_to(endpoint),
                stall_secs=self._settings.stall_secs,
                on_lost=self._restore_if_lost,
                clock=self._clock,
            )
            await connection.open(self._settings.connect_secs)
        except OSError as error:
            is_reached = connection is not None and connection.is_reached
            if is_reached and isinstance(error, TimeoutError):
                cause = causes.no_tls(error_text(error), self._peer(endpoint), self._section)
            else:
                cause = self._cause(endpoint, error)
            raise EndpointFailed(cause) from error
        self._note_certificate(endpoint, connection)
        try:
            await self._disconnect()
        finally:
            self._connection = connection
        return connection

    def _note_certificate(self, endpoint: Endpoint, connection: Connection) -> None:
        ends_at = connection.peer_ends_at
        if ends_at is not None:
            place = host_port(endpoint.host, endpoint.port)
            self._shown[place] = Expiry(
                component=f"feed {self.name}",
                credential="collector",
                place=place,
                ends_at=ends_at,
                seen_at=time.time(),
            )

    def _cause(self, endpoint: Endpoint, error: OSError, *, is_connected: bool = False) -> Cause:
        peer = self._peer(endpoint)
        if isinstance(error, ssl.SSLError):
            return causes.of_tls(error, peer, self._section, self._expected_name(endpoint))
        if is_connected and isinstance(error, TimeoutError):
            return causes.reads_nothing(error_text(error), peer)
        return causes.of_connection(error, peer)

    def _expected_name(self, endpoint: Endpoint) -> str:
        # The zone of a link-local address is no part of the name.
        return self._settings.tls_server_name or endpoint.host.partition("%")[0]

    def _tls_to(self, endpoint: Endpoint) -> TlsStream | None:
        if self._ssl_context is None:
            return None
        return TlsStream(self._ssl_context, self._expected_name(endpoint))

    async def _disconnect(self) -> bool:
        """Close the connection gracefully; return whether it ended in time."""
        connection, self._connection = self._connection, None
        if connection is None:
            return True
        broken = connection.error is not None
        try:
            return await connection.finish(self._finish_secs)
        finally:
            self._cut(self._resend.ended(connection.confirmed(), graceful=not broken))

    async def _hand_over(self, sending: Sending, connection: Connection) -> Rejected | None:
        """Write what is owed and what is left. Raises OSError when the connection breaks."""
        connection.check()
        await self._write_owed(connection)
        while sending.left:
            rest = sending.lines[sending.sent :]
            size = max(1, rest.fitting(CHUNK_BYTES))
            if self._pace is not None:
                size = await self._pace.turn(size)
            lines = rest[:size]
            good, reason = self._checked(lines, sending.header)
            if not good:
                return Rejected(sending.sent, reason)
            lines = lines[:good]
            data = self._framed(lines, sending.header)
            await self._write(Chunk(data, len(lines)), connection)
            sending.sent += len(lines)
            if sending.left:
                await asyncio.sleep(0)
        return None

    def _checked(self, lines: Lines, header: bytes) -> tuple[int, str]:
        """Return how many lines come before one that can't be a message, and why it can't."""
        if header and self._counts:
            return len(lines), ""
        found = self._wire.fault_in(lines, self._counts)
        if found < 0:
            return len(lines), ""
        return found, _EMPTY if self._counts else _BREAKS

    def _framed(self, lines: Lines, header: bytes) -> bytes | memoryview:
        """Return messages ended by LF or behind their octet counts.

        Lines are that already if they need no header. What is written may be kept for a while, and
        with it the whole buffer: so they are copied unless they are seven eighths of that.
        """
        if header or self._counts:
            return self._wire.framed(lines, header, self._counts)
        is_most = 8 * lines.size_bytes >= 7 * lines.buffer.nbytes
        return lines.data if is_most else bytes(lines.data)

    async def _write_owed(self, connection: Connection) -> None:
        owed = self._resend.owed
        while owed:
            chunk = owed[0]
            if self._pace is not None:
                await self._pace.turn(chunk.lines)
            await self._write(chunk, connection)
            owed.popleft()
            events.lines_resent(self.name, str(connection.endpoint), chunk.lines)

    async def _write(self, chunk: Chunk, connection: Connection) -> None:
        self._cut(self._resend.confirm(connection.confirmed()))
        self._resend.written(chunk, await connection.write(chunk.data))

    def _lose(self, connection: Connection, error: OSError) -> bool:
        """Give up a connection; return whether it is worth reconnecting at once."""
        self._connection = None
        connection.close()
        self._cut(self._resend.ended(connection.confirmed()))
        lines = sum(chunk.lines for chunk in self._resend.owed)
        events.connection_lost(self.name, str(connection.endpoint), error_text(error), lines)
        return isinstance(error, ConnectionError) and connection.age_secs >= STEADY_SECS

    def _cut(self, lines: int) -> None:
        if lines:
            events.resend_cut(self.name, self._resend.max_bytes, lines)

    def _restore_if_lost(self) -> None:
        """Send what a lost connection owes, without waiting for new lines."""
        connection = self._connection
        if self._busy or connection is None or connection.error is None:
            return
        self._cut(self._resend.confirm(connection.confirmed()))
        if self._resend:
            self._restoring = asyncio.create_task(self._restore())

    async def _restore(self) -> None:
        self._busy = True
        await self._send_owed()
        self._busy = False
        self._restore_if_lost()

    async def _stop_restoring(self) -> None:
        """End what restores; with `_busy` set, or a loss heard of meanwhile begins it again."""
        task, self._restoring = self._restoring, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
