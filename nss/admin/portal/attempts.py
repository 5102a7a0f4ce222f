"""Attempts to sign in: how long an address and an account have to wait for the next one.

Some are free, then the wait doubles with each failure up to 15 minutes. An attack on an account
from many addresses makes everybody wait who wants to sign in to that account with a password;
links from the command line (`nss portal sign-in-link`) are never counted here.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from nss.addresses import one_peer

FREE_OF_ADDRESS = 10
"""More than of an account: several people may share an address."""
FREE_OF_ACCOUNT = 5
FIRST_WAIT_SECS = 2.0
MAX_WAIT_SECS = 900.0
FORGET_SECS = 4 * MAX_WAIT_SECS
"""So long after the last failure an address or an account starts anew."""
MAX_KEPT = 10_000
"""Addresses, and accounts, that are remembered."""

FREE_LINES = 100
"""So many refusals are in the audit log whenever they come,"""
LINE_SECS = 60.0
"""and of more one in this time: whoever fills the log would push what is in it out."""

_MAX_NAME_CHARS = 100


@dataclass(slots=True)
class _Failures:
    count: int = 0
    at: float = 0.0
    """The last one."""


class _Waits:
    """The failures of addresses, or of accounts; those longest ago are forgotten first."""

    def __init__(self, free: int, max_kept: int) -> None:
        self._free = free
        self._max_kept = max_kept
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def wait_secs(self, key: str, now: float) -> float:
        found = self._failures.get(key)
        if found is None:
            return 0.0
        if now - found.at >= FORGET_SECS:
            del self._failures[key]
            return 0.0
        self._failures.move_to_end(key)  # what is attacked is not forgotten
        return max(0.0, found.at + self._pause_secs(found.count) - now)

    def count(self, key: str, now: float) -> None:
        found = self._failures.setdefault(key, _Failures())
        found.count += 1
        self.touch(key, now)
        while len(self._failures) > self._max_kept:
            self._failures.popitem(last=False)

    def touch(self, key: str, now: float) -> None:
        if key in self._failures:
            self._failures[key].at = now
            self._failures.move_to_end(key)

    def take_back(self, key: str) -> None:
        found = self._failures.get(key)
        if found is not None:
            found.count -= 1
            if found.count <= 0:
                del self._failures[key]

    def forget(self, key: str) -> None:
        self._failures.pop(key, None)

    def _pause_secs(self, count: int) -> float:
        excess = min(count - self._free, 32)
        return 0.0 if excess < 0 else min(MAX_WAIT_SECS, FIRST_WAIT_SECS * 2.0**excess)


class Attempts:
    """What is known of failed attempts, in bounded memory.

    For each attempt: `check`, and if that says 0, look at the password and say what came of it. An
    attempt counts as failed from `check` on, so that many at the same time gain nothing.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, max_kept: int = MAX_KEPT
    ) -> None:
        self._clock = clock
        self._addresses = _Waits(FREE_OF_ADDRESS, max_kept)
        self._accounts = _Waits(FREE_OF_ACCOUNT, max_kept)

    def __len__(self) -> int:
        return len(self._addresses) + len(self._accounts)

    def check(self, address: str, account: str) -> float:
        """Return the seconds that this attempt has to wait; with 0 it has begun."""
        now, peer, name = self._clock(), one_peer(address), _name(account)
        wait = max(self._addresses.wait_secs(peer, now), self._accounts.wait_secs(name, now))
        if wait <= 0:
            self._addresses.count(peer, now)
            self._accounts.count(name, now)
        return wait

    def failed(self, address: str, account: str) -> None:
        """Have the wait begin now, at the end of an attempt that failed."""
        now = self._clock()
        self._addresses.touch(one_peer(address), now)
        self._accounts.touch(_name(account), now)

    def take_back(self, address: str, account: str) -> None:
        """Forget an attempt whose password nobody has looked at."""
        self._addresses.take_back(one_peer(address))
        self._accounts.take_back(_name(account))

    def passed(self, address: str, account: str) -> None:
        """Forget the failures of the account; the address keeps those of other attempts."""
        self._addresses.take_back(one_peer(address))
        self._accounts.forget(_name(account))


class Lines:
    """Which refusals get a line in the audit log."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._free_from = -math.inf
        """When all lines are free again."""
        self._unrecorded = 0

    def next(self) -> int | None:
        """Return how many had none since the last line; `None` if this one has none, too."""
        now = self._clock()
        free_from = max(self._free_from, now) + LINE_SECS
        if free_from > now + FREE_LINES * LINE_SECS:
            self._unrecorded += 1
            return None
        self._free_from = free_from
        unrecorded, self._unrecorded = self._unrecorded, 0
        return unrecorded


def _name(account: str) -> str:
    return account[:_MAX_NAME_CHARS].casefold()
