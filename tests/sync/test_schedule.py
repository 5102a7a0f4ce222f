"""When the running service syncs."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest

from nss.mcas import SignInRefused
from nss.sync.run import Sync
from nss.sync.schedule import RETRY_SECS, Schedule
from nss.sync.state import FOLDER_NAME
from tests.sync.conftest import Bench
from tests.sync.organisation import forbidden

HOUR = 3600.0


class Stop(Exception):  # noqa: N818 - it is what happens
    """The test has seen enough."""


class Service:
    """A service whose time passes as it waits."""

    interval_secs = 2 * HOUR

    def __init__(self, bench: Bench) -> None:
        self.bench = bench.wants("a.example")
        self.ready = True
        self.prints = "one"
        self.started: list[float] = []
        self.fault: Exception | None = None
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.schedule = self._new()

    def _new(self) -> Schedule:
        return Schedule(
            self, self.bench.store, now=lambda: self.bench.time, sleep=self._sleep, early=lambda: 1
        )

    def restart(self) -> None:
        """Begin as a new process."""
        self.schedule = self._new()

    def is_ready(self) -> bool:
        return self.ready

    def digest(self) -> str:
        return self.prints

    def destination(self) -> tuple[str, str]:
        return "zia", "URL category X"

    async def sync(self) -> Sync:
        if self.fault is not None:
            raise self.fault
        self.started.append(self.bench.time)
        if self.meanwhile is not None:
            await self.meanwhile()
        return self.bench.sync

    async def _sleep(self, secs: float) -> None:
        self.bench.time += secs
        if self.bench.time >= self.until:
            raise Stop

    async def for_secs(self, secs: float) -> list[float]:
        """Let it work for some time; return when it started runs, from now."""
        since = self.bench.time
        self.until = since + secs
        self.started.clear()
        with pytest.raises(Stop):
            await self.schedule.run()
        return [at - since for at in self.started]


@pytest.fixture
def service(bench: Bench) -> Service:
    return Service(bench)


async def test_it_runs_at_once_and_then_within_every_interval(service: Service) -> None:
    started = await service.for_secs(5 * HOUR)
    assert started[0] == 0
    gaps = [after - before for before, after in itertools.pairwise(started)]
    assert len(gaps) == 2
    assert all(0.94 * 2 * HOUR <= gap <= 2 * HOUR for gap in gaps)
    reading = service.schedule.reading()
    assert reading.last is not None
    assert (reading.last.outcome, reading.urls, reading.failures) == ("unchanged", 1, 0)
    assert service.bench.organisation.urls == {"a.example"}


async def test_the_schedule_and_the_last_result_survive_a_restart(service: Service) -> None:
    await service.for_secs(HOUR)
    service.restart()
    before = service.schedule.reading().last
    assert before is not None
    assert before.outcome == "synced"
    (started,) = await service.for_secs(HOUR)
    assert 0.85 * HOUR <= started <= HOUR


async def test_nothing_runs_without_credentials_and_at_once_with_them(service: Service) -> None:
    service.ready = False
    assert await service.for_secs(3 * HOUR) == []
    assert not (service.bench.folder / FOLDER_NAME).exists()
    assert not service.schedule.reading().ready
    service.ready = True
    assert await service.for_secs(HOUR) == [0]


async def test_other_credentials_or_settings_are_a_reason_to_run_at_once(service: Service) -> None:
    await service.for_secs(10)
    service.prints = "other"
    assert await service.for_secs(HOUR) == [0]
    service.restart()
    assert await service.for_secs(100) == []


async def test_a_run_that_was_cut_off_is_repeated_at_the_next_start(service: Service) -> None:
    async def never_ends() -> None:
        await asyncio.Event().wait()

    service.meanwhile = never_ends
    service.until = service.bench.time + HOUR
    task = asyncio.create_task(service.schedule.run())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    service.meanwhile = None
    service.restart()
    assert await service.for_secs(HOUR) == [0]


async def test_a_failure_is_counted_and_the_next_run_comes_when_it_is_due(service: Service) -> None:
    organisation = service.bench.organisation
    organisation.faults = dict.fromkeys(range(100), (forbidden, False))
    assert len(await service.for_secs(5 * HOUR)) == 3
    reading = service.schedule.reading()
    assert (reading.failures, reading.last_success_at) == (3, None)
    assert reading.last is not None
    assert (reading.last.outcome, reading.last.error) == ("failed", "the role may not do this")
    organisation.faults = {}
    await service.for_secs(2 * HOUR)
    reading = service.schedule.reading()
    assert (reading.failures, reading.failing_since) == (0, None)


async def test_a_run_elsewhere_counts_and_is_waited_for(service: Service) -> None:
    service.bench.store.prepare()
    with service.bench.store.lock():
        started = await service.for_secs(5 * RETRY_SECS)
    assert len(started) == 5
    assert len(await service.for_secs(RETRY_SECS * 2)) == 1


async def test_what_stands_in_the_way_of_a_run_is_shown(service: Service) -> None:
    service.fault = SignInRefused("there is a legacy token and no API URL")
    assert await service.for_secs(RETRY_SECS * 3) == []
    assert service.schedule.reading().last_error == "there is a legacy token and no API URL"
    service.fault = None
    assert len(await service.for_secs(RETRY_SECS * 2)) == 1
    assert service.schedule.reading().last_error is None


async def test_a_fault_of_our_own_stops_neither_the_service_nor_the_schedule(
    service: Service,
) -> None:
    service.bench.failures = [ZeroDivisionError("secret")]
    await service.for_secs(10)
    error = service.schedule.reading().last_error
    assert error is not None
    assert "ZeroDivisionError" in error
    assert "secret" not in error
    await service.for_secs(2 * HOUR)
    assert service.schedule.reading().last_error is None
    assert service.bench.organisation.urls == {"a.example"}


async def test_a_state_that_cannot_be_kept_is_shown_and_tried_again(service: Service) -> None:
    blocker = service.bench.folder / FOLDER_NAME
    blocker.write_text("not a folder")
    await service.for_secs(RETRY_SECS * 2)
    assert "nothing can be remembered" in (service.schedule.reading().last_error or "")
    blocker.unlink()
    assert len(await service.for_secs(RETRY_SECS * 2)) == 1


async def test_a_clock_that_is_set_back_puts_nothing_off(service: Service) -> None:
    service.bench.time = 1e9
    await service.for_secs(10)
    service.bench.time = 1e6
    assert len(await service.for_secs(100)) == 1
