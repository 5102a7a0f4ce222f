"""Records from TCP connections, plain or TLS, framed by line feeds or octet counts."""

import ssl

from nss.admission.accepting import Address
from nss.admission.places import Place
from nss.batch import Batch
from nss.config.sources import TcpSourceConfig
from nss.sources import Accept, events
from nss.sources.framing.lines import Framer, FramingError, LineFramer, OctetFramer, StreamFramer
from nss.sources.listening import ListeningSource
from nss.sources.tcp.connection import End, TcpConnection
from nss.sources.tcp.secured import SecuredConnection


class TcpSource(ListeningSource[TcpConnection]):
    """Listens, and hands on the records of each connection in the order they came.

    A connection is read only once its last batch is accepted. It costs at most about 1 MiB of
    memory and twice `max_record_bytes`, so `max_connections` bounds the total. A last record
    without line feed counts as a line when the peer closed the connection in good order; when the
    connection broke, fell silent or the source stopped, it is dropped and counted.

    A connection is closed in good order (FIN, with TLS a close_notify before it) only once all that
    came over it is accepted. In every other case it is reset; also when it was silent, as what its
    sender writes next would otherwise be lost without an error.
    """

    _settings: TcpSourceConfig

    def __init__(
        self,
        settings: TcpSourceConfig,
        *,
        ssl_context: ssl.SSLContext | None = None,
        handshake_secs: float = 10.0,
    ) -> None:
        if ssl_context is not None:
            # A sender that never reads would close with the tickets unread, which makes its
            # kernel reset the connection, and records on the way are lost.
            ssl_context.num_tickets = 0
        super().__init__(
            settings, None, max_connections=settings.max_connections, handshake_secs=handshake_secs
        )
        self._tls = ssl_context

    def _connect(self, address: Address, place: Place) -> TcpConnection:
        del address
        return TcpConnection(place) if self._tls is None else SecuredConnection(place, self._tls)

    async def _serve(self, connection: TcpConnection, peer: str, accept: Accept) -> None:
        if not await self._secured(connection, peer):
            return
        framer = self._framer()

        async def hand_on(data: bytes, records: int) -> None:
            if data:
                connection.place.keep()
                await accept(Batch(self.name, data, records, connection=peer))

        while block := await connection.read(self._settings.idle_secs):
            try:
                data = framer.feed(block)
            except FramingError as fault:
                await hand_on(fault.data, fault.records)
                events.framing_failed(self.name, peer, str(fault))
                self.refusals.note("framing", peer)
                return
            await hand_on(data, framer.records)
        if connection.end is End.CLOSED:
            await hand_on(framer.flush(), framer.records)
        self._report_end(connection, peer, framer.held_bytes)
        if connection.end in {End.CLOSED, End.STOPPED} and not framer.held_bytes:
            connection.confirm()

    async def _secured(self, connection: TcpConnection, peer: str) -> bool:
        """Return whether records can come now: there is no TLS, or its handshake is done."""
        if not isinstance(connection, SecuredConnection):
            return True
        try:
            await connection.handshake(self._handshake_secs)
        except OSError as error:
            if connection.end not in {End.STOPPED, End.DISPLACED}:
                self._handshake_failed(peer, error)
            return False
        return True

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
