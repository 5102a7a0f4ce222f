"""Records from TCP connections, plain or TLS, framed by line feeds or octet counts."""

import ssl
from functools import partial

from nss.batch import Batch
from nss.config.sources import TcpSourceConfig
from nss.sources import Accept, events
from nss.sources.framing.lines import Framer, FramingError, LineFramer, OctetFramer, StreamFramer
from nss.sources.listening import Acceptor
from nss.sources.tcp.connection import End, TcpConnection


class TcpSource:
    """Listens, and hands on the records of each connection in the order they came.

    A connection is read only once its last batch is accepted. It costs at most about 1 MiB of
    memory and twice `max_record_bytes`, so `max_connections` bounds the total. A last record
    without line feed counts as a line when the peer closed the connection in good order; when the
    connection broke, fell silent or the source stopped, it is dropped and counted.
    """

    def __init__(
        self,
        settings: TcpSourceConfig,
        *,
        ssl_context: ssl.SSLContext | None = None,
        handshake_secs: float = 10.0,
    ) -> None:
        self.name = settings.name
        self._settings = settings
        if ssl_context is not None:
            # A sender that never reads would close with the tickets unread, which makes its
            # kernel reset the connection, and records on the way are lost.
            ssl_context.num_tickets = 0
        self._acceptor = Acceptor[TcpConnection](
            settings,
            ssl_context,
            max_connections=settings.max_connections,
            handshake_secs=handshake_secs,
        )
        self.ready = self._acceptor.ready

    async def run(self, accept: Accept) -> None:
        """Serve connections until `stop`. Raises `SourceError` when the port can't be had."""
        await self._acceptor.run(
            lambda _: TcpConnection(), partial(self._serve, accept), self._acceptor.closed
        )

    async def stop(self) -> None:
        """Accept no more connections and read no further; complete records are still handed on."""
        self._acceptor.stop()

    @property
    def last_error(self) -> str | None:
        """Why no connection can be accepted now."""
        return self._acceptor.last_error

    @property
    def bound_port(self) -> int | None:
        """The port listened at, once it is known."""
        return self._acceptor.bound_port

    async def _serve(self, accept: Accept, connection: TcpConnection, peer: str) -> None:
        """Hand on the records of a connection, until its end."""
        framer = self._framer()

        async def hand_on(data: bytes, records: int) -> None:
            if data:
                await accept(Batch(self.name, data, records, connection=peer))

        while block := await connection.read(self._settings.idle_secs):
            try:
                data = framer.feed(block)
            except FramingError as fault:
                await hand_on(fault.data, fault.records)
                events.framing_failed(self.name, peer, str(fault))
                return
            await hand_on(data, framer.records)
        if connection.end is End.CLOSED:
            await hand_on(framer.flush(), framer.records)
        self._report_end(connection, peer, framer.held_bytes)

    def _report_end(self, connection: TcpConnection, peer: str, held_bytes: int) -> None:
        if connection.end is End.BROKEN:
            events.connection_failed(self.name, peer, connection.reason)
        if connection.end is End.SILENT:
            events.connection_idle(self.name, peer, self._settings.idle_secs)
        if held_bytes and connection.end is not None:
            events.half_record_dropped(self.name, held_bytes, connection.end.value)

    def _framer(self) -> Framer:
        match self._settings.framing:
            case "newline":
                return LineFramer(self._settings.max_record_bytes)
            case "octet":
                return OctetFramer(self._settings.max_record_bytes)
            case "auto":
                return StreamFramer(self._settings.max_record_bytes)
