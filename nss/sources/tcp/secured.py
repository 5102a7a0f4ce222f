"""A connection with TLS. asyncio's would answer the peer's end at once, before it is accepted."""

import asyncio
import contextlib
import ssl

from nss.admission.places import Place
from nss.sources.tcp.connection import End, TcpConnection

_READ_BYTES = 256 << 10


class SecuredConnection(TcpConnection):
    """One connection with TLS; `handshake` comes before everything else."""

    def __init__(self, place: Place, context: ssl.SSLContext) -> None:
        super().__init__(place)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._is_secured = False
        self._handshake: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def handshake(self, within_secs: float) -> None:
        """Wait for the handshake. Raises `OSError` when it fails or takes longer."""
        try:
            async with asyncio.timeout(within_secs):
                await self._handshake
        except TimeoutError:
            raise TimeoutError(f"it took longer than {within_secs:g} s") from None

    def confirm(self) -> None:
        """Say by a close_notify, too, that all that came is accepted."""
        super().confirm()
        with contextlib.suppress(ssl.SSLError):  # the peer has not said so, or never will
            self._tls.unwrap()
        self._flush()

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        """Decrypt what came, and keep it."""
        self._incoming.write(data)
        if not self._is_secured and not self._handshake.done():
            self._shake_hands()
        if self._is_secured:
            self._decrypt()

    def _begin(self) -> None:
        """Wait for the handshake: nothing is lost before it, and its alerts should arrive."""

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._fail(error)
        else:
            self._is_secured = True
            super()._begin()
            self._handshake.set_result(None)
        self._flush()

    def _decrypt(self) -> None:
        blocks: list[bytes] = []
        end: End | None = None
        try:
            while block := self._tls.read(_READ_BYTES):
                blocks.append(block)
            end = End.CLOSED
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.reason = str(error)
            end = End.BROKEN
        self._flush()
        if blocks:
            super().data_received(b"".join(blocks))
        if end is not None:
            self._ended(end)

    def _flush(self) -> None:
        """Send what TLS has to say."""
        data = self._outgoing.read()
        if data and not self.transport.is_closing():
            self.transport.write(data)

    def _ended(self, end: End) -> None:
        super()._ended(end)
        self._fail(ConnectionResetError(self.reason or end.value))

    def _fail(self, error: OSError) -> None:
        """Let the handshake fail, if it is still under way."""
        if not self._handshake.done():
            self._handshake.set_exception(error)
            self._handshake.exception()  # perhaps nothing waits for it
