"""What happens in sinks."""

from logging import ERROR, INFO, WARNING

from nss.telemetry.counters import Counter
from nss.telemetry.events import event


@event(WARNING, Counter.SINK_FAILURES, name="sink_failed")
def destination_failed(feed: str, destination: str, why: str) -> None:
    """The destination accepts no lines now; they wait and are sent again."""


@event(INFO, Counter.SINK_RECOVERIES, name="sink_recovered")
def destination_recovered(feed: str, destination: str) -> None:
    """The destination accepts lines again."""


@event(WARNING, Counter.SINK_FAILOVERS, name="sink_failed_over")
def failed_over(feed: str, failed: str, destination: str) -> None:
    """Lines go to the next destination."""


@event(ERROR, Counter.SINK_REFUSED_LATE, name="sink_refused_late")
def refused_late(feed: str, destination: str, why: str) -> None:
    """A message was refused after it counted as handed over: it is lost."""


@event(INFO, Counter.SINK_WAITS, name="sink_waited")
def send_waited(feed: str, destination: str, why: str) -> None:
    """The send buffers are full: sending waits for the network."""


@event(WARNING, Counter.SINK_LINES_TOO_LONG, name="sink_line_too_long")
def line_too_long(feed: str, destination: str, line_bytes: int, max_bytes: int) -> None:
    """A line is too long for the path to the destination: lines are shortened from now on."""


@event(WARNING, Counter.SINK_LOOKUP_FAILURES, name="sink_lookup_failed")
def lookup_failed(feed: str, host: str, why: str) -> None:
    """The destination's name could not be resolved; addresses known before stay in use."""


@event(INFO, Counter.SINK_ADDRESS_CHANGES, name="sink_addresses_changed")
def addresses_changed(feed: str, host: str, before: list[str], after: list[str]) -> None:
    """The destination's name has other addresses now."""


@event(WARNING, name="sink_file_half_line")
def half_line_ended(feed: str, path: str) -> None:
    """The file ended within a line: the next one begins on a line of its own."""


@event(INFO, Counter.SINK_FILE_REOPENS, name="sink_file_reopened")
def file_reopened(feed: str, path: str) -> None:
    """The file was moved or removed: a new one was opened."""


@event(WARNING, Counter.SINK_CONNECTIONS_LOST, name="sink_connection_lost")
def connection_lost(feed: str, destination: str, why: str, lines: int) -> None:
    """The connection was lost: lines that may not have arrived are sent again."""


@event(INFO, Counter.SINK_RESENT, amount="lines", name="sink_resent")
def lines_resent(feed: str, destination: str, lines: int) -> None:
    """Lines of a lost connection were sent again: the collector may have them twice."""


@event(WARNING, Counter.SINK_RESEND_CUT, amount="lines", name="sink_resend_cut")
def resend_cut(feed: str, max_bytes: int, lines: int) -> None:
    """More was sent within resend_secs than is kept: the oldest of it won't be sent again."""


@event(ERROR, Counter.SINK_NEVER_CONFIRMED, amount="lines", name="sink_never_confirmed")
def never_confirmed(feed: str, destination: str, lines: int) -> None:
    """Lines that counted as handed over were not confirmed before the end: they may be lost."""


@event(INFO, Counter.SINK_FILE_ROTATIONS, name="sink_file_rotated")
def file_rotated(feed: str, path: str, set_aside: str) -> None:
    """The file reached its maximum size and was set aside: a new one is begun."""


@event(WARNING, Counter.SINK_FILE_ROTATION_FAILURES, name="sink_file_rotation_failed")
def file_rotation_failed(feed: str, path: str, why: str) -> None:
    """The file could not be set aside: it keeps growing, and setting it aside is tried again."""
