"""What the operator of a running service learns of it, from real parts."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from nss.admin.operations import Operations, Reloaded
from nss.admin.systemd import Notifier
from nss.batch import Account, Batch
from nss.config.load import parse
from nss.config.model import Config, ServiceConfig
from nss.config.sources import StdinSourceConfig
from nss.errors import NssError, UsageError
from nss.service.keeping import HistoryKeeping
from nss.service.newer_file import NewerFile
from nss.service.operator import Operator
from nss.service.running import Running, RunningSource, SourceCounts
from nss.spool import Reject, SpoolError
from nss.status.history import History
from nss.status.history_file import FILE_NAME
from nss.telemetry.events import report_held_back
from tests.admin.conftest import FEED, NOW, STATUS, TOML
from tests.parts import memory_spool, stdin_source

CONFIG = parse(TOML, Path("/etc/nss"))


async def reload() -> Reloaded:
    return Reloaded([], [])


def settings_in(folder: Path) -> Config:
    return replace(CONFIG, service=ServiceConfig(control_socket=None, state_directory=folder))


class Bench:
    """An operator over a source that does nothing and a spool in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running = Running()
        self.running.opened_spool = self.spool = memory_spool(10_000)
        self.task = asyncio.create_task(asyncio.sleep(3600))
        settings = StdinSourceConfig(name="web")
        counts = SourceCounts()
        source = RunningSource(stdin_source(), settings, counts, b"", self.task, ())
        self.running.sources["web"] = source
        self.history: History | None = None
        self.faults: list[Exception] = []

    def operator(self, *, keeps: bool = True) -> Operator:
        self.history = History() if keeps else None
        notifier = Notifier(environ={})
        configured = self.configuration
        path = self.folder / "nss.toml"
        file = NewerFile(path, self.running, configured)
        return Operator(
            path, self.running, file, self.syncing, notifier, reload, configured, self.history
        )

    def syncing(self) -> None:
        if self.faults:
            raise self.faults.pop()

    def configuration(self) -> Config:
        return CONFIG

    async def run(self, folder: Path) -> Operator:
        """Let a new operator look at the service once, and end it."""
        operator = self.operator()
        assert self.history is not None
        await operator.start(settings_in(folder))
        async with asyncio.timeout(30):
            while not self.history.seen:  # noqa: ASYNC110 - there is nothing to wait for
                await asyncio.sleep(0.01)
        await operator.close()
        return operator


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.task.cancel()


def failure(operations: Operations, component: str) -> NssError:
    with pytest.raises(UsageError) as caught:
        operations.series(component, "15m")
    return caught.value


async def test_the_configuration_in_force_can_be_asked_for(bench: Bench) -> None:
    assert bench.operator().configuration() is CONFIG


async def test_numbers_over_time_are_those_of_known_parts(bench: Bench) -> None:
    operator = await bench.run(bench.folder)
    values = operator.series("source web", "15m").values
    assert values == {"records_per_sec": [None] * 179 + [0.0]}
    error = failure(operator, "source wbe")
    assert str(error) == "'source wbe' is no part that is known\nTry: source web"
    bench.running.sources.clear()
    assert operator.series("source web", "24h").values["records_per_sec"][-1] == 0.0


async def test_without_a_history_there_are_no_numbers_over_time(bench: Bench) -> None:
    operator = bench.operator(keeps=False)
    assert str(failure(operator, "source web")).startswith("no history is kept\n")
    settings = settings_in(bench.folder)
    await operator.start(settings)
    await operator.close()
    assert not (bench.folder / FILE_NAME).exists()


async def test_what_the_end_wrote_the_next_start_reads(bench: Bench) -> None:
    await bench.run(bench.folder)
    bench.running.sources.clear()
    again = bench.operator()
    assert bench.history is not None
    await again.start(settings_in(bench.folder))
    async with asyncio.timeout(30):
        while not bench.history.seen:  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.01)
    assert bench.history.seen.keys() == {"source web"}
    await again.close()


async def test_a_look_at_the_status_that_fails_is_reported_and_not_the_last(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    report_held_back()
    caplog.clear()
    bench.faults = [RuntimeError("a bug")]
    operator = await bench.run(bench.folder)
    assert operator.status().health.alive
    assert [record.event for record in caplog.records] == ["look_failed"]  # type: ignore[attr-defined]


async def test_a_state_directory_that_is_not_there_disturbs_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    operator = await bench.run(bench.folder / "none")
    assert operator.status().health.alive
    assert [record.event for record in caplog.records] == ["history_not_saved"]  # type: ignore[attr-defined]


async def test_a_history_is_written_down_from_time_to_time(tmp_path: Path) -> None:
    history = History()
    keeping = HistoryKeeping(history, tmp_path, save_secs=0.01)
    keeping.add(STATUS)
    assert history.seen == {}  # what was kept comes first
    task = asyncio.create_task(keeping.run())
    async with asyncio.timeout(30):
        while not (tmp_path / FILE_NAME).exists():
            await asyncio.sleep(0.01)
            keeping.add(STATUS)
    assert history.seen[f"feed {FEED.name}"] == NOW
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_history_that_was_not_loaded_is_not_written_over_the_old(tmp_path: Path) -> None:
    await HistoryKeeping(History(), tmp_path).close()
    assert not (tmp_path / FILE_NAME).exists()


async def test_what_can_be_replayed_and_why_records_were_rejected_is_the_spools(
    bench: Bench,
) -> None:
    operator = bench.operator()
    cursor = await bench.spool.cursor("gone", ["web"])
    sequence = await bench.spool.append(Batch("web", b"r\n", 1))
    await cursor.next()
    await cursor.advance(sequence, Account(rejected=1), [Reject("web", "", "no JSON", b"r")])

    (found,) = await operator.reject_reasons("gone")
    assert (found.reason, found.records) == ("no JSON", 1)
    for asked in (operator.reject_reasons("x"), operator.replayable("x", 0, 1)):
        with pytest.raises(UsageError, match="feed 'x' is not known"):
            await asked
    with pytest.raises(UsageError, match="feed 'gone' is not known"):
        await operator.replay_range("gone")
    bench.running.feeds["gone"] = None  # type: ignore[assignment]
    assert await operator.replay_range("gone") is None
    with pytest.raises(SpoolError):
        await operator.replayable("gone", 0, 1)
