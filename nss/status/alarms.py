"""Warnings before secrets and certificates end: once at 30, 14 and 7 days, and once at the end.

What was warned of is kept in a file, so that a restart does not repeat it:

    [{"component": "feed siem", "credential": "collector", "place": "10.0.0.1:6514",
      "ends_at": 1790000000.0, "days": 14}]

A renewed certificate has another end, and is warned of anew.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from nss import foreign
from nss.expiry import DAY_SECS, Expiry
from nss.files.private import FileFault, read_bounded, write_private
from nss.status import events

FILE_NAME = "expiry-warnings.json"

_MAX_BYTES = 1 << 20
_FORGET_SECS = 90 * DAY_SECS
"""How long after its end it is remembered that something had been warned of."""

_Key = tuple[str, str, str]


class _Warned(msgspec.Struct, frozen=True):
    component: str
    credential: str
    place: str
    ends_at: float
    days: int


class ExpiryAlarms:
    """Reports what ends soon, each time once. What can't be kept in `folder` a restart repeats."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._warned: dict[_Key, _Warned] = {}
        self._is_saved = True

    def load(self) -> None:
        """Read what earlier processes warned of; a file that is no good says nothing."""
        try:
            found = foreign.decode(read_bounded(self._path, _MAX_BYTES), list[_Warned])
        except (OSError, FileFault, msgspec.DecodeError):
            return
        self._warned = {(each.component, each.credential, each.place): each for each in found}

    def report(self, expiries: Sequence[Expiry], now: float) -> None:
        """Report the warnings that are due at `now` and were not reported before.

        Whatever the clock did meanwhile: a warning that was reported too early, by a clock that was
        ahead, is reported again when it is due.
        """
        for expiry in expiries:
            key: _Key = (expiry.component, expiry.credential, expiry.place)
            days, before = expiry.warning_days(now), self._warned.get(key)
            if before is not None and (before.ends_at, before.days) == (expiry.ends_at, days):
                continue
            if days is None:
                self._is_saved &= self._warned.pop(key, None) is None
                continue
            self._warned[key] = _Warned(*key, ends_at=expiry.ends_at, days=days)
            self._is_saved = False
            sentence, left = expiry.sentence(now), expiry.days_left(now)
            events.expires(expiry.component, expiry.credential, expiry.place, left, sentence)
        current = {(expiry.component, expiry.credential, expiry.place) for expiry in expiries}
        for key, warned in list(self._warned.items()):
            if key not in current and warned.ends_at < now - _FORGET_SECS:
                del self._warned[key]
                self._is_saved = False

    def save(self) -> None:
        """Write down what was warned of, if that changed. Blocks; never raises."""
        if self._is_saved:
            return
        self._is_saved = True
        with contextlib.suppress(OSError):  # a restart warns again
            write_private(self._path, msgspec.json.encode(list(self._warned.values())))
