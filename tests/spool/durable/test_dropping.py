"""What a feed drops for its limit, to the byte, with what each batch is charged besides."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nss.batch import Batch
from nss.config.model import DurableSpoolConfig
from nss.spool import PendingLimit
from nss.spool.durable.spool import DurableSpool

OVERHEAD = 50
SIZE = 10 + OVERHEAD


@pytest.fixture
async def spool(path: Path) -> AsyncIterator[DurableSpool]:
    """Return a spool whose batches of ten bytes are charged sixty."""
    made = await DurableSpool.open(
        DurableSpoolConfig(path=path, min_free_bytes=0), overhead_bytes=OVERHEAD
    )
    yield made
    await made.close()


def batch(number: int) -> Batch:
    """Return a batch of ten bytes."""
    return Batch("web", b"%04d\n%04d\n" % (number, number), 2)


@pytest.mark.parametrize(
    ("max_bytes", "dropped"),
    [
        (3 * SIZE, 1),
        (3 * SIZE + 1, 1),
        (3 * SIZE - 1, 2),
        (2 * SIZE, 2),
        (2 * SIZE - 1, 3),
        (SIZE, 3),
        (1, 3),
        (4 * SIZE, 0),
        (4 * SIZE - 1, 1),
    ],
)
async def test_as_few_of_the_oldest_go_as_make_room(
    spool: DurableSpool, max_bytes: int, dropped: int
) -> None:
    other = await spool.cursor("other", ["web"])
    await spool.cursor("mcas", ["web"])
    for number in range(3):
        await spool.append(batch(number))
    cursor = await spool.cursor("mcas", ["web"], PendingLimit(max_bytes, drops_oldest=True))
    await spool.append(batch(3))
    await spool.settle()

    left = 4 - dropped
    assert (cursor.pending_records, cursor.pending_bytes) == (2 * left, SIZE * left)
    assert cursor.account.dropped == 2 * dropped
    assert cursor.bytes_per_record == SIZE / 2
    assert (await cursor.next()).sequence == dropped + 1
    assert (other.pending_records, other.pending_bytes, other.account.dropped) == (8, 4 * SIZE, 0)


async def test_batches_of_different_records_are_counted_each_with_its_own(
    spool: DurableSpool,
) -> None:
    cursor = await spool.cursor("mcas", ["web"], PendingLimit(2 * SIZE, drops_oldest=True))
    for number, records in enumerate((1, 2, 2, 1)):
        data = b"%09d\n" % number if records == 1 else b"%04d\n%04d\n" % (number, number)
        await spool.append(Batch("web", data, records))
    await spool.settle()
    assert (cursor.pending_records, cursor.pending_bytes) == (3, 2 * SIZE)
    assert cursor.account.dropped == 3
    assert cursor.bytes_per_record == 2 * SIZE / 3
    assert cursor.accepted_records == 6
