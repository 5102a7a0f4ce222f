"""What a salvage finds where SQLite finds nothing: the rows that are still on their pages."""

import logging
import random
import shutil
import sqlite3
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool import Reject, SpoolError
from nss.spool.durable import copying, leaves, ledger, schema, suspicion
from nss.spool.durable.leaves import Found, Wanted
from nss.spool.durable.pages import Pages
from nss.spool.durable.patient_reader import DAMAGED_LOOKS
from nss.spool.durable.schema import PAGE_BYTES
from nss.spool.durable.spool import DurableSpool
from nss.telemetry.events import counters
from tests.spool.durable.test_damage import (
    all_of,
    batch,
    beside,
    change,
    contents,
    filled,
    put_back,
    remove,
    snapshot,
)

Open = Callable[..., Awaitable[DurableSpool]]

HEAD_BYTES = {5: 12, 13: 8, 2: 12, 10: 8}


def root(path: Path, table: str) -> int:
    """Return where the first page of a table begins in a closed spool's file."""
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
        ).fetchone()
    return (int(page) - 1) * PAGE_BYTES


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Write over a part of a file."""
    changed = bytearray(contents(path))
    changed[offset : offset + len(data)] = data
    put_back(path, bytes(changed))


def cell(path: Path, page: int, number: int) -> int:
    """Return where a cell of a page begins in a file; all offsets in bytes."""
    data = contents(path)
    (place,) = struct.unpack_from(">H", data, page + HEAD_BYTES[data[page]] + 2 * number)
    return page + int(place)


async def used(open_spool: Open, count: int) -> None:
    """Leave a closed spool with one feed, and batches of two records each."""
    spool = await open_spool(now=lambda: 5.0)  # which SQLite stores as an integer
    await spool.cursor("mcas", ["web"])
    await filled(spool, count)
    await spool.close()


async def saved(open_spool: Open) -> list[int]:
    """Return the batches that the next start has for the feed; the account adds up."""
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    spool.seal()
    found = [entry.sequence for entry in await all_of(cursor)]
    assert cursor.account.done == cursor.accepted_records
    await spool.close()
    return found


@pytest.mark.parametrize(("number", "other"), [(1, 100), (4, 100), (9, 100), (4, 5), (6, 2)])
async def test_one_number_out_of_order_costs_that_row_alone(
    open_spool: Open, path: Path, caplog: pytest.LogCaptureFixture, number: int, other: int
) -> None:
    await used(open_spool, 9)
    place = cell(path, root(path, "batches"), number - 1)
    assert contents(path)[place + 1] == number
    overwrite(path, place + 1, bytes([other]))

    with caplog.at_level(logging.ERROR):
        assert await saved(open_spool) == [each for each in range(1, 10) if each != number]
    (report,) = [each for each in caplog.records if "was damaged" in each.getMessage()]
    lost = {str(number), "100"} if other == 100 else {str(number)}
    assert set(report.__dict__["facts"]["sequences_lost"]) == lost
    assert counters["records_missing", "mcas"] == 2


@pytest.mark.parametrize(("table", "count"), [("batches", 600), ("bodies", 1200)])
async def test_a_root_that_is_lost_costs_nothing_that_is_on_other_pages(
    open_spool: Open, path: Path, caplog: pytest.LogCaptureFixture, table: str, count: int
) -> None:
    await used(open_spool, count)
    page = root(path, table)
    assert contents(path)[page] == 5  # an inner page
    overwrite(path, page, bytes(PAGE_BYTES))
    suspicion.suspect(path)  # blobs are not checked without a reason

    with caplog.at_level(logging.ERROR):
        assert await saved(open_spool) == list(range(1, count + 1))
    (report,) = [each for each in caplog.records if "was damaged" in each.getMessage()]
    assert report.__dict__["facts"]["sequences_lost"] == []
    assert counters["spool_salvages", "spool"] == 1
    assert counters["records_missing", "mcas"] == 0


async def test_a_blob_that_fills_many_pages_is_found_without_its_tree(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    batches: list[Batch] = []
    for number in range(30):
        noise = random.Random(number).randbytes(50_000 + 997 * number)  # it does not shrink
        batches.append(Batch("web", noise.replace(b"\n", b"\r") + b"\n", 1))
        await spool.append(batches[-1])
    await spool.close()
    page = root(path, "bodies")
    assert contents(path)[page] == 5
    overwrite(path, page, bytes(PAGE_BYTES))
    suspicion.suspect(path)

    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    again.seal()

    assert [entry.batch for entry in await all_of(cursor)] == batches


@pytest.mark.parametrize("table", ["cursors", "sources"])
async def test_feeds_and_positions_survive_a_page_that_says_it_has_no_order(
    open_spool: Open, path: Path, table: str
) -> None:
    spool = await open_spool()
    for name in ("a", "b", "c"):
        await spool.cursor(name, [name])
        await spool.append(Batch(name, b"1 a\n1 b\n", 2, name * 9000))  # longer than a page holds
    cursor = await spool.cursor("c", ["c"])
    entry = await cursor.next()
    await cursor.advance(entry.sequence, Account(delivered=2))
    await spool.close()
    ledger.ledger_path(path).unlink()
    overwrite(path, cell(path, root(path, table), 0), b"\xff\xff\xff\xff\xff\xff\xff\xff\xff")

    again = await open_spool()

    assert [again.position(name) for name in ("b", "c")] == ["b" * 9000, "c" * 9000]
    assert (await again.cursor("c", ["c"])).account == Account(delivered=2)
    assert (await again.cursor("b", ["b"])).pending_records == 2
    assert (await again.cursor("a", ["a"])).pending_records == 2


async def test_positions_are_found_on_inner_pages_and_beyond_their_page(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    names = [f"source {number:02d}" for number in range(30)]
    for number, name in enumerate(names):
        await spool.append(Batch(name, b"x\n", 1, name * (900 + number)))
    await spool.close()
    page = root(path, "sources")
    data = contents(path)
    assert data[page] == 2  # it has rows itself
    for number in range(int.from_bytes(data[page + 3 : page + 5], "big")):
        overwrite(path, cell(path, page, number), bytes(4))  # the ways to the leaves

    again = await open_spool()

    assert counters["spool_salvages", "spool"] == 1
    for number, name in enumerate(names):
        assert again.position(name) == name * (900 + number)


async def test_a_salvage_that_never_was_is_not_reported_at_each_start(
    open_spool: Open, path: Path
) -> None:
    await used(open_spool, 3)
    overwrite(path, root(path, "salvages") + 4, b"\1")  # one row, which is not there

    assert await saved(open_spool) == [1, 2, 3]
    assert len(beside(path, ".damaged-*[0-9]")) == 1
    assert await saved(open_spool) == []
    assert counters["spool_salvages", "spool"] == 1


async def test_rejects_are_found_without_their_tree_and_once(open_spool: Open, path: Path) -> None:
    spool = await open_spool(now=lambda: 5.0)
    cursor = await spool.cursor("mcas", ["web"])
    await filled(spool, 1)
    await cursor.next()
    long = b"x" * 40_000
    rejects = [Reject("web", "c", "bad", b"%d" % number) for number in range(300)]
    rejects[7] = Reject("web", "c", "bad", long)
    await cursor.advance(1, Account(rejected=2), rejects)
    await spool.settle()
    before = await spool.rejects(None, 1000)
    await spool.close()
    page = root(path, "rejects")
    assert contents(path)[page] == 5
    overwrite(path, page, bytes(8))

    again = await open_spool()

    assert await again.rejects(None, 1000) == before
    assert again.kept_rejects == 300


async def test_what_was_deleted_does_not_come_back(open_spool: Open, path: Path) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await filled(spool, 1)
    await cursor.next()
    rejects = [Reject("web", "c", "bad", b"%d" % number * 50) for number in range(900)]
    await cursor.advance(1, Account(rejected=2), rejects)
    assert await spool.retry_rejects() == (900, 0)
    while cursor.pending_records:
        entry = await cursor.next()
        await cursor.advance(entry.sequence, Account(delivered=entry.batch.records))
    await filled(spool, 5)
    await spool.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA freelist_count").fetchone()[0] > 3
    change(
        path,
        "UPDATE batches SET source = 'wec' WHERE sequence = (SELECT min(sequence) FROM batches)",
    )

    assert len(await saved(open_spool)) == 4
    spool = await open_spool()
    assert [each.reject.data for each in await spool.rejects()] == [b""]  # for what is missing


@pytest.mark.parametrize("has_ledger", [True, False])
async def test_rows_are_checked_also_when_page_1_had_to_be_made_anew(
    open_spool: Open, path: Path, *, has_ledger: bool
) -> None:
    await used(open_spool, 9)
    change(path, "UPDATE bodies SET data = x'00' WHERE body = 3")
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    for number in (1, 2, 4):
        assert (await cursor.next()).sequence == number
        await cursor.advance(number, Account(delivered=2))
    await spool.close()
    change(path, "UPDATE bodies SET crc32 = crc32 + 1 WHERE body = 5")
    change(path, "UPDATE batches SET source = 'wec' WHERE sequence = 7")
    overwrite(path, 100, bytes(4000))  # the schema
    if not has_ledger:
        ledger.ledger_path(path).unlink()

    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    again.seal()

    assert [entry.sequence for entry in await all_of(cursor)] == [6, 8, 9]
    rejected = 6  # 3 and 5 are one reject each, 7 is missing
    assert cursor.account == Account(delivered=12, rejected=rejected)
    assert cursor.accepted_records == 18
    kept = await again.rejects()
    assert [each.records for each in kept] == [2, 1, 2]  # the reject of 3 still stands for a batch


async def test_a_log_with_one_damaged_frame_loses_no_other_although_its_salts_changed(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 20)
    killed = snapshot(path, path.parent / "killed")
    await spool.close()
    shutil.copytree(killed.parent, path.parent, dirs_exist_ok=True)
    log = path.with_name(f"{path.name}-wal")
    frames = (len(contents(log)) - 32) // (24 + PAGE_BYTES)
    for frame in (0, frames - 4):  # also the first, whose salts stand for those of the header
        overwrite(log, 32 + frame * (24 + PAGE_BYTES) + 8, b"salts")
    overwrite(log, 16, b"salts")

    assert await saved(open_spool) == list(range(1, 21))
    assert counters["records_missing", "mcas"] == 0


async def test_a_log_whose_header_is_damaged_is_enough_for_a_file_that_has_nothing_yet(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 5)
    killed = snapshot(path, path.parent / "killed")
    await spool.close()
    shutil.copytree(killed.parent, path.parent, dirs_exist_ok=True)
    ledger.ledger_path(path).unlink()
    log = path.with_name(f"{path.name}-wal")
    overwrite(log, 20, bytes([contents(log)[20] ^ 1]))  # of a salt, which is a number by chance

    assert await saved(open_spool) == [1, 2, 3, 4, 5]
    assert counters["spool_salvages", "spool"] == 1


@pytest.mark.parametrize(("pages", "batches"), [(1 << 30, 5), (0, 4)])
async def test_a_log_is_believed_as_far_as_it_was_committed_and_no_size(
    open_spool: Open, path: Path, pages: int, batches: int
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 5)
    killed = snapshot(path, path.parent / "killed")
    await spool.close()
    shutil.copytree(killed.parent, path.parent, dirs_exist_ok=True)
    log = path.with_name(f"{path.name}-wal")
    last = 32 + ((len(contents(log)) - 32) // (24 + PAGE_BYTES) - 1) * (24 + PAGE_BYTES)
    assert struct.unpack_from(">I", contents(log), last + 4) != (0,)
    overwrite(log, last + 4, struct.pack(">I", pages))  # how large the file is after a commit
    remove(path)
    with Pages(path) as found:
        assert found.count < 100  # before a start writes as many: it would fill the disk

    assert await saved(open_spool) == list(range(1, batches + 1))


async def test_blobs_that_sqlite_does_not_find_are_saved_by_the_next_start(
    open_spool: Open, path: Path
) -> None:
    await used(open_spool, 1200)
    page = root(path, "bodies")
    data = contents(path)
    child = cell(path, page, 0)
    assert data[page] == 5
    overwrite(path, child, bytes(4))  # the way to the first leaf
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    entry = await cursor.next()
    assert entry.sequence > 1
    await cursor.advance(entry.sequence, Account(delivered=2))
    rejected = cursor.account.rejected
    # The first was looked at again and again, the others behind it were not.
    assert counters["spool_read_failures", "mcas"] == DAMAGED_LOOKS - 1
    await spool.close()

    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])

    assert counters["spool_salvages", "spool"] == 1
    assert await again.retry_rejects() == (rejected, 0)
    assert cursor.pending_records == 2400 - 2


async def test_a_new_file_that_is_not_complete_takes_no_place(
    open_spool: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await used(open_spool, 5)
    change(path, "UPDATE batches SET source = 'wec' WHERE sequence = 2")
    rows = leaves.rows
    readers: list[sqlite3.Connection] = []

    def read_beside(pages: Pages, wanted: Wanted) -> Iterator[Found]:
        """Read the new file, so that its log can't be taken into it."""
        new = path.with_name(f"{path.name}.salvaging")
        readers.append(sqlite3.connect(new, check_same_thread=False))
        readers[-1].execute("BEGIN")
        readers[-1].execute("SELECT count(*) FROM batches").fetchall()
        return rows(pages, wanted)

    monkeypatch.setattr(leaves, "rows", read_beside)
    with pytest.raises(SpoolError, match="can't be opened"):
        await open_spool()
    for reader in readers:
        reader.close()
    monkeypatch.undo()
    assert beside(path, ".damaged-*") + beside(path, ".salvaged") == []

    assert await saved(open_spool) == [1, 3, 4, 5]


async def test_what_was_lost_is_listed_and_what_nobody_refers_to_is_kept(
    open_spool: Open, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await used(open_spool, 9)
    older = contents(path)
    await used(open_spool, 2)
    put_back(path, older)
    change(path, "UPDATE bodies SET data = x'00' WHERE body IN (3, 7)")
    change(path, "UPDATE batches SET source = 'wec' WHERE sequence = 5")
    change(path, "DELETE FROM batches WHERE sequence IN (7, 8)")

    with caplog.at_level(logging.ERROR):
        assert await saved(open_spool) == [1, 2, 4, 6, 9]

    (report,) = [each for each in caplog.records if "was damaged" in each.getMessage()]
    facts = report.__dict__["facts"]
    assert facts["sequences_lost"] == ["3", "5", "7-8", "10-11"]
    assert (facts["batches_saved"], facts["records_saved"]) == (6, 12)
    assert facts["set_aside_as"] == str(path.with_name(beside(path, ".damaged-*")[0]))
    with closing(sqlite3.connect(path)) as connection:
        kept = connection.execute("SELECT sequence, data FROM damaged ORDER BY sequence").fetchall()
    assert kept == [(5, batch(4).data), (7, b"\0"), (8, batch(7).data)]


async def test_many_lost_batches_are_summed_up(
    open_spool: Open, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await used(open_spool, 240)
    change(path, "UPDATE batches SET source = 'wec' WHERE sequence % 2 = 0")

    with caplog.at_level(logging.ERROR):
        assert await saved(open_spool) == list(range(1, 241, 2))

    (report,) = [each for each in caplog.records if "was damaged" in each.getMessage()]
    lost = report.__dict__["facts"]["sequences_lost"]
    assert lost[:2] == ["2", "4"]
    assert (len(lost), lost[-1]) == (copying.MAX_RANGES + 1, "and 70 more")


async def test_more_failures_than_are_waited_for_cost_nothing(
    open_spool: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "MAX_FAILURES", 3)
    await used(open_spool, 900)
    page = root(path, "batches")
    overwrite(path, page + 12 + 2, struct.pack(">H", PAGE_BYTES - 1))  # a cell of the root

    assert await saved(open_spool) == list(range(1, 901))


async def test_a_file_of_the_first_form_is_saved_without_its_tree(
    open_spool: Open, path: Path
) -> None:
    with closing(schema.connect(path)) as connection:
        schema.migrate(connection, path, lambda _: None, schema.MIGRATIONS[:1])
        for number in range(1, 801):
            connection.execute("INSERT INTO bodies VALUES (?, 0, 3723141383, x'610a')", (number,))
            connection.execute(
                "INSERT INTO batches VALUES (?, 'web', '', '', 1, 2, 2, 5.0, ?, NULL)",
                (number, number),
            )
        connection.execute("INSERT INTO cursors VALUES ('mcas', 1, 800, 1, 0, 0, 0, 0, 0)")
        connection.execute("INSERT INTO sources VALUES ('web', 'at 3', 400)")
        connection.execute(
            "INSERT INTO rejects VALUES (1, 'mcas', 'web', 'c', 'bad', 4.0, 1, x'61')"
        )
        connection.execute("UPDATE batches SET passed_at = 'noon' WHERE sequence = 5")
    overwrite(path, root(path, "batches"), bytes(64))

    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    spool.seal()

    assert [e.sequence for e in await all_of(cursor)] == [2, 3, 4, *range(6, 801)]
    assert cursor.account == Account(delivered=799)
    assert spool.position("web") == "at 3"
    assert [each.reject.data for each in await spool.rejects()] == [b"a"]


async def test_two_columns_read_as_one_do_not_make_a_row_of_the_first_form(
    open_spool: Open, path: Path
) -> None:
    """A checksum that is taken for the time when the batch was passed says nothing of the row."""
    await used(open_spool, 9)
    place = cell(path, root(path, "batches"), 6)
    types = contents(path)[place + 2 : place + 2 + 12]  # behind the sizes: 12 bytes, 11 types
    assert (types[0], types[-2]) == (12, 0), "passed_at is NULL"
    overwrite(path, place + 2 + 10, bytes([types[-2] | 0x80]))  # the type goes on behind

    assert await saved(open_spool) == [1, 2, 3, 4, 5, 6, 8, 9]
    assert counters["records_missing", "mcas"] == 2


async def test_no_bit_before_a_batch_loses_others_or_itself_in_silence(
    open_spool: Open, path: Path, tmp_path: Path
) -> None:
    await used(open_spool, 9)
    place, sound = cell(path, root(path, "batches"), 6), contents(path)
    snapshot(path, tmp_path / "sound")
    for bit in range(1, 14 * 8, 3):  # of the size, the number, and the types of the columns
        counters.clear()
        for each in (tmp_path / "sound").iterdir():
            shutil.copy(each, path.parent)
        overwrite(path, place + bit // 8, bytes([sound[place + bit // 8] ^ 1 << bit % 8]))

        found = await saved(open_spool)

        assert counters["records_missing", "mcas"] == 2 * (9 - len(found)), bit
        assert set(range(1, 10)) - set(found) <= {7}, bit
