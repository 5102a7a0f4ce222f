"""Records of topics arrive, each once, in the order of their partition."""

import asyncio

import pytest

from nss.telemetry.counters import Counter
from nss.telemetry.events import counters
from tests.kafka.mocked import Cluster
from tests.sources.kafka.rig import Spool, instance, onlooker, sender


async def test_records_arrive_in_the_order_of_their_partition(cluster: Cluster) -> None:
    cluster.create("web", 3)
    spool = Spool()
    with sender(cluster.address) as sent:
        sent.send(500, 0, 1, 2)
        async with instance(cluster.address, spool) as source:
            await source.until_lines(1500)
            sent.send(100, 0, 2)
            await source.until_lines(1700)
    assert spool.of_partitions() == sent.partitions


@pytest.mark.parametrize("kind", ["none", "gzip", "lz4", "zstd", "snappy"])
async def test_compressed_topics_are_read(cluster: Cluster, kind: str) -> None:
    cluster.create("web")
    spool = Spool()
    with sender(cluster.address, compression_type=kind) as sent:
        sent.send(2000, 0)
        async with instance(cluster.address, spool) as source:
            await source.until_lines(2000)
    assert spool.of_partitions() == sent.partitions


async def test_messages_of_several_lines_and_of_none(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    with sender(cluster.address) as sent, onlooker(cluster.address, 1) as group:
        sent.send_values(b"one", b"two\nthree\n", b'[{"a":1},\n{"b":2}]', None, b"", b"\n")
        sent.send_values(b"four", key=b"key", headers=[("header", b"value")])
        sent.send_values(None)
        async with instance(cluster.address, spool) as source:
            await source.until_lines(6)
            await group.until({("web", 0): 8})
            assert source.source.last_error is None
    assert spool.lines == [b"one", b"two", b"three", b'{"a":1}', b'{"b":2}', b"four"]


async def test_nothing_but_tombstones_is_committed_too(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    with sender(cluster.address) as sent, onlooker(cluster.address, 1) as group:
        sent.send_values(None, None, None)
        async with instance(cluster.address, spool, commit="delivered"):
            await group.until({("web", 0): 3})
    assert spool.batches == []


async def test_a_message_that_is_too_long_is_cut_where_it_can_be_told(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    with sender(cluster.address) as sent:
        sent.send_values(b"x" * 500_000, b"y" * 64, b"z" * 65)
        async with instance(cluster.address, spool, max_record_bytes=64) as source:
            await source.until_lines(3)
    assert spool.lines == [b"x" * 65, b"y" * 64, b"z" * 65]


async def test_a_message_larger_than_a_fetch_is_read(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    small = {
        "fetch.message.max.bytes": 1000,
        "fetch.max.bytes": 20_000,
        "message.max.bytes": 10_000,
    }
    with sender(cluster.address) as sent:
        sent.send_values(b"x" * 300_000, b"y")
        async with instance(cluster.address, spool, kafka=small) as source:
            await source.until_lines(2)
    assert [len(line) for line in spool.lines] == [300_000, 1]


async def test_a_stop_does_not_wait_for_a_poll(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    patient = {"fetch.wait.max.ms": 60_000, "session.timeout.ms": 300_000}
    async with instance(cluster.address, spool, kafka=patient) as source:
        await source.until_owned(1)
        async with asyncio.timeout(10):  # far less than the poll; a loaded machine needs some
            await source.stop()


@pytest.mark.long
async def test_latest_begins_at_the_end_and_loses_nothing_from_there(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    with sender(cluster.address) as sent, onlooker(cluster.address, 1) as group:
        sent.send(100, 0)
        async with instance(cluster.address, spool, start="latest"):
            # The end is a position of the group, before anything was read.
            await group.until({("web", 0): 100})
        sent.send(50, 0)
        async with instance(cluster.address, spool, start="latest") as source:
            await source.until_lines(50)
    assert spool.of_partitions() == {0: list(range(100, 150))}


@pytest.mark.long
@pytest.mark.parametrize("commit", ["accepted", "delivered"])
async def test_topics_that_come_later_are_read(cluster: Cluster, commit: str) -> None:
    cluster.create("web-1")
    spool = Spool()
    async with instance(cluster.address, spool, topics=("^web-.*",), commit=commit) as source:
        await source.until_owned(1)
        cluster.create("web-2", 2)
        await source.until_owned(3)
        with sender(cluster.address, "web-2") as sent:
            sent.send(10, 0, 1)
            await source.until_lines(20)
    assert spool.of_partitions() == sent.partitions
    assert {batch.connection for batch in spool.batches} == {"web-2"}


@pytest.mark.long
async def test_messages_that_the_cluster_deleted_are_reported(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    with sender(cluster.address) as sent:
        sent.send(10, 0)
        async with instance(cluster.address, spool) as source:
            await source.until_lines(10)
        sent.send(10, 0)
        cluster.delete_records("web", 0, 15)
        async with instance(cluster.address, spool) as source:
            await source.until_lines(15)
    assert spool.of_partitions() == {0: [*range(10), *range(15, 20)]}
    assert counters[Counter.SOURCE_MESSAGES_EXPIRED, "in"] == 5


@pytest.mark.long
async def test_a_member_with_a_name_goes_on_after_a_restart(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    with sender(cluster.address) as sent, onlooker(cluster.address, 1) as group:
        for number in (1, 2):
            sent.send(10, 0)
            async with instance(cluster.address, spool, instance_id="one") as source:
                await source.until_lines(10 * number)
                await group.until({("web", 0): 10 * number})
    assert spool.of_partitions() == sent.partitions
