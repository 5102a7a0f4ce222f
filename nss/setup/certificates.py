"""Certificates and keys out of a file: a zip such as the NSS certificate bundle, PEM or PFX."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12

from nss.errors import DataError, InputMissing
from nss.wording import error_text

MAX_BYTES = 1 << 20
MAX_MEMBERS = 32
SOON = timedelta(days=30)

_TEXTS = (".pem", ".crt", ".cer", ".key", ".pfx", ".p12")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A certificate with those above it, and its key; without a key it is one of authorities."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes | None

    @property
    def certificate(self) -> x509.Certificate:
        """The first one."""
        return self.chain[0]

    def chain_pem(self) -> bytes:
        """Return all certificates."""
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in self.chain)

    def key_pem(self) -> bytes:
        """Return the key, without a passphrase: the file's mode keeps it."""
        if self.key is None:
            return b""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def facts(self) -> dict[str, object]:
        """Return what people look at."""
        first = self.certificate
        return {
            "subject": first.subject.rfc4514_string(),
            "names": list(_names(first)),
            "issuer": first.issuer.rfc4514_string(),
            "valid_until": first.not_valid_after_utc.isoformat(),
            "sha256": first.fingerprint(hashes.SHA256()).hex(":"),
            "certificates": len(self.chain),
        }

    @property
    def ends_soon(self) -> bool:
        """Whether it has to be renewed within a month."""
        return self.certificate.not_valid_after_utc - datetime.now(UTC) < SOON


def read_bundle(
    path: Path, key: Path | None, passphrase: bytes | None, *, authorities: bool
) -> Bundle:
    """Return what is in the files. Raises `NssError` for what can't be used.

    `authorities` asks for certificates alone.
    """
    texts = [data for file in (path, key) if file is not None for data in _contents(file)]
    chain: list[x509.Certificate] = []
    keys: list[PrivateKeyTypes] = []
    for data in texts:
        found, own = _parsed(data, passphrase, path)
        chain += found
        keys += own
    if not chain:
        raise DataError(f"install-cert: there is no certificate in it ({path})")
    for one in chain:
        _check_time(one, path)
    if authorities:
        return Bundle(tuple(chain), None)
    if not keys:
        raise DataError(
            f"install-cert: there is no private key in it ({path})",
            tip="give it with --key FILE; or --ca, if these are authorities to trust",
        )
    return _matching(chain, keys, path)


def _matching(
    chain: Sequence[x509.Certificate], keys: Sequence[PrivateKeyTypes], path: Path
) -> Bundle:
    for key in keys:
        for one in chain:
            if _public(key.public_key()) == _public(one.public_key()):
                rest = [other for other in chain if other is not one]
                return Bundle((one, *rest), key)
    raise DataError(
        f"install-cert: the private key belongs to another certificate ({path})",
        tip="give the key that was made with the request for this certificate",
    )


def _public(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _contents(path: Path) -> list[bytes]:
    """Return what a file holds; a zip holds several. Raises `NssError`."""
    try:
        if path.exists() and not path.is_file():  # a FIFO would wait
            raise DataError(f"install-cert: this is not a regular file ({path})")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        why = error_text(error)
        raise InputMissing(f"install-cert: can't be read: {why} ({path})") from None
    if len(data) > MAX_BYTES:
        raise DataError(f"install-cert: the file is larger than {MAX_BYTES:,} bytes ({path})")
    return _unzipped(data, path) if data.startswith(b"PK\x03\x04") else [data]


def _unzipped(data: bytes, path: Path) -> list[bytes]:
    """Return the members that look like certificates and keys; their paths don't matter."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [one for one in archive.infolist() if one.filename.lower().endswith(_TEXTS)]
            if len(members) > MAX_MEMBERS or sum(one.file_size for one in members) > MAX_BYTES:
                raise DataError(f"install-cert: the zip has too much in it ({path})")
            found = []
            for one in members:
                with archive.open(one) as member:
                    found.append(member.read(MAX_BYTES))
            return found
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError):
        raise DataError(f"install-cert: the zip can't be read ({path})") from None


def _parsed(
    data: bytes, passphrase: bytes | None, path: Path
) -> tuple[list[x509.Certificate], list[PrivateKeyTypes]]:
    """Return certificates and keys of one file. Raises `DataError`."""
    try:
        if b"-----BEGIN " in data:
            return _of_pem(data, passphrase)
        key, first, others = pkcs12.load_key_and_certificates(data, passphrase)
    except TypeError:
        raise DataError(
            f"install-cert: the private key has a passphrase, or needs none ({path})",
            tip="give it in a file: --passphrase-file FILE, or leave that out",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise DataError(
            f"install-cert: this is neither PEM nor PFX, or the passphrase is wrong ({path})"
        ) from None
    return [one for one in (first, *others) if one is not None], [] if key is None else [key]


def _of_pem(
    data: bytes, passphrase: bytes | None
) -> tuple[list[x509.Certificate], list[PrivateKeyTypes]]:
    chain = x509.load_pem_x509_certificates(data) if b"BEGIN CERTIFICATE" in data else []
    if b"PRIVATE KEY-----" not in data:
        return chain, []
    is_encrypted = b"ENCRYPTED" in data
    key = serialization.load_pem_private_key(data, passphrase if is_encrypted else None)
    return chain, [key]


def _check_time(certificate: x509.Certificate, path: Path) -> None:
    now = datetime.now(UTC)
    name = certificate.subject.rfc4514_string()
    if certificate.not_valid_after_utc < now:
        until = certificate.not_valid_after_utc.date()
        raise DataError(f"install-cert: the certificate {name} was good until {until} ({path})")
    if certificate.not_valid_before_utc > now:
        since = certificate.not_valid_before_utc.date()
        raise DataError(
            f"install-cert: the certificate {name} is good from {since} on ({path})",
            tip="look at the clock of this machine",
        )


def _names(certificate: x509.Certificate) -> Sequence[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return [str(name.value) for name in found.value]
