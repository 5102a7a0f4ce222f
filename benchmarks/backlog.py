"""Fills the durable spool while the collector is down, then lets NSS deliver: speed and memory.

Three parts in one run, all with the same file of records: `live` (file -> spool -> QRADAR -> UDP),
`fill` (the feed's destination refuses connections, until the spool's tables show every record; then
the service is stopped) and `drain` (a new start with the collector back: only what is in the
spool). Records a second of live and drain are those from the first datagram to the last, and every
record must have arrived. With `--copies` the file has the same records so many times, which makes
a large backlog quickly; then only their number is compared.
"""

import argparse
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import corpus
import disk
import measure
import orjson
import peers
import run
from running import accepted_records, refusing_port, running

_SPOOL_FILE = "spool.db"
_MAX_BYTES = 65_000
_COPY_BYTES = 1 << 20
"""Little at a time: a process begins with the size of the one that starts it, which would show."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one part took."""

    name: str
    records: int
    secs: float
    cpu_secs: float
    peak_bytes: int

    def row(self) -> str:
        """Return a row of the table."""
        return (
            f"{self.name:<6} {self.records / self.secs:>10,.0f} {self.secs:>8.2f}"
            f" {self.cpu_secs * 1e6 / self.records:>11.2f} {self.peak_bytes / (1 << 20):>9.1f}"
        )


def launch(program: str, sink: str, records: Path, port: int, folder: Path) -> measure.Launch:
    """Return how to start `nss run`; it ends when all is delivered."""
    (folder / "nss.toml").write_text(
        f"""\
[service]
control_socket = "off"
drain_secs = 0

[spool]
path = "{folder / _SPOOL_FILE}"
max_bytes = {1 << 40}

[sources.web]
kind = "file"
path = "{records}"
follow = false

[feeds.bench]
format = "QRADAR"

[feeds.bench.sink]
destinations = ["127.0.0.1:{port}"]
{sink}
"""
    )
    return measure.Launch([program, "run", "-c", str(folder / "nss.toml")])


_UP = f'kind = "syslog_udp"\nmax_message_bytes = {_MAX_BYTES}'
_DOWN = 'kind = "syslog_tcp"'


def deliver(name: str, program: str, records: Path, folder: Path, of: argparse.Namespace) -> Part:
    """Run with the collector up, until it has everything. Raises `RuntimeError` when it hasn't."""
    start = partial(launch, program, _UP, records)
    took = measure.run(start, of.records, folder, of.limit_secs, of.copies)
    wanted = of.records * of.copies
    if took.records != wanted or took.exit_code:
        why = took.output.strip()[-300:]
        raise RuntimeError(
            f"{name}: {took.records} of {wanted} came, exit code {took.exit_code}: {why}"
        )
    return Part(name, wanted, took.flow_secs, took.cpu_secs, took.peak_bytes)


def fill(program: str, records: Path, folder: Path, of: argparse.Namespace) -> Part:
    """Run with the collector down, until the spool has everything. Raises `RuntimeError`."""
    wanted = of.records * of.copies
    with (
        refusing_port() as port,
        running(launch(program, _DOWN, records, port, folder), folder) as service,
    ):
        started = time.monotonic()
        service.wait_for_records(folder / _SPOOL_FILE, wanted, of.limit_secs)
        took_secs = time.monotonic() - started
        return Part("fill", wanted, took_secs, service.cpu_secs, service.peak_bytes)


def repeat(records: Path, copies: int) -> None:
    """Have a file hold its records so many times."""
    size_bytes = records.stat().st_size
    with records.open("rb") as once, records.open("ab") as file:
        for _ in range(copies - 1):
            once.seek(0)
            left_bytes = size_bytes
            while left_bytes:
                left_bytes -= file.write(once.read(min(left_bytes, _COPY_BYTES)))


def measure_parts(data: Path, chosen: argparse.Namespace) -> tuple[list[Part], int]:
    """Return the parts, and the bytes of the spool when it was full."""
    program = peers.nss_program(peers.Programs(chosen.nss))
    records = data / corpus.RECORDS_FILE
    live_folder, folder = data / "live", data / "backlog"
    live_folder.mkdir()
    folder.mkdir()
    parts = [deliver("live", program, records, live_folder, chosen)]
    shutil.rmtree(live_folder)
    parts.append(fill(program, records, folder, chosen))
    spool_bytes = (folder / _SPOOL_FILE).stat().st_size
    parts.append(deliver("drain", program, records, folder, chosen))
    if (accepted := accepted_records(folder / _SPOOL_FILE)) != chosen.records * chosen.copies:
        raise RuntimeError(f"drain: the file was read again: {accepted} records accepted")
    return parts, spool_bytes


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--copies", type=int, default=1, help="how often they are in the file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hostile-share", type=float, default=0.02)
    parser.add_argument("--long-share", type=float, default=0.03)
    parser.add_argument("--limit-secs", type=float, default=600, help="for a part (default 600)")
    parser.add_argument("--disk", type=Path, help="where the spool is written (default: /tmp)")
    parser.add_argument("--nss", help="the nss program (default: of this environment)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


def main() -> int:
    """Measure and print."""
    chosen = arguments()
    found_disk = disk.disk(chosen.disk)
    with tempfile.TemporaryDirectory(prefix="nss-backlog-", dir=found_disk.folder) as folder:
        data = Path(folder)
        run.write_corpus(data, chosen)
        (data / corpus.LINES_FILE).unlink()
        repeat(data / corpus.RECORDS_FILE, chosen.copies)
        corpus_bytes = (data / corpus.RECORDS_FILE).stat().st_size
        parts, spool_bytes = measure_parts(data, chosen)
    if chosen.json:
        whole = {
            "disk": found_disk.as_json(),
            "corpus_bytes": corpus_bytes,
            "spool_bytes": spool_bytes,
            "parts": [asdict(one) for one in parts],
        }
        print(orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode())
    else:
        print(
            f"{chosen.records * chosen.copies:,} records, {corpus_bytes / 1e9:.2f} GB,"
            f" {spool_bytes / 1e9:.2f} GB in the spool; {found_disk}"
        )
        print("part    records/s   secs    CPU us/rec  peak MiB")
        print("\n".join(one.row() for one in parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
