"""Damage to the spool's files: found, repaired as far as can be, and always reported."""

import asyncio
import logging
import shutil
import sqlite3
import zlib
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool import Entry, SpoolClosed, SpoolError
from nss.spool.durable import ledger, schema, suspicion
from nss.spool.durable.cursor import DurableCursor
from nss.spool.durable.spool import DurableSpool
from nss.telemetry.events import counters
from tests.spool.durable import mutations

Open = Callable[..., Awaitable[DurableSpool]]


def batch(number: int, source: str = "web") -> Batch:
    """Return a batch of two records that have its number."""
    return Batch(source, b"%d a\n%d b\n" % (number, number), 2, f"at {number}")


async def filled(spool: DurableSpool, count: int, source: str = "web") -> None:
    """Append batches, each in a commit of its own."""
    for number in range(count):
        await spool.append(batch(number, source))


async def all_of(cursor: DurableCursor) -> list[Entry]:
    """Return what is left in a sealed spool, and pass it."""
    entries: list[Entry] = []
    while True:
        try:
            entry = await cursor.next()
        except SpoolClosed:
            return entries
        await cursor.advance(entry.sequence, Account(delivered=entry.batch.records))
        entries.append(entry)


def change(path: Path, statement: str, *values: object) -> None:
    """Change a closed spool's file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.create_function("row_crc32", -1, schema.row_crc32, deterministic=True)
        connection.execute(statement, values)


def beside(path: Path, pattern: str) -> list[str]:
    """Return the names of files beside the spool."""
    return sorted(file.name for file in path.parent.glob(f"{path.name}{pattern}"))


def snapshot(path: Path, folder: Path) -> Path:
    """Copy the files of a spool in use, as a kill would leave them."""
    shutil.copytree(path.parent, folder, ignore=lambda *_: [folder.name])
    return folder / path.name


def contents(path: Path) -> bytes:
    return path.read_bytes()


def put_back(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def remove(path: Path) -> None:
    path.unlink()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


# What a row says.


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE batches SET source = 'wec' WHERE sequence = 5",
        "UPDATE batches SET records = 3 WHERE sequence = 5",
        "UPDATE batches SET feed = 'other' WHERE sequence = 5",
        "UPDATE batches SET sequence = 500 WHERE sequence = 5",
        "UPDATE batches SET body = 4 WHERE sequence = 5",
    ],
)
async def test_one_wrong_number_in_a_batch_is_found_and_costs_that_batch_alone(
    open_spool: Open, path: Path, statement: str
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 9)
    await spool.close()
    change(path, statement)

    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    again.seal()

    assert [entry.sequence for entry in await all_of(cursor)] == [1, 2, 3, 4, 6, 7, 8, 9]
    assert cursor.account == Account(delivered=16, rejected=2)
    assert cursor.accepted_records == 18
    assert counters["spool_salvages", "spool"] == 1
    assert counters["records_missing", "mcas"] == 2
    (kept,) = await again.rejects()
    assert kept.reject.reason == "2 accepted records are not in the spool any more"
    assert len(beside(path, ".damaged-*[0-9]")) == 1


@pytest.mark.parametrize("has_ledger", [True, False])
async def test_a_feed_that_would_have_jumped_ahead_loses_nothing(
    open_spool: Open, path: Path, *, has_ledger: bool
) -> None:
    spool = await open_spool()
    await spool.cursor("other", ["web"])
    cursor = await spool.cursor("mcas", ["web"])
    await filled(spool, 9)
    for _ in range(3):
        entry = await cursor.next()
        await cursor.advance(entry.sequence, Account(delivered=2))
    await spool.close()
    change(path, "UPDATE cursors SET passed = passed + 4 WHERE feed = 'mcas'")
    if not has_ledger:
        ledger.ledger_path(path).unlink()

    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    again.seal()

    first = 4 if has_ledger else 1  # without it some are delivered twice, but none is lost
    assert [entry.sequence for entry in await all_of(cursor)] == list(range(first, 10))
    assert counters["spool_salvages", "spool"] == 1


async def test_a_batch_that_only_says_it_was_passed_is_not_skipped(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 9)
    await spool.close()
    change(path, "UPDATE batches SET passed_at = 1.0 WHERE sequence = 9")

    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    again.seal()

    assert [entry.sequence for entry in await all_of(cursor)] == list(range(1, 9))
    assert counters["records_missing", "mcas"] == 2


async def test_rows_that_are_gone_without_a_trace_are_missed(open_spool: Open, path: Path) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 9)
    await spool.close()
    change(path, "DELETE FROM batches WHERE sequence IN (3, 4)")

    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    again.seal()

    assert len(await all_of(cursor)) == 7
    assert cursor.account == Account(delivered=14, rejected=4)
    assert counters["records_missing", "mcas"] == 4
    await again.close()
    last = await open_spool()
    assert (await last.cursor("mcas", ["web"])).account == Account(delivered=14, rejected=4)
    assert counters["records_missing", "mcas"] == 4  # reported once


async def test_a_feed_with_other_sources_than_before_misses_nothing(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web", "dns"])
    await filled(spool, 3)
    await filled(spool, 3, "dns")
    await spool.close()

    again = await open_spool()
    cursor = await again.cursor("mcas", ["dns"])

    assert (cursor.accepted_records, cursor.pending_records) == (6, 6)
    await again.close()
    last = await open_spool()
    assert (await last.cursor("mcas", ["dns"])).accepted_records == 6
    assert counters["records_missing", "mcas"] == 0
    assert beside(path, ".damaged-*") == []


async def test_a_spool_of_the_first_form_is_brought_up_with_all_it_has(
    open_spool: Open, path: Path
) -> None:
    with closing(schema.connect(path)) as connection:
        schema.migrate(connection, path, lambda _: None, schema.MIGRATIONS[:1])
        for number in (1, 2, 3):
            crc32 = zlib.crc32(b"a\n")
            connection.execute("INSERT INTO bodies VALUES (?, 0, ?, ?)", (number, crc32, b"a\n"))
            connection.execute(
                "INSERT INTO batches VALUES (?, 'web', '', '', 1, 2, 2, 5.0, ?, NULL)",
                (number, number),
            )
        connection.execute("INSERT INTO cursors VALUES ('mcas', 1, 3, 1, 0, 0, 0, 0, 0)")
        connection.execute("INSERT INTO sources VALUES ('web', 'at 3', 3)")
        connection.execute(
            "INSERT INTO rejects VALUES (1, 'mcas', 'web', 'c', 'bad', 4.0, 1, x'61')"
        )

    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])

    assert spool.position("web") == "at 3"
    assert (await spool.retry_rejects(), cursor.pending_records) == ((1, 0), 3)
    spool.seal()
    assert [entry.sequence for entry in await all_of(cursor)] == [2, 3, 4]
    assert beside(path, ".damaged-*") == []
    assert counters["records_missing", "mcas"] == 0


# What is not there any more.


async def test_a_byte_in_the_log_costs_nothing_that_is_behind_it(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 79)
    killed = snapshot(path, path.parent / "killed")
    log = killed.with_name(f"{killed.name}-wal")
    data = bytearray(log.read_bytes())
    data[32 + 60 * (24 + schema.PAGE_BYTES) + 5000] ^= 1
    log.write_bytes(data)
    await spool.close()
    shutil.copytree(killed.parent, path.parent, dirs_exist_ok=True)

    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    again.seal()

    assert len(await all_of(cursor)) >= 78
    assert cursor.account.done == cursor.accepted_records == 158
    assert counters["spool_salvages", "spool"] == 1


async def test_a_log_without_its_file_is_enough(open_spool: Open, path: Path) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 20)
    killed = snapshot(path, path.parent / "killed")
    await spool.close()
    shutil.copytree(killed.parent, path.parent, dirs_exist_ok=True)
    remove(path)

    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    again.seal()

    assert [entry.batch for entry in await all_of(cursor)] == [
        Batch("web", batch(n).data, 2) for n in range(20)
    ]
    assert counters["spool_salvages", "spool"] == 1


@pytest.mark.parametrize("older", [True, False])
async def test_a_file_that_is_gone_or_older_is_missed(
    open_spool: Open, path: Path, caplog: pytest.LogCaptureFixture, *, older: bool
) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await filled(spool, 3)
    await spool.close()
    backup = contents(path)
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await filled(spool, 4)
    entry = await cursor.next()
    await cursor.advance(entry.sequence, Account(delivered=2))
    await spool.close()
    remove(path)
    if older:
        put_back(path, backup)

    with caplog.at_level(logging.ERROR):
        again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])

    there = 4 if older else 0
    assert cursor.pending_records == there
    assert cursor.account == Account(delivered=2, rejected=12 - there)
    assert cursor.accepted_records == 14
    assert counters["spool_losses", "spool"] == 1
    assert counters["records_missing", "mcas"] == 12 - there
    assert await again.append(batch(9)) == 8  # numbers are never used twice
    assert "lacks its last commits" in caplog.text


async def test_files_removed_in_use_are_written_again(open_spool: Open, path: Path) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await filled(spool, 5)
    for suffix in ("", "-wal", "-shm", ".lock"):
        path.with_name(path.name + suffix).unlink()

    await until(path.exists)
    await spool.append(batch(5))
    assert (await cursor.next()).sequence == 1
    with pytest.raises(SpoolError, match="another process uses the file"):
        await open_spool()
    assert mode(path) == 0o600
    await spool.close()

    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    again.seal()
    assert [entry.batch.data for entry in await all_of(cursor)] == [batch(n).data for n in range(6)]
    assert counters["spool_files_lost", "spool"] == 1
    assert again.position("web") == "at 5"


async def test_a_log_removed_in_use_loses_nothing(open_spool: Open, path: Path) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 5)
    log = path.with_name(f"{path.name}-wal")
    log.unlink()

    await until(log.exists)
    await spool.append(batch(5))
    killed = snapshot(path, path.parent / "killed")
    with closing(sqlite3.connect(killed)) as connection:
        assert connection.execute("SELECT count(*) FROM batches").fetchone() == (6,)


@pytest.mark.parametrize("removed", ["folder", "file"])
async def test_nothing_is_accepted_that_would_be_lost_at_the_next_start(
    open_spool: Open, path: Path, removed: str
) -> None:
    spool = await open_spool()
    cursor = await spool.cursor("mcas", ["web"])
    await filled(spool, 5)
    if removed == "folder":
        shutil.move(path.parent, path.parent.with_name("elsewhere"))
    else:
        shutil.copy(path, path.with_name("other"))
        path.with_name("other").rename(path)

    await until(lambda: spool.last_error is not None or None)
    waiting = asyncio.ensure_future(spool.append(batch(5)))
    await asyncio.sleep(0.05)

    assert not waiting.done()
    problem = {
        "folder": "the folder of its files is gone",
        "file": "another file has taken the place of its own",
    }
    assert spool.last_error == f"{problem[removed]} ({path})"
    assert spool.trouble is not None
    assert spool.trouble.kind == ("folder_gone" if removed == "folder" else "files_lost")
    assert (await cursor.next()).sequence == 1  # what is open is still delivered
    if removed == "folder":
        shutil.move(path.parent.with_name("elsewhere"), path.parent)
        assert await asyncio.wait_for(waiting, 10) == 6
    else:
        waiting.cancel()


async def until(reached: Callable[[], object]) -> None:
    """Wait for something that has no event."""
    async with asyncio.timeout(30):
        while not reached():  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.005)


async def test_a_header_that_forbids_to_write_is_damage(open_spool: Open, path: Path) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 3)
    await spool.close()
    data = bytearray(contents(path))
    data[18] = 3  # the version of the file's format for who writes; SQLite knows up to 2
    put_back(path, bytes(data))

    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])

    assert cursor.pending_records == 6
    assert await again.append(batch(3)) == 4
    assert counters["spool_salvages", "spool"] == 1


# Salvage.


class Killed(Exception):  # noqa: N818 - what happened
    """Stands for a kill."""


async def test_what_a_killed_salvage_lost_is_reported_by_the_next_start(
    open_spool: Open, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 9)
    await spool.close()
    change(path, "UPDATE batches SET source = 'wec' WHERE sequence = 5")
    moves: list[str] = []
    rename = Path.rename

    def killed(self: Path, target: Path) -> Path:
        moves.append(str(target))
        if len(moves) == 2:
            raise Killed  # the new file is complete, and not in its place yet
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(Killed):
        await open_spool()
    monkeypatch.undo()
    assert counters["spool_salvages", "spool"] == 0

    again = await open_spool()

    assert counters["spool_salvages", "spool"] == 1
    assert counters["records_missing", "mcas"] == 2
    cursor = await again.cursor("mcas", ["web"])
    assert (cursor.pending_records, cursor.account.rejected) == (16, 2)
    await again.close()
    await open_spool()
    assert counters["spool_salvages", "spool"] == 1


async def test_a_suspect_that_is_whole_stays_unless_it_fails_again(
    open_spool: Open, path: Path
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 3)
    await spool.close()

    suspicion.suspect(path)
    again = await open_spool()
    assert beside(path, ".damaged-*") == []
    suspicion.suspect(path)  # it can't be used although it was found whole
    await again.close()
    last = await open_spool()
    cursor = await last.cursor("mcas", ["web"])

    assert len(beside(path, ".damaged-*[0-9]")) == 1
    assert (cursor.pending_records, cursor.account.rejected) == (6, 0)
    assert beside(path, ".suspect") + beside(path, ".cleared") == []


# Thousands.


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[mutations.Image]:
    """Copies of a spool from several moments of its life."""
    return asyncio.run(mutations.make_images(tmp_path_factory.mktemp("images")))


def test_every_mutation_ends_correct_or_reported_or_refused(
    images: list[mutations.Image], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)

    outcomes = mutations.run(images, tmp_path, range(100))  # `make mutations` takes 10,000

    assert outcomes.total() == 100
    assert outcomes["correct"] > 0
    assert outcomes["reported"] > 0
