"""What people have entered and not stored yet: in memory only, for some minutes.

A secret is typed once: it is kept here between a test and storing it, and never sent back to the
browser. What is kept goes when it was stored or discarded, when its time is over, and when the
session ends.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nss.admin.portal.pages.integrations.entries import Problem
from nss.admin.portal.sessions import Session
from nss.checks import Check
from nss.secret import Secret

KEPT_SECS = 600.0

MAX_DRAFTS = 64

_LOOK_SECS = 2.0
"""How soon what is over is forgotten."""

IsAlive = Callable[[Session], bool]
"""Says whether a session has not ended."""


@dataclass(slots=True, eq=False)
class Draft:
    """What somebody has entered for an account, and what came of it."""

    method: str
    texts: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)
    steps: list[Check] = field(default_factory=list)
    outcome: str = ""
    """What came of it, as a sentence; empty: nothing yet."""
    outcome_tip: str = ""
    outcome_kind: str = "bad"
    until: float = 0.0
    """How long it is kept, seconds since the epoch."""
    task: "asyncio.Task[None] | None" = None

    @property
    def is_running(self) -> bool:
        """Whether it is being tested."""
        return self.task is not None and not self.task.done()

    def settle(self) -> None:
        """Forget what was entered; what came of it stays."""
        self.texts, self.secrets, self.problems = {}, {}, {}

    @property
    def is_entered(self) -> bool:
        """Whether there is anything to lose."""
        return bool(self.texts or self.secrets)


class Drafts:
    """The drafts of all sessions for one account, one each.

    `now` gives seconds since the epoch.
    """

    def __init__(self, is_alive: IsAlive, *, now: Callable[[], float] = time.time) -> None:
        self._is_alive = is_alive
        self._now = now
        self._drafts: dict[Session, Draft] = {}
        self._timer: asyncio.TimerHandle | None = None

    def of(self, session: Session) -> Draft | None:
        """Return the draft of a session."""
        self._forget()
        return self._drafts.get(session)

    def keep(self, session: Session, draft: Draft) -> None:
        """Keep a draft from now on, instead of the one before."""
        self.drop(session)
        draft.until = self._now() + KEPT_SECS
        self._drafts[session] = draft
        while len(self._drafts) > MAX_DRAFTS:
            self.drop(next(iter(self._drafts)))
        self._watch()

    def drop(self, session: Session) -> None:
        """Forget the draft of a session, and end its test."""
        draft = self._drafts.pop(session, None)
        if draft is not None:
            draft.settle()
            if draft.task is not None:
                draft.task.cancel()

    def clear(self) -> None:
        """Forget all."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for session in list(self._drafts):
            self.drop(session)

    def _forget(self) -> None:
        now = self._now()
        for session, draft in list(self._drafts.items()):
            # A clock that was set back must not keep it for longer.
            is_over = not now < draft.until <= now + KEPT_SECS
            if (is_over and not draft.is_running) or not self._is_alive(session):
                self.drop(session)

    def _watch(self) -> None:
        if self._timer is None and self._drafts:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_SECS, self._look)

    def _look(self) -> None:
        self._timer = None
        self._forget()
        self._watch()
