"""What can be known of the machine's clock: that it jumped, and that servers state other dates."""

from collections.abc import Iterator

from nss.status.readings import ClockReading
from nss.status.summary import Reason
from nss.wording import duration_text

JUMP_SECS = 30.0
"""What services that keep time do not do in small steps."""

SKEW_SECS = 300.0
"""From here on sign-ins fail: tokens and signatures are good for some minutes around now."""

JUMP_SHOWN_SECS = 3600.0
SKEW_SHOWN_SECS = 86_400.0

_COMPONENT = "clock"
_MEANING = (
    "records continue, in order; times that NSS states are wrong by it, and MCAS and ZIA may "
    "refuse to sign it in"
)
_REMEDY = "set it, and have it kept right: sudo timedatectl set-ntp true"


class ClockWatch:
    """Compares the clock that people set with one that nobody sets, at each look."""

    def __init__(self) -> None:
        self._difference: float | None = None
        self._jumped_secs = 0.0
        self._jumped_at: float | None = None
        """By the clock that nobody sets."""
        self._jumped_now = 0.0
        """By the clock of people, after the jump."""

    def reasons(self, at: float, now: float, clock: ClockReading | None) -> Iterator[Reason]:
        """Yield what is known to be wrong at `now`; `at` is the same moment by the other clock."""
        self._look(at, now)
        jumped = self._jumped_at
        if jumped is not None and at - jumped < JUMP_SHOWN_SECS:
            way = "forward" if self._jumped_secs > 0 else "back"
            by = duration_text(abs(self._jumped_secs))
            yield Reason(
                component=_COMPONENT,
                why=f"the clock of this machine jumped {way} by {by}: it was set, or the machine "
                "slept",
                since=self._jumped_now,
                degrades=False,
                meaning="records continue, in order, and none is lost; delays are measured by "
                "another clock",
                remedy="see whether it is right now: timedatectl",
            )
        if clock is not None and self._is_known(clock, now):
            way = "ahead of" if clock.ahead_secs > 0 else "behind"
            by = duration_text(abs(clock.ahead_secs))
            yield Reason(
                component=_COMPONENT,
                why=f"the clock of this machine is {by} {way} that of {clock.host}",
                since=clock.at,
                degrades=False,
                meaning=_MEANING,
                remedy=_REMEDY,
            )

    def _look(self, at: float, now: float) -> None:
        difference = now - at
        before, self._difference = self._difference, difference
        if before is not None and abs(difference - before) >= JUMP_SECS:
            self._jumped_secs = difference - before
            self._jumped_at, self._jumped_now = at, now

    def _is_known(self, clock: ClockReading, now: float) -> bool:
        """Return whether it is far off, and has not been set since that was seen."""
        is_recent = 0 <= now - clock.at < SKEW_SHOWN_SECS
        was_set_since = self._jumped_at is not None and clock.at < self._jumped_now
        return is_recent and not was_set_since and abs(clock.ahead_secs) >= SKEW_SECS
