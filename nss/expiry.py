"""What is good until some moment: secrets and certificates, and when they end."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nss.files.private import MAX_PEM_BYTES, FileFault, read_bounded

Credential = Literal[
    "client_secret", "app_certificate", "server_certificate", "client_certificate", "collector"
]
"""A secret or a certificate of the application in Entra; a certificate of a listener of ours, one
that we show to collectors, and a collector's."""

DAY_SECS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Something that ends at `ends_at`, seconds since the epoch."""

    component: str
    """`feed siem`, `source web`, `MCAS`."""
    credential: Credential
    place: str = ""
    """The file of a certificate, the `HOST:PORT` of a collector."""
    ends_at: float
    seen_at: float | None = None
    """When a collector showed its certificate; `None` for what is ours."""

    def days_left(self, now: float) -> int:
        """Return the whole days that are left at `now`, negative after the end."""
        return int((self.ends_at - now) // DAY_SECS)


def pem_end(data: bytes) -> float | None:
    """Return when the first certificate in PEM ends, `None` if there is none to be read."""
    from cryptography import x509  # noqa: PLC0415 - 5 MB, which a service without TLS saves

    try:
        return x509.load_pem_x509_certificate(data).not_valid_after_utc.timestamp()
    except (ValueError, OverflowError):
        return None


def file_end(path: Path) -> float | None:
    """Return when the certificate in a PEM file ends, `None` if it can't be read."""
    try:
        return pem_end(read_bounded(path, MAX_PEM_BYTES))
    except (OSError, FileFault):
        return None
