"""Certificates and keys: read from PEM, PFX or a zip such as the NSS certificate bundle, and stored
where the service finds them.
"""

import io
import re
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

from nss.errors import ConfigError, DataError, InputMissing, UsageError
from nss.files.beneath import open_folder
from nss.files.private import MODE, FileFault, read_bounded
from nss.mcas.access import CERTIFICATES_NAME, audit_log
from nss.setup.sections import read_sections
from nss.wording import error_text

MAX_BYTES = 1 << 20
MAX_MEMBERS = 32
SOON = timedelta(days=30)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TEXTS = (".pem", ".crt", ".cer", ".key", ".pfx", ".p12")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A certificate with those above it, and its key; without a key: authorities to trust."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes | None

    @property
    def certificate(self) -> x509.Certificate:
        """The first of the chain."""
        return self.chain[0]

    def chain_pem(self) -> bytes:
        """Return all certificates."""
        return b"".join(
            certificate.public_bytes(serialization.Encoding.PEM) for certificate in self.chain
        )

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
        """Return what identifies the certificate, for people."""
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
    path: Path, key: Path | None, passphrase_file: Path | None, *, authorities: bool
) -> Bundle:
    """Return what is in the files. Raises `NssError` for what can't be used.

    `authorities` asks for certificates alone.
    """
    passphrase = None
    if passphrase_file is not None:
        passphrase = _read(passphrase_file, pipe=True).rstrip(b"\r\n")
    chain: list[x509.Certificate] = []
    keys: list[PrivateKeyTypes] = []
    for file in (path, key):
        for data in [] if file is None else _contents(file):
            found, own = _parsed(data, passphrase, path)
            chain += found
            keys += own
    if not chain:
        raise DataError(f"install-cert: there is no certificate in it ({path})")
    for certificate in chain:
        _check_time(certificate, path)
    if authorities:
        return Bundle(tuple(chain), None)
    if not keys:
        raise DataError(
            f"install-cert: there is no private key in it ({path})",
            tip="give it with --key FILE; or --ca, if these are authorities to trust",
        )
    return _matching(chain, keys, path)


def check_name(name: str) -> None:
    """Raise `UsageError` for a name that files can't have."""
    if not _NAME.fullmatch(name):
        raise UsageError("install-cert: a name is letters, digits, ., _ and -", tip="--name server")


def store(config: Path, name: str, bundle: Bundle) -> list[Path]:
    """Write a bundle for the service of a configuration file alone; return the paths.

    The first is the certificates, the second the key, if there is one. They belong to the owner of
    the state directory. Raises `NssError`.
    """
    state_directory = read_sections(
        config, "service.state_directory", may_be_missing=True
    ).service.state_directory
    folder = state_directory / CERTIFICATES_NAME
    paths = [folder / f"{name}.pem"]
    try:
        with (
            open_folder(state_directory) as state,
            state.make_folder(CERTIFICATES_NAME, 0o700, state.owner) as certificates,
        ):
            certificates.remove_drafts()
            # The key first: who reads between the two has the old pair or a key too many.
            if bundle.key is not None:
                paths.append(folder / f"{name}.key")
                certificates.write(paths[1].name, bundle.key_pem(), MODE, None)
            certificates.write(paths[0].name, bundle.chain_pem(), MODE, None)
    except OSError as error:
        raise ConfigError(
            f"install-cert: can't be stored: {error_text(error)} ({folder})",
            tip=f"run the command with sudo, and see what is there: sudo ls -la {folder}",
        ) from None
    audit_log(state_directory).write(
        "install-cert", "stored", name=name, sha256=str(bundle.facts()["sha256"])
    )
    return paths


def _matching(
    chain: Sequence[x509.Certificate], keys: Sequence[PrivateKeyTypes], path: Path
) -> Bundle:
    for key in keys:
        for certificate in chain:
            if _public(key.public_key()) == _public(certificate.public_key()):
                rest = [other for other in chain if other is not certificate]
                return Bundle((certificate, *rest), key)
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
    data = _read(path)
    return _unzipped(data, path) if data.startswith(b"PK\x03\x04") else [data]


def _read(path: Path, *, pipe: bool = False) -> bytes:
    try:
        return read_bounded(path, MAX_BYTES, pipe=pipe)
    except OSError as error:
        reason = error_text(error)
        raise InputMissing(f"install-cert: can't be read: {reason} ({path})") from None
    except FileFault as fault:
        raise DataError(f"install-cert: the file {fault} ({path})") from None


def _unzipped(data: bytes, path: Path) -> list[bytes]:
    """Return the members that look like certificates and keys; their paths don't matter."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [at for at in archive.infolist() if at.filename.lower().endswith(_TEXTS)]
            size_bytes = sum(member.file_size for member in members)
            if len(members) > MAX_MEMBERS or size_bytes > MAX_BYTES:
                raise DataError(f"install-cert: the zip has too much in it ({path})")
            found = []
            for member in members:  # whatever size the zip claims for it
                with archive.open(member) as file:
                    found.append(file.read(MAX_BYTES))
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
    chain = [certificate for certificate in (first, *others) if certificate is not None]
    return chain, [] if key is None else [key]


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
    now, name = datetime.now(UTC), certificate.subject.rfc4514_string()
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if until < now:
        raise DataError(
            f"install-cert: the certificate {name} was valid until {until.date()} ({path})"
        )
    if since > now:
        raise DataError(
            f"install-cert: the certificate {name} is valid from {since.date()} on ({path})",
            tip="check the clock of this machine",
        )


def _names(certificate: x509.Certificate) -> Sequence[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return [str(name.value) for name in found.value]
