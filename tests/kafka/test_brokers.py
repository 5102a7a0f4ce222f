"""The brokers that tests talk to are there, and keep what they confirm."""

import confluent_kafka
from confluent_kafka import TopicPartition

from tests.kafka.brokers import MockCluster, Tansu, read_all


def _produce(address: str, count: int) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": address, "log_level": 0})
    for number in range(count):
        producer.produce("web", b"%d" % number)
    assert producer.flush(20) == 0
    producer.close()


def test_tansu_keeps_what_it_confirms(tansu: Tansu) -> None:
    tansu.create("web", 2)
    _produce(tansu.address, 500)
    found = read_all(tansu.address, "web", 500, partitions=2)
    assert {int(each.value()) for each in found} == set(range(500))


def test_the_mock_cluster_keeps_what_it_confirms(mock_cluster: MockCluster) -> None:
    assert mock_cluster.address.count(":") == 3
    _produce(mock_cluster.address, 100)
    assert len(read_all(mock_cluster.address, "web", 100, mock_cluster.PARTITIONS)) == 100


def test_tansu_with_a_store_keeps_records_and_commits_when_it_is_killed(kept_tansu: Tansu) -> None:
    kept_tansu.create("web", 2)
    _produce(kept_tansu.address, 500)
    group = {"bootstrap.servers": kept_tansu.address, "group.id": "readers", "log_level": 0}
    reader = confluent_kafka.Consumer(group)
    reader.commit(offsets=[TopicPartition("web", 0, 7)], asynchronous=False)
    kept_tansu.kill()
    kept_tansu.start()
    found = read_all(kept_tansu.address, "web", 500, partitions=2)
    assert {int(each.value()) for each in found} == set(range(500))
    (committed,) = reader.committed([TopicPartition("web", 0)], timeout=20)
    reader.close()
    assert committed.offset == 7
