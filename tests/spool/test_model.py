"""Random histories of a spool against a list that remembers everything."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nss.batch import Account, Batch
from nss.spool import Cursor, Entry
from tests.parts import memory_spool

MAX_BYTES = 40
FEEDS = {"web only": ("web",), "all": ("web", "dns")}


@dataclass
class Follower:
    """What a feed should have, and its cursor."""

    cursor: Cursor
    sources: tuple[str, ...]
    passed: int
    returned: int
    accepted: int = 0
    unpassed: list[Entry] = field(default_factory=list)


class SpoolAgainstModel(RuleBasedStateMachine):
    """A spool beside a list of the entries it has accepted and not yet dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.spool = memory_spool(MAX_BYTES, overhead_bytes=0)
        self.kept: list[Entry] = []
        self.sequence = 0
        self.feeds: dict[str, Follower] = {}
        self.waiting: list[tuple[Batch, asyncio.Task[int]]] = []

    def teardown(self) -> None:
        for _, task in self.waiting:
            task.cancel()
        self._settle()
        self.loop.close()

    @rule(source=st.sampled_from(["web", "dns"]), records=st.integers(1, 30))
    def append(self, source: str, records: int) -> None:
        batch = Batch(source, b"r\n" * records, records)
        self.waiting.append((batch, self.loop.create_task(self.spool.append(batch))))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel_an_append(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.waiting) - 1))
        self.waiting.pop(index)[1].cancel()

    @rule(name=st.sampled_from(sorted(FEEDS)))
    def take_cursor(self, name: str) -> None:
        sources = FEEDS[name]
        known = self.feeds.get(name)
        passed = self.sequence - len(self.kept) if known is None else known.passed
        cursor = self.loop.run_until_complete(self._cursor(name, sources))
        held = [e for e in self.kept if e.sequence > passed and e.batch.source in sources]
        accepted = sum(entry.batch.records for entry in held)
        self.feeds[name] = Follower(cursor, sources, passed, passed, accepted, held)

    @precondition(lambda self: self.feeds)
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        feed = self.feeds[data.draw(st.sampled_from(sorted(self.feeds)))]
        following = [entry for entry in feed.unpassed if entry.sequence > feed.returned]
        if following:
            assert self.loop.run_until_complete(feed.cursor.next()) == following[0]
            feed.returned = following[0].sequence

    @precondition(lambda self: self.feeds)
    @rule(data=st.data())
    def advance(self, data: st.DataObject) -> None:
        feed = self.feeds[data.draw(st.sampled_from(sorted(self.feeds)))]
        read = [entry for entry in feed.unpassed if entry.sequence <= feed.returned]
        if read:
            entry = data.draw(st.sampled_from(read))
            self.loop.run_until_complete(self._advance(feed.cursor, entry.sequence))
            feed.passed = entry.sequence
            feed.unpassed = [later for later in feed.unpassed if later.sequence > entry.sequence]

    @precondition(lambda self: self.feeds)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.feeds)))
        self.loop.run_until_complete(self._forget(name))
        del self.feeds[name]

    @invariant()
    def agrees(self) -> None:
        self._settle()
        self._let_go()
        while self.waiting and self._has_room(self.waiting[0][0]):
            self._accept(*self.waiting.pop(0))
        assert [task.done() for _, task in self.waiting] == [False] * len(self.waiting)
        assert self.spool.full == bool(self.waiting)
        assert self.spool.used_bytes == self._used_bytes()
        for feed in self.feeds.values():
            pending = sum(entry.batch.records for entry in feed.unpassed)
            assert (feed.cursor.accepted_records, feed.cursor.pending_records) == (
                feed.accepted,
                pending,
            )

    def _accept(self, batch: Batch, task: "asyncio.Task[int]") -> None:
        self.sequence += 1
        assert task.result() == self.sequence
        entry = Entry(self.sequence, batch)
        self.kept.append(entry)
        for feed in self.feeds.values():
            if batch.source in feed.sources:
                feed.unpassed.append(entry)
                feed.accepted += batch.records
        self._let_go()

    def _let_go(self) -> None:
        while self.kept and not any(self.kept[0] in feed.unpassed for feed in self.feeds.values()):
            del self.kept[0]

    def _used_bytes(self) -> int:
        return sum(len(entry.batch.data) for entry in self.kept)

    def _has_room(self, batch: Batch) -> bool:
        return not self.kept or self._used_bytes() + len(batch.data) <= MAX_BYTES

    def _settle(self) -> None:
        async def turns() -> None:
            for _ in range(10 + 4 * len(self.waiting)):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())

    async def _cursor(self, name: str, sources: tuple[str, ...]) -> Cursor:
        return await self.spool.cursor(name, sources)

    async def _advance(self, cursor: Cursor, sequence: int) -> None:
        await cursor.advance(sequence, Account())

    async def _forget(self, name: str) -> None:
        await self.spool.forget(name)


TestSpoolAgainstModel = SpoolAgainstModel.TestCase
TestSpoolAgainstModel.settings = settings(max_examples=40, stateful_step_count=30)
