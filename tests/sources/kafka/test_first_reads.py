"""`start = "latest"` leaves out what was there before the group first read, and nothing else."""

import asyncio
from types import SimpleNamespace

import confluent_kafka
import pytest
from confluent_kafka import TopicPartition

from nss.sources.kafka.first_reads import FirstReads
from nss.sources.kafka.offsets import KeptOffsets, Key, Ledger
from tests.kafka.mocked import TOPIC_AUTHORIZATION_FAILED, Cluster
from tests.sources.kafka.rig import GROUP, Spool, instance, onlooker, sender, until

OFFSET_FETCH = 9
OF_TWO = "nss: of 2 partitions"
NOT_AUTHORISED = 30
_TIMED_OUT = -185

pytestmark = pytest.mark.long


def _commit(brokers: str, text: str, *partitions: int) -> None:
    """Have the group at 100 in some partitions, with a text beside it."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": brokers, "group.id": GROUP})
    offsets = [TopicPartition("web", number, 100, metadata=text) for number in partitions]
    consumer.commit(offsets=offsets, asynchronous=False)
    consumer.close()


BY_BROKERS = {
    "group.protocol": "consumer",
    "session.timeout.ms": None,
    "heartbeat.interval.ms": None,
}


@pytest.mark.parametrize("client", [{}, BY_BROKERS], ids=["classic", "consumer"])
async def test_instances_that_begin_together_begin_at_the_end(
    cluster: Cluster, client: dict[str, str | None]
) -> None:
    cluster.create("web", 4)
    ends = {("web", number): 100 for number in range(4)}
    spools = [Spool(), Spool()]
    with sender(cluster.address) as sent, onlooker(cluster.address, 4) as group:
        sent.send(100, *range(4))
        async with (
            instance(cluster.address, spools[0], start="latest", kafka=client) as one,
            instance(cluster.address, spools[1], start="latest", kafka=client) as other,
        ):
            await one.until_owned(2)
            await other.until_owned(2)
            await group.until(ends)
            sent.send(10, *range(4))
            await until(lambda: len(spools[0].lines) + len(spools[1].lines) >= 40)
    found = [set(spool.of_partitions()) for spool in spools]
    assert found[0] | found[1] == set(range(4))
    for spool in spools:
        assert all(set(each) <= set(range(100, 110)) for each in spool.of_partitions().values())


@pytest.mark.parametrize(
    ("text", "first"), [(OF_TWO, [100, 0]), ("", [0, 0]), ("of 2 partitions", [0, 0])]
)
async def test_what_the_group_does_not_know_of_is_read_from_its_first_message(
    cluster: Cluster, text: str, first: list[int]
) -> None:
    """Partition 1 was there at first, partition 2 was not; or none of both, as far as is known."""
    cluster.create("web", 3)
    _commit(cluster.address, text, 0)
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


@pytest.mark.parametrize("there", [[], ["other"]])
@pytest.mark.parametrize("topics", [("web",), ("^web$",)])
async def test_a_topic_that_comes_later_is_read_from_its_first_message(
    cluster: Cluster, there: list[str], topics: tuple[str, ...]
) -> None:
    for topic in there:
        cluster.create(topic)
    spool = Spool()
    async with instance(cluster.address, spool, topics=topics, start="latest") as source:
        await until(lambda: source.source._consuming._cluster_id is not None)
        cluster.create("web", 2)
        with sender(cluster.address) as sent:
            sent.send(10, 0, 1)
            await source.until_lines(20)
    assert spool.of_partitions() == sent.partitions


@pytest.mark.parametrize("start", ["earliest", "latest"])
async def test_a_group_that_can_not_be_asked_is_asked_again(cluster: Cluster, start: str) -> None:
    """Nothing is read of a partition whose position is not known, and others are."""
    cluster.create("web")
    _commit(cluster.address, OF_TWO, 0)
    spool = Spool()
    with sender(cluster.address) as sent:
        sent.send(200, 0)
        cluster.fail_next(OFFSET_FETCH, *[NOT_AUTHORISED] * 3)
        async with instance(cluster.address, spool, start=start) as source:
            await until(lambda: source.source.last_error)
            assert not spool.batches
            sent.send(10, 0)
            await source.until_lines(110)
            await until(lambda: source.source.last_error is None)
    assert spool.of_partitions() == {0: list(range(100, 210))}


async def test_what_comes_while_the_group_does_not_answer_is_read(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partition begins at the end that was found first, and holds up no other until then."""
    cluster.create("web", 2)
    count, failed = FirstReads.count, list[Key]()

    def counted(self: FirstReads, consumer: object, key: Key, secs: float) -> int:
        if len(failed) < 2 and key[1] == 1:  # the second time is waited after
            failed.append(key)
            raise confluent_kafka.KafkaException(confluent_kafka.KafkaError(_TIMED_OUT))
        return count(self, consumer, key, secs)

    monkeypatch.setattr(FirstReads, "count", counted)
    spool = Spool()
    with sender(cluster.address) as sent:
        sent.send(100, 0, 1)
        async with instance(cluster.address, spool, start="latest") as source:
            await until(lambda: len(failed) == 2)
            sent.send(10, 0, 1)
            await until(lambda: source.source.last_error)
            await source.until_lines(20)
            await until(lambda: source.source.last_error is None)
    assert spool.of_partitions()[1] == list(range(100, 110))
    assert set(spool.of_partitions()[0]) <= set(range(100, 110))


async def test_a_stop_before_the_group_is_joined_does_not_wait_for_brokers(
    cluster: Cluster,
) -> None:
    cluster.create("web")
    cluster.down()
    spool = Spool()
    async with instance(cluster.address, spool, start="latest") as source:
        await source.until_error("no broker can be reached")
        async with asyncio.timeout(20):
            await source.stop()
    assert not spool.batches


class _Cluster:
    """Answers as a consumer does: `there` partitions of a topic, and positions with a text."""

    def __init__(self, there: int, kept: dict[int, str], error: int | None = None) -> None:
        self.there, self.kept = there, kept
        self.error = None if error is None else confluent_kafka.KafkaError(error)
        self.listed = True

    def list_topics(self, topic: str | None = None, *, timeout: float) -> SimpleNamespace:
        assert timeout > 0
        found = SimpleNamespace(partitions=dict.fromkeys(range(self.there)), error=self.error)
        return SimpleNamespace(topics={"web": found} if topic or self.listed else {})

    def committed(self, asked: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        assert timeout > 0
        kept = self.kept
        return [
            TopicPartition("web", each.partition, 5, metadata=kept[each.partition])
            if each.partition in kept
            else each
            for each in asked
        ]


def _first_reads(cluster: _Cluster, accepted: dict[Key, int] | None = None) -> FirstReads:
    """Return what a source knows that joins the group now."""
    ledger = Ledger(KeptOffsets(), delivered=False, sequence=0)
    ledger.accepted = accepted or {}
    made = FirstReads(ledger)
    made.see(cluster, cluster.list_topics(timeout=1).topics, ["web"], 1)
    return made


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
    cluster = _Cluster(there, kept)
    assert _first_reads(cluster).count(cluster, ("web", 0), 1) == count


def test_positions_in_the_spool_say_that_a_topic_was_read() -> None:
    cluster = _Cluster(4, {})
    assert _first_reads(cluster, {("web", 1): 7}).count(cluster, ("web", 0), 1) == 0
    assert _first_reads(cluster, {("other", 1): 7}).count(cluster, ("web", 0), 1) == 4


def test_partitions_that_come_between_the_first_look_and_the_first_read_are_added() -> None:
    cluster = _Cluster(4, {})
    made = _first_reads(cluster)
    cluster.there = 6
    assert made.count(cluster, ("web", 5), 1) == 4
    assert made.text("web") == "nss: of 4 partitions"
    assert not made.text("other")


@pytest.mark.parametrize("listed", [False, True])
def test_a_topic_that_may_not_be_seen_is_not_taken_for_new(*, listed: bool) -> None:
    cluster = _Cluster(0, {}, TOPIC_AUTHORIZATION_FAILED)
    cluster.listed = listed
    made = _first_reads(cluster)
    assert made.count(cluster, ("web", 3), 1) > 3
    assert not made.text("web")


@pytest.mark.parametrize("listed", [False, True])
def test_a_topic_that_is_not_there_will_be_new(*, listed: bool) -> None:
    cluster = _Cluster(0, {}, 3)
    cluster.listed = listed
    made = _first_reads(cluster)
    assert made.count(cluster, ("web", 0), 1) == 0
    assert made.text("web") == "nss: of 0 partitions"


def test_a_topic_that_is_made_anew_is_new() -> None:
    cluster = _Cluster(4, {0: "nss: of 4 partitions"})
    made = _first_reads(cluster)
    assert made.count(cluster, ("web", 2), 1) == 4
    cluster.kept = {}
    made.forget("web")
    assert made.count(cluster, ("web", 2), 1) == 0


def test_what_can_not_be_asked_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = _Cluster(4, {})
    made = _first_reads(cluster)

    def broken(*_arguments: object, **_more: object) -> object:
        raise confluent_kafka.KafkaException(confluent_kafka.KafkaError(-195))

    with monkeypatch.context() as patched:
        patched.setattr(cluster, "committed", broken)
        with pytest.raises(confluent_kafka.KafkaException):
            made.count(cluster, ("web", 0), 1)
    assert not made.text("web")
    assert made.count(cluster, ("web", 0), 1) == 4
