"""The tasks of the running parts: how they are started, guarded and ended."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any

from nss.errors import NssError, ServiceError, unplanned
from nss.feeds import events as feed_events
from nss.feeds.delivery import wait_first
from nss.feeds.feed import Feed
from nss.service import events
from nss.service.changes import RetiredParts
from nss.service.running import Running
from nss.sources import ConfirmingSource, Source
from nss.spool import Cursor

_LOOK_SECS = 0.05


class Workers:
    """Starts, guards and ends the tasks of parts. A part that fails stops the service."""

    def __init__(self, running: Running) -> None:
        self.stopping = asyncio.Event()
        """Set when the service is to stop."""
        self.failure_code: int | None = None
        """The exit code of the first part that failed."""
        self._running = running

    def start(
        self, kind: str, name: str, work: Callable[[], Awaitable[object]]
    ) -> asyncio.Task[None]:
        """Start a task; an error that it raises is reported and stops the service."""

        async def guarded() -> None:
            try:
                await work()
            except NssError as error:
                self._failed(kind, name, str(error), error.exit_code)
            except Exception as error:  # noqa: BLE001 - one part's fault must not go unseen
                self._failed(kind, name, unplanned(error), ServiceError.exit_code)

        return asyncio.create_task(guarded(), name=f"{kind} {name}")

    def _failed(self, kind: str, name: str, reason: str, exit_code: int) -> None:
        events.part_ended(kind, name, reason)
        self.failure_code = self.failure_code or exit_code
        self.stopping.set()

    async def unless_stopped(self, work: Coroutine[object, object, object]) -> bool:
        """Work until it is done or a stop comes; return whether it was done.

        A spool that can't write makes the work wait, but not the stop.
        """
        task = asyncio.ensure_future(work)
        await wait_first([task], self.stopping)
        if task.done():
            task.result()
            return True
        await _end([task])
        return False

    async def until_finished(self, reloading: asyncio.Lock) -> None:
        """Wait for a stop, or until every source has come to its end and no reload is at work."""
        while not self.stopping.is_set():
            sources = self._running.sources.values()
            tasks = [source.task for source in sources if not source.task.done()]
            if not tasks and not reloading.locked():
                return
            await wait_first(tasks, self.stopping, timeout_secs=0.5)

    async def retire(self, retired: RetiredParts, drain_secs: float) -> bool:
        """End parts; return whether it was done, for a stop goes first.

        Feeds that go, or lose a source, deliver for up to `drain_secs` what was accepted before.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + drain_secs
        for source in retired.sources:
            await source.part.stop()
        await self._finished([source.task for source in retired.sources], deadline)
        await self._passed([feed.part.cursor for feed in retired.losing], deadline)
        if self.stopping.is_set():
            return False
        for feed in retired.feeds:
            feed.part.stop()
        tasks = [feed.task for feed in retired.feeds]
        await self._finished(tasks, clock() + drain_secs)
        await _confirm([source.part for source in retired.sources])
        await _end(tasks + [source.task for source in retired.sources])
        for source in retired.sources:
            del self._running.sources[source.settings.name]
        for feed in retired.feeds:
            del self._running.feeds[feed.settings.name]
            _report_totals(feed.part)
        return True

    async def stop(self, drain_secs: float) -> None:
        """Stop all parts; feeds deliver what is pending for up to `drain_secs`."""
        draining = asyncio.create_task(self._drain())
        # At the end of all input there is no hurry; after a signal there is.
        await wait_first([draining], self.stopping)
        await asyncio.wait({draining}, timeout=drain_secs)
        sources, feeds = self._running.sources.values(), self._running.feeds.values()
        tasks = [source.task for source in sources] + [feed.task for feed in feeds]
        await _confirm([source.part for source in sources])
        await _end([draining, *tasks])
        for feed in feeds:
            _report_totals(feed.part)

    async def _drain(self) -> None:
        running = self._running
        for source in running.sources.values():
            await source.part.stop()
        await asyncio.gather(*(source.task for source in running.sources.values()))
        running.spool.seal()
        await asyncio.gather(*(feed.task for feed in running.feeds.values()))

    async def _finished(self, tasks: Collection[asyncio.Task[None]], deadline: float) -> None:
        """Wait until all tasks have ended, but not after `deadline` (the loop's time) or a stop."""
        clock = asyncio.get_running_loop().time
        while not all(task.done() for task in tasks) and clock() < deadline:
            if self.stopping.is_set():
                return
            await asyncio.wait(tasks, timeout=_LOOK_SECS)

    async def _passed(self, cursors: Collection[Cursor], deadline: float) -> None:
        """Wait until cursors are past all accepted so far, but not after `deadline` or a stop."""
        clock = asyncio.get_running_loop().time
        goals = [(cursor, cursor.accepted_records) for cursor in cursors]
        while any(
            cursor.accepted_records - cursor.pending_records < goal for cursor, goal in goals
        ):
            if self.stopping.is_set() or clock() >= deadline:
                return
            await asyncio.sleep(_LOOK_SECS)


async def _confirm(sources: Collection[Source]) -> None:
    """Let sources confirm what the feeds are past."""
    finishing = [source.finish() for source in sources if isinstance(source, ConfirmingSource)]
    await asyncio.gather(*finishing, return_exceptions=True)


async def _end(tasks: Collection[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _report_totals(feed: Feed) -> None:
    account = feed.cursor.account
    feed_events.feed_totals(
        feed.name,
        accepted=feed.accepted_records,
        delivered=account.delivered,
        filtered=account.filtered,
        rejected=account.rejected,
        dropped=account.dropped,
        pending=feed.cursor.pending_records,
        shortened=account.shortened,
    )
