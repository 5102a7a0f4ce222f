"""What happens in sinks, one function an event: the log line and its counter."""

import logging

from nss.telemetry.events import count, emit


def destination_failed(feed: str, destination: str, why: str) -> None:
    """Tell that a destination does not take lines now; they are kept and sent again."""
    emit(
        logging.WARNING,
        "sink_failed",
        feed,
        "The destination takes no lines now; they wait and are sent again.",
        destination=destination,
        why=why,
    )
    count("sink_failures", feed)


def destination_recovered(feed: str, destination: str) -> None:
    """Tell that a destination that had failed takes lines again."""
    emit(
        logging.INFO,
        "sink_recovered",
        feed,
        "The destination takes lines again.",
        destination=destination,
    )
    count("sink_recoveries", feed)


def failed_over(feed: str, failed: str, destination: str) -> None:
    """Tell that lines go to the next destination."""
    emit(
        logging.WARNING,
        "sink_failed_over",
        feed,
        "Lines go to the next destination.",
        failed=failed,
        destination=destination,
    )
    count("sink_failovers", feed)


def refused_late(feed: str, destination: str, why: str) -> None:
    """Tell that the network refused a message of an earlier send, which is lost."""
    emit(
        logging.ERROR,
        "sink_refused_late",
        feed,
        "A message was refused after it counted as handed over: it is lost.",
        destination=destination,
        why=why,
    )
    count("sink_refused_late", feed)


def send_waited(feed: str, destination: str, why: str) -> None:
    """Tell that the machine's send buffers were full and the send waited; nothing is lost."""
    emit(
        logging.INFO,
        "sink_waited",
        feed,
        "The send buffers are full: sending waits for the network.",
        destination=destination,
        why=why,
    )
    count("sink_waits", feed)


def line_too_long(feed: str, destination: str, line_bytes: int, max_bytes: int) -> None:
    """Tell that the path takes only shorter lines from now on."""
    emit(
        logging.WARNING,
        "sink_line_too_long",
        feed,
        "A line is too long for the path to the destination: lines are shortened from now on.",
        destination=destination,
        line_bytes=line_bytes,
        max_bytes=max_bytes,
    )
    count("sink_lines_too_long", feed)


def lookup_failed(feed: str, host: str, why: str) -> None:
    """Tell that a name could not be resolved; known addresses stay in use."""
    emit(
        logging.WARNING,
        "sink_lookup_failed",
        feed,
        "The destination's name could not be resolved; addresses known before stay in use.",
        host=host,
        why=why,
    )
    count("sink_lookup_failures", feed)


def addresses_changed(feed: str, host: str, before: list[str], after: list[str]) -> None:
    """Tell that a name has other addresses than before."""
    emit(
        logging.INFO,
        "sink_addresses_changed",
        feed,
        "The destination's name has other addresses now.",
        host=host,
        before=before,
        after=after,
    )
    count("sink_address_changes", feed)


def half_line_ended(feed: str, path: str) -> None:
    """Tell that the file ended within a line, which a process that was killed had begun."""
    emit(
        logging.WARNING,
        "sink_file_half_line",
        feed,
        "The file ended within a line: the next one begins on a line of its own.",
        path=path,
    )


def file_reopened(feed: str, path: str) -> None:
    """Tell that the file was moved or removed by somebody and was opened anew."""
    emit(
        logging.INFO,
        "sink_file_reopened",
        feed,
        "The file was moved or removed: a new one was opened.",
        path=path,
    )
    count("sink_file_reopens", feed)


def connection_lost(feed: str, destination: str, why: str, owed_lines: int) -> None:
    """Tell that a connection broke; lines that may not have arrived are sent again."""
    emit(
        logging.WARNING,
        "sink_connection_lost",
        feed,
        "The connection was lost: lines that may not have arrived are sent again.",
        destination=destination,
        why=why,
        lines=owed_lines,
    )
    count("sink_connections_lost", feed)


def lines_resent(feed: str, destination: str, lines: int) -> None:
    """Tell that lines went out once more, which the collector may have twice now."""
    emit(
        logging.INFO,
        "sink_resent",
        feed,
        "Lines of a lost connection were sent again: the collector may have them twice.",
        destination=destination,
        lines=lines,
    )
    count("sink_resent", feed, lines)


def resend_cut(feed: str, max_bytes: int, lines: int) -> None:
    """Tell that more was sent in `resend_secs` than is kept for sending again."""
    emit(
        logging.WARNING,
        "sink_resend_cut",
        feed,
        "More was sent within resend_secs than is kept: the oldest of it won't be sent again.",
        max_bytes=max_bytes,
        lines=lines,
    )
    count("sink_resend_cut", feed, lines)


def never_confirmed(feed: str, destination: str, lines: int) -> None:
    """Tell that the sink ends with lines handed over that no collector has confirmed."""
    emit(
        logging.ERROR,
        "sink_never_confirmed",
        feed,
        "Lines that counted as handed over were not confirmed before the end: they may be lost.",
        destination=destination,
        lines=lines,
    )
    count("sink_never_confirmed", feed, lines)


def file_rotated(feed: str, path: str, set_aside: str) -> None:
    """Tell that a file was set aside because of its size."""
    emit(
        logging.INFO,
        "sink_file_rotated",
        feed,
        "The file has reached its size and was set aside: a new one is begun.",
        path=path,
        set_aside=set_aside,
    )
    count("sink_file_rotations", feed)


def file_rotation_failed(feed: str, path: str, why: str) -> None:
    """Tell that a file could not be set aside; it grows beyond its size meanwhile."""
    emit(
        logging.WARNING,
        "sink_file_rotation_failed",
        feed,
        "The file could not be set aside: it grows on and is tried again.",
        path=path,
        why=why,
    )
    count("sink_file_rotation_failures", feed)
