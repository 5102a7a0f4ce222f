"""One run of the sync: the list from MCAS, compared with the target, changed, and recorded."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import msgspec

from nss.config.sync import SyncConfig
from nss.errors import NssError, unplanned
from nss.mcas import Throttled, Unreachable
from nss.status.sync_readings import BlockingReading, SyncOutcome, SyncRun
from nss.sync import ListRefused, StateUnusable, SyncError, Unsettled, events
from nss.sync.changes import check_size
from nss.sync.domains import SetAside, Wanted, normalised
from nss.sync.state import History, SyncStore
from nss.sync.targets import Done, Plan, Target
from nss.sync.unbroken import unbroken
from nss.sync.verdicts import Verdicts, about
from nss.telemetry.audit import AuditLog, Fact
from nss.zia import Quota

ACTION = "sync-unsanctioned"
"""Of entries in the audit log."""

MAX_ROUNDS = 3
"""How often a run plans anew because somebody else changes the target at the same time."""

_PAUSES_SECS = (5.0, 10.0, 20.0, 40.0, 60.0)
_JITTER = 0.25
_SPARE_SECS = 60.0
"""What a run may take beyond its deadline to come to its end by itself."""

Entries = Callable[[], Awaitable[list[str]]]
"""Returns the entries of the list. Raises `McasError`."""

Open = Callable[[], Awaitable[Target]]
"""Returns the target that the settings and the stored credentials mean. Raises `NssError`."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did, or would do, in full."""

    run: SyncRun
    plan: Plan
    listed: int
    """How many URLs the list has."""
    set_aside: tuple[SetAside, ...] = ()
    repeated: int = 0
    covered: int = 0
    quota_before: Quota | None = None
    quota_after: Quota | None = None
    blocking: BlockingReading | None = None
    """Whether that is blocked; `None` where nobody can know, and for what is not done yet."""

    @property
    def added(self) -> tuple[str, ...]:
        """The URLs that were added, or would be: without those that the target refused."""
        refused = {aside.entry for aside in self.set_aside}
        return tuple(url for url in self.plan.add if url not in refused)


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seams for tests: seconds that only grow, seconds since the epoch, and a pause."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Sync:
    """Runs of one configuration. `destination` is for people, until the target is open."""

    def __init__(
        self,
        settings: SyncConfig,
        store: SyncStore,
        audit: AuditLog,
        entries: Entries,
        target: Open,
        *,
        clocks: Clocks | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._audit = audit
        self._entries = entries
        self._open = target
        self._clocks = clocks or Clocks()
        self._verdicts = Verdicts(
            store, audit, now=self._clocks.now, monotonic=self._clocks.monotonic
        )

    async def preview(self, *, allow_shrink: bool = False) -> Report:
        """Return what a run would change now. Raises `NssError` if it would fail."""
        began = self._clocks.now(), self._clocks.monotonic()
        deadline = began[1] + self._deadline_secs
        target = await self._open()
        try:
            async with asyncio.timeout(self._deadline_secs + _SPARE_SECS):
                wanted = await self._wanted(deadline)
                history = await unbroken(self._store.history)
                plan = await self._planned(
                    target, wanted, history, deadline, allow_shrink=allow_shrink
                )
                return self._report(target, began, wanted, plan, None)
        except TimeoutError:
            raise self._too_late() from None
        finally:
            await target.close()

    async def run(self, *, allow_shrink: bool = False) -> Report:
        """Sync, and record the result. Raises `NssError` if it fails.

        Raises `SyncUnderway` when another run is at work; that one is recorded.
        """
        await unbroken(self._store.prepare)
        with self._store.lock():
            history = await unbroken(self._store.history)
            began = self._clocks.now(), self._clocks.monotonic()
            async with AsyncExitStack() as exits:
                target, report = await self._recorded(
                    exits, began, history, allow_shrink=allow_shrink
                )
                deadline = began[1] + self._deadline_secs
                blocking = await self._verdicts.look(target, history.blocking, deadline)
            return replace(report, blocking=blocking)

    async def _recorded(
        self,
        exits: AsyncExitStack,
        began: tuple[float, float],
        history: History,
        *,
        allow_shrink: bool,
    ) -> tuple[Target, Report]:
        """Sync; whatever comes of it is recorded. The target is closed when `exits` are."""
        target: Target | None = None
        try:
            target = await self._open()
            exits.push_async_callback(target.close)
            async with asyncio.timeout(self._deadline_secs + _SPARE_SECS):
                report = await self._synced(target, began, history, allow_shrink=allow_shrink)
        except TimeoutError:
            error = self._too_late()
            await self._failed(target, began, history, error)
            raise error from None
        except NssError as error:
            await self._failed(target, began, history, error)
            raise
        except asyncio.CancelledError:
            events.sync_stopped(_destination(target))
            raise
        except Exception as error:
            await self._failed(target, began, history, SyncError(f"sync: {unplanned(error)}"))
            raise
        return target, report

    def _too_late(self) -> SyncError:
        return SyncError(
            f"sync: not done within {self._settings.deadline_minutes} minutes",
            tip="set a larger deadline_minutes in [sync]",
        )

    @property
    def _deadline_secs(self) -> float:
        return self._settings.deadline_minutes * 60.0

    async def _synced(
        self, target: Target, began: tuple[float, float], history: History, *, allow_shrink: bool
    ) -> Report:
        deadline = began[1] + self._deadline_secs
        wanted = await self._wanted(deadline)
        plan = await self._planned(target, wanted, history, deadline, allow_shrink=allow_shrink)
        first = plan
        added = removed = 0
        for left in reversed(range(MAX_ROUNDS)):
            if not plan.changes_something:
                done = Done(0, 0, quota=plan.quota)
                break
            try:
                done = await target.carry_out(plan, wanted.urls, deadline)
                break
            except Unsettled:
                if not left or self._clocks.monotonic() >= deadline:
                    raise
            added, removed = added + len(plan.add), removed + len(plan.remove)
            plan = await self._planned(target, wanted, history, deadline, allow_shrink=allow_shrink)
        done = replace(done, added=added + done.added, removed=removed + done.removed)
        report = self._report(target, began, wanted, first, done)
        await self._succeeded(report, history)
        return report

    async def _planned(
        self,
        target: Target,
        wanted: Wanted,
        history: History,
        deadline: float,
        *,
        allow_shrink: bool,
    ) -> Plan:
        """Return a plan. Raises `ListRefused` for a list that would free too much."""
        plan = await target.plan(wanted.urls, deadline)
        if not allow_shrink:
            before = max(history.urls or 0, plan.present)
            check_size(len(wanted.urls), before, self._settings.max_shrink_percent)
        return plan

    async def _wanted(self, deadline: float) -> Wanted:
        """Return the list, which is asked for until the deadline. Raises `NssError`."""
        entries = await self._patiently(deadline)
        limit = self._settings.max_url_chars
        wanted = await unbroken(lambda: normalised(entries, max_url_chars=limit))
        if wanted.set_aside and not wanted.urls:
            first = wanted.set_aside[0]
            raise ListRefused(
                f"none of the {len(wanted.set_aside):,} entries of the list from MCAS can be used, "
                f"so nothing was changed; the first, {first.entry!a}, {first.reason}",
                tip="see whether a proxy answers instead of MCAS: nss verify-mcas2",
            )
        return wanted

    async def _patiently(self, deadline: float) -> list[str]:
        pauses = iter(_PAUSES_SECS)
        pause_secs = 0.0
        while True:
            pause_secs = next(pauses, pause_secs)
            try:
                return await self._entries()
            except (Throttled, Unreachable) as error:
                jittered = pause_secs * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
                wait_secs = max(jittered, error.retry_after_secs or 0.0)
                if self._clocks.monotonic() + wait_secs >= deadline:
                    raise
                events.list_awaited(round(wait_secs, 1), error.sentence)
                await self._clocks.sleep(wait_secs)

    # The result.

    def _report(
        self,
        target: Target,
        began: tuple[float, float],
        wanted: Wanted,
        plan: Plan,
        done: Done | None,
    ) -> Report:
        """Return what was done, or with `None` what would be done."""
        refused = () if done is None else done.refused
        aside = (*wanted.set_aside, *plan.set_aside, *refused)
        added = len(plan.add) if done is None else done.added
        removed = len(plan.remove) if done is None else done.removed
        after = plan.quota_after if done is None else done.quota
        run = SyncRun(
            outcome="synced" if added or removed else "unchanged",
            target=target.kind,
            destination=target.destination,
            at=began[0],
            secs=round(self._clocks.monotonic() - began[1], 3),
            urls=len(wanted.urls) - len(plan.set_aside) - len(refused),
            added=added,
            removed=removed,
            kept=len(plan.kept),
            set_aside=len(aside),
            quota_remaining=None if after is None else after.remaining,
            advice=plan.advice,
        )
        counts = (wanted.repeated, wanted.covered)
        return Report(run, plan, len(wanted.urls), aside, *counts, plan.quota, after)

    async def _succeeded(self, report: Report, history: History) -> None:
        run = report.run
        kept = History(
            last=run,
            last_success_at=self._clocks.now(),
            urls=report.listed,
            blocking=about(history.blocking, run.destination),
        )
        await unbroken(lambda: self._store.keep_history(kept))
        if report.plan.vanished:
            events.urls_vanished(run.destination, len(report.plan.vanished))
        changed = {"added": run.added, "removed": run.removed, "set_aside": run.set_aside}
        events.synced(run.destination, run.urls, **changed, secs=run.secs)
        facts: dict[str, Fact] = {"destination": run.destination, "urls": run.urls, **changed}
        self._audit.write(ACTION, run.outcome, "", **facts, kept=run.kept)

    async def _failed(
        self,
        target: Target | None,
        began: tuple[float, float],
        history: History,
        error: NssError,
    ) -> None:
        outcome: SyncOutcome = "failed"
        if isinstance(error, ListRefused):
            is_first = error.is_empty and not history.urls
            outcome = "empty" if is_first else "refused"
        reason = str(error.args[0])
        run = SyncRun(
            outcome=outcome,
            target="" if target is None else target.kind,
            destination=_destination(target),
            at=began[0],
            secs=round(self._clocks.monotonic() - began[1], 3),
            error=reason,
            tip=error.tip,
        )
        report = events.sync_failed if outcome == "failed" else events.sync_refused
        report(run.destination, reason)
        self._audit.write(ACTION, outcome, reason, destination=run.destination)
        is_failure = outcome != "empty"
        failing_since = (history.failing_since or began[0]) if is_failure else None
        failures = history.failures + is_failure
        kept = msgspec.structs.replace(
            history, last=run, failures=failures, failing_since=failing_since
        )
        try:
            await unbroken(lambda: self._store.keep_history(kept))
        except StateUnusable as unusable:  # the error itself is what has to be known
            events.sync_failed(run.destination, str(unusable.args[0]))


def _destination(target: Target | None) -> str:
    return "none yet" if target is None else target.destination
