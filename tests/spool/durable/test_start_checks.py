"""What a start looks at, what it believes, and what the ledger beside the file is good for."""

import asyncio
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from nss.batch import Account
from nss.files import private
from nss.spool.durable import checking, committer, files, ledger, salvage, schema, suspicion
from nss.spool.durable.bookkeeping import FeedRow, State
from nss.spool.durable.ledger import Ledger
from nss.spool.durable.spool import DurableSpool
from nss.telemetry.events import counters
from tests.spool.durable.test_damage import (
    batch,
    beside,
    change,
    contents,
    filled,
    put_back,
    remove,
    snapshot,
    until,
)

Open = Callable[..., Awaitable[DurableSpool]]


async def delivered(open_spool: Open, count: int, *, keep: int = 0) -> None:
    """Leave a closed spool of which one feed has passed all batches but the last ones."""
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await filled(spool, count)
    for _ in range(count - keep):
        entry = await cursor.next()
        await cursor.advance(entry.sequence, Account(delivered=2))
    await spool.settle()
    await spool.close()


# Numbers of batches.


@pytest.mark.parametrize("knows_nothing", [True, False])
@pytest.mark.parametrize("number", [-1, 1 << 62, "x"])
async def test_a_last_number_that_makes_no_sense_is_replaced_by_a_safe_number(
    open_spool: Open, path: Path, number: object, *, knows_nothing: bool
) -> None:
    await delivered(open_spool, 5)
    change(path, "UPDATE sqlite_sequence SET seq = ? WHERE name = 'batches'", number)
    if knows_nothing:
        change(path, "UPDATE cursors SET crc32 = 0")  # it had the number too
    remove(ledger.ledger_path(path))

    spool = await open_spool()

    assert counters["spool_salvages", "spool"] == 1
    assert 1 << 40 < await spool.append(batch(5)) < 1 << 41


@pytest.mark.parametrize("damaged", [False, True])
async def test_numbers_go_on_behind_what_a_feed_has_passed(
    open_spool: Open, path: Path, *, damaged: bool
) -> None:
    await delivered(open_spool, 5)
    change(path, "DELETE FROM sqlite_sequence")
    if damaged:
        change(path, "UPDATE sources SET accepted = 1")
    remove(ledger.ledger_path(path))

    spool = await open_spool()

    assert counters["spool_salvages", "spool"] == damaged
    if damaged:  # it is noted, in case the feeds go
        with closing(schema.connect_reader(path)) as connection:
            found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'batches'")
            assert found.fetchall() == [(5,)]
    assert await spool.append(batch(5)) == 6


# The header.


@pytest.mark.parametrize("pragma", ["user_version = 1", "user_version = 7", "application_id = 5"])
async def test_a_header_that_contradicts_the_tables_is_damage(
    open_spool: Open, path: Path, pragma: str
) -> None:
    await delivered(open_spool, 5, keep=3)
    change(path, f"PRAGMA {pragma}")

    cursor = await (await open_spool()).cursor("mcas", ["web"])

    assert counters["spool_salvages", "spool"] == 1
    assert (cursor.account, cursor.pending_records) == (Account(delivered=4), 6)


async def test_the_ledger_of_another_form_is_not_held_against_a_file(
    open_spool: Open, path: Path
) -> None:
    await delivered(open_spool, 5)
    with closing(schema.connect_reader(path)) as connection:
        for form, is_behind in ((1, False), (len(schema.MIGRATIONS), True)):
            entry = ledger.LedgerEntry(1, form, 9)
            assert checking.is_behind(connection, entry) is is_behind
        assert not checking.is_behind(connection, None)


# A disk that gives only a part.


@pytest.mark.parametrize(
    ("code", "is_damage"), [(sqlite3.SQLITE_IOERR, False), (sqlite3.SQLITE_CORRUPT, True)]
)
def test_a_disk_that_gives_nothing_is_not_damage(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int, *, is_damage: bool
) -> None:
    def failing(_path: Path) -> sqlite3.Connection:
        error = sqlite3.DatabaseError("no luck")
        error.sqlite_errorcode = code
        raise error

    path.write_bytes(b"something")
    monkeypatch.setattr(schema, "connect_reader", failing)

    if is_damage:
        assert checking.find_damage(path, None, thorough=False) == "no luck"
    else:
        with pytest.raises(sqlite3.DatabaseError, match="no luck"):
            checking.find_damage(path, None, thorough=False)


@pytest.mark.parametrize(
    ("unreadable", "is_dead"), [(range(2), False), (range(3), True), (range(4), True)]
)
def test_a_disk_that_gives_less_than_half_is_dead(
    path: Path, monkeypatch: pytest.MonkeyPatch, unreadable: range, *, is_dead: bool
) -> None:
    path.write_bytes(bytes(3 << 16))
    path.with_name(f"{path.name}-wal").write_bytes(bytes(1 << 16))
    reads = iter(range(4))
    pread = os.pread

    def failing(number: int, size: int, offset: int) -> bytes:
        if next(reads) in unreadable:
            raise OSError(5, "Input/output error")
        return pread(number, size, offset)

    monkeypatch.setattr(os, "pread", failing)

    if is_dead:
        with pytest.raises(OSError, match="Input/output"):
            checking.read_through(path)
    else:
        checking.read_through(path)
    assert next(reads, None) is None  # all was tried


# An older file is not a damaged file.


async def test_an_older_file_is_used_as_it_is(open_spool: Open, path: Path) -> None:
    await delivered(open_spool, 2, keep=2)
    older = contents(path)
    await delivered(open_spool, 2, keep=4)
    put_back(path, older)

    cursor = await (await open_spool()).cursor("mcas", ["web"])

    assert beside(path, ".damaged-*") == []
    assert counters["spool_losses", "spool"] == 1
    assert (cursor.pending_records, cursor.account.rejected) == (4, 4)


async def test_a_file_whose_feeds_alone_are_older_goes_by_the_ledger(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool(replay_secs=3600)
    cursor = await spool.cursor("mcas", ["web"])
    await filled(spool, 4)
    await spool.close()
    older = contents(path)
    spool = await open_spool(replay_secs=3600)
    cursor = await spool.cursor("mcas", ["web"])
    for _ in range(3):
        entry = await cursor.next()
        await cursor.advance(entry.sequence, Account(delivered=2))
    await spool.close()
    put_back(path, older)

    again = await open_spool(replay_secs=3600)
    cursor = await again.cursor("mcas", ["web"])

    assert counters["spool_losses", "spool"] == 1
    assert (cursor.account, cursor.pending_records) == (Account(delivered=6), 2)
    assert (await cursor.next()).sequence == 4
    await again.close()
    counters.clear()
    last = await open_spool(replay_secs=3600)
    assert (await last.cursor("mcas", ["web"])).account == Account(delivered=6)
    assert counters["spool_losses", "spool"] == 0


async def test_more_records_than_the_account_says_are_delivered_and_reported(
    open_spool: Open, path: Path
) -> None:
    await delivered(open_spool, 2, keep=2)
    change(path, "UPDATE cursors SET accepted = 2")
    change(
        path,
        "UPDATE cursors SET crc32 = row_crc32('cursors', feed, passed, accepted, delivered, "
        "filtered, rejected, dropped, shortened, unpacked, sources, written)",
    )

    cursor = await (await open_spool()).cursor("mcas", ["web"])

    assert (cursor.accepted_records, cursor.pending_records, cursor.account) == (4, 4, Account())
    assert counters["records_missing", "mcas"] == 0


# Feeds whose rows are lost.


async def test_a_lost_feed_is_put_back_by_the_ledger_and_others_by_their_own_rows(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    lost = await spool.cursor("lost", ["web"])
    kept = await spool.cursor("kept", ["web"])
    await filled(spool, 6)
    for cursor, count in ((lost, 2), (kept, 3)):
        for _ in range(count):
            entry = await cursor.next()
            await cursor.advance(entry.sequence, Account(delivered=2))
    await spool.settle()
    old_ledger = contents(ledger.ledger_path(path))
    entry = await kept.next()
    await kept.advance(entry.sequence, Account(delivered=2))
    await spool.close()
    put_back(ledger.ledger_path(path), old_ledger)  # it is never waited for, and may be older
    change(path, "UPDATE cursors SET passed = 5 WHERE feed = 'lost'")

    again = await open_spool()

    assert (await again.cursor("lost", ["web"])).account == Account(delivered=4)
    assert (await again.cursor("kept", ["web"])).account == Account(delivered=8)
    assert counters["records_missing", "lost"] == counters["records_missing", "kept"] == 0


async def test_a_lost_feed_without_a_ledger_starts_where_somebody_waited(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool(replay_secs=3600)
    cursor = await spool.cursor("mcas", ["web"])
    await filled(spool, 6)
    for _ in range(4):
        entry = await cursor.next()
        await cursor.advance(entry.sequence, Account(delivered=2))
    await spool.settle()
    await spool.close()
    change(path, "UPDATE cursors SET passed = 6")
    remove(ledger.ledger_path(path))

    again = await open_spool(replay_secs=3600)
    cursor = await again.cursor("mcas", ["web"])

    assert (await cursor.next()).sequence == 5
    assert cursor.pending_records == 4


# The ledger.


def entry_of(path: Path) -> ledger.LedgerEntry:
    entry = ledger.read(path)
    assert entry is not None
    return entry


def test_either_slot_of_the_ledger_is_enough(path: Path) -> None:
    written = Ledger(path, 2)
    written.open()
    feeds = {"mcas": FeedRow.of(3, 9, Account(delivered=4), ("web",), 7)}
    for last in (1, 2, 3):
        written.write(State(last_sequence=last, feeds=feeds))
    written.close()
    data = contents(ledger.ledger_path(path))
    assert entry_of(path).last_sequence == 3
    assert entry_of(path).feeds == feeds

    for broken, left in ((0, 3), (ledger.SLOT_BYTES, 2)):
        changed = bytearray(data)
        changed[broken + 30] ^= 1
        put_back(ledger.ledger_path(path), bytes(changed))
        assert entry_of(path).last_sequence == left


def test_a_ledger_with_one_wrong_digit_is_not_believed(path: Path) -> None:
    written = Ledger(path, 2)
    written.open()
    for last in (2, 3):
        written.write(State(last_sequence=last, feeds={}))
    written.close()
    data = contents(ledger.ledger_path(path))
    assert data.count(b'"last_sequence":3') == 1

    put_back(ledger.ledger_path(path), data.replace(b'"last_sequence":3', b'"last_sequence":9'))

    assert entry_of(path).last_sequence == 2


def test_a_ledger_goes_on_where_it_ended(path: Path) -> None:
    for last in (1, 2, 3):
        written = Ledger(path, 2)
        written.open()
        written.write(State(last_sequence=last))
        written.close()
        assert (entry_of(path).number, entry_of(path).last_sequence) == (last, last)


def test_a_ledger_with_more_feeds_than_fit_still_knows_the_last_batch(path: Path) -> None:
    written = Ledger(path, 2)
    written.open()
    feeds = {f"feed {n}": FeedRow(sources=("x" * 200,)) for n in range(400)}
    written.write(State(last_sequence=8, feeds=feeds))
    written.close()

    assert (entry_of(path).last_sequence, entry_of(path).feeds) == (8, {})


@pytest.mark.parametrize(
    ("last", "commits", "newer"), [(4, 7, False), (3, 7, True), (4, 6, True), (5, 8, False)]
)
def test_a_ledger_is_newer_by_batches_or_by_moves(last: int, commits: int, *, newer: bool) -> None:
    entry = ledger.LedgerEntry(1, 2, 4, 9, {"a": FeedRow(written=7), "b": FeedRow(written=2)})

    assert entry.is_newer(last, {"a": commits, "c": 1}) is newer


# Marks.


async def test_a_mark_is_believed_only_the_second_time(open_spool: Open, path: Path) -> None:
    await delivered(open_spool, 3, keep=3)
    suspicion.suspect(path)
    assert not suspicion.is_confirmed(path)
    spool = await open_spool()
    assert beside(path, ".suspect") == []
    await spool.close()  # used to an orderly end
    assert beside(path, ".cleared") == []

    suspicion.suspect(path)

    assert not suspicion.is_confirmed(path)


# Files put in place, and the disk's word for it.


def test_a_salvaged_file_overwrites_nothing_that_was_set_aside(path: Path) -> None:
    complete, aside = path.with_name("spool.db.salvaged"), "spool.db.damaged-19700101T000005"
    path.write_bytes(b"damaged")
    complete.write_bytes(b"salvaged")
    os.utime(complete, (5, 5))
    for name in (aside, f"{aside}-2"):
        path.with_name(name).write_bytes(b"earlier")

    salvage.finish_salvage(path)

    assert path.read_bytes() == b"salvaged"
    assert path.with_name(f"{aside}-3").read_bytes() == b"damaged"
    assert path.with_name(aside).read_bytes() == b"earlier"


async def test_files_that_take_the_place_of_others_are_on_the_disk_first(
    open_spool: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def fsync(number: int) -> None:
        synced.append(Path(f"/proc/self/fd/{number}").readlink().name)

    def sync_folder(folder: Path) -> None:
        private.sync_folder(folder, fsync)

    monkeypatch.setattr(os, "fsync", fsync)
    for module in (files, salvage):
        monkeypatch.setattr(module, "sync_folder", sync_folder)
    spool = await open_spool()
    await filled(spool, 3)
    remove(path)
    await until(lambda: len(synced) == 2)  # the folder last, when the file is there already
    await until(path.exists)

    assert synced == ["spool.db.restoring", path.parent.name]
    await spool.close()
    synced.clear()
    change(path, "UPDATE sources SET accepted = 1")
    await open_spool()
    assert synced == [path.parent.name]


async def test_files_that_were_written_again_are_not_missed_again(
    open_spool: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "FILES_SECS", 0.01)
    spool = await open_spool()
    await filled(spool, 3)
    remove(path)
    await until(path.exists)
    for number in range(3, 10):
        await asyncio.sleep(0.02)
        await spool.append(batch(number))

    assert counters["spool_files_lost", "spool"] == 1
    assert spool.last_error is None


async def test_files_are_not_written_again_where_another_process_begins(
    open_spool: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "FILES_SECS", 0.01)
    spool = await open_spool()
    await filled(spool, 3)
    lock_path = path.with_name(f"{path.name}.lock")
    other = files.open_lock(lock_path.with_name("other"))
    fcntl.flock(other, fcntl.LOCK_EX)
    lock_path.with_name("other").replace(lock_path)
    remove(path)

    await until(lambda: spool.last_error)

    assert spool.last_error is not None
    assert "another process uses the new ones" in spool.last_error
    assert beside(path, "") == []
    other.close()
    await until(path.exists)


async def test_the_log_of_a_file_that_is_gone_is_not_taken_for_that_of_the_new_file(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 3)
    remove(path)
    await until(path.exists)
    await spool.append(batch(3))
    killed = snapshot(path, path.parent / "killed")
    await spool.close()
    shutil.copytree(killed.parent, path.parent, dirs_exist_ok=True)

    cursor = await (await open_spool()).cursor("mcas", ["web"])

    assert cursor.pending_records == 8
    assert counters["spool_salvages", "spool"] == 0
