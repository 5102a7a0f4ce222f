"""TLS as a client that verifies, what its certificate says, and the clock of an HTTP server."""

import asyncio
import contextlib
import email.utils
import re
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime

from cryptography import x509

from nss.connectivity import Step, StepFailed
from nss.connectivity.dialing import MAX_HEAD_BYTES, in_time, millis
from nss.tls import error_text

WARN_OFFSET_SECS = 60
MAX_OFFSET_SECS = 300
"""Entra refuses assertions and tokens whose times are further away from its own."""

EXPIRES_SOON_DAYS = 14

_DAY_SECS = 86_400
_DATE = re.compile(rb"\r\ndate:[ \t]*([^\r\n]{1,64})", re.IGNORECASE)
_NOT_YET_VALID = 9
_EXPIRED = 10
_WRONG_NAMES = {62, 64}
"""X509_V_ERR_ codes of OpenSSL."""


class Secured:
    """A connection with TLS; `close` it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, step: Step
    ) -> None:
        self.step = step
        self._reader = reader
        self._writer = writer

    async def clock(self, host: str, timeout_secs: float, now: Callable[[], float]) -> Step:
        """Return how far the server's clock is from this machine's, by its HTTP Date header."""
        tip = "see what answers there: no HTTP server, or a proxy in between"
        try:
            async with asyncio.timeout(timeout_secs):
                head = f"HEAD / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: nss\r\n"
                self._writer.write(f"{head}Connection: close\r\n\r\n".encode())
                answer = await self._reader.readuntil(b"\r\n\r\n")
        except (OSError, EOFError, asyncio.LimitOverrunError):
            sentence = "the server did not answer a request for its clock"
            return Step("clock", sentence, tip, warns=True)
        found = _DATE.search(answer)
        try:
            text = "" if found is None else found[1].decode("ascii")
            server_time = email.utils.parsedate_to_datetime(text).timestamp()
        except (ValueError, OverflowError):
            return Step("clock", "the server does not state its time", tip, warns=True)
        return judged_offset(now() - server_time)

    async def close(self) -> None:
        """Close the connection."""
        self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


def judged_offset(offset_secs: float) -> Step:
    """Return what an offset means: this machine's clock less the server's, in seconds."""
    ahead = "ahead of" if offset_secs > 0 else "behind"
    size = abs(offset_secs)
    if size <= WARN_OFFSET_SECS:
        return Step("clock", f"the clocks agree within {max(1, round(size))} s")
    sentence = f"this machine's clock is {round(size)} s {ahead} the server's"
    tip = "set the clock by NTP: timedatectl set-ntp true; open UDP 123 to the time server"
    if size <= MAX_OFFSET_SECS:
        return Step("clock", sentence, tip, warns=True)
    return Step("clock", f"{sentence}: tokens are refused", tip, ok=False)


async def secure(
    connection: socket.socket, context: ssl.SSLContext, name: str, timeout_secs: float
) -> Secured:
    """Speak TLS on a connection, which is then its own.

    Raises `StepFailed`, and `ssl.SSLCertVerificationError`.
    """
    began = time.perf_counter()
    tip = "see that the port speaks TLS"
    try:
        with in_time("tls", f"TLS with {name}", timeout_secs, tip):
            async with asyncio.timeout(timeout_secs):
                reader, writer = await asyncio.open_connection(
                    sock=connection, ssl=context, server_hostname=name, limit=MAX_HEAD_BYTES
                )
    except ssl.SSLCertVerificationError:
        connection.close()
        raise
    except OSError as error:
        connection.close()
        reason = error_text(error) or "it closed the connection during the handshake"
        raise StepFailed("tls", f"no TLS: {reason} (with {name})", tip) from None
    except BaseException:
        connection.close()
        raise
    tls = writer.get_extra_info("ssl_object")
    data = tls.getpeercert(binary_form=True)
    description, expires = certificate_facts(data)
    days = None if expires is None else (expires - time.time()) / _DAY_SECS
    soon = days is not None and days < EXPIRES_SOON_DAYS
    renew = "have the certificate renewed" if soon else None
    sentence = f"{tls.version()}, {description}"
    step = Step("tls", sentence, renew, warns=soon, took_ms=millis(began))
    return Secured(reader, writer, step)


def untrusted(
    error: ssl.SSLCertVerificationError, data: bytes | None, ca: str, tip: str
) -> StepFailed:
    """Return the failure for a certificate that was not accepted, which is `data`."""
    shown = f"; it shows {certificate_facts(data)[0]}" if data else ""
    if error.verify_code in {_NOT_YET_VALID, _EXPIRED}:
        tip = "have the certificate renewed; and see that this machine's clock is right"
    elif error.verify_code in _WRONG_NAMES:
        tip = f"{tip}; or connect by a name that is in the certificate"
    return StepFailed("tls", f"{error_text(error)} (trusting {ca}){shown}", tip)


def certificate_facts(data: bytes | None) -> tuple[str, float | None]:
    """Describe a certificate, and when it expires in seconds since the epoch."""
    try:
        certificate = x509.load_der_x509_certificate(data or b"")
        expires = certificate.not_valid_after_utc
        subject = certificate.subject.rfc4514_string() or "no name"
        issuer = certificate.issuer.rfc4514_string() or "no name"
    except ValueError:
        return "a certificate that can't be read", None
    names = _alternative_names(certificate)
    name = f"{subject} ({names})" if names else subject
    until = expires.astimezone(UTC).date().isoformat()
    return f"certificate of {name}, by {issuer}, until {until}", _timestamp(expires)


async def shown_certificate(
    connection: socket.socket, name: str, timeout_secs: float
) -> bytes | None:
    """Return the certificate that a server shows, whatever it is; the connection is closed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # no byte of ours goes over it
    try:
        async with asyncio.timeout(timeout_secs):
            _, writer = await asyncio.open_connection(
                sock=connection, ssl=context, server_hostname=name
            )
    except OSError:
        connection.close()
        return None
    data: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return data


def _alternative_names(certificate: x509.Certificate) -> str:
    kind = x509.SubjectAlternativeName
    try:
        found = certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return ""
    return ", ".join(str(name.value) for name in list(found)[:5])


def _timestamp(at: datetime) -> float | None:
    try:
        return at.timestamp()
    except (OverflowError, ValueError):
        return None
