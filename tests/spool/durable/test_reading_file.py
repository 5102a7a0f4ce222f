"""What is read of a spool's file: whole batches, how far it was looked, and why one is lost."""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from nss.batch import Batch
from nss.spool import Entry
from nss.spool.durable import reader as reading
from nss.spool.durable.reader import BatchReader, Lost
from nss.spool.durable.schema import PAGE_BYTES
from nss.spool.durable.spool import DurableSpool
from tests.spool.durable.test_damage import change

Open = Callable[..., Awaitable[DurableSpool]]


@pytest.fixture
def reader(path: Path) -> Iterator[BatchReader]:
    made = BatchReader(path)
    yield made
    made.close()


def batch(number: int, source: str = "web") -> Batch:
    """Return a batch of ten bytes."""
    return Batch(source, b"%08d\r\n" % number, 1, None, f"from {number}")


async def filled(open_spool: Open, batches: list[Batch]) -> None:
    """Make a spool with batches, accepted at 1, 2, 3 and so on."""
    times = iter(range(1, len(batches) + 1))
    at = [0.0]
    spool = await open_spool(now=lambda: at[0])
    await spool.cursor("mcas", ["web"])
    await spool.cursor("other", ["web", "dns"])
    for each in batches:
        at[0] = float(next(times))
        await spool.append(each)
    await spool.close()


def numbers(found: list[Entry | Lost]) -> list[int]:
    return [each.sequence for each in found]


async def test_a_batch_is_read_as_it_was_accepted(open_spool: Open, reader: BatchReader) -> None:
    alone = Batch("web", b"1\n2\n", 2, None, "one", "mcas")
    await filled(open_spool, [batch(1), alone, batch(3, "dns")])

    found, searched = reader.read(0, 3, "mcas", ["web"])

    assert (found, searched) == ([Entry(1, batch(1)), Entry(2, alone)], 3)
    assert [entry.accepted_at for entry in found] == [1.0, 2.0]
    others, _ = reader.read(0, 3, "other", ["web", "dns"])
    assert others == [Entry(1, batch(1)), Entry(3, batch(3, "dns"))]


@pytest.mark.parametrize(("most", "batches"), [(19, 2), (20, 2), (21, 3), (30, 3), (31, 4)])
async def test_a_read_ends_with_the_batch_that_fills_it(
    open_spool: Open,
    reader: BatchReader,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    batches: int,
) -> None:
    monkeypatch.setattr(reading, "READ_BYTES", most)
    await filled(open_spool, [batch(number) for number in range(6)])

    found, searched = reader.read(0, 6, "mcas", ["web"])

    assert (numbers(found), searched) == (list(range(1, batches + 1)), batches)
    found, searched = reader.read(searched, 6, "mcas", ["web"])
    assert numbers(found)[0] == batches + 1


async def test_a_read_has_looked_as_far_as_its_last_batch_or_at_all_there_is(
    open_spool: Open, reader: BatchReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "READ_ROWS", 3)
    sources = ["dns", "web", "web", "dns", "web", "dns", "web", "dns"]
    await filled(open_spool, [batch(number, source) for number, source in enumerate(sources)])

    found, searched = reader.read(0, 8, "mcas", ["web"])
    assert (numbers(found), searched) == ([2, 3, 5], 5)
    found, searched = reader.read(searched, 8, "mcas", ["web"])
    assert (numbers(found), searched) == ([7], 8)
    assert reader.read(2, 6, "mcas", ["web"]) == ([Entry(3, batch(2)), Entry(5, batch(4))], 6)
    assert reader.read(8, 8, "mcas", ["web"]) == ([], 8)


async def test_a_lost_batch_is_returned_alone_without_its_records(
    open_spool: Open, reader: BatchReader, path: Path
) -> None:
    await filled(open_spool, [batch(1), Batch("web", b"1\n2\n", 2, None, "one", "mcas"), batch(3)])
    change(path, "DELETE FROM bodies WHERE body = 2")

    assert reader.read(0, 3, "mcas", ["web"]) == ([Entry(1, batch(1))], 1)
    lost = Batch("web", b"", 2, None, "one", "mcas")
    assert reader.read(1, 3, "mcas", ["web"]) == (
        [Lost(2, lost, 2.0, "its records are missing", is_read_error=False)],
        2,
    )
    assert reader.read(2, 3, "mcas", ["web"]) == ([Entry(3, batch(3))], 3)


async def test_records_that_sqlite_finds_no_way_to_are_lost_to_damage(
    open_spool: Open, reader: BatchReader, path: Path
) -> None:
    await filled(open_spool, [batch(1)])
    with sqlite3.connect(path) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'bodies'"
        ).fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE_BYTES)
        file.write(b"\xff" * PAGE_BYTES)

    (lost,), searched = reader.read(0, 1, "mcas", ["web"])

    assert isinstance(lost, Lost)
    assert (lost.reason, searched) == ("database disk image is malformed", 1)
    assert (lost.is_read_error, lost.is_malformed) == (False, True)


async def test_records_that_the_disk_does_not_give_are_lost_to_it(
    open_spool: Open, reader: BatchReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(open_spool, [batch(1)])

    def refused(_body: int, _data_bytes: int) -> bytes:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
        raise error

    monkeypatch.setattr(reader, "_data", refused)

    (lost,), searched = reader.read(0, 1, "mcas", ["web"])

    assert isinstance(lost, Lost)
    assert (lost.reason, searched) == ("disk I/O error", 1)
    assert (lost.is_read_error, lost.is_malformed) == (True, False)
