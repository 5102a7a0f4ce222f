"""When the running service syncs: soon after its start, and whenever something was set up anew.

The first run comes as soon as there are credentials; the next ones follow the schedule, which is
kept in the state: a restart delays nothing, and does not hurry what is not due. Other credentials
or settings than those of the last run are a reason to run at once, and so is a run that was cut
off. After a failure the next run comes when it is due: a run tries again by itself for as long as
that may help.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from nss.errors import NssError, unplanned
from nss.status.sync_readings import SyncReading
from nss.sync import StateUnusable, SyncUnderway, events
from nss.sync.run import Sync
from nss.sync.state import Due, History, SyncStore
from nss.sync.unbroken import unbroken

LOOK_SECS = 1.0
"""How often credentials and the schedule are looked at."""

MAX_EARLY = 0.05
"""Which part of the interval a run may start early, so that services do not all start at once."""

RETRY_SECS = 60.0
"""When another process syncs, or the state can't be used: how soon to look again."""

STALE_SECS = 6 * 3600.0
"""Without a success for this long the service is degraded."""


class Setup(Protocol):
    """What the runs of a configuration are made from."""

    @property
    def interval_secs(self) -> float:
        """How often to run."""
        ...

    def is_ready(self) -> bool:
        """Return whether there are credentials for MCAS; cheap, it is asked every second."""
        ...

    def digest(self) -> str:
        """Return a text that changes with settings and credentials; as cheap."""
        ...

    def destination(self) -> tuple[str, str]:
        """Return the kind of the target and its name for people."""
        ...

    async def sync(self) -> Sync:
        """Return what runs. Raises `NssError`."""
        ...


@dataclass(slots=True)
class _Seen:
    """The history as it was read last."""

    stamp: object = None
    history: History | None = None


class Schedule:
    """The runs of one service. `now` gives seconds since the epoch; `early` from 0 to 1."""

    def __init__(
        self,
        setup: Setup,
        store: SyncStore,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        early: Callable[[], float] = random.random,
    ) -> None:
        self._setup = setup
        self._store = store
        self._now = now
        self._sleep = sleep
        self._early = early
        self._is_running = False
        self._last_error: str | None = None
        self._remedy = ""
        self._not_before = 0.0
        self._seen = _Seen()
        self._due: Due | None = None

    async def run(self) -> None:
        """Run whenever it is due, until cancelled."""
        while True:
            try:
                if self._is_due():
                    await self._run()
            except StateUnusable as error:
                self._put_off(error)
            await self._sleep(LOOK_SECS)

    def reading(self) -> SyncReading:
        """Return how the sync is doing."""
        history = self._shown_history()
        target, destination = self._setup.destination()
        blocking = history.blocking
        if blocking is not None and blocking.destination != destination:
            blocking = None
        return SyncReading(
            target=target,
            destination=destination,
            ready=self._setup.is_ready(),
            running=self._is_running,
            last=history.last,
            last_success_at=history.last_success_at,
            urls=history.urls,
            failures=history.failures,
            failing_since=history.failing_since,
            next_at=self._next_at(),
            remedy=self._remedy,
            patience_secs=max(STALE_SECS, 3 * self._setup.interval_secs),
            last_error=self._last_error,
            blocking=blocking,
        )

    def _next_at(self) -> float | None:
        """Return when the next run is tried, seconds since the epoch."""
        if self._not_before > self._now():
            return self._not_before
        return None if self._due is None else self._due.at

    def _is_due(self) -> bool:
        now = self._now()
        if now < self._not_before or not self._setup.is_ready():
            return False
        if self._due is None:
            self._due = self._store.due()
        if self._due.at is None or self._due.setup != self._setup.digest():
            return True
        # A clock that was set back must not put the next run off.
        return now >= self._due.at or self._due.at > now + self._setup.interval_secs

    async def _run(self) -> None:
        digest = self._setup.digest()
        try:
            await unbroken(self._store.prepare)
            sync = await self._setup.sync()
        except NssError as error:
            self._put_off(error)
            return
        early_secs = self._setup.interval_secs * MAX_EARLY * self._early()
        due_at = self._now() + self._setup.interval_secs - early_secs
        await self._note_due(due_at, "")
        self._is_running, self._last_error, self._remedy = True, None, ""
        try:
            await sync.run()
        except SyncUnderway as error:
            events.sync_elsewhere(str(error.args[0]))
            self._not_before = self._now() + RETRY_SECS
            return
        except StateUnusable:
            raise
        except NssError:
            pass  # it is recorded
        except Exception as error:  # noqa: BLE001 - it is recorded, and must not stop the logs
            self._last_error = f"sync: {unplanned(error)}"
        finally:
            self._is_running = False
        await self._note_due(due_at, digest)

    async def _note_due(self, due_at: float, digest: str) -> None:
        """Note when the next run is due; without a digest the present run has not ended."""
        self._due = due = Due(at=due_at, setup=digest)
        await unbroken(lambda: self._store.keep_due(due))

    def _put_off(self, error: NssError) -> None:
        reason = str(error.args[0])
        if reason != self._last_error:
            events.sync_failed(self._setup.destination()[1], reason)
        self._last_error, self._remedy = reason, error.tip or ""
        self._not_before = self._now() + RETRY_SECS

    def _history(self) -> History:
        stamp = self._store.stamp()
        if self._seen.history is None or stamp != self._seen.stamp:
            self._seen = _Seen(stamp, self._store.history())
        return self._seen.history or History()

    def _shown_history(self) -> History:
        try:
            return self._history()
        except StateUnusable:
            return History()
