"""After a run that succeeded: whether the target is blocked, recorded with the run's result.

The run has succeeded, and nothing that goes wrong here changes that: then it can't be said.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec

from nss.errors import NssError, unplanned
from nss.status.sync_readings import BlockingReading
from nss.sync import StateUnusable, events
from nss.sync.state import SyncStore
from nss.sync.targets import Target
from nss.sync.unbroken import unbroken
from nss.telemetry.audit import AuditLog, Fact

ACTION = "verify-blocking"
"""Of entries in the audit log."""

LOOK_SECS = 300.0
"""How long a look may take, within what is left to the run: some thirty requests."""

_TIP = "run: nss verify-blocking"
_OUTCOMES: Mapping[bool | None, str] = {True: "blocked", False: "may open", None: "unknown"}


class Verdicts:
    """Looks up whether a target is blocked, and reports when that has changed.

    `now` gives seconds since the epoch, `monotonic` seconds that only grow.
    """

    def __init__(
        self,
        store: SyncStore,
        audit: AuditLog,
        *,
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._audit = audit
        self._now = now
        self._monotonic = monotonic

    async def look(
        self, target: Target, before: BlockingReading | None, deadline: float
    ) -> BlockingReading | None:
        """Return what is found until the deadline, `None` for a target that nobody can judge.

        `before` is what was found the last time. Raises nothing but `CancelledError`.
        """
        before = about(before, target.destination)
        looked_up = await self._found(target, deadline)
        if looked_up is None:
            return None
        is_same = before is not None and _is_same(before, looked_up)
        found = replace(looked_up, since=before.since if before and is_same else looked_up.at)
        try:
            await unbroken(lambda: self._keep(found))
        except StateUnusable as error:
            unkept = self._unknown(target, str(error.args[0]), error.tip)
            self._report(unkept)
            return unkept
        if not is_same:
            self._report(found)
        return found

    async def _found(self, target: Target, deadline: float) -> BlockingReading | None:
        now = self._monotonic()
        until = min(deadline, now + LOOK_SECS)
        try:
            async with asyncio.timeout(max(0.0, until - now)):
                return await target.blocking(until)
        except TimeoutError:
            return self._unknown(target, "the run had no time left to look it up", _TIP)
        except NssError as error:
            return self._unknown(target, str(error.args[0]), error.tip)
        except Exception as error:  # noqa: BLE001 - it is shown, and the run has succeeded
            return self._unknown(target, unplanned(error), _TIP)

    def _unknown(self, target: Target, reason: str, tip: str | None) -> BlockingReading:
        return BlockingReading(
            destination=target.destination,
            at=self._now(),
            blocked=None,
            reason=reason,
            remedy=tip,
        )

    def _keep(self, found: BlockingReading) -> None:
        history = self._store.history()
        self._store.keep_history(msgspec.structs.replace(history, blocking=found))

    def _report(self, found: BlockingReading) -> None:
        reason = found.reason or ""
        match found.blocked:
            case True:
                events.blocked(found.destination)
            case False:
                events.may_open(found.destination, reason)
            case None:
                events.blocking_unknown(found.destination, reason)
        facts: dict[str, Fact] = {"destination": found.destination, "code": found.code}
        self._audit.write(ACTION, _OUTCOMES[found.blocked], reason, **facts)


def about(found: BlockingReading | None, destination: str) -> BlockingReading | None:
    """Return what was found of a target, `None` if it is about another one."""
    return found if found is not None and found.destination == destination else None


def _is_same(before: BlockingReading, found: BlockingReading) -> bool:
    """Return whether nothing has changed; of what can't be said, the reason does not matter."""
    if before.blocked is not found.blocked:
        return False
    return found.blocked is None or before.reason == found.reason
