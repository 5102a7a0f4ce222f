"""Measures what comes out of Kafka: a topic of a real broker (tansu) -> the source -> a file.

The topic is filled before the clock runs, a record a message, with lz4. `plain` is a loop over
`consume` of librdkafka in Python that counts; `alone` is the source with what only counts behind
it; `file` and `file-durable` are whole services that render the QRADAR string into a file, the
first with its spool in memory and `commit = "delivered"`.

Records a second are those between the first and the last: joining a group takes the broker some
seconds. CPU is that of the reader alone, its start included; the broker's is told beside it.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import confluent_kafka
import corpus
import kafka
import peers
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from nss.batch import Batch
from nss.config.sources import KafkaSourceConfig
from nss.config.values import Address
from nss.sources import Passing
from nss.sources.kafka.settings import consumer_settings
from nss.sources.kafka.source import KafkaSource

TOPIC = "bench"
_LOOK_SECS = 0.02

Reader = Callable[[str, Path], list[str]]
"""Takes brokers and a folder; returns the command. It writes `times` or `out` into the folder."""


def fill(brokers: str, data: Path, records: int) -> None:
    """Put the records of the corpus into a topic. Raises `RuntimeError` if some don't get there."""
    admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
    admin.create_topics([NewTopic(TOPIC, kafka.PARTITIONS, 1)])[TOPIC].result(20)
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": brokers,
            "log_level": 0,
            "compression.type": "lz4",
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    with (data / corpus.RECORDS_FILE).open("rb") as file:
        for number, line in zip(range(records), file, strict=False):
            producer.produce(TOPIC, line[:-1], partition=number % kafka.PARTITIONS)
            producer.poll(0)
    left = producer.flush(kafka.LIMIT_SECS)
    producer.close()
    if left:
        raise RuntimeError(f"{left} records did not get to the broker")


def plain(brokers: str, folder: Path, records: int) -> None:
    """Count messages as a loop around librdkafka does."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "plain",
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 10,
            "log_level": 0,
        }
    )
    consumer.subscribe([TOPIC])
    count, first = 0, 0.0
    while count < records:
        found = consumer.consume(5000, 0.2)
        count += sum(each.error() is None and bool(each.value()) for each in found)
        first = first or (time.monotonic() if count else 0.0)
    (folder / "times").write_text(f"{first} {time.monotonic()}")
    consumer.close()


async def alone(brokers: str, folder: Path, records: int) -> None:
    """Count what the source hands on."""
    host, _, port = brokers.partition(":")
    settings = KafkaSourceConfig(
        name="in", brokers=(Address(host, int(port)),), topics=(TOPIC,), group="alone"
    )
    count, first, enough = 0, 0.0, asyncio.Event()

    async def accept(batch: Batch) -> int:
        nonlocal count, first
        first = first or time.monotonic()
        count += batch.records
        if count >= records:
            enough.set()
        return count

    source = KafkaSource(
        settings,
        consumer_settings(settings),
        position=None,
        passing=lambda: Passing(count, count),
    )
    running = asyncio.create_task(source.run(accept))
    await enough.wait()
    (folder / "times").write_text(f"{first} {time.monotonic()}")
    await source.stop()
    await running
    await source.finish()


def _own(case: str, records: int) -> Reader:
    def command(brokers: str, folder: Path) -> list[str]:
        more = ["--within", str(folder), "--brokers", brokers, "--records", str(records)]
        return [sys.executable, __file__, "--run", case, *more]

    return command


def service(program: str, *, durable: bool) -> Reader:
    """Return the reader that is a whole service, and writes a file."""

    def command(brokers: str, folder: Path) -> list[str]:
        spool = f'path = "{folder}/spool.db"' if durable else 'kind = "memory"'
        (folder / "nss.toml").write_text(
            f"""\
[service]
control_socket = "off"
[spool]
{spool}
[sources.in]
kind = "kafka"
brokers = ["{brokers}"]
topics = ["{TOPIC}"]
format = "json"
commit = "{"accepted" if durable else "delivered"}"
[feeds.bench]
format = "QRADAR"
[feeds.bench.sink]
kind = "file"
path = "{folder}/out"
"""
        )
        return [program, "run", "-c", str(folder / "nss.toml")]

    return command


def measure(case: str, reader: Reader, data: Path, records: int) -> kafka.Result:
    """Run one case against a broker of its own. Raises `RuntimeError` when it does not end."""
    with (
        tempfile.TemporaryDirectory(prefix=f"{case}-", dir=data) as name,
        kafka.broker(Path(name)) as (brokers, broker_pid),
    ):
        folder = Path(name)
        fill(brokers, data, records)
        before = kafka.cpu_secs(broker_pid)
        with (folder / "output.txt").open("wb") as log:
            process = subprocess.Popen(
                reader(brokers, folder),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            first, last = _times(process, folder, records)
        except BaseException:
            kafka.end(process, at_once=True)
            raise
        broker_secs = kafka.cpu_secs(broker_pid) - before
        cpu_secs, peak_bytes = kafka.end(process, at_once=(folder / "out").exists())
        return kafka.Result(case, records, records, last - first, cpu_secs, peak_bytes, broker_secs)


def _times(process: "subprocess.Popen[bytes]", folder: Path, records: int) -> tuple[float, float]:
    """Return when the first and the last record were there, once they all are."""
    deadline, first, lines, at = time.monotonic() + kafka.LIMIT_SECS, 0.0, 0, 0
    while time.monotonic() < deadline:
        times, out = folder / "times", folder / "out"
        if times.exists() and (found := times.read_text().split()):
            return float(found[0]), float(found[1])
        if out.exists():
            with out.open("rb") as file:
                file.seek(at)
                data = file.read()
            lines, at = lines + data.count(b"\n"), at + len(data)
            now = time.monotonic()
            first = first or (now if lines else 0.0)
            if lines >= records:
                return first, now
        if process.poll() is not None and not times.exists():
            break
        time.sleep(_LOOK_SECS)
    told = (folder / "output.txt").read_text(errors="replace")[-800:]
    raise RuntimeError(f"{lines} lines of {records}: {told}")


def main() -> int:
    """Measure and print; cases run in turns, and the run with the least CPU of each counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--nss", help="the nss program (default: of this environment)")
    parser.add_argument("--run", choices=["plain", "alone"], help=argparse.SUPPRESS)
    parser.add_argument("--brokers", help=argparse.SUPPRESS)
    parser.add_argument("--within", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run == "plain":
        plain(chosen.brokers, chosen.within, chosen.records)
        return 0
    if chosen.run == "alone":
        asyncio.run(alone(chosen.brokers, chosen.within, chosen.records))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends too
    program = peers.nss_program(peers.Programs(chosen.nss))
    cases = {
        "plain": _own("plain", chosen.records),
        "alone": _own("alone", chosen.records),
        "file": service(program, durable=False),
        "file-durable": service(program, durable=True),
    }
    os.environ["PYTHONPATH"] = os.pathsep.join(["benchmarks", *sys.path[1:]])
    best: dict[str, kafka.Result] = {}
    with tempfile.TemporaryDirectory(prefix="nss-kafka-") as folder:
        data = Path(folder)
        corpus.write(data, chosen.records, 1, 0.0, 0.03)
        for _ in range(chosen.rounds):
            for case, reader in cases.items():
                result = measure(case, reader, data, chosen.records)
                if case not in best or result.cpu_secs < best[case].cpu_secs:
                    best[case] = result
    print(f"{chosen.records:,} records")
    print(kafka.HEADING)
    print("\n".join(one.row() for one in best.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
