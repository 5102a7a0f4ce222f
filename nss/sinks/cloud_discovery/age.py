"""How old a transaction may be: Cloud Discovery refuses what is older than 90 days."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC

from formats.times import BadTime, parse_text

MAX_AGE_DAYS = 90

_DAY_SECS = 86_400
_TIME = b"\tdevTime="
_MAX_KNOWN = 50_000
_KEPT_SECS = 60.0


class AgeLimit:
    """Finds lines that are too old by their LEEF attribute `devTime`; lines without one pass.

    `now` gives seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._known: dict[bytes, bool] = {}
        self._known_until = 0.0

    def within(self, lines: Sequence[bytes]) -> int:
        """Return how many lines come before the first that is too old."""
        now = self._now()
        if not self._known_until - _KEPT_SECS <= now < self._known_until:
            self._known.clear()
            self._known_until = now + _KEPT_SECS
        known = self._known
        for number, line in enumerate(lines):
            start = line.find(_TIME)
            if start < 0:
                continue
            end = line.find(b"\t", start + 1)
            stated = line[start:end] if end > 0 else line[start:]
            is_old = known.get(stated)
            if is_old is None:
                is_old = self._judge(stated, now)
            if is_old:
                return number
        return len(lines)

    def _judge(self, stated: bytes, now: float) -> bool:
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        text = stated.removeprefix(_TIME).decode("utf-8", "replace")
        try:
            is_old = now - parse_text(text, UTC).timestamp() > MAX_AGE_DAYS * _DAY_SECS
        except (BadTime, OverflowError):
            is_old = False  # for the service to judge
        self._known[stated] = is_old
        return is_old
