"""Pipes and links in the place of the spool's own files: nothing waits for them or follows."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from nss.batch import Account
from nss.spool import SpoolError
from nss.spool.durable import inspect, ledger, suspicion
from nss.spool.durable.spool import DurableSpool
from nss.telemetry.events import counters
from tests.spool.durable.test_damage import all_of, batch, beside, change, filled, remove, snapshot

Open = Callable[..., Awaitable[DurableSpool]]

HELPERS = ("ledger", "suspect", "cleared", "salvaging", "salvaged", "reassembled", "restoring")


def plant(place: Path, kind: str) -> Path:
    """Put something else in the place of a file; return what nobody may touch."""
    victim = place.with_name("victim")
    victim.write_bytes(b"victim")
    place.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(victim if kind == "link" else place.with_name("nowhere"))
    return victim


def link(path: Path, target: Path) -> None:
    target.parent.mkdir()
    path.symlink_to(target)


def is_pipe(path: Path) -> bool:
    return path.is_fifo()


def is_link(path: Path) -> bool:
    return path.is_symlink()


def untouched(victim: Path) -> bool:
    return victim.read_bytes() == b"victim" and not victim.with_name("nowhere").exists()


@pytest.mark.parametrize("name", HELPERS)
@pytest.mark.parametrize("kind", ["pipe", "link", "dangling"])
async def test_nothing_is_followed_or_waited_for(
    open_spool: Open, path: Path, name: str, kind: str
) -> None:
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 3)
    await spool.close()
    victim = plant(path.with_name(f"{path.name}.{name}"), kind)

    again = await open_spool()
    assert (await again.cursor("mcas", ["web"])).pending_records == 6
    await again.append(batch(3))
    plant(path.with_name(f"{path.name}.{name}"), kind)  # in use, too
    suspicion.suspect(path)
    await again.close()
    change(path, "UPDATE batches SET source = 'wec' WHERE sequence = 2")
    last = await open_spool()

    assert (await last.cursor("mcas", ["web"])).pending_records == 6
    assert counters["spool_salvages", "spool"] == 1
    assert untouched(victim)


@pytest.mark.parametrize("kind", ["pipe", "link", "dangling"])
async def test_a_ledger_that_is_none_is_made_anew(open_spool: Open, path: Path, kind: str) -> None:
    victim = plant(ledger.ledger_path(path), kind)

    spool = await open_spool()
    await filled(spool, 2)
    await spool.close()

    entry = ledger.read(path)
    assert entry is not None
    assert entry.last_sequence == 2
    assert untouched(victim)


async def test_a_ledger_with_something_behind_it_is_read(open_spool: Open, path: Path) -> None:
    spool = await open_spool()
    await filled(spool, 2)
    await spool.close()
    with ledger.ledger_path(path).open("ab") as file:
        file.write(b"x" * (2 * ledger.SLOT_BYTES))

    entry = ledger.read(path)

    assert entry is not None
    assert entry.last_sequence == 2


async def test_a_pipe_in_the_place_of_the_file_is_refused_and_stays(
    open_spool: Open, path: Path
) -> None:
    await (await open_spool()).close()
    plant(path, "pipe")

    with pytest.raises(SpoolError, match="can't be opened"):
        await open_spool()

    assert is_pipe(path)
    assert beside(path, ".damaged-*") == []


@pytest.mark.parametrize("kind", ["pipe", "link"])
async def test_a_lock_that_was_replaced_in_use_is_neither_followed_nor_waited_for(
    open_spool: Open, path: Path, kind: str
) -> None:
    spool = await open_spool()
    await filled(spool, 1)
    victim = plant(path.with_name(f"{path.name}.lock"), kind)

    await asyncio.sleep(1.2)  # it looks every second
    if kind == "pipe":
        assert await asyncio.wait_for(spool.append(batch(1)), 10) == 2
    else:
        waiting = asyncio.ensure_future(spool.append(batch(1)))
        await asyncio.wait([waiting], timeout=0.1)
        assert spool.last_error is not None
        waiting.cancel()

    assert untouched(victim)


async def test_a_spool_behind_a_link_has_its_files_where_sqlite_has_them(
    open_spool: Open, path: Path
) -> None:
    real = path.with_name("real") / "file.db"
    link(path, real)
    spool = await open_spool()
    await spool.cursor("mcas", ["web"])
    await filled(spool, 20)
    assert inspect.read_contents(path).rows["batches"] == 20
    killed = snapshot(real, real.parent / "killed")
    await spool.close()
    shutil.copytree(killed.parent, real.parent, dirs_exist_ok=True)
    remove(real)  # only the log is left
    assert [file.name for file in path.parent.iterdir() if file.is_file()] == []

    again = await open_spool()
    cursor = await again.cursor("mcas", ["web"])
    again.seal()

    assert len(await all_of(cursor)) == 20
    assert cursor.account == Account(delivered=40)
    assert is_link(path)
    with pytest.raises(SpoolError, match="another process uses the file"):
        await open_spool()
    assert beside(path, ".damaged-*") == []
    with closing(sqlite3.connect(real)) as connection:
        assert connection.execute("SELECT count(*) FROM salvages").fetchone() == (1,)
