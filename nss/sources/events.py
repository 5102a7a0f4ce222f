"""What happens in sources."""

from logging import ERROR, INFO, WARNING

from nss.telemetry.counters import Counter
from nss.telemetry.events import count, event


@event(WARNING, Counter.SOURCE_WAITS)
def source_waits(source: str, why: str) -> None:
    """The source can't read now; it tries again."""


@event(INFO, Counter.SOURCE_RECOVERIES)
def source_recovered(source: str) -> None:
    """The source reads again."""


@event(INFO, Counter.SOURCE_FILES)
def file_opened(source: str, path: str, offset: int) -> None:
    """A file is read."""


@event(WARNING, Counter.SOURCE_TRUNCATIONS)
def file_truncated(source: str, path: str) -> None:
    """The file was truncated or overwritten and is read from its start;
    what had not been read before is lost.
    """


@event(WARNING, Counter.SOURCE_POSITIONS_LOST)
def position_lost(source: str, path: str) -> None:
    """The file that was read last is gone or is a different file now;
    reading continues with the first file after it.
    """


@event(ERROR, Counter.SOURCE_POSITIONS_UNREADABLE)
def position_unreadable(source: str, path: str) -> None:
    """The kept position can't be understood: the file is read from its start,
    and records may come twice.
    """


@event(INFO)
def path_changed(source: str, before: str, path: str) -> None:
    """The source has another path now; its file is read from the start."""


@event(WARNING, Counter.SOURCE_HALF_RECORDS)
def half_record_dropped(source: str, bytes_: int, why: str) -> None:
    """The beginning of a record was dropped, because its end never came."""


@event(INFO)
def listening(source: str, address: str) -> None:
    """Connections are accepted."""


def connection_opened(source: str) -> None:
    """Count a connection."""
    count(Counter.SOURCE_CONNECTIONS, source)


@event(WARNING, Counter.SOURCE_CONNECTIONS_REFUSED)
def connection_refused(source: str, peer: str, max_connections: int, why: str) -> str:
    """A connection was closed at once: there are as many as allowed."""
    return why


@event(INFO, Counter.SOURCE_CONNECTIONS_DISPLACED)
def connection_displaced(source: str, peer: str) -> None:
    """A connection without a complete record or request was closed to make room for another."""


@event(INFO, Counter.SOURCE_CONNECTIONS_IDLE)
def connection_idle(source: str, peer: str, idle_secs: float) -> None:
    """A connection was closed: nothing came for too long."""


@event(WARNING, Counter.SOURCE_CONNECTIONS_FAILED)
def connection_failed(source: str, peer: str, why: str) -> None:
    """A connection was broken off."""


@event(WARNING, Counter.SOURCE_HANDSHAKES_FAILED)
def handshake_failed(source: str, peer: str, why: str) -> None:
    """A TLS handshake failed."""


@event(ERROR, Counter.SOURCE_FRAMING_FAILURES)
def framing_failed(source: str, peer: str, why: str) -> None:
    """A connection was closed: its records can't be told apart any more."""


def request_accepted(source: str) -> None:
    """Count a request of which every record is accepted."""
    count(Counter.SOURCE_REQUESTS_ACCEPTED, source)


@event(WARNING, Counter.SOURCE_REQUESTS_REFUSED)
def request_refused(source: str, peer: str, status: int, why: str, accepted: int = 0) -> str:
    """A request was refused.

    `accepted` of its records were accepted all the same, and come twice when it is repeated.
    """
    count(Counter[f"SOURCE_REQUESTS_REFUSED_{status}"], source)
    return f"{status} {why}"


@event(WARNING, Counter.SOURCE_REQUESTS_BROKEN_OFF)
def request_broken_off(source: str, peer: str, body_bytes: int, accepted: int) -> None:
    """A sender disconnected in the middle of its request."""
