"""The log as systemd's journal takes it: levels as priorities, facts as fields to search by.

`journalctl -u nss-streamer -p warning NSS_FEED=mcas` shows what is wrong with one feed.
"""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from logging_journald import JournaldTransport

from nss.telemetry.values import fact_text

IDENTIFIER = "nss"

_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
"""Of syslog(3), by the level from which on they hold."""

_DEBUG = 7
_DAEMON = 3
"""Facility of system services, as syslog(3) has it."""


def is_read_by_journal() -> bool:
    """Return whether what is written to stderr goes to the journal; see systemd.exec(5)."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):  # it is closed, no file, or None
        return False
    return (device, inode) == (str(found.st_dev), str(found.st_ino))


class JournalHandler(logging.Handler):
    """Sends records to the journal, with their facts as fields `NSS_...`.

    What the journal does not take goes to stderr, which ends there as well, without fields.
    """

    def __init__(self, socket_path: Path | None = None) -> None:
        super().__init__()
        # Addressed anew each time: the journal may be started again.
        self._transport = JournaldTransport(socket_path, connected=False)

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record; never raises."""
        try:
            message = self.format(record)
            try:
                self._transport.send(_fields(record, message))
            except OSError:
                sys.stderr.write(f"<{_priority(record.levelno)}>{message}\n")
                sys.stderr.flush()
        except Exception:  # noqa: BLE001 - what logging asks of handlers
            self.handleError(record)

    def close(self) -> None:
        """Close the socket."""
        self._transport.socket.close()
        super().close()


def _fields(record: logging.LogRecord, message: str) -> Iterator[tuple[str, bytes]]:
    yield "MESSAGE", _encoded(message)
    yield "PRIORITY", b"%d" % _priority(record.levelno)
    yield "SYSLOG_FACILITY", b"%d" % _DAEMON
    yield "SYSLOG_IDENTIFIER", IDENTIFIER.encode()
    yield "NSS_EVENT", _encoded(getattr(record, "event", "log"))
    component = getattr(record, "component", record.name)
    yield "NSS_COMPONENT", _encoded(component)
    facts: dict[str, object] = getattr(record, "facts", {})
    kind = getattr(record, "kind", "")
    parts = {kind: component} if kind not in {"", "component"} else {}
    for name, value in (parts | facts).items():
        yield f"NSS_{name.upper()}", _encoded(fact_text(value))


def _encoded(text: str) -> bytes:
    """Return text as a field has it; bytes are sent with their length, whatever is in them."""
    return text.encode(errors="backslashreplace")


def _priority(level: int) -> int:
    return next((number for least, number in _PRIORITIES if level >= least), _DEBUG)
