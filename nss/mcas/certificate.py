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
    path, data, phrase = _file(credentials)
    if b"-----BEGIN " in data:
        certificate = _certificate(data, path)
        key_path = credentials.private_key or path
        key = _pem_key(data if key_path == path else _read(key_path), phrase, key_path)
    else:
        certificate, key = _from_pfx(data, phrase, path)
    if not isinstance(key, RSAPrivateKey):
        tip = "make a certificate with an RSA key of 2048 bits or more: Entra accepts no other"
        raise _unusable("its key is not an RSA key", path, tip)
    if certificate.public_key() != key.public_key():
        tip = "give the key that the certificate was made with"
        raise _unusable("the private key is that of another", path, tip)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "private_key": text.decode(),
        "public_certificate": certificate.public_bytes(Encoding.PEM).decode(),
    }


def certificate_end(credentials: McasCredentials) -> float:
    """Return when the certificate ends, in seconds since the epoch. Raises `SignInRefused`.

    Its key is not looked at, but in a PFX file.
    """
    path, data, phrase = _file(credentials)
    is_pem = b"-----BEGIN " in data
    certificate = _certificate(data, path) if is_pem else _from_pfx(data, phrase, path)[0]
    return certificate.not_valid_after_utc.timestamp()


def _file(credentials: McasCredentials) -> tuple[Path, bytes, bytes | None]:
    """Return the file of the certificate, what is in it, and the passphrase."""
    path = credentials.certificate
    if path is None:
        raise SignInRefused(
            "the certificate is missing", tip="run: sudo nss configure-mcas2", field="certificate"
        )
    phrase = credentials.passphrase.reveal().encode() if credentials.passphrase else None
    return path, _read(path), phrase


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, MAX_BYTES)
    except (OSError, FileFault) as error:
        reason = error_text(error) if isinstance(error, OSError) else f"it {error}"
        raise SignInRefused(
            f"the certificate can't be read: {reason} ({path})",
            tip="name files that are there and that the user nss runs as may read",
            field="certificate",
        ) from None


def _certificate(data: bytes, path: Path) -> Certificate:
    try:
        return load_pem_x509_certificate(data)
    except ValueError:
        raise _unusable("there is none in the file", path) from None


def _pem_key(data: bytes, phrase: bytes | None, path: Path) -> object:
    if phrase is not None and b"ENCRYPTED" not in data:
        phrase = None  # it has none: a superfluous passphrase does no harm
    try:
        return load_pem_private_key(data, phrase)
    except TypeError:
        raise _locked(path) from None
    except (ValueError, UnsupportedAlgorithm):
        if phrase is not None:
            raise _locked(path) from None
        raise _unusable("there is no private key in the file", path) from None


def _from_pfx(data: bytes, phrase: bytes | None, path: Path) -> tuple[Certificate, object]:
    try:
        key, certificate, _ = pkcs12.load_key_and_certificates(data, phrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        reason = "the file is neither PEM nor a PFX file that this passphrase opens"
        raise _unusable(reason, path, f"{_FORMS}, and its passphrase") from None
    if key is None or certificate is None:
        missing = "private key" if key is None else "certificate"
        raise _unusable(f"there is no {missing} in the file", path)
    return certificate, key


def _locked(path: Path) -> SignInRefused:
    reason = "its passphrase is missing or wrong"
    return _unusable(reason, path, "give the passphrase of the private key")


def _unusable(reason: str, path: Path, tip: str = _FORMS) -> SignInRefused:
    sentence = f"the certificate can't be used: {reason} ({path})"
    return SignInRefused(sentence, tip=tip, field="certificate")
