"""TLS without a socket: lines in, bytes for the wire out.

So the connection counts each byte given to the kernel, and TCP's acknowledgements show which lines
arrived just as they do without TLS.
"""

import contextlib
import errno
import ssl

READ_BYTES = 64 * 1024


class TlsStream:
    """The client's side of one TLS connection. Raises ssl.SSLError for what TLS forbids."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    @property
    def verdict_is_late(self) -> bool:
        """Whether the peer may refuse our certificate after the handshake (TLS 1.3)."""
        return self._tls.version() == "TLSv1.3"

    @property
    def peer_ends_at(self) -> float | None:
        """When the peer's certificate ends, in seconds since the epoch; it was verified."""
        shown = self._tls.getpeercert() or {}
        try:
            return ssl.cert_time_to_seconds(str(shown.get("notAfter")))
        except ValueError:  # it has no end that can be read
            return None

    def handshake(self) -> bool:
        """Continue the handshake; return whether it is complete, else more must be received."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def encrypt(self, data: bytes | memoryview) -> bytes:
        """Return what to send for `data`, after what TLS itself has to send."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._tls.write(rest) :]
        return self._outgoing.read()

    def to_send(self) -> bytes:
        """Return what TLS itself has to send."""
        return self._outgoing.read()

    def received(self, data: bytes) -> None:
        """Accept bytes from the wire for the handshake."""
        self._incoming.write(data)

    def drop(self, data: bytes) -> None:
        """Accept bytes from the wire and discard what the peer sends in them.

        Raises ConnectionResetError when it closes the connection.
        """
        self._incoming.write(data)
        try:
            while self._tls.read(READ_BYTES):
                pass
        except ssl.SSLWantReadError:
            return
        raise ConnectionResetError(errno.ECONNRESET, "it closed the connection")

    def closing(self) -> bytes:
        """Return what announces the end (close_notify)."""
        with contextlib.suppress(ssl.SSLError):  # the peer has not sent its own yet
            self._tls.unwrap()
        return self._outgoing.read()
