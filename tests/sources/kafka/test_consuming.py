"""Records of topics arrive, each once, in the order of their partition."""

import pytest

from tests.kafka.mocked import Cluster
from tests.sources.kafka.rig import Spool, instance, sender


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
