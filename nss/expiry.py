"""What is good until some moment: secrets and certificates, and when they end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from nss.files.private import MAX_PEM_BYTES, FileFault, read_bounded

Credential = Literal[
    "client_secret",
    "app_certificate",
    "server_certificate",
    "portal_certificate",
    "client_certificate",
    "collector",
]
"""A secret or a certificate of the application in Entra; a certificate of a listener of ours, that
of the portal, one that we show to collectors, and a collector's."""

DAY_SECS = 86_400

WARN_DAYS = (30, 14, 7)
"""How many days before an end there is a warning; from the last on the service is degraded."""

_WHAT: Mapping[Credential, str] = {
    "client_secret": "the Client Secret",
    "app_certificate": "the certificate for signing in",
    "server_certificate": "the server certificate",
    "portal_certificate": "the certificate of the portal",
    "client_certificate": "the client certificate",
    "collector": "the collector's certificate",
}
_MEANING: Mapping[Credential, tuple[str, str]] = {
    "client_secret": ("uploads go on until then", "nothing can be uploaded; records wait"),
    "app_certificate": ("uploads go on until then", "nothing can be uploaded; records wait"),
    "server_certificate": (
        "senders connect until then",
        "senders that check certificates refuse to connect, and their records do not come",
    ),
    "portal_certificate": (
        "records are not concerned",
        "browsers warn of the portal; records are not concerned",
    ),
    "client_certificate": (
        "collectors take lines until then",
        "collectors that ask for a certificate take no lines; records wait",
    ),
    "collector": ("lines are taken until then", "lines can't be sent safely; records wait"),
}
"""What it means for records before the end, and after it."""

_REMEDY: Mapping[Credential, str] = {
    "client_secret": "make a new one in Entra, and give it to: sudo nss configure-mcas2",
    "app_certificate": "renew it in its file, and upload its public part in Entra",
    "server_certificate": "renew it in its file, then: sudo nss reload",
    "portal_certificate": "renew it in its file, then: sudo nss restart",
    "client_certificate": "renew it in its file, then: sudo nss reload",
    "collector": "have it renewed there",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Something that ends at `ends_at`, seconds since the epoch."""

    component: str
    """`feed siem`, `source web`, `portal`, `MCAS`."""
    credential: Credential
    place: str = ""
    """The file of a certificate, the `HOST:PORT` of a collector."""
    ends_at: float
    seen_at: float | None = None
    """When a collector showed its certificate last; `None` for what is ours."""

    def days_left(self, now: float) -> int:
        """Return the whole days that are left at `now`, negative after the end."""
        return int((self.ends_at - now) // DAY_SECS)

    def warning_days(self, now: float) -> int | None:
        """Return the last warning that is due at `now`: of `WARN_DAYS`, or 0 after the end."""
        left_secs = self.ends_at - now
        due = (days for days in (0, *reversed(WARN_DAYS)) if left_secs <= days * DAY_SECS)
        return next(due, None)

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return _REMEDY[self.credential]

    def finding(self, now: float) -> str:
        """Return when it ends, as a sentence."""
        place = f" ({self.place})" if self.place else ""
        seen = "" if self.seen_at is None else f", as it was shown on {_day(self.seen_at)}"
        days, day = self.days_left(now), last_day(self.ends_at)
        if self.ends_at <= now:
            ends = f"has expired: its last day was {day}"
        elif days == 0:
            ends = f"expires in less than a day, on {day}"
        else:
            ends = f"expires in {days} day{'' if days == 1 else 's'}, on {day}"
        return f"{_WHAT[self.credential]}{place} {ends}{seen}"

    def meaning(self, now: float) -> str:
        """Return what it means for records."""
        return _MEANING[self.credential][self.ends_at <= now]

    def sentence(self, now: float) -> str:
        """Return when it ends, and what to do."""
        return f"{self.finding(now)}; {self.remedy}"


def last_day(ends_at: float) -> str:
    """Return the day in UTC on which something is good for the last time."""
    return _day(ends_at - 1)


def _day(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return "a day that no calendar has"


def pem_end(data: bytes) -> float | None:
    """Return when the first certificate in PEM ends, `None` if there is none to be read."""
    from cryptography import x509  # noqa: PLC0415 - a service without TLS does not need it

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
