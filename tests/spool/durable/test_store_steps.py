"""Random steps of the store: each is held against lists, and against what a start would find."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from nss.batch import Account, Batch
from nss.spool import Reject
from nss.spool.durable import feed_rows
from nss.spool.durable.feed_rows import Move
from nss.spool.durable.store import PURGE_ROWS, Store
from tests.spool.durable.stores import (
    OVERHEAD,
    assert_as_a_start_finds_it,
    clock,
    packed,
    rows_of,
    stores,
)

__all__ = ["clock", "stores"]

SOURCES = {"web": ["web"], "both": ["dns", "web"], "dns": ["dns"]}


@dataclass
class Walk:
    """Random steps, each in a transaction of its own; some are undone."""

    store: Store
    chance: random.Random
    pending: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    """What waits for each feed: sequence, records, bytes."""
    accounts: dict[str, Account] = field(default_factory=dict)

    def run(self, steps: int) -> None:
        ways = [self.append, self.append, self.append, self.advance, self.advance, self.register]
        ways += [self.forget, self.room, self.purge]
        for _ in range(steps):
            self.store.connection.execute("BEGIN IMMEDIATE")
            if self.chance.random() < 0.1:
                self.undone(self.chance.choice(ways))
            else:
                self.chance.choice(ways)()
                feed_rows.save(self.store)
                self.store.connection.execute("COMMIT")
            self.compare()

    def undone(self, way: Callable[[], None]) -> None:
        saved, before = self.store.save(), (rows_of(self.store), self.store.state.used_bytes)
        known = {feed: list(batches) for feed, batches in self.pending.items()}
        accounts = {feed: account.copy() for feed, account in self.accounts.items()}
        wanted, limits = dict(self.store.wanted), dict(self.store.limits)
        way()
        feed_rows.save(self.store)
        self.store.connection.execute("ROLLBACK")
        self.store.restore(saved)
        self.store.wanted, self.store.limits = wanted, limits
        self.pending, self.accounts = known, accounts
        assert (rows_of(self.store), self.store.state.used_bytes) == before

    def append(self) -> None:
        size, records = self.chance.randrange(1, 60), self.chance.randrange(1, 4)
        source = self.chance.choice(["web", "dns", "none"])
        feed = self.chance.choice(["", "", "", "both", "other"])
        if not self.store.make_room(size):
            return
        self.note_dropped()
        batch = Batch(source, b"x\n" * records, records, feed=feed)
        appended = self.store.append(batch, packed(size))
        wanting = {
            name
            for name in self.pending
            if source in SOURCES[name] and feed in ("", name) and name in self.store.wanted
        }
        assert set(appended.feeds) == wanting
        for name in wanting:
            self.pending[name].append((appended.entry.sequence, records, size + OVERHEAD))

    def register(self) -> None:
        feed = self.chance.choice(list(SOURCES))
        waiting = {batch for batches in self.pending.values() for batch in batches}
        row = feed_rows.register(self.store, feed, SOURCES[feed], None)
        if feed not in self.pending:
            assert row.account == Account()
            self.accounts[feed] = Account()
            self.pending[feed] = self.as_stored(feed)
            own = {batch for batch in waiting if self.is_for(feed, batch[0])}
            assert own <= set(self.pending[feed])
        assert row.pending == sum(records for _, records, _ in self.pending[feed])

    def forget(self) -> None:
        if len(self.pending) > 1 and self.chance.random() < 0.3:
            feed = self.chance.choice(list(self.pending))
            feed_rows.forget(self.store, feed)
            del self.pending[feed], self.accounts[feed]

    def advance(self) -> None:
        for feed in self.chance.sample(list(self.pending), len(self.pending)):
            count = self.chance.randrange(0, 4)
            batches = self.pending[feed][:count]
            if not batches:
                continue
            records = sum(number for _, number, _ in batches)
            filtered = self.chance.randrange(0, records + 1)
            rejects = [Reject("web", "", "bad", b"r")] * self.chance.randrange(0, 2)
            rejected = min(len(rejects), records - filtered)
            done = Account(records - filtered - rejected, filtered, rejected)
            registration = self.store.state.feeds[feed].registration
            passed = [(sequence, number) for sequence, number, _ in batches]
            move = Move(feed, registration, batches[-1][0], passed, done, rejects[:rejected])
            stale = Move(feed, registration + 9, batches[-1][0], passed, done, rejects)
            assert feed_rows.advance(self.store, stale) is None
            assert feed_rows.advance(self.store, move) == 0
            self.accounts[feed].add(done)
            del self.pending[feed][:count]
            return

    def room(self) -> None:
        size = self.chance.randrange(1, 200)
        before, most = self.sizes(), self.store.settings.max_bytes - size - OVERHEAD
        has_room = self.store.make_room(size)
        after = self.sizes()
        assert list(before)[len(before) - len(after) :] == list(after), "only the oldest go"
        used = self.store.state.used_bytes
        assert has_room == (used <= most or not used)
        if len(after) < len(before):
            last = before[list(before)[len(before) - len(after) - 1]]
            assert used + last + OVERHEAD > most, "no more than needed"
        self.note_dropped()

    def purge(self) -> None:
        waiting = [batch[0] for batches in self.pending.values() for batch in batches[:1]]
        horizon = min(waiting, default=self.store.state.last_sequence + 1)
        before = [sequence for sequence in self.sizes() if sequence < horizon]
        assert self.store.purge() == (len(before) >= PURGE_ROWS)
        left = [sequence for sequence in self.sizes() if sequence < horizon]
        assert left == before[PURGE_ROWS:]

    def note_dropped(self) -> None:
        there = self.sizes()
        for feed, batches in self.pending.items():
            gone = [batch for batch in batches if batch[0] not in there]
            dropped = sum(records for _, records, _ in gone)
            self.accounts[feed].dropped += dropped
            self.pending[feed] = [batch for batch in batches if batch[0] in there]
            assert self.store.state.dropped.pop(feed, 0) == dropped
        assert self.store.state.dropped == {}

    def compare(self) -> None:
        for feed, batches in self.pending.items():
            row = self.store.state.feeds[feed]
            assert row.account == self.accounts[feed]
            assert row.pending == sum(records for _, records, _ in batches)
            assert row.pending_bytes == sum(size for _, _, size in batches)
            assert row.passed < batches[0][0] if batches else True
            assert self.as_stored(feed) == batches
        assert set(self.store.state.feeds) == set(self.pending)
        assert self.store.state.used_bytes == sum(self.sizes().values()) + OVERHEAD * len(
            self.sizes()
        )
        assert_as_a_start_finds_it(self.store)

    def as_stored(self, feed: str) -> list[tuple[int, int, int]]:
        found = self.store.connection.execute(
            "SELECT sequence, records, stored_bytes, source, feed FROM batches "
            "WHERE sequence > ? ORDER BY sequence",
            (self.store.state.feeds[feed].passed,),
        )
        return [
            (sequence, records, size + OVERHEAD)
            for sequence, records, size, source, only in found
            if source in SOURCES[feed] and only in ("", feed)
        ]

    def sizes(self) -> dict[int, int]:
        return dict(
            self.store.connection.execute(
                "SELECT sequence, stored_bytes FROM batches ORDER BY sequence"
            ).fetchall()
        )

    def is_for(self, feed: str, sequence: int) -> bool:
        source, only = self.store.connection.execute(
            "SELECT source, feed FROM batches WHERE sequence = ?", (sequence,)
        ).fetchone()
        return source in SOURCES[feed] and only in ("", feed)


@pytest.mark.parametrize("when_full", ["wait", "drop_oldest"])
@pytest.mark.parametrize("seed", range(4))
def test_each_step_leaves_what_a_start_would_find(
    stores: Callable[..., Store], when_full: str, seed: int
) -> None:
    store = stores(max_bytes=400, when_full=when_full)
    Walk(store, random.Random(seed)).run(80)
