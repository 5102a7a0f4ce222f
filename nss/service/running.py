"""The parts at work, each with what it was built from."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass

from nss.batch import Batch
from nss.config.load import (
    FeedConfig,
    McasConfig,
    SourceConfig,
)
from nss.feeds.feed import Feed
from nss.sources import Source
from nss.spool import Cursor

_LOOK_SECS = 0.05


@dataclass(slots=True)
class Intake:
    """What the spool accepted from a source since the source started."""

    records: int = 0
    data_bytes: int = 0
    last_at: float | None = None
    """Seconds since the epoch."""

    def count(self, batch: Batch) -> None:
        """Count a batch that was accepted."""
        self.records += batch.records
        self.data_bytes += len(batch.data)
        self.last_at = time.time()


@dataclass(frozen=True, slots=True)
class RunningSource:
    """A source at work, and the settings it was built from."""

    part: Source
    settings: SourceConfig
    intake: Intake
    files: bytes
    """What `files_print` told of it."""
    task: asyncio.Task[None]


@dataclass(frozen=True, slots=True)
class RunningFeed:
    """A feed at work, and all that it was built from."""

    part: Feed
    settings: FeedConfig
    inputs: tuple[SourceConfig | McasConfig, ...]
    files: bytes
    """What `files_print` told of it and its inputs."""
    taken_over: int
    """Records that were pending for it when it started."""
    task: asyncio.Task[None]


async def finished(
    tasks: Collection[asyncio.Task[None]], deadline: float, stopping: asyncio.Event
) -> None:
    """Wait until all tasks have ended, but not after `deadline` (the loop's time) or a stop."""
    clock = asyncio.get_running_loop().time
    while not all(task.done() for task in tasks) and clock() < deadline:
        if stopping.is_set():
            return
        await asyncio.wait(tasks, timeout=_LOOK_SECS)


async def passed(cursors: Collection[Cursor], deadline: float, stopping: asyncio.Event) -> None:
    """Wait until cursors are past all accepted so far, but not after `deadline` or a stop."""
    clock = asyncio.get_running_loop().time
    goals = [(cursor, cursor.accepted_records) for cursor in cursors]
    while any(one.accepted_records - one.pending_records < goal for one, goal in goals):
        if stopping.is_set() or clock() >= deadline:
            return
        await asyncio.sleep(_LOOK_SECS)
