"""A source of Kafka beside what stands for the spool, the feeds, and the producers' own record."""

import asyncio
import contextlib
import functools
import threading
import time
import warnings
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Self
from unittest.mock import patch

import confluent_kafka
import pytest
from confluent_kafka import TopicPartition

from nss.batch import Batch
from nss.config.sources import KafkaSourceConfig
from nss.config.values import Address
from nss.sources import Passing
from nss.sources.kafka import events
from nss.sources.kafka.committing import Commits
from nss.sources.kafka.offsets import Offsets, kept_offsets
from nss.sources.kafka.settings import consumer_settings
from nss.sources.kafka.source import KafkaSource
from tests.kafka.mocked import Cluster

GROUP = "test"
WAIT_SECS = 40.0

QUICK = {
    "session.timeout.ms": 4000,
    "heartbeat.interval.ms": 200,
    "topic.metadata.refresh.interval.ms": 300,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 200,
    "fetch.error.backoff.ms": 50,
    "fetch.wait.max.ms": 100,
}
"""Times of librdkafka that would be waited for otherwise."""


async def until(what: Callable[[], object], told: Callable[[], object] = lambda: "") -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + WAIT_SECS
    while not what():
        assert time.monotonic() < deadline, told()
        await asyncio.sleep(0.02)


class Spool:
    """Keeps batches and the last position; feeds pass what `passed` says. Outlives sources."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.passed = 0
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = 0

    async def accept(self, batch: Batch) -> int:
        """Keep a batch, once it is `open`; return its sequence."""
        assert batch.records == batch.data.count(b"\n")
        self.waiting += 1
        try:
            await self.open.wait()
        finally:
            self.waiting -= 1
        self.batches.append(batch)
        return len(self.batches)

    def passing(self) -> Passing:
        return Passing(self.passed, len(self.batches))

    def pass_all(self) -> None:
        self.passed = len(self.batches)

    @property
    def position(self) -> str | None:
        return self.batches[-1].position if self.batches else None

    @property
    def lines(self) -> list[bytes]:
        return b"".join(batch.data for batch in self.batches).split(b"\n")[:-1]

    def offsets(self, batches: int | None = None) -> Offsets:
        """Return how far the first batches go, by default all; empty for none."""
        some = self.batches[:batches]
        found = some[-1].position if some else None
        return dict(kept_offsets(found).offsets) if found is not None else {}

    def of_partitions(self) -> dict[int, list[int]]:
        """Return the numbers of each partition, in the order in which they came."""
        found = defaultdict[int, list[int]](list)
        for line in self.lines:
            partition, number, *_ = line.split()
            found[int(partition)].append(int(number))
        return dict(found)


class Sent:
    """Sends records that say their partition and their number in it; keeps what was confirmed."""

    def __init__(self, brokers: str, topic: str = "web", **more: Any) -> None:  # noqa: ANN401
        self.partitions = defaultdict[int, list[int]](list)
        self._topic = topic
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": brokers,
                "log_level": 0,
                "linger.ms": 0,
                "topic.metadata.refresh.interval.ms": 300,
                **{key.replace("_", "."): value for key, value in more.items()},
            }
        )

    def send(self, records: int, *partitions: int, pad: bytes = b"") -> None:
        """Send so many records to each partition, and wait until they are confirmed."""
        for partition in partitions:
            first = len(self.partitions[partition])
            for number in range(first, first + records):
                self._produce(partition, b"%d %d %s" % (partition, number, pad), number)
        self._flush()

    def send_values(self, *values: bytes | None, partition: int = 0, **more: Any) -> None:  # noqa: ANN401
        """Send messages of any kind, and wait until they are confirmed."""
        for value in values:
            self._producer.produce(self._topic, value, partition=partition, **more)
        self._flush()

    def close(self) -> None:
        self._producer.close()

    def _produce(self, partition: int, value: bytes, number: int) -> None:
        def confirmed(error: object, _message: object) -> None:
            if error is None:
                self.partitions[partition].append(number)

        self._producer.produce(self._topic, value, partition=partition, on_delivery=confirmed)

    def _flush(self) -> None:
        assert self._producer.flush(WAIT_SECS) == 0


class Onlooker:
    """Asks the brokers for what the group has committed."""

    def __init__(self, brokers: str, partitions: int, topic: str = "web") -> None:
        self._consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": brokers, "group.id": GROUP, "log_level": 0}
        )
        self._asked = [TopicPartition(topic, number) for number in range(partitions)]

    def committed(self) -> Offsets:
        """Return it, without partitions of which there is nothing."""
        found = self._consumer.committed(self._asked, timeout=WAIT_SECS)
        return {(e.topic, e.partition): e.offset for e in found if e.offset > 0}

    async def until(self, offsets: Offsets) -> None:
        """Wait until just this is committed."""
        last: Offsets = {}

        def same() -> bool:
            nonlocal last
            last = self.committed()
            return last == offsets

        deadline = time.monotonic() + WAIT_SECS
        while not await asyncio.to_thread(same):
            assert time.monotonic() < deadline, f"{last} is committed, not {offsets}"
            await asyncio.sleep(0.02)

    def close(self) -> None:
        self._consumer.close()


class Watch:
    """Asks again and again, and says whether more was ever committed than was due by then.

    `due` never goes back, and is asked after the answer: so what it says is at least what was due.
    """

    def __init__(self, onlooker: Onlooker, due: Callable[[], Offsets]) -> None:
        self.beyond: list[tuple[Offsets, Offsets]] = []
        self.back: list[tuple[Offsets, Offsets]] = []
        self.looks = 0
        self._onlooker = onlooker
        self._due = due
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    async def look(self) -> None:
        """Wait until it has looked some more times."""
        looks = self.looks
        await until(lambda: self.looks > looks + 3)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        before: Offsets = {}
        while not self._ended.is_set():
            found = self._onlooker.committed()
            due = self._due()
            if any(offset > due.get(key, 0) for key, offset in found.items()):
                self.beyond.append((found, due))
            if any(offset > found.get(key, -1) for key, offset in before.items()):
                self.back.append((before, found))
            before = found
            self.looks += 1
            self._ended.wait(0.01)


def settings(brokers: str, **options: Any) -> KafkaSourceConfig:  # noqa: ANN401 - the section's
    """Return the settings of a source called `in` of the topic `web`."""
    pairs = (each.rpartition(":") for each in brokers.split(","))
    addresses = tuple(Address(host, int(port)) for host, _, port in pairs)
    passed = {**QUICK, **options.pop("kafka", {})}
    named = {"name": "in", "topics": ("web",), "group": GROUP, **options}
    table = tuple((key, str(value)) for key, value in passed.items() if value is not None)
    return KafkaSourceConfig(brokers=addresses, kafka=table, **named)


class Instance:
    """A source at work."""

    def __init__(self, brokers: str, spool: Spool, **options: Any) -> None:  # noqa: ANN401
        chosen = settings(brokers, **options)
        client = consumer_settings(chosen)
        self.spool = spool
        self.source = KafkaSource(chosen, client, position=spool.position, passing=spool.passing)
        self._running = asyncio.create_task(self.source.run(spool.accept))

    @property
    def owned(self) -> int:
        """How many partitions it has, as the status says."""
        return self.source.group.partitions

    async def until_owned(self, partitions: int) -> None:
        await until(lambda: self.owned == partitions, lambda: (self.owned, self.source.last_error))

    async def until_lines(self, count: int) -> None:
        spool = self.spool
        await until(
            lambda: len(spool.lines) >= count, lambda: (len(spool.lines), self.source.last_error)
        )

    async def until_paused(self) -> None:
        """Wait until it has paused its partitions, which it does while no more can be taken."""
        await until(lambda: self.source._consuming._reading.is_paused)

    async def stood_still(self) -> None:
        """Have it find that it did nothing for long, and wait until it has taken it up again."""
        consuming, looks = self.source._consuming, 0
        is_member = consuming._is_member

        def look() -> bool:
            nonlocal looks
            looks += 1
            return is_member()

        with patch.object(consuming, "_is_member", look):
            while not looks:
                consuming._stepped_at = 0.0
                await asyncio.sleep(0.01)
            messages = consuming._taken  # what it reads again
            rounds = consuming.standing.group
            await until(lambda: consuming.standing.group is not rounds or messages)

    async def until_error(self, text: str) -> None:
        await until(lambda: text in (self.source.last_error or ""), lambda: self.source.last_error)

    async def until_well(self) -> None:
        await until(lambda: self.source.last_error is None, lambda: self.source.last_error)

    async def ended(self) -> None:
        """Wait until it has handed on all that it had taken."""
        async with asyncio.timeout(WAIT_SECS):
            await self._running

    async def stop(self) -> None:
        """End it as the service does: take no more, hand on the rest, commit, leave."""
        await self.source.stop()
        await self.ended()
        await self.source.finish()

    async def die(self) -> None:
        """End it without a commit of what was accepted last, as far as a thread can die."""
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running
        await self.source.finish()


@contextlib.asynccontextmanager
async def instance(brokers: str, spool: Spool, **options: Any) -> AsyncIterator[Instance]:  # noqa: ANN401
    """Yield a source at work; it is ended behind the block, if it was not before."""
    made = Instance(brokers, spool, **options)
    try:
        yield made
    finally:
        spool.open.set()
        if not made._running.done():
            await made.stop()


@contextlib.contextmanager
def sender(brokers: str, topic: str = "web", **more: Any) -> Iterator[Sent]:  # noqa: ANN401
    """Yield a sender."""
    made = Sent(brokers, topic, **more)
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def onlooker(brokers: str, partitions: int, topic: str = "web") -> Iterator[Onlooker]:
    """Yield who asks for what is committed."""
    made = Onlooker(brokers, partitions, topic)
    try:
        yield made
    finally:
        made.close()


Test = Callable[..., Coroutine[Any, Any, None]]


class Repeated(UserWarning):
    """A test ran again; pytest shows this at its end."""


def repeated_if_evicted(test: Test) -> Test:
    """Run a test of several members again, with a new cluster, if one lost its membership.

    Each time is shown, with how the test ended. The mock cluster takes a second less than the
    session time-out to rebalance, and hears nothing of a member meanwhile: on a busy machine it
    ends sessions, and then records do come twice.
    """

    @functools.wraps(test)
    async def run(cluster: Cluster, **more: object) -> None:  # noqa: ARG001 - each has its own
        for left in (2, 1, 0):
            own, evicted = Cluster(), list[str]()
            try:
                with _noted(evicted):
                    await test(cluster=own, **more)
            except (AssertionError, TimeoutError) as error:
                if not evicted or not left:
                    raise
                ended = f"{type(error).__name__} {error}".splitlines()[0]
                why = f"{test.__name__}: {', '.join(evicted)}; {ended}"
                warnings.warn(why, Repeated, stacklevel=2)
            else:
                return
            finally:
                own.close()

    shown: Test = pytest.mark.filterwarnings(f"always::{__name__}.Repeated")(run)
    return shown


@contextlib.contextmanager
def _noted(evicted: list[str]) -> Iterator[None]:
    """Add to a list when a commit that was waited for failed, and when partitions were lost."""
    make, lost = Commits.make, events.lost

    def made(commits: Commits, offsets: Offsets) -> bool:
        taken = make(commits, offsets)
        if not taken:
            evicted.append("commit failed")
        return taken

    def told(source: str, partitions: str, why: str) -> None:
        evicted.append("partitions lost")
        lost(source, partitions, why)

    with patch.object(Commits, "make", made), patch.object(events, "lost", told):
        yield
