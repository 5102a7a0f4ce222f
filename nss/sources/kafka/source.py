"""Records from topics of Kafka: the event loop's side of the thread that consumes."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from typing import Any

from nss.config.sources import KafkaSourceConfig
from nss.kafka.settings import ClientSettings
from nss.sources import Accept, Group, Passing
from nss.sources.kafka import events
from nss.sources.kafka.consuming import Consuming
from nss.sources.kafka.offsets import KeptOffsets, kept_offsets
from nss.sources.kafka.shown import ShownMessage
from nss.sources.watching import Watcher

LOOK_SECS = 0.1
"""How often it is seen how far the feeds are, and whether somebody watches."""

FINISH_SECS = 15.0
"""How long leaving the group may take; after that the cluster finds out by itself."""


class KafkaSource:
    """Reads topics as a member of a consumer group.

    `client` is what librdkafka is given, `position` that of the last batch accepted, `passing` how
    far the feeds are.
    """

    def __init__(
        self,
        settings: KafkaSourceConfig,
        client: ClientSettings,
        *,
        position: str | None,
        passing: Callable[[], Passing],
    ) -> None:
        self.name = settings.name
        self.ready = asyncio.Event()
        self.advice: str | None = None
        self.watchers: Collection[Watcher] = ()
        self._passing = passing
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._done = asyncio.Event()
        kept = KeptOffsets()
        if position is not None:
            try:
                kept = kept_offsets(position)
            except ValueError:
                events.position_of_others(settings.name, settings.group)
        self._consuming = Consuming(settings, client, kept, passing, self._say, self._show)
        self._looking: asyncio.Task[None] | None = None

    async def run(self, accept: Accept) -> None:
        """Hand on records until `stop`. Raises `SourceError` for what waiting does not cure."""
        self._looking = asyncio.create_task(self._look())
        self._consuming.start(self._loop, accept)
        self.ready.set()
        try:
            await self._ended.wait()
        except asyncio.CancelledError:
            self._consuming.stopping.set()
            self._consuming.finishing.set()
            raise
        if self._consuming.failure is not None:
            raise self._consuming.failure

    async def stop(self) -> None:
        """Take no more messages; what was taken is still handed on."""
        self._consuming.stopping.set()
        if not self.ready.is_set():
            self._ended.set()

    async def finish(self) -> None:
        """Commit what the feeds are past by now, and leave the group."""
        if self._looking is None:
            return
        self._consuming.passed = self._passing().passed
        self._consuming.stopping.set()
        self._consuming.finishing.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._done.wait(), FINISH_SECS)
        self._looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._looking

    @property
    def group(self) -> Group:
        """How it stands in its group."""
        return self._consuming.standing.group

    @property
    def last_error(self) -> str | None:
        """What is wrong with the way to the cluster or the group, or what can't be read."""
        standing = self._consuming.standing
        if standing.trouble is not None:
            return standing.trouble
        if standing.unsettled is not None:
            remedy = "look at the group's members and its coordinator at the brokers"
            return f"kafka source: {standing.unsettled}. Try: {remedy}"
        unread = standing.group.unread
        if not unread:
            return None
        first = unread[0]
        what = f"partition {first.partition} of {first.topic}"
        if first.partition < 0:
            what = f"topic {first.topic}"
        more = f", and {len(unread) - 1} more" if len(unread) > 1 else ""
        return f"kafka source: {what} can't be read: {first.why}{more}; others are read"

    async def _look(self) -> None:
        while True:
            self._consuming.passed = self._passing().passed
            is_watched = any(each.watches(self.name) for each in self.watchers)
            self._consuming.showing.is_watched = is_watched
            await asyncio.sleep(LOOK_SECS)

    def _show(self, messages: Sequence[Any], left_out: int) -> None:
        """Show those who watch what was read; called by the thread."""

        def show() -> None:
            try:
                shown = [ShownMessage(message) for message in messages]
                for watcher in self.watchers:
                    watcher.show(self.name, shown, left_out)
            finally:
                self._consuming.showing.is_under_way.clear()

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody watches any more
            self._loop.call_soon_threadsafe(show)

    def _say(self, *, done: bool) -> None:
        """Take note that nothing more comes, or that the thread is done; called by the thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._ended.set)
            if done:
                self._loop.call_soon_threadsafe(self._done.set)
