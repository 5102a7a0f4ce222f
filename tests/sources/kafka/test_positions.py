"""Where a source goes on, and what it commits to the group: never more than is safe."""

import asyncio

import confluent_kafka
import pytest
from confluent_kafka import TopicPartition

from nss.batch import Batch
from nss.sources.kafka.offsets import position_text
from tests.kafka.mocked import OFFSET_COMMIT, Cluster
from tests.sources.kafka.rig import GROUP, Spool, Watch, instance, onlooker, sender, until

KEY = ("web", 0)


def _commit(brokers: str, offset: int) -> None:
    """Have the group at an offset, as an administrator can while it has no members."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": brokers, "group.id": GROUP})
    consumer.commit(offsets=[TopicPartition(*KEY, offset)], asynchronous=False)
    consumer.close()


def _kept(offset: int, group: str = GROUP) -> Spool:
    """Return a spool whose last batch ended at an offset."""
    spool = Spool()
    position = position_text(group, "", {KEY: offset})
    spool.batches.append(Batch("in", b"", 0, position, "web"))
    return spool


@pytest.mark.long
async def test_a_restart_goes_on_behind_what_was_accepted(cluster: Cluster) -> None:
    cluster.create("web", 2)
    spool = Spool()
    with sender(cluster.address) as sent:
        for _ in range(3):
            sent.send(200, 0, 1)
            async with instance(cluster.address, spool) as source:
                await source.until_lines(sum(map(len, sent.partitions.values())))
    assert spool.of_partitions() == sent.partitions


@pytest.mark.parametrize(
    ("ours", "theirs", "first"),
    [(300, None, 300), (300, 100, 300), (300, 400, 400), (None, 250, 250)],
)
async def test_the_later_position_wins(
    cluster: Cluster, ours: int | None, theirs: int | None, first: int
) -> None:
    cluster.create("web")
    spool = Spool() if ours is None else _kept(ours)
    with sender(cluster.address) as sent, onlooker(cluster.address, 1) as group:
        sent.send(500, 0)
        if theirs is not None:
            _commit(cluster.address, theirs)
        async with instance(cluster.address, spool) as source:
            await source.until_lines(500 - first)
            await group.until({KEY: 500})
    assert spool.of_partitions() == {0: list(range(first, 500))}


async def test_the_position_of_another_group_does_not_count(cluster: Cluster) -> None:
    cluster.create("web")
    spool = _kept(300, "other")
    with sender(cluster.address) as sent:
        sent.send(400, 0)
        async with instance(cluster.address, spool) as source:
            await source.until_lines(400)
    assert spool.of_partitions() == sent.partitions


async def test_accepted_is_never_ahead_of_the_spool(cluster: Cluster) -> None:
    cluster.create("web", 2)
    spool = Spool()
    with (
        sender(cluster.address) as sent,
        onlooker(cluster.address, 2) as group,
        Watch(group, spool.offsets) as watch,
    ):
        async with instance(cluster.address, spool) as source:
            for number in range(1, 6):
                spool.open.clear()
                sent.send(100, 0, 1)
                await until(lambda: spool.waiting)
                await watch.look()
                spool.open.set()
                await source.until_lines(200 * number)
            with onlooker(cluster.address, 2) as after:
                await after.until({("web", 0): 500, ("web", 1): 500})
    assert not watch.beyond
    assert not watch.back
    assert spool.of_partitions() == sent.partitions


async def test_delivered_is_never_ahead_of_the_feeds(cluster: Cluster) -> None:
    cluster.create("web", 2)
    spool = Spool()
    with (
        sender(cluster.address) as sent,
        onlooker(cluster.address, 2) as group,
        onlooker(cluster.address, 2) as after,
        Watch(group, lambda: spool.offsets(spool.passed) if spool.passed else {}) as watch,
    ):
        async with instance(cluster.address, spool, commit="delivered") as source:
            for number in range(1, 6):
                sent.send(100, 0, 1)
                await source.until_lines(200 * number)
                await watch.look()
                spool.passed = len(spool.batches) - number % 2
                await after.until(spool.offsets(spool.passed))
            spool.pass_all()
            await after.until({("web", 0): 500, ("web", 1): 500})
            await until(lambda: not source.source.group.undelivered_bytes)
    assert not watch.beyond
    assert not watch.back


async def test_what_feeds_passed_last_is_committed_at_the_end(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    with sender(cluster.address) as sent, onlooker(cluster.address, 1) as group:
        sent.send(100, 0)
        async with instance(cluster.address, spool, commit="delivered") as source:
            await source.until_lines(100)
            await source.source.stop()
            await source.ended()
            spool.pass_all()  # the service waits for the feeds between the two
            await source.source.finish()
            assert await asyncio.to_thread(group.committed) == {KEY: 100}


async def test_more_than_may_be_undelivered_stays_in_kafka(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    value = b"v" * 1000
    with sender(cluster.address) as sent:
        sent.send_values(*[value] * 4000)  # the mock cluster keeps 5 MiB of a partition
        async with instance(
            cluster.address, spool, commit="delivered", max_undelivered_bytes=1 << 20
        ) as source:
            await until(lambda: source.source.group.undelivered_bytes >= 1 << 20)
            most = 2 << 20  # a batch is not cut
            assert sum(len(batch.data) for batch in spool.batches) <= most
            while len(spool.lines) < 4000:
                spool.pass_all()
                await asyncio.sleep(0.01)
    assert spool.lines == [value] * 4000


async def test_a_commit_that_fails_is_made_again(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    with sender(cluster.address) as sent, onlooker(cluster.address, 1) as group:
        async with instance(cluster.address, spool) as source:
            await source.until_owned(1)
            cluster.fail_next(OFFSET_COMMIT, 29, 29)  # not authorised
            sent.send(10, 0)
            await group.until({KEY: 10})
    assert spool.of_partitions() == sent.partitions


async def test_a_process_that_stood_still_takes_nothing_twice(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    with sender(cluster.address) as sent:
        async with instance(cluster.address, spool, revoke_secs=0.1) as source:
            await source.until_owned(1)
            spool.open.clear()
            sent.send(10, 0)
            await until(lambda: spool.waiting)
            sent.send(10, 0)
            await source.stood_still()  # with a batch on its way all the time
            spool.open.set()
            await source.until_lines(20)
            sent.send(10, 0)
            await source.until_lines(30)
    assert spool.of_partitions() == sent.partitions
