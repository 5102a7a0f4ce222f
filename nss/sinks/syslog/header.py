"""What precedes the line in a syslog message: nothing, `<PRI>`, or an RFC 5424 header.

The RFC 5424 header is `<PRI>1 TIMESTAMP HOST APP - - - `; the timestamp is UTC.
"""

import socket
from collections.abc import Callable
from datetime import UTC, datetime

from nss.config.sinks import SyslogSinkConfig

DEFAULT_PRI = 134
"""local0, informational: for RFC 5424, which requires a PRI."""


class Header:
    """Makes headers of one length, as the settings of the sink ask for.

    `now` returns the current time, with a time zone.
    """

    def __init__(self, settings: SyslogSinkConfig, now: Callable[[], datetime]) -> None:
        pri, hostname = settings.pri, settings.hostname or socket.gethostname()
        self._plain = b"" if pri is None else b"<%d>" % pri
        self._rfc5424 = settings.rfc5424
        self._now = now
        self._pri = DEFAULT_PRI if pri is None else pri
        self._tail = f"Z {_word(hostname, 255)} {_word(settings.app_name, 48)} - - - "

    def __call__(self) -> bytes:
        """Return the header of a message sent now."""
        if not self._rfc5424:
            return self._plain
        stamp = self._now().astimezone(UTC).replace(tzinfo=None).isoformat("T", "milliseconds")
        return f"<{self._pri}>1 {stamp}{self._tail}".encode("ascii")


def _word(text: str, max_chars: int) -> str:
    """Return `text` as RFC 5424 allows it in a header: printable ASCII without blanks."""
    return "".join(c if "!" <= c <= "~" else "_" for c in text[:max_chars]) or "-"
