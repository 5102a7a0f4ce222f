"""What takes a while and everybody may watch: one job of a kind at a time, with what came of it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from nss.admin.portal.pages.integrations.foreign import shown
from nss.errors import NssError, ServiceError, unplanned
from nss.sync import SyncUnderway
from nss.telemetry.audit import acting_as

Kind = Literal["sync", "preview", "blocking", "verify"]

Work = Callable[["Job"], Awaitable[object]]

_WAITS_EVENT = "sync_list_awaited"


@dataclass(slots=True, eq=False)
class Job:
    """A job, and what came of it. Times are seconds since the epoch."""

    kind: Kind
    person: str
    began_at: float
    about: str = ""
    """What was asked, for people."""
    note: str = ""
    """What it waits for."""
    ended_at: float | None = None
    result: object = None
    error: str = ""
    """Why it failed, as a sentence."""
    tip: str = ""
    is_elsewhere: bool = False
    """Whether it failed because somebody else is at it."""

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.ended_at is None


class Jobs:
    """The last job of each kind. `now` gives seconds since the epoch."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._jobs: dict[Kind, Job] = {}
        self._tasks: dict[Job, asyncio.Task[None]] = {}

    def of(self, kind: Kind) -> Job | None:
        """Return the last job of a kind, which may be running."""
        return self._jobs.get(kind)

    def start(self, kind: Kind, person: str, work: Work, *, about: str = "") -> Job:
        """Begin a job for a person. Raises `ServiceError` while one of its kind is running."""
        before = self._jobs.get(kind)
        if before is not None and before.is_running:
            raise ServiceError(
                f"this is under way already, for {before.person}", tip="wait until it has ended"
            )
        job = self._jobs[kind] = Job(kind, person, self._now(), about)
        task = self._tasks[job] = asyncio.create_task(self._run(job, work))
        task.add_done_callback(lambda _: self._tasks.pop(job, None))
        return job

    async def wait(self, job: Job, secs: float) -> None:
        """Wait for the end of a job, but not for long."""
        task = self._tasks.get(job)
        if task is not None:
            await asyncio.wait({task}, timeout=secs)

    async def close(self) -> None:
        """Cut off what runs."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, job: Job, work: Work) -> None:
        with acting_as(job.person):
            try:
                job.result = await work(job)
            except NssError as error:
                job.error, job.tip = shown(str(error.args[0])), shown(error.tip)
                job.is_elsewhere = isinstance(error, SyncUnderway)
            except asyncio.CancelledError:
                job.error = "the service stopped, or was asked to"
                raise
            except Exception as error:  # noqa: BLE001 - the page shows it
                job.error, job.tip = unplanned(error), "see the log of the service"
            finally:
                job.ended_at, job.note = self._now(), ""


@contextmanager
def noting_waits(job: Job) -> Iterator[None]:
    """Have a job say what a sync waits for, as it is in the log meanwhile."""
    handler = _Waits(job)
    logger = logging.getLogger("nss")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Waits(logging.Handler):
    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def emit(self, record: logging.LogRecord) -> None:
        """Note it."""
        if getattr(record, "event", "") == _WAITS_EVENT:
            reason = record.__dict__["facts"]["why"]
            self._job.note = shown(f"{record.getMessage()} ({reason})")
