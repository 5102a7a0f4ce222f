"""How old a transaction may be: Cloud Discovery refuses what is older than 90 days."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC

from formats.compiled import is_wanted
from formats.lines import Lines
from formats.times import BadTime, parse_text

NextStated = Callable[[Lines, int, bytes, bytes], tuple[int, bytes]]
"""See `next_stated`."""

compiled_next_stated: NextStated | None = None
"""`None` where it was not built."""

with suppress(ImportError):
    from nss.sinks import _lines

    compiled_next_stated = _lines.next_stated

MAX_AGE_DAYS = 90

_DAY_SECS = 86_400
_TIME = b"\tdevTime="
_MAX_KNOWN = 50_000
_KEPT_SECS = 60.0


def next_stated(lines: Lines, number: int, tag: bytes, stated: bytes) -> tuple[int, bytes]:
    """Return the next line, from `number` on, whose value behind `tag`, up to TAB, is not `stated`.

    The value comes with it. It is the one behind the first tag of a line; lines without one are
    passed over. If there is no such line, the number of lines and nothing.
    """
    for index in range(number, len(lines)):
        line = lines[index]
        start = line.find(tag)
        if start < 0:
            continue
        value = line[start + len(tag) :].partition(b"\t")[0]
        if value != stated:
            return index, value
    return len(lines), b""


def _next_stated() -> NextStated:
    return next_stated if compiled_next_stated is None or not is_wanted() else compiled_next_stated


class AgeLimit:
    """Finds lines that are too old by their LEEF attribute `devTime`; lines without one pass.

    `now` gives seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._next = _next_stated()
        self._known: dict[bytes, bool] = {}
        self._known_until = 0.0

    def within(self, lines: Lines) -> int:
        """Return how many lines come before the first that is too old."""
        now = self._now()
        if not self._known_until - _KEPT_SECS <= now < self._known_until:
            self._known.clear()
            self._known_until = now + _KEPT_SECS
        number, stated = self._next(lines, 0, _TIME, b"")
        while number < len(lines) and not self._is_old(stated, now):
            number, stated = self._next(lines, number + 1, _TIME, stated)
        return number

    def _is_old(self, stated: bytes, now: float) -> bool:
        is_old = self._known.get(stated)
        return self._judge(stated, now) if is_old is None else is_old

    def _judge(self, stated: bytes, now: float) -> bool:
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        text = stated.decode("utf-8", "replace")
        try:
            is_old = now - parse_text(text, UTC).timestamp() > MAX_AGE_DAYS * _DAY_SECS
        except (BadTime, OverflowError):
            is_old = False  # for the service to judge
        self._known[stated] = is_old
        return is_old
