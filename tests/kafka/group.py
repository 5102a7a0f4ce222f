"""Several instances of NSS in one consumer group, disturbed at random, and what became of records.

The oracle is the producer's: what the broker acknowledged must be in the files of the instances.
"""

import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]

from tests.kafka.brokers import Tansu, read_all
from tests.service.conftest import COMMAND, ENV

TOPIC = "web"
SESSION_SECS = 6.0
KINDS = ("SIGKILL", "SIGKILL", "SIGKILL", "SIGSTOP", "SIGTERM", "SIGTERM")
BROKER = "broker killed"
"""Instead of an instance's, the broker's end; it comes back after up to 3 s."""

ADDING = 4
"""The disturbance with which partitions are added, where the broker can."""

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
revoke_secs = 2
[sources.in.kafka]
"session.timeout.ms" = 6000
"heartbeat.interval.ms" = 1000
"max.poll.interval.ms" = {poll_ms}
[feeds.out]
format_string = '%s{{url}}'
[feeds.out.sink]
kind = "file"
path = "{folder}/out"
"""


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
def group(
    brokers: str, folder: Path, number: int, commit: str, spool: str, poll_ms: int
) -> Iterator[list[Instance]]:
    """Yield instances, not started; they are ended behind it."""
    instances = []
    for each in range(number):
        place = folder / f"nss{each}"
        place.mkdir()
        kept = f'path = "{place}/spool.db"\nmin_free_bytes = 0' if spool == "durable" else ""
        text = CONFIG.format(
            folder=place,
            brokers=brokers.replace(",", '", "'),
            commit=commit,
            poll_ms=poll_ms,
            spool=f'kind = "{spool}"\n{kept}',
        )
        (place / "nss.toml").write_text(text)
        instances.append(Instance(place))
    try:
        yield instances
    finally:
        for instance in instances:
            instance.end()


def disturbed(
    brokers: str,
    folder: Path,
    kills: int,
    commit: str,
    spool: str,
    seed: int,
    poll_ms: int,
    kinds: Sequence[str] = KINDS,
    broker: Tansu | None = None,
) -> Outcome:
    """Run three instances over four partitions, disturb them, and return what became of all.

    `poll_ms` is their `max.poll.interval.ms`; the disturbances are `kinds` in turn, of which
    `BROKER` kills the `broker` and starts it again. The topic is there, with four partitions.
    """
    chance, outcome = random.Random(seed), Outcome()
    # tansu that was killed takes what an idempotent producer sends again for what it has, and it is
    # not there: docs/kafka-source.md has how often.
    sender = Sender(brokers, 4, idempotent=broker is None)
    with group(brokers, folder, 3, commit, spool, poll_ms) as instances:
        try:
            for instance in instances:
                instance.start()
            sender.send(400)
            _until_delivered(sender, instances, PATIENCE_SECS)
            for number in range(kills):
                if kinds[number % len(kinds)] == BROKER:
                    assert broker is not None
                    _disturb_broker(broker, instances, sender, chance, outcome)
                else:
                    _disturb(instances, sender, chance, outcome, brokers, number, kinds)
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
    brokers: str,
    number: int,
    kinds: Sequence[str],
) -> None:
    victim = chance.choice(instances)
    sender.send(chance.randrange(100, BURST))
    kind = kinds[number % len(kinds)]
    outcome.disturbances[kind] += 1
    if number == ADDING:
        admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
        made = admin.create_partitions([NewPartitions(TOPIC, 6)])
        try:
            made[TOPIC].result(10)
            sender.partitions = 6
            outcome.disturbances["partitions added"] += 1
        except Exception:  # noqa: BLE001 - the broker may not be able to
            outcome.disturbances["partitions not added"] += 1
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
    instances: list[Instance],
    sender: Sender,
    chance: random.Random,
    outcome: Outcome,
) -> None:
    outcome.disturbances[BROKER] += 1
    sender.begin(chance.randrange(100, BURST))
    time.sleep(chance.uniform(0, 0.3))
    broker.kill()
    begun = time.monotonic()
    time.sleep(chance.uniform(0.1, 3))
    broker.start()
    sender.finish()
    sender.send(AFTER)
    _until_delivered(sender, instances, PATIENCE_SECS)
    outcome.takeover_secs.append(time.monotonic() - begun)


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
