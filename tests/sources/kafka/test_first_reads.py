"""`start = "latest"` leaves out what was there before the group first read, and nothing else."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import confluent_kafka
import pytest
from confluent_kafka import TopicPartition

from nss.sources.kafka.first_reads import FirstReads
from nss.sources.kafka.offsets import KeptOffsets, Ledger
from tests.kafka.mocked import Cluster
from tests.sources.kafka.rig import GROUP, Spool, instance, onlooker, sender, until

OFFSET_FETCH = 9
OF_TWO = "nss: of 2 partitions"
NOT_AUTHORISED = 30

pytestmark = pytest.mark.long


def _commit(brokers: str, text: str, *partitions: int, offset: int = 100) -> None:
    """Have the group at an offset of some partitions, with a text beside it."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": brokers, "group.id": GROUP})
    offsets = [TopicPartition("web", number, offset, metadata=text) for number in partitions]
    consumer.commit(offsets=offsets, asynchronous=False)
    consumer.close()


async def test_instances_that_begin_together_begin_at_the_end(cluster: Cluster) -> None:
    cluster.create("web", 4)
    ends = {("web", number): 100 for number in range(4)}
    spools = [Spool(), Spool()]
    with sender(cluster.address) as sent, onlooker(cluster.address, 4) as group:
        sent.send(100, *range(4))
        async with (
            instance(cluster.address, spools[0], start="latest") as one,
            instance(cluster.address, spools[1], start="latest") as other,
        ):
            await one.until_owned(2)
            await other.until_owned(2)
            await group.until(ends)
            sent.send(10, *range(4))
            await one.until_lines(20)
            await other.until_lines(20)
    found = spools[0].of_partitions() | spools[1].of_partitions()
    assert found == {number: list(range(100, 110)) for number in range(4)}


@pytest.mark.parametrize(
    ("text", "offset", "first"),
    [(OF_TWO, 100, [100, 0]), ("", 100, [0, 0]), ("of 2 partitions", 100, [0, 0])],
)
async def test_what_the_group_does_not_know_of_is_read_from_its_first_message(
    cluster: Cluster, text: str, offset: int, first: list[int]
) -> None:
    """Partition 1 was there at first, partition 2 was not; or none of both, as far as is known."""
    cluster.create("web", 3)
    _commit(cluster.address, text, 0, offset=offset)
    spool = Spool()
    with sender(cluster.address) as sent:
        sent.send(100, *range(3))
        async with instance(cluster.address, spool, start="latest") as source:
            await source.until_owned(3)
            await source.until_lines(200 - sum(first))
            sent.send(10, *range(3))
            await source.until_lines(230 - sum(first))
    read_from = [100, *first]
    assert spool.of_partitions() == {n: list(range(read_from[n], 110)) for n in range(3)}


async def test_the_text_stays_beside_the_positions(cluster: Cluster) -> None:
    cluster.create("web", 3)
    _commit(cluster.address, OF_TWO, 0)
    spool, looked = Spool(), SimpleNamespace(found=[])
    with sender(cluster.address) as sent, onlooker(cluster.address, 3) as group:
        sent.send(100, *range(3))
        async with instance(cluster.address, spool, start="latest") as source:
            ledger = source.source._consuming._ledger
            await until(lambda: len(ledger.accepted) == 3)
            sent.send(10, *range(3))
            await source.until_lines(10 + 10 + 110)
            await group.until({("web", number): 110 for number in range(3)})
        looked.found = await asyncio.to_thread(group._consumer.committed, group._asked, timeout=20)
    assert [each.metadata for each in looked.found] == [OF_TWO] * 3


@pytest.mark.parametrize("topics", [("web",), ("web-0", "^web$")])
async def test_a_topic_that_comes_later_is_read_from_its_first_message(
    cluster: Cluster, topics: tuple[str, ...]
) -> None:
    cluster.create("web-0")
    spool = Spool()
    async with instance(cluster.address, spool, topics=topics, start="latest") as source:
        await until(lambda: source.source._consuming._cluster_id is not None)
        cluster.create("web", 2)
        with sender(cluster.address) as sent:
            sent.send(10, 0, 1)
            await source.until_lines(20)
    assert spool.of_partitions() == sent.partitions


async def test_a_group_that_can_not_be_asked_is_asked_again(cluster: Cluster) -> None:
    cluster.create("web")
    spool = Spool()
    with sender(cluster.address) as sent:
        sent.send(100, 0)
        cluster.fail_next(OFFSET_FETCH, *[NOT_AUTHORISED] * 4)
        async with instance(cluster.address, spool, start="latest") as source:
            await until(lambda: source.source._consuming._ledger.accepted)
            sent.send(10, 0)
            await source.until_lines(10)
    assert spool.of_partitions() == {0: list(range(100, 110))}


class _Cluster:
    """Answers as a consumer does: `there` partitions, and positions with a text."""

    def __init__(self, there: int, kept: dict[int, str]) -> None:
        self.there, self.kept = there, kept
        self.error: object = None

    def list_topics(self, _topic: str = "", *, timeout: float) -> SimpleNamespace:
        assert timeout > 0
        topic = SimpleNamespace(partitions=dict.fromkeys(range(self.there)), error=self.error)
        return SimpleNamespace(topics={"web": topic})

    def committed(self, asked: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        assert timeout > 0
        kept = self.kept
        return [
            TopicPartition("web", each.partition, 5, metadata=kept[each.partition])
            if each.partition in kept
            else each
            for each in asked
        ]


def _first_reads(ledger: Ledger | None = None) -> FirstReads:
    return FirstReads(ledger or Ledger(KeptOffsets(), delivered=False, sequence=0))


@pytest.mark.parametrize(
    ("there", "kept", "count"),
    [
        (4, {}, 4),
        (6, {0: "nss: of 4 partitions", 1: "nss: of 4 partitions"}, 4),
        (6, {0: "", 1: "nss: of 4 partitions"}, 4),
        (6, {0: "nss: of 5 partitions", 1: "nss: of 4 partitions"}, 4),
        (6, {0: "nss: of 4 partitions or so"}, 0),
        (6, {0: "somebody else's"}, 0),
        (6, {0: "nss: of ٤ partitions"}, 0),
        (6, {0: f"nss: of {10**12} partitions"}, 0),
    ],
)
def test_how_many_partitions_a_topic_had(there: int, kept: dict[int, str], count: int) -> None:
    assert _first_reads().count(_Cluster(there, kept), "web", 1) == count


def test_positions_in_the_spool_say_that_a_topic_was_read() -> None:
    ledger = Ledger(KeptOffsets(), delivered=False, sequence=0)
    ledger.accepted[("web", 1)] = 7
    assert _first_reads(ledger).count(_Cluster(4, {}), "web", 1) == 0
    ledger.accepted = {("other", 1): 7}
    assert _first_reads(ledger).count(_Cluster(4, {}), "web", 1) == 4


def test_partitions_that_come_between_the_first_look_and_the_first_read_are_added() -> None:
    cluster = _Cluster(4, {})
    made = _first_reads()
    made.see(cluster.list_topics(timeout=1).topics)
    cluster.there = 6
    made.see(cluster.list_topics(timeout=1).topics)
    assert made.count(cluster, "web", 1) == 4
    assert made.text("web") == "nss: of 4 partitions"
    assert not made.text("other")


@pytest.mark.parametrize("fails", ["list_topics", "committed"])
def test_what_can_not_be_found_out_is_not_kept(fails: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = _Cluster(4, {})
    made = _first_reads()
    asked: Callable[..., object] = getattr(cluster, fails)

    def broken(*_arguments: object, **_more: object) -> object:
        raise confluent_kafka.KafkaException(confluent_kafka.KafkaError(-195))

    monkeypatch.setattr(cluster, fails, broken)
    with pytest.raises(confluent_kafka.KafkaException):
        made.count(cluster, "web", 1)
    assert not made.text("web")
    monkeypatch.setattr(cluster, fails, asked)
    assert made.count(cluster, "web", 1) == 4


def test_a_topic_that_is_not_there_has_no_count() -> None:
    cluster = _Cluster(0, {})
    cluster.error = confluent_kafka.KafkaError(3)
    with pytest.raises(confluent_kafka.KafkaException):
        _first_reads().count(cluster, "web", 1)
