"""What a client of librdkafka last complained of: what a time-out alone does not say."""

import time
from collections.abc import Callable

from nss.causes import Cause
from nss.kafka.errors import Cluster, KafkaError, cause_of

RECENT_SECS = 90.0
"""A complaint explains what fails within this time after it."""

_VAGUE = {"_ALL_BROKERS_DOWN", "_TIMED_OUT", "_MSG_TIMED_OUT", "REQUEST_TIMED_OUT", "_FATAL"}
"""They say that something fails, not what."""


class Troubles:
    """Remembers the last complaint that says something. `note` may be called in any thread.

    `clock` returns monotonic seconds.
    """

    def __init__(self, cluster: Cluster, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._clock = clock
        self._last: tuple[KafkaError, float] | None = None

    def note(self, error: KafkaError) -> None:
        """Remember a complaint: this is the client's `error_cb`."""
        if error.name() not in _VAGUE:
            self._last = error, self._clock()

    def forget(self) -> None:
        """All is well again."""
        self._last = None

    def cause(self, error: KafkaError) -> Cause:
        """Return why something failed: `error`, or what was complained of shortly before it."""
        known = self.recent() if error.name() in _VAGUE else None
        return known or cause_of(error, self._cluster)

    def recent(self) -> Cause | None:
        """Return what was complained of last; `None`: nothing lately."""
        if self._last is None or self._clock() - self._last[1] > RECENT_SECS:
            return None
        return cause_of(self._last[0], self._cluster)
