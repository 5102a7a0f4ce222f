"""How long to wait before a destination that failed is tried again."""

import random
from collections.abc import Callable

FIRST_SECS = 0.25
MAX_SECS = 30.0


class Backoff:
    """Delays that double from `FIRST_SECS` to `MAX_SECS`, each shortened by up to a half.

    The jitter keeps many feeds from coming back to a restarted collector in the same instant.
    `jitter` returns a number in [0, 1).
    """

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._ceiling_secs = FIRST_SECS

    def next_secs(self) -> float:
        """Return the next delay."""
        ceiling_secs = self._ceiling_secs
        self._ceiling_secs = min(2 * ceiling_secs, MAX_SECS)
        return ceiling_secs * (1 - self._jitter() / 2)

    def reset(self) -> None:
        """Start again with short delays: something worked."""
        self._ceiling_secs = FIRST_SECS
