"""What the store writes, and what of it stays for how long."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool import Reject
from nss.spool.durable import feed_rows, replay, schema
from nss.spool.durable import store as storing
from nss.spool.durable.bookkeeping import FeedRow
from nss.spool.durable.feed_rows import Move
from nss.spool.durable.ledger import LedgerEntry
from nss.spool.durable.packing import RAW, Packed
from nss.spool.durable.schema import PAGE_BYTES
from nss.spool.durable.store import PURGE_ROWS, Store
from tests.spool.durable.stores import (
    OVERHEAD,
    Clock,
    append,
    assert_as_a_start_finds_it,
    assert_rows_are_sound,
    clock,
    packed,
    pages_of,
    stores,
)

__all__ = ["clock", "stores"]


def test_what_was_passed_stays_as_long_as_replays_may_reach_back(
    stores: Callable[..., Store], clock: Clock
) -> None:
    store = stores(replay_minutes=1)
    registration = feed_rows.register(store, "web", ["web"], None).registration
    for _ in range(4):
        append(store)

    def passed(upto: int) -> None:
        move = Move("web", registration, upto, [(upto, 1)], Account(delivered=1), [])
        assert feed_rows.advance(store, move) == 0

    def there() -> list[tuple[int, float | None]]:
        query = "SELECT sequence, passed_at FROM batches ORDER BY sequence"
        return store.connection.execute(query).fetchall()

    passed(1)
    assert not store.purge()
    clock.now = 1030.0
    passed(2)
    assert not store.purge()
    assert there() == [(1, 1000.0), (2, 1030.0), (3, None), (4, None)]
    feed_rows.save(store)
    assert_as_a_start_finds_it(store)
    clock.now = 1059.0
    assert not store.purge()
    assert len(there()) == 4
    clock.now = 1060.0
    assert not store.purge()
    assert there() == [(2, 1030.0), (3, None), (4, None)]
    clock.now = 500.0  # set back: what was passed in the future counts as passed now
    assert not store.purge()
    assert there() == [(2, 500.0), (3, None), (4, None)]
    clock.now = 560.0
    passed(3)
    assert not store.purge()
    assert there() == [(3, 560.0), (4, None)]
    assert_rows_are_sound(store)


def test_a_start_knows_since_when_nobody_waits(stores: Callable[..., Store]) -> None:
    store = stores(replay_minutes=1)
    registration = feed_rows.register(store, "web", ["web"], None).registration
    for _ in range(3):
        append(store)
    move = Move("web", registration, 2, [(1, 1), (2, 1)], Account(delivered=2), [])
    feed_rows.advance(store, move)
    store.purge()
    feed_rows.save(store)
    again = stores(replay_minutes=1)
    assert (again.state.passed, store.state.passed) == (2, 2)
    again.connection.execute("UPDATE batches SET passed_at = 1")
    later = stores(replay_minutes=1)
    assert later.state.passed == 2, "whatever the batches say"


def test_many_are_deleted_a_step_at_a_time(stores: Callable[..., Store]) -> None:
    store = stores()
    for _ in range(2 * PURGE_ROWS + 1):
        append(store)
    found = []
    for _ in range(3):
        found.append(store.purge())
        (left,) = store.connection.execute("SELECT count(*) FROM batches").fetchone()
        found.append(left)
    assert found == [True, PURGE_ROWS + 1, True, 1, False, 0]
    assert store.state.used_bytes == 0
    assert store.connection.execute("SELECT count(*) FROM bodies").fetchone() == (0,)


def test_positions_are_kept_when_a_batch_has_none(stores: Callable[..., Store]) -> None:
    store = stores()
    append(store, "web", records=2)
    append(store, "dns", feed="other")  # a replay is no news of its source
    store.append(Batch("web", b"x\n", 1), packed(5))
    store.append(Batch("udp", b"x\n", 1), packed(5))
    assert store.positions() == {"web": "at 0"}
    append(store, "web", records=3)
    assert store.positions() == {"web": "at 4"}
    query = "SELECT name, accepted FROM sources ORDER BY name"
    assert store.connection.execute(query).fetchall() == [("udp", 1), ("web", 6)]
    assert_rows_are_sound(store)


def test_a_batch_is_stored_as_it_was_accepted(stores: Callable[..., Store]) -> None:
    store = stores()
    batch = Batch("web", b"a\nb\n", 2, connection="192.0.2.1:9", feed="")
    appended = store.append(batch, Packed(RAW, 7, b"blob"))
    assert (appended.entry.sequence, appended.entry.batch) == (1, batch)
    assert (appended.entry.accepted_at, appended.feeds) == (1000.0, [])
    row = store.connection.execute("SELECT * FROM batches").fetchone()
    values = (1, "web", "192.0.2.1:9", "", 2, 4, 4, 1000.0, 1, None)
    assert row == (*values, schema.row_crc32("batches", *values))
    assert store.connection.execute("SELECT * FROM bodies").fetchall() == [(1, RAW, 7, b"blob")]


def test_a_batch_that_can_not_be_read_is_set_aside_or_only_noted(
    stores: Callable[..., Store],
) -> None:
    store = stores()
    sequence = append(store, records=3, size=20)
    reject = Reject("web", "c", "unreadable", b"")
    store.set_aside("web", sequence, reject)
    store.set_aside("web", sequence + 1, reject)
    first, second = store.rejects.after(0, None)
    assert first.batch is not None
    assert (first.batch.body, first.batch.records, first.kept.records) == (sequence, 3, 3)
    assert (first.batch.data_bytes, first.batch.stored_bytes) == (6, 20)
    assert second.batch is None
    assert [each.kept.feed for each in (first, second)] == ["web", "web"]


def test_a_blob_that_another_needs_is_kept(stores: Callable[..., Store]) -> None:
    store = stores()
    sequence = append(store, size=20)
    store.set_aside("web", sequence, Reject("web", "", "unreadable", b""))
    assert not store.purge()
    assert store.state.used_bytes == 0
    assert store.connection.execute("SELECT count(*) FROM bodies").fetchone() == (1,)
    (reject,) = store.rejects.after(0, None)
    store.rejects.delete(reject)
    assert store.connection.execute("SELECT count(*) FROM bodies").fetchone() == (0,)


def test_a_limit_that_nothing_left_can_meet_is_no_endless_loop(
    stores: Callable[..., Store],
) -> None:
    store = stores(max_bytes=100, when_full="drop_oldest")
    append(store)
    store.state.used_bytes += 100  # more than its batches say
    assert not store.make_room(90)
    assert store.connection.execute("SELECT count(*) FROM batches").fetchone() == (0,)


def test_a_file_that_is_gone_has_no_size(path: Path) -> None:
    assert storing._size_of(path) == 0
    path.write_bytes(b"abc")
    assert storing._size_of(path) == 3


def test_the_last_batch_that_only_the_ledger_knew_is_noted_once(
    stores: Callable[..., Store],
) -> None:
    store = stores()
    append(store)
    connection = store.connection
    again = Store(store.settings, now=store.now, free_bytes=store.free_bytes, overhead_bytes=0)
    again.load(connection, LedgerEntry(form=2, last_sequence=7))
    said: list[str] = []
    connection.set_trace_callback(said.append)
    feed_rows.save(again)
    assert said
    query = "SELECT seq FROM sqlite_sequence WHERE name = 'batches'"
    assert connection.execute(query).fetchall() == [(7,)]
    said.clear()
    feed_rows.save(again)
    assert said == []


def damage_reject(store: Store, column: str, value: int | bytes) -> None:
    """Change a column of the oldest reject past its checksum."""
    query = f"UPDATE rejects SET {column} = ? WHERE number = (SELECT min(number) FROM rejects)"  # noqa: S608
    store.connection.execute(query, (value,))


def test_a_damaged_reject_is_charged_until_it_goes_and_not_longer(
    stores: Callable[..., Store],
) -> None:
    store = stores()
    for number in range(3):
        store.rejects.keep("web", [Reject("web", "", "bad", b"x" * (100 + number))])
    damage_reject(store, "crc32", 5)
    oldest, second, third = store.rejects.after(0, None)
    store.rejects.delete(oldest)
    assert_as_a_start_finds_it(store)
    store.rejects.delete(second)
    store.rejects.delete(third)
    assert store.rejects.size == (0, 0)


@pytest.mark.parametrize(("column", "value"), [("record_bytes", 1 << 62), ("body", 77)])
def test_a_damaged_reject_of_a_batch_takes_no_other_with_it(
    stores: Callable[..., Store], column: str, value: int
) -> None:
    store = stores()
    for _ in range(3):
        sequence = append(store, records=3, size=20)
        store.set_aside("web", sequence, Reject("web", "", "unreadable", b""))
    damage_reject(store, column, value)
    again = Store(
        store.settings, now=store.now, free_bytes=store.free_bytes, overhead_bytes=OVERHEAD
    )
    again.load(store.connection, None)
    again.rejects.keep("web", [Reject("web", "", "bad", b"x")])
    assert again.rejects.size[0] == 4
    assert_as_a_start_finds_it(again)
    for row in again.rejects.after(0, None):
        again.rejects.delete(row)
    assert again.rejects.size == (0, 0)


def test_of_rejects_that_were_damaged_meanwhile_nothing_is_charged_in_the_end(
    stores: Callable[..., Store],
) -> None:
    store = stores()
    sequence = append(store, records=3, size=20)
    store.set_aside("web", sequence, Reject("web", "", "unreadable", b""))
    damage_reject(store, "record_bytes", 5)
    (reject,) = store.rejects.after(0, None)
    store.rejects.delete(reject)
    assert store.rejects.size == (0, 0)
    assert_as_a_start_finds_it(store)


def test_a_reject_of_a_batch_has_its_records_and_no_copy_of_them(
    stores: Callable[..., Store],
) -> None:
    store = stores()
    sequence = append(store, records=3, size=20)
    store.set_aside("web", sequence, Reject("web", "", "unreadable", b""))
    assert [kept.records for kept in store.rejects.newest(None, 5)] == [3]
    assert store.connection.execute("SELECT data FROM rejects").fetchall() == [(b"",)]


def test_a_feed_that_is_forgotten_and_comes_again_at_once_has_its_row(
    stores: Callable[..., Store],
) -> None:
    store = stores()
    feed_rows.register(store, "web", ["web"], None)
    feed_rows.save(store)
    feed_rows.forget(store, "web")
    feed_rows.register(store, "web", ["web"], None)
    feed_rows.save(store)
    assert_as_a_start_finds_it(store)
    assert store.connection.execute("SELECT feed FROM cursors").fetchall() == [("web",)]


def test_a_blob_counts_as_long_as_a_batch_has_it(stores: Callable[..., Store]) -> None:
    store = stores(replay_minutes=5)
    feed_rows.register(store, "web", ["web"], None)
    append(store, size=20)
    store.state.feeds["web"].passed, store.state.feeds["web"].pending = 1, 0
    store.purge()
    assert replay.replay(store, "web", 0.0, 1e12) == 1
    assert store.state.used_bytes == 20 + 2 * OVERHEAD
    store._delete(1, 1, 20)
    assert store.state.used_bytes == 20 + OVERHEAD
    store._delete(2, 1, 20)
    assert store.state.used_bytes == 0
    assert store.connection.execute("SELECT count(*) FROM bodies").fetchone() == (0,)


def test_feeds_whose_rows_were_lost_are_where_the_ledger_had_them(
    stores: Callable[..., Store],
) -> None:
    store = stores()
    store.connection.execute("INSERT INTO salvages VALUES (1.0, 0, 0, '', 1, NULL)")
    row = FeedRow(7, 21, Account(delivered=21), sources=("web",))
    again = Store(
        store.settings, now=store.now, free_bytes=store.free_bytes, overhead_bytes=OVERHEAD
    )
    again.load(store.connection, LedgerEntry(form=2, feeds={"mcas": row}))
    assert again.state.feeds == {"mcas": row}


@pytest.mark.parametrize(
    ("least", "kept", "shrinks"),
    [
        (0, 0, True),
        (30, 0, True),
        (31, 0, False),  # less than is worth it
        (0, 77, True),
        (0, 78, False),  # a fourth of the file, and not more
        (0, 90, False),
    ],
)
def test_a_file_gives_back_a_good_part_that_is_free(
    stores: Callable[..., Store],
    monkeypatch: pytest.MonkeyPatch,
    least: int,
    kept: int,
    shrinks: bool,  # noqa: FBT001 - a case
) -> None:
    store = stores()
    monkeypatch.setattr(storing, "VACUUM_PAGES", 3)
    for size in (15, 15, kept):
        append(store, size=size * PAGE_BYTES)
    for sequence in (1, 2):
        store._delete(sequence, sequence, 15 * PAGE_BYTES)
    free, pages = pages_of(store)
    assert pages - 4 * free == kept - 78
    monkeypatch.setattr(storing, "VACUUM_MIN_BYTES", (least + free - 31) * PAGE_BYTES)
    store.give_back_pages()
    left, _ = pages_of(store)
    assert left == (free - 3 if shrinks else free)


def test_what_is_dropped_counts_for_the_feeds_that_had_yet_to_pass_it(
    stores: Callable[..., Store],
) -> None:
    store = stores(when_full="drop_oldest")
    for feed in ("ahead", "behind", "other"):
        feed_rows.register(store, feed, ["dns" if feed == "other" else "web"], None)
    for _ in range(3):
        append(store, records=3)
    ahead = store.state.feeds["ahead"]
    move = Move("ahead", ahead.registration, 1, ((1, 3),), Account(delivered=3), ())
    assert feed_rows.advance(store, move) == 0
    store.state.feeds["behind"].account.dropped = 5
    assert store._drop_oldest()
    rows = {
        feed: (row.passed, row.pending, row.account.dropped, row.pending_bytes)
        for feed, row in store.state.feeds.items()
    }
    assert rows["ahead"] == (1, 6, 0, 2 * (10 + OVERHEAD))
    assert rows["behind"] == (1, 6, 5 + 3, 2 * (10 + OVERHEAD))
    assert rows["other"][1:] == (0, 0, 0)


def test_a_feed_skips_to_the_batch_that_it_waits_for(stores: Callable[..., Store]) -> None:
    store = stores()
    row = feed_rows.register(store, "mcas", ["web"], None)
    for source in ("web", "dns", "dns", "web"):
        append(store, source)
    move = Move("mcas", row.registration, 1, ((1, 1),), Account(delivered=1), ())
    feed_rows.advance(store, move)
    assert store.state.feeds["mcas"].passed == 3
    lost = FeedRow(passed=4, pending=5)  # of which nothing is there
    store.skip("mcas", lost)
    assert lost.passed == 4


def test_there_is_room_to_the_byte_with_what_a_batch_is_charged(
    stores: Callable[..., Store],
) -> None:
    used, free = 10 + OVERHEAD, 23 + OVERHEAD
    store = stores(max_bytes=used + free)
    feed_rows.register(store, "mcas", ["web"], None)
    append(store, size=10)
    assert store.make_room(23)
    assert not store.make_room(24)
