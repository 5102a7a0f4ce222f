"""What a source that others send to has refused: by reason, with the last peer and its time."""

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

Cause = Literal[
    "credentials",
    "forbidden",
    "path",
    "too_large",
    "unsupported",
    "bad_request",
    "slow",
    "busy",
    "certificate",
    "client_certificate",
    "tls",
    "framing",
]
"""`path` is also what gets 401 and was no push: another path or method. `certificate`: the peer
did not accept ours. `client_certificate`: we did not accept the peer's, or it has none."""

_BY_STATUS: Mapping[HTTPStatus, Cause] = {
    HTTPStatus.UNAUTHORIZED: "credentials",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "path",
    HTTPStatus.METHOD_NOT_ALLOWED: "path",
    HTTPStatus.REQUEST_TIMEOUT: "slow",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported",
    HTTPStatus.SERVICE_UNAVAILABLE: "busy",
}

_ALERTS = (
    "ALERT_BAD_CERTIFICATE",
    "ALERT_CERTIFICATE_EXPIRED",
    "ALERT_CERTIFICATE_REVOKED",
    "ALERT_CERTIFICATE_UNKNOWN",
    "ALERT_UNKNOWN_CA",
    "ALERT_UNSUPPORTED_CERTIFICATE",
)
"""How OpenSSL's names of the alerts end by which a peer refuses a certificate (RFC 8446, 6.2)."""


_MAX_KNOWN = 1024
"""Addresses that are remembered because records came from them."""


@dataclass(slots=True)
class Refusal:
    """What was refused for one cause since the source started."""

    cause: Cause
    count: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    """Both are seconds since the epoch."""
    last_peer: str = ""
    """The address, without the port."""
    unbroken: int = 0
    """How many since records were last accepted."""
    unbroken_since: float | None = None
    """When the first of those was, seconds since the epoch."""
    unbroken_known: int = 0
    """How many of those were peers whose records had been accepted before: no strangers."""


class Refusals:
    """Counts them. What it keeps is bounded, whoever sends what."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._by_cause: dict[Cause, Refusal] = {}
        self._are_unbroken = False
        self._known: dict[str, None] = {}
        """The addresses that records came from, the latest last."""

    @property
    def all(self) -> tuple[Refusal, ...]:
        """One for each cause that there was, the newest first."""
        return tuple(sorted(self._by_cause.values(), key=lambda each: -each.last_at))

    def note(self, cause: Cause, peer: str) -> None:
        """Note that something was refused; `peer` is `HOST:PORT`."""
        found = self._by_cause.setdefault(cause, Refusal(cause))
        found.count += 1
        found.last_at = self._now()
        found.first_at = found.first_at or found.last_at
        found.last_peer = _address(peer)
        found.unbroken += 1
        found.unbroken_known += found.last_peer in self._known
        if found.unbroken_since is None:
            found.unbroken_since = found.last_at
        self._are_unbroken = True

    def accepted(self, peer: str) -> None:
        """Note that records were accepted; `peer` is `HOST:PORT`, or empty if that is not known."""
        address = _address(peer)
        self._known.pop(address, None)
        if address:
            self._known[address] = None
        if len(self._known) > _MAX_KNOWN:
            del self._known[next(iter(self._known))]
        if self._are_unbroken:
            self._are_unbroken = False
            for found in self._by_cause.values():
                found.unbroken, found.unbroken_since, found.unbroken_known = 0, None, 0


def _address(peer: str) -> str:
    return peer.rpartition(":")[0]


def cause_of_status(status: int) -> Cause:
    """Return the cause for which a request was answered so."""
    return _BY_STATUS.get(HTTPStatus(status), "bad_request")


def cause_of_handshake(error: OSError) -> Cause | None:
    """Return the cause for which a TLS handshake failed; `None`: the peer went, or said nothing."""
    if not isinstance(error, ssl.SSLError):
        return None
    reason = str(getattr(error, "reason", None))  # one that OpenSSL did not raise has none
    if reason.endswith(_ALERTS):
        return "certificate"
    is_missing = reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    if is_missing or isinstance(error, ssl.SSLCertVerificationError):
        return "client_certificate"
    return "tls"
