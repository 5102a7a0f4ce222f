"""TLS: contexts for listeners and for connections, and what their errors mean."""

import ssl
from pathlib import Path

from nss import wording
from nss.errors import NssError, SinkError, SourceError
from nss.files.private import MAX_PEM_BYTES, FileFault, bounded_copy

_TIP = "run nss check: it says what is wrong with each file"


def client_context(
    ca: Path | None = None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Return a context that verifies chain and name of the peer, with TLS 1.2 or newer.

    `ca` holds the authorities, those of the system if `None`; `certificate` and `key` are what is
    shown to a peer that asks. All are PEM. Raises `SinkError` when a file can't be used.
    """
    try:
        context = _context(ssl.Purpose.SERVER_AUTH, ca)
    except (OSError, FileFault) as error:  # ssl.SSLError is an OSError
        raise SinkError(f"using authorities failed: {_reason(error)} ({ca})", tip=_TIP) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    if certificate is not None:
        try:
            _load_identity(context, certificate, key)
        except (OSError, FileFault) as error:
            reason = f"{_reason(error)} ({certificate}, {key})"
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
    component: str,
    certificate: Path | None,
    key: Path | None,
    client_ca: Path | None = None,
    *,
    error_type: type[NssError] = SourceError,
) -> ssl.SSLContext | None:
    """Return the context of a listener; `None` without a certificate.

    With `client_ca`, clients must show a certificate that one of its authorities signed. All are
    PEM. Raises `error_type` when a file can't be used; `component` is named then.
    """
    if certificate is None:
        return None
    try:
        context = _context(ssl.Purpose.CLIENT_AUTH, client_ca)
        _load_identity(context, certificate, key)
    except (OSError, FileFault) as error:  # ssl.SSLError is an OSError
        reason = _reason(error)
        raise error_type(f"{component}: TLS can't be set up: {reason}", tip=_TIP) from None
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _context(purpose: ssl.Purpose, ca: Path | None) -> ssl.SSLContext:
    """Return a context that trusts the authorities in a file. Raises `OSError` and `FileFault`."""
    if ca is None:
        return ssl.create_default_context(purpose)
    with bounded_copy(ca, MAX_PEM_BYTES) as copy:
        return ssl.create_default_context(purpose, cafile=copy)


def _load_identity(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    """Have a context show a certificate. Raises `OSError` and `FileFault`."""
    with (
        bounded_copy(certificate, MAX_PEM_BYTES) as copy,
        bounded_copy(key or certificate, MAX_PEM_BYTES) as key_copy,
    ):
        context.load_cert_chain(copy, key_copy, password=_no_password)


def _no_password() -> str:
    """Refuse to give a password; without such a function OpenSSL asks for it at the terminal."""
    raise OSError("the private key is encrypted; it must be a key without password")


def _reason(error: OSError | FileFault) -> str:
    return error_text(error) if isinstance(error, OSError) else f"a file {error}"
