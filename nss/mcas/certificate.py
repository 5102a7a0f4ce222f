"""The certificate that an application signs in with: read from its files, in the form for msal."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import Certificate, load_pem_x509_certificate

from nss.files.private import FileFault, read_bounded
from nss.mcas import SignInRefused
from nss.mcas.credentials import McasCredentials
from nss.wording import error_text

MAX_BYTES = 1 << 20

_FORMS = (
    "give a PEM file with the certificate and its key, a PEM file for each, or a PFX file with both"
)


def certificate_credential(credentials: McasCredentials) -> dict[str, str]:
    """Return what msal takes as `client_credential`. Raises `SignInRefused`; reads the files."""
    path = credentials.certificate
    if path is None:
        raise _refused("the certificate is missing", "run: sudo nss configure-mcas2")
    phrase = credentials.passphrase.reveal().encode() if credentials.passphrase else None
    data = _read(path)
    if b"-----BEGIN " in data:
        certificate = _certificate(data, path)
        key_path = credentials.private_key or path
        key = _pem_key(data if key_path == path else _read(key_path), phrase, key_path)
    else:
        certificate, key = _from_pfx(data, phrase, path)
    if not isinstance(key, RSAPrivateKey):
        raise _refused(
            f"the certificate can't be used: its key is not an RSA key ({path})",
            "make a certificate with an RSA key of 2048 bits or more: Entra takes no other",
        )
    if certificate.public_key() != key.public_key():
        raise _refused(
            f"the certificate can't be used: the private key is that of another ({path})",
            "give the key that the certificate was made with",
        )
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "private_key": text.decode(),
        "public_certificate": certificate.public_bytes(Encoding.PEM).decode(),
    }


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, MAX_BYTES)
    except OSError as error:
        raise _unreadable(path, error_text(error)) from None
    except FileFault as fault:
        raise _unreadable(path, f"it {fault}") from None


def _certificate(data: bytes, path: Path) -> Certificate:
    try:
        return load_pem_x509_certificate(data)
    except ValueError:
        raise _refused(
            f"the certificate can't be used: there is none in the file ({path})", _FORMS
        ) from None


def _pem_key(data: bytes, phrase: bytes | None, path: Path) -> object:
    if phrase is not None and b"ENCRYPTED" not in data:
        phrase = None  # it has none: a passphrase too many does no harm
    try:
        return load_pem_private_key(data, phrase)
    except TypeError:
        raise _locked(path) from None
    except (ValueError, UnsupportedAlgorithm):
        if phrase is not None:
            raise _locked(path) from None
        raise _refused(
            f"the certificate can't be used: there is no private key in the file ({path})", _FORMS
        ) from None


def _from_pfx(data: bytes, phrase: bytes | None, path: Path) -> tuple[Certificate, object]:
    try:
        key, certificate, _ = pkcs12.load_key_and_certificates(data, phrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _refused(
            f"the certificate can't be used: the file is neither PEM nor a PFX file that this "
            f"passphrase opens ({path})",
            _FORMS + ", and its passphrase",
        ) from None
    if key is None or certificate is None:
        what = "private key" if key is None else "certificate"
        raise _refused(
            f"the certificate can't be used: there is no {what} in the file ({path})", _FORMS
        )
    return certificate, key


def _unreadable(path: Path, reason: str) -> SignInRefused:
    return _refused(
        f"the certificate can't be read: {reason} ({path})",
        "name files that are there and that the user nss runs as may read",
    )


def _locked(path: Path) -> SignInRefused:
    return _refused(
        f"the certificate can't be used: its passphrase is missing or wrong ({path})",
        "give the passphrase of the private key",
    )


def _refused(sentence: str, tip: str) -> SignInRefused:
    return SignInRefused(sentence, tip=tip, field="certificate")
