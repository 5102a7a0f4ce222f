"""What keeps an upload from being tried now, and until when.

A service that asks for a pause gets it, up to the limit of the settings. A refusal is tried again
after pauses that double; only when it comes again and again do uploads count as stopped. Whatever
holds an upload ends when the credentials change, or when somebody asks for it.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Literal

from nss.errors import NssError
from nss.mcas import McasError

FIRST_PAUSE_SECS = 2.0
"""After a refusal; the next pause is twice as long."""

RECHECK_SECS = 900.0
"""How long a pause becomes at most: the cause may be fixed in a portal."""

STOPPED_AFTER = 6
"""Uploads count as stopped when the same refusal came so often in a row: for about a minute."""

HoldKind = Literal["held", "refused", "stopped", "unconfirmed"]


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing is tried until a time by the clock, as long as the credentials have this stamp."""

    kind: HoldKind
    until: float
    stamp: object


class Holds:
    """The hold of one feed, if there is any. `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._hold: Hold | None = None
        self._refusal: Hashable = None
        self._refused = 0
        """How often it was refused since it worked last, or since a hold was ended."""
        self._refused_alike = 0

    @property
    def kind(self) -> HoldKind | None:
        """What kind the last hold is of; it lasts until something works or is tried."""
        return None if self._hold is None else self._hold.kind

    @property
    def left_secs(self) -> float:
        """For how long nothing is tried."""
        return 0.0 if self._hold is None else max(0.0, self._hold.until - self._clock())

    def look(self, stamp: object) -> float:
        """Return for how long nothing is tried with credentials that have this stamp now."""
        if self._hold is not None and self._hold.stamp != stamp:
            self.end()
        return self.left_secs

    def hold(self, kind: HoldKind, secs: float, stamp: object) -> None:
        """Try nothing for a while."""
        self._hold = Hold(kind, self._clock() + secs, stamp)

    def refuse(self, error: NssError, stamp: object, *, at_once: bool = False) -> bool:
        """Note a refusal; return whether uploads count as stopped by it: `at_once` or in time."""
        code, status = (error.code, error.status) if isinstance(error, McasError) else (None, 0)
        refusal = (type(error), status, code, error.args)
        self._refused_alike = self._refused_alike + 1 if refusal == self._refusal else 1
        self._refusal = refusal
        pause_secs = min(FIRST_PAUSE_SECS * 2**self._refused, RECHECK_SECS)
        self._refused += 1
        is_stopped = at_once or self._refused_alike >= STOPPED_AFTER
        self.hold("stopped" if is_stopped else "refused", pause_secs, stamp)
        return is_stopped

    def end(self) -> None:
        """Let the next try be made now, and pauses be short again."""
        self._hold = self._refusal = None
        self._refused = self._refused_alike = 0
