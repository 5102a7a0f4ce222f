"""The upload sink against a model: batches of any size, kills at any step, spools that change.

The model is the spool, and a feed that collects, flushes and passes batches as `CollectedDelivery`
does. A kill leaves the spool at any batch that was passed and might have been committed.
"""

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from formats.lines import Lines
from nss.sinks import Delivered
from nss.sinks.cloud_discovery.sink import CloudDiscoverySink
from tests.sinks.cloud_discovery.bench import DOWN, STEPS, Bench

FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)

SIZES = st.lists(st.sampled_from([0, 1, 1, 2, 400, 999, 1000, 1001, 2300]), max_size=6)

FATES = st.tuples(st.sampled_from(STEPS), st.integers(0, 4), st.booleans())
"""At which step a process dies, how many such steps it survives, and if the last is carried out."""


@pytest.fixture(autouse=True, scope="module")
def unsynced() -> Iterator[None]:
    """Wait for no disk: the processes die, and the machine stays. A slow one took a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _number: None)
        yield


@dataclass
class World:
    """The spool, the service, and one process after the other."""

    bench: Bench
    spool: list[tuple[float, list[bytes]]] = field(default_factory=list)
    made: int = 0
    passed: list[int] = field(default_factory=lambda: [0])
    """Up to which batch the feed has come, each time that it passed some."""

    def accept(self, sizes: list[int], at: float = 0.5) -> None:
        """Accept batches of new lines."""
        for size in sizes:
            self.spool.append(
                (at, [b"%d" % number for number in range(self.made, self.made + size)])
            )
            self.made += size

    async def live(self, fate: tuple[str, int, bool] | None) -> None:
        """Have a process work until it meets its fate, or has delivered everything."""
        if fate is not None:
            self._prepare(*fate)
        sink = await self.bench.opened()
        if await self._flushed(sink):
            await self._follow(sink)
        await sink.close()
        self.bench.service.on_step = lambda: None
        self.bench.service.fail, self.bench.service.fail_after = {}, {}

    async def _follow(self, sink: CloudDiscoverySink) -> None:
        for number in range(self.passed[-1], len(self.spool)):
            if sink.due_secs() == 0:
                if not await self._flushed(sink):
                    return
                self.passed.append(number)
            at, lines = self.spool[number]
            sink.begin(number + 1, at)
            for start in range(0, len(lines), 170):
                assert await sink.send(Lines.of(lines[start : start + 170])) == Delivered()
            if not sink.collected:
                self.passed.append(number + 1)
        if await self._flushed(sink):
            self.passed.append(len(self.spool))

    async def _flushed(self, sink: CloudDiscoverySink) -> bool:
        return await sink.flush() == Delivered()

    def _prepare(self, step: str, survived: int, carried_out: bool) -> None:  # noqa: FBT001 - of a fate
        service, left = self.bench.service, survived

        def on_step() -> None:
            nonlocal left
            if service.asked[-1] == step:
                if not left:
                    (service.fail_after if carried_out else service.fail)[step] = [DOWN]
                left -= 1

        service.on_step = on_step

    def times(self) -> Counter[bytes]:
        """Return how often each line was delivered."""
        return Counter(line for file in self.bench.service.received for line in file.splitlines())

    def wanted(self) -> Counter[bytes]:
        """Return the lines in the spool."""
        return Counter(line for _, lines in self.spool for line in lines)

    def longest(self) -> int:
        """Return the most records that are in one file."""
        return max((file.count(b"\n") for file in self.bench.service.received), default=0)


def world(folder: str, max_records: int) -> World:
    return World(Bench(Path(folder), options={"max_records": max_records}))


@FEW
@given(
    lives=st.lists(st.tuples(SIZES, FATES, st.integers(0, 3)), min_size=1, max_size=6),
    max_records=st.sampled_from([1, 700, 1000, 1500, 5000]),
)
@example(lives=[([2300], ("finalize", 1, True), 0)] * 3, max_records=1000)
def test_kills_neither_lose_nor_repeat_a_line(
    lives: list[tuple[list[int], tuple[str, int, bool], int]], max_records: int
) -> None:
    async def run(folder: str) -> None:
        found = world(folder, max_records)
        for sizes, fate, uncommitted in lives:
            found.accept([min(size, 20) if max_records == 1 else size for size in sizes])
            await found.live(fate)
            found.passed = found.passed[: max(1, len(found.passed) - uncommitted)]
        await found.live(None)
        assert found.times() == found.wanted()
        assert found.longest() <= max_records

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(folder))


CHANGES = st.sampled_from(["an older copy", "a batch is missing", "other lines", "new spool"])


@FEW
@given(
    lives=st.lists(
        st.tuples(SIZES, FATES, st.integers(0, 3), CHANGES, st.integers(0, 5)),
        min_size=2,
        max_size=6,
    ),
    max_records=st.sampled_from([700, 1000, 5000]),
)
def test_nothing_is_lost_whatever_becomes_of_the_spool(
    lives: list[tuple[list[int], tuple[str, int, bool], int, str, int]], max_records: int
) -> None:
    """Batches that were passed are gone; of the others, each line was delivered at least once."""

    async def run(folder: str) -> None:
        found = world(folder, max_records)
        for life, (sizes, fate, uncommitted, change, behind) in enumerate(lives):
            found.accept(sizes, 0.5 + life)
            await found.live(fate)
            found.passed = found.passed[: max(1, len(found.passed) - uncommitted)]
            at = min(found.passed[-1] + behind, len(found.spool))
            if change == "an older copy":
                del found.spool[at:]
            elif change == "a batch is missing":
                found.spool[at : at + 1] = [(9.5, [])] * len(found.spool[at : at + 1])
            elif change == "other lines":
                for accepted_at, lines in found.spool[at : at + 1]:
                    found.made += len(lines)
                    more = [b"new %d" % (found.made - number) for number in range(len(lines) // 2)]
                    found.spool[at] = (accepted_at, [*lines[::2], *more])
            else:
                found.spool, found.passed = [], [0]
        await found.live(None)
        assert found.times() >= found.wanted()
        assert found.longest() <= max_records

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(folder))
