"""The log of librdkafka, as events of ours: no line gets past what bounds and masks our log."""

import logging
import re

from nss.kafka import events
from nss.wording import harmless

MAX_TEXT = 500
"""Characters of a line that are kept."""

# FAIL [rdkafka#producer-1] [thrd:127.0.0.1:1/bootstrap]: 127.0.0.1:1/bootstrap: Connect to ...
_LINE = re.compile(r"(?P<facility>\S+) \[[^\]]*\] (?:\[thrd:[^ ]*\]: )?(?P<text>.*)", re.DOTALL)


class _Handler(logging.Handler):
    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part

    def emit(self, record: logging.LogRecord) -> None:
        """Report a line."""
        found = _LINE.fullmatch(record.getMessage())
        facility, text = (found["facility"], found["text"]) if found else ("", record.getMessage())
        say = events.warned if record.levelno >= logging.WARNING else events.noted
        say(self._part, facility, harmless(text[:MAX_TEXT]))


def library_log(part: str) -> logging.Logger:
    """Return what a client of `part` (`feed siem`, `source web`) gets as `logger`.

    Lines appear while the client polls, in the thread that does.
    """
    # Not from `getLogger`: that keeps every logger for good, and this one lives with its part.
    logger = logging.Logger(f"nss.kafka.{part}", logging.INFO)  # noqa: LOG001
    logger.addHandler(_Handler(part))
    return logger
