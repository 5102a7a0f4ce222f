"""What happens where the service is asked: control socket, metrics port and portal."""

from logging import ERROR, INFO, WARNING

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


@event(ERROR, Counter.REQUESTS_FAILED)
def request_failed(part: str, request: str, where: str) -> None:
    """An operator's request failed; the stream is not affected.

    It ended in an error that nobody planned.
    """
