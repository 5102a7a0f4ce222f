"""What keeps the records of senders from being accepted now, in a sentence for `nss status`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

HELD_UP_SECS = 60.0
"""How long the source counts as failing after a request that the spool did not accept."""

UNUSABLE_SECS = 300.0
"""How long after a body that can't be used the records of others say nothing about its sender."""


class Condition:
    """Remembers what went wrong until it is known to go right again.

    A body that can't be used comes from a sender that is set up wrongly. It stays visible until
    that sender pushes records that are accepted, or somebody does and nothing of the kind has come
    for `UNUSABLE_SECS`: the same sender may have many addresses.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held_up = ""
        self._held_up_until = 0.0
        self._unusable = 0
        self._last: tuple[str, int, str] = ("", 0, "")
        self._last_at = ""
        self._forget_from = 0.0

    @property
    def reason(self) -> str | None:
        """Why requests are refused now; `None` when nothing is wrong."""
        if self._clock() < self._held_up_until:
            return f"requests get 503: {self._held_up}"
        if not self._unusable:
            return None
        peer, status, reason = self._last
        refused = "a request refused"
        if self._unusable > 1:
            refused = f"{self._unusable} requests refused, the last"
        return f"{refused} with {status}: {reason} (from {peer}, {self._last_at})"

    def held_up(self, reason: str) -> None:
        """Note that the spool did not accept a request."""
        self._held_up = reason
        self._held_up_until = self._clock() + HELD_UP_SECS

    def unusable(self, peer: str, status: int, reason: str) -> None:
        """Note a body that can't be used, however often it is sent."""
        self._unusable += 1
        self._last = (peer, status, reason)
        self._last_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S GMT")
        self._forget_from = self._clock() + UNUSABLE_SECS

    def accepted(self, peer: str, records: int) -> None:
        """Note a request that was accepted; an empty one does not show that records are usable."""
        self._held_up_until = 0.0
        is_same = _host(peer) == _host(self._last[0])
        if records and (is_same or self._clock() >= self._forget_from):
            self._unusable = 0


def _host(peer: str) -> str:
    return peer.rpartition(":")[0]
