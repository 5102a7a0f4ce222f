"""What happens in sinks, one function an event: the log line and its counter."""

import logging

from nss.telemetry import count, emit


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
