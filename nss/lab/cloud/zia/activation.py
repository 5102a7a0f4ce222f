"""Changes come into force by activation, which publishes those of all administrators."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Status = Literal["ACTIVE", "PENDING", "INPROGRESS"]


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a category."""

    urls: frozenset[str] = frozenset()
    retaining: frozenset[str] = frozenset()
    """These are in their predefined categories as well."""


class Activation:
    """What is pending, and what gateways go by; `contents` gives what is in each category."""

    def __init__(self) -> None:
        self.contents: Callable[[], Mapping[str, Contents]] = dict
        self.secs = 0.0
        """How long an activation takes."""
        self.agreement_is_accepted = True
        """Without this nothing is ever activated."""
        self._is_pending = False
        self._ends_at = 0.0
        self._coming: Mapping[str, Contents] = {}
        self._active: Mapping[str, Contents] = {}

    def changed(self) -> None:
        """Note a change that waits for its activation."""
        self._is_pending = True

    def start(self) -> Status:
        """Begin to activate what is pending; return the status after that."""
        if self.agreement_is_accepted and time.monotonic() >= self._ends_at:
            self._settle()
            self._is_pending = False
            self._coming = self.contents()
            self._ends_at = time.monotonic() + self.secs
        return self.status

    def finish(self) -> None:
        """Have an activation that is in progress end now."""
        self._ends_at = 0.0

    @property
    def status(self) -> Status:
        """What the API says."""
        if time.monotonic() < self._ends_at:
            return "INPROGRESS"
        return "PENDING" if self._is_pending else "ACTIVE"

    @property
    def active(self) -> Mapping[str, Contents]:
        """What gateways have in each category, by its id."""
        self._settle()
        return self._active

    def _settle(self) -> None:
        if time.monotonic() >= self._ends_at:
            self._active = self._coming
