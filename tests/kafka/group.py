"""Several instances of NSS in one consumer group, disturbed at random, and what became of records.

The oracle is the producer's: what the broker acknowledged must be in the files of the instances.
"""

import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.kafka.brokers import Tansu, read_all
from tests.service.conftest import COMMAND, ENV

TOPIC = "web"
SESSION_SECS = 6.0
BROKER = "broker killed"
"""Instead of an instance's, the broker's end; it comes back after up to 3 s."""

GROWN = "broker killed, partitions added"
"""The same, and when it comes back the topic has more partitions."""

ADDED = 2

BURST, AFTER = 4000, 200
"""At most so many records are on their way at a disturbance, and so many follow at once."""

PATIENCE_SECS = 90.0
"""A busy machine may need so long until all is delivered; a group that stands still is seen."""

_LINE = re.compile(rb"h/(\d+)/(\d{8})/end")

CONFIG = """
[service]
control_socket = "off"
state_directory = "{folder}"
[spool]
{spool}
[sources.in]
kind = "kafka"
brokers = ["{brokers}"]
topics = ["web"]
group = "test"
format = "json"
commit = "{commit}"
start = "{start}"
revoke_secs = 2
[sources.in.kafka]
{client}
[feeds.out]
format_string = '%s{{url}}'
[feeds.out.sink]
kind = "file"
path = "{folder}/out"
"""

CLASSIC: Mapping[str, object] = MappingProxyType(
    {"session.timeout.ms": int(SESSION_SECS * 1000), "heartbeat.interval.ms": 1000}
)
"""What members of a usual group have."""


@dataclass(frozen=True)
class Reading:
    """How the instances of a group read; `client` is what librdkafka is given."""

    commit: str
    spool: str
    client: Mapping[str, object] = field(default_factory=lambda: CLASSIC)
    start: str = "earliest"

    def configuration(self, folder: Path, brokers: str) -> str:
        """Return the `nss.toml` of an instance with this folder."""
        kept = f'path = "{folder}/spool.db"\nmin_free_bytes = 0' if self.spool == "durable" else ""
        return CONFIG.format(
            folder=folder,
            brokers=brokers.replace(",", '", "'),
            commit=self.commit,
            start=self.start,
            client="\n".join(f'"{key}" = "{value}"' for key, value in self.client.items()),
            spool=f'kind = "{self.spool}"\n{kept}',
        )


@dataclass
class Instance:
    """One `nss run` with a folder of its own."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own
                (*COMMAND, "run", "--config", str(self.folder / "nss.toml")),
                env=ENV,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)

    def lines(self) -> list[tuple[int, int]]:
        """What it delivered: partition and number, in its order. Half a line does not count."""
        path = self.folder / "out"
        found = _LINE.finditer(path.read_bytes()) if path.exists() else ()
        return [(int(each[1]), int(each[2])) for each in found]


@dataclass
class Outcome:
    """What became of the records."""

    acknowledged: int = 0
    lost: int = 0
    duplicates: int = 0
    twice_in_topic: int = 0
    """What the broker has twice is no duplicate."""
    out_of_order: int = 0
    disturbances: Counter[str] = field(default_factory=Counter)
    takeover_secs: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        times = ", ".join(f"{secs:.1f}" for secs in sorted(self.takeover_secs)[-5:])
        return (
            f"{self.acknowledged:,} acknowledged, {self.lost} lost, {self.duplicates:,} duplicates"
            f", {self.out_of_order} out of order; {dict(self.disturbances)}; longest times until "
            f"all is delivered after one [s]: {times}"
        )


class Sender:
    """Numbers the records of each partition and remembers what was acknowledged.

    One that is not `idempotent` may put a record into the topic twice, in their order all the same.
    """

    def __init__(self, brokers: str, partitions: int, *, idempotent: bool = True) -> None:
        self.partitions = partitions
        self.acknowledged: set[tuple[int, int]] = set()
        self._next = Counter[int]()
        settings = {"bootstrap.servers": brokers, "acks": "all", "log_level": 0}
        if idempotent:
            settings["enable.idempotence"] = True
        else:
            settings["max.in.flight"] = 1
        self._producer = Producer(settings)

    def send(self, records: int) -> None:
        self.begin(records)
        self.finish()

    def begin(self, records: int) -> None:
        """Send records without waiting for what becomes of them."""
        for number in range(records):
            partition = number % self.partitions
            key = (partition, self._next[partition])
            self._next[partition] += 1
            value = b'{"login":"u","url":"h/%d/%08d/end"}' % key
            report = self._noted(key)
            self._producer.produce(TOPIC, value, partition=partition, on_delivery=report)

    def grow(self, partitions: int) -> None:
        """Send to more partitions, once the producer knows of them."""
        deadline = time.monotonic() + PATIENCE_SECS
        while len(self._producer.list_topics(TOPIC, 10).topics[TOPIC].partitions) < partitions:
            assert time.monotonic() < deadline, "the partitions added are not there"
            time.sleep(0.1)
        self.partitions = partitions

    def finish(self) -> None:
        """Wait until the broker has answered for all."""
        self._producer.flush(30)

    def _noted(self, key: tuple[int, int]) -> Callable[[object, object], None]:
        def note(error: object, _message: object) -> None:
            if error is None:
                self.acknowledged.add(key)

        return note

    def close(self) -> None:
        self._producer.close()


@contextmanager
def group(brokers: str, folder: Path, number: int, reading: Reading) -> Iterator[list[Instance]]:
    """Yield instances, not started; they are ended behind it."""
    instances = []
    for each in range(number):
        place = folder / f"nss{each}"
        place.mkdir()
        (place / "nss.toml").write_text(reading.configuration(place, brokers))
        instances.append(Instance(place))
    try:
        yield instances
    finally:
        for instance in instances:
            instance.end()


def disturbed(
    brokers: str,
    folder: Path,
    reading: Reading,
    disturbances: Sequence[str],
    seed: int,
    broker: Tansu | None = None,
) -> Outcome:
    """Run three instances over four partitions, disturb them, and return what became of all.

    A disturbance is the name of a signal for one of them, or what happens to the `broker`: `BROKER`
    or `GROWN`. The topic is there, with four partitions.
    """
    chance, outcome = random.Random(seed), Outcome()
    # tansu that was killed takes what an idempotent producer sends again for what it has, and it is
    # not there: docs/kafka-source.md has how often.
    sender = Sender(brokers, 4, idempotent=broker is None)
    with group(brokers, folder, 3, reading) as instances:
        try:
            for instance in instances:
                instance.start()
            if reading.start == "latest":
                _until_read(brokers, sender.partitions)
            sender.send(400)
            _until_delivered(sender, instances, PATIENCE_SECS)
            for kind in disturbances:
                outcome.disturbances[kind] += 1
                if kind in {BROKER, GROWN}:
                    assert broker is not None
                    _disturb_broker(broker, kind, instances, sender, chance, outcome)
                else:
                    _disturb(instances, sender, chance, outcome, kind)
            _until_delivered(sender, instances, PATIENCE_SECS)
        finally:
            sender.close()
    _judge(outcome, sender, instances)
    if broker is not None:
        count = len(sender.acknowledged)
        outcome.twice_in_topic = len(read_all(brokers, TOPIC, count, sender.partitions)) - count
        outcome.duplicates -= outcome.twice_in_topic
    return outcome


def _disturb(
    instances: list[Instance],
    sender: Sender,
    chance: random.Random,
    outcome: Outcome,
    kind: str,
) -> None:
    victim = chance.choice(instances)
    sender.send(chance.randrange(100, BURST))
    victim.send(signal.Signals[kind])
    begun = time.monotonic()
    sender.send(AFTER)
    if kind == "SIGSTOP":
        _until_delivered(sender, instances, SESSION_SECS * 3, must=False)
        outcome.takeover_secs.append(time.monotonic() - begun)
        victim.send(signal.SIGCONT)
        return
    assert victim.process is not None
    victim.process.wait(40)
    if chance.random() < 0.5:
        victim.start()
    _until_delivered(sender, instances, PATIENCE_SECS)
    outcome.takeover_secs.append(time.monotonic() - begun)
    if victim.process.poll() is not None:
        victim.start()


def _disturb_broker(
    broker: Tansu,
    kind: str,
    instances: list[Instance],
    sender: Sender,
    chance: random.Random,
    outcome: Outcome,
) -> None:
    sender.begin(chance.randrange(100, BURST))
    time.sleep(chance.uniform(0, 0.3))
    broker.kill()
    begun = time.monotonic()
    time.sleep(chance.uniform(0.1, 3))
    if kind == GROWN:
        broker.grow(TOPIC, sender.partitions + ADDED)
    broker.start()
    sender.finish()
    if kind == GROWN:
        sender.grow(sender.partitions + ADDED)
    sender.send(AFTER)
    _until_delivered(sender, instances, PATIENCE_SECS)
    outcome.takeover_secs.append(time.monotonic() - begun)


def _until_read(brokers: str, partitions: int) -> None:
    """Wait until the group has a position in each partition."""
    asking = Consumer({"bootstrap.servers": brokers, "group.id": "test", "log_level": 0})
    asked = [TopicPartition(TOPIC, number) for number in range(partitions)]
    deadline = time.monotonic() + PATIENCE_SECS
    while any(each.offset < 0 for each in asking.committed(asked, timeout=10)):
        assert time.monotonic() < deadline, "the group has no position in some partitions"
        time.sleep(0.1)
    asking.close()


def _until_delivered(
    sender: Sender, instances: list[Instance], secs: float, *, must: bool = True
) -> None:
    """Wait until all that was acknowledged is in the files."""
    deadline = time.monotonic() + secs
    while True:
        found = {key for instance in instances for key in instance.lines()}
        missing = sender.acknowledged - found
        if not missing:
            return
        if time.monotonic() > deadline:
            assert not must, f"{len(missing)} missing after {secs} s: {sorted(missing)[:5]}"
            return
        time.sleep(0.1)


def _judge(outcome: Outcome, sender: Sender, instances: list[Instance]) -> None:
    counts = Counter(key for instance in instances for key in instance.lines())
    outcome.acknowledged = len(sender.acknowledged)
    outcome.lost = len(sender.acknowledged - counts.keys())
    outcome.duplicates = sum(counts.values()) - len(counts)
    for instance in instances:
        newest = Counter[int]()
        seen = set[tuple[int, int]]()
        for partition, number in instance.lines():
            key = (partition, number)
            # What comes for the first time comes after all that came before it.
            outcome.out_of_order += key not in seen and number < newest[partition]
            newest[partition] = max(newest[partition], number)
            seen.add(key)
