"""What happens where the service is asked: at the control socket and the metrics port."""

from logging import INFO, WARNING

from nss.telemetry.counters import Counter
from nss.telemetry.events import event


@event(WARNING, Counter.CONNECTIONS_REFUSED)
def connection_refused(part: str, peer: str, max_connections: int, why: str) -> str:
    """A connection to the service itself was closed at once: there are as many as allowed."""
    return why


@event(INFO, Counter.CONNECTIONS_DISPLACED)
def connection_displaced(part: str) -> None:
    """A connection to the service itself that asked for nothing was closed to make room."""


@event(WARNING, Counter.CONNECTIONS_STALLED)
def connection_stalled(part: str, unsent_bytes: int) -> None:
    """A connection to the service itself was closed: its peer does not read the answer."""


@event(WARNING, Counter.ACCEPTING_WAITS)
def accepting_waits(part: str, why: str) -> None:
    """The service can't be asked now; it tries again."""
