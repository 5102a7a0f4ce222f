"""A spool that can wait or fail; every async test runs on both event loops."""

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest
import uvloop

from nss.batch import Batch
from nss.telemetry import events


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def _quiet_telemetry() -> Iterator[None]:
    events.clear()
    yield
    events.clear()


@pytest.fixture
def accepted() -> "Accepted":
    return Accepted()


class Accepted:
    """Stands where the spool would: `accept` is what a source hands its batches to."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.open = asyncio.Event()
        self.open.set()
        self.failure: Exception | None = None
        self.waiting = 0
        self._changed = asyncio.Condition()

    async def accept(self, batch: Batch) -> None:
        """Keep a batch; wait while `open` is not set."""
        if self.failure is not None:
            raise self.failure
        assert batch.data.endswith(b"\n")
        assert batch.records == batch.data.count(b"\n")
        self.waiting += 1
        async with self._changed:
            self._changed.notify_all()
        await self.open.wait()
        self.waiting -= 1
        self.batches.append(batch)
        async with self._changed:
            self._changed.notify_all()

    async def until_waiting(self) -> None:
        """Wait until a source waits for its batch to be accepted."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.waiting > 0)

    async def until(self, records: int) -> None:
        """Wait until this many records were accepted."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.records >= records)

    @property
    def records(self) -> int:
        return sum(batch.records for batch in self.batches)

    @property
    def data(self) -> bytes:
        return b"".join(batch.data for batch in self.batches)

    @property
    def lines(self) -> list[bytes]:
        return self.data.split(b"\n")[:-1]

    def of(self, connection: str) -> list[bytes]:
        """Return the lines that came over one connection."""
        data = b"".join(batch.data for batch in self.batches if batch.connection == connection)
        return data.split(b"\n")[:-1]
