"""TLS: contexts for listeners and for connections, and what their errors mean."""

import ssl
from pathlib import Path

from nss import wording
from nss.errors import SinkError, SourceError

_TIP = "run nss check: it says what is wrong with each file"


def client_context(
    ca: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Return a context that verifies chain and name of the peer, with TLS 1.2 or newer.

    `ca` holds the authorities, those of the system if `None`; `certificate` and `key` are what is
    shown to a peer that asks. All are PEM. Raises `SinkError` when a file can't be used.
    """
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca)
    except OSError as error:  # ssl.SSLError is one
        raise SinkError(
            f"using authorities failed: {error_text(error)} ({ca})", tip=_TIP
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    if certificate is not None:
        try:
            # Without an empty password OpenSSL would ask for a password at the terminal.
            context.load_cert_chain(certificate, key, password="")
        except OSError as error:
            reason = f"{error_text(error)} ({certificate}, {key})"
            raise SinkError(f"using a certificate failed: {reason}", tip=_TIP) from error
    return context


def error_text(error: OSError) -> str:
    """Return what an error of a socket or of TLS means, as half a sentence."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message.rstrip('.').lower()}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"TLS: {error.reason.replace('_', ' ').lower()}"
    return wording.error_text(error)


def server_context(
    name: str, certificate: Path | None, key: Path | None, client_ca: Path | None
) -> ssl.SSLContext | None:
    """Return the context of the listener of source `name`; `None` without a certificate.

    With `client_ca`, clients must show a certificate that one of its authorities signed. All are
    PEM. Raises `SourceError` when a file can't be used.
    """
    if certificate is None:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        reason = error_text(error)
        raise SourceError(f"source {name}: TLS can't be set up: {reason}", tip=_TIP) from None
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context
