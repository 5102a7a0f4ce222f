"""Measures intake alone: records pushed over TCP or HTTP into the queue on disk, and no further.

The destination refuses connections all the while, so that a feed renders one slice of records and
then waits. Time runs from the first byte sent until the program has closed the last connection
(TCP), or answered the last request (HTTP); CPU is that of the program alone, its start left out.
For NSS the spool's own tables must then show every record. Of syslog-ng, whose queue promises what
`peers.py` tells, only the bytes on disk are known; being slower, it gets the file once.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import corpus
import disk
import orjson
import peers
import run
import unpacked
from measure import Launch
from running import accepted_records, free_port, refusing_port, running

_SENDER = Path(__file__).with_name("sender.py")
_SPOOL_FILE = "spool.db"
_QUEUE_BYTES = 16 << 30


@dataclass(frozen=True, slots=True)
class Intake:
    """What a run took."""

    case: str
    connections: int
    records: int
    secs: float
    data_bytes: int
    cpu_secs: float
    peak_bytes: int
    disk_bytes: int

    @property
    def records_per_sec(self) -> float:
        """Records taken in a second."""
        return self.records / self.secs

    @property
    def cpu_us_per_record(self) -> float:
        """User and system time of the program, in microseconds a record."""
        return self.cpu_secs * 1e6 / self.records

    def row(self) -> str:
        """Return a row of the table."""
        return (
            f"{self.case:<14} {self.connections:>11} {self.records_per_sec:>11,.0f}"
            f" {self.data_bytes / self.secs / 1e6:>8.0f} {self.cpu_us_per_record:>11.2f}"
            f" {self.peak_bytes / (1 << 20):>9.1f} {self.disk_bytes / 1e6:>11.0f}"
        )


Starter = Callable[[int, int, Path, peers.Programs], Launch]
"""Takes the port to listen at, one that refuses, the folder and where programs are."""


def nss(way: str, port: int, refusing: int, folder: Path, programs: peers.Programs) -> Launch:
    """Return how to start `nss run` with a `tcp` or `http` source."""
    (folder / "nss.toml").write_text(
        f"""\
[service]
control_socket = "off"
drain_secs = 0

[spool]
path = "{folder / _SPOOL_FILE}"
max_bytes = {_QUEUE_BYTES}

[sources.push]
kind = "{way}"
listen = "127.0.0.1:{port}"

[feeds.down]
format = "QRADAR"

[feeds.down.sink]
kind = "syslog_tcp"
destinations = ["127.0.0.1:{refusing}"]
"""
    )
    return Launch([peers.nss_program(programs), "run", "-c", str(folder / "nss.toml")])


def syslog_ng(port: int, refusing: int, folder: Path, _programs: peers.Programs) -> Launch:
    """Return how to start syslog-ng: network source, reliable disk-buffer, network over TCP."""
    found = peers.unpacked_or_unavailable(unpacked.syslog_ng)
    (folder / "syslog-ng.conf").write_text(
        f"""\
@version: {unpacked.version(found)}
options {{ log-msg-size(65536); use-dns(no); dns-cache(no); stats-freq(0); keep-hostname(yes); }};
source records {{
  network(ip("127.0.0.1") port({port}) transport("tcp") flags(no-parse) log-fetch-limit(100)
          log-iw-size(10000) max-connections(100));
}};
destination out {{
  network("127.0.0.1" port({refusing}) transport("tcp") template("$MSG\\n")
          disk-buffer(reliable(yes) dir("{folder}") disk-buf-size({_QUEUE_BYTES})));
}};
log {{ source(records); destination(out); flags(flow-control); }};
"""
    )
    return peers.syslog_ng_launch(found, folder)


CASES: dict[str, tuple[str, Starter]] = {
    "nss-tcp": ("tcp", partial(nss, "tcp")),
    "nss-http": ("http", partial(nss, "http")),
    "syslog-ng-tcp": ("tcp", syslog_ng),
}


def measure_case(case: str, connections: int, data: Path, chosen: argparse.Namespace) -> Intake:
    """Run a case once. Raises `RuntimeError` when records are missing."""
    way, starter = CASES[case]
    is_nss = case.startswith("nss-")
    copies = chosen.copies if is_nss else 1
    port, records = free_port(), chosen.records * copies
    with (
        tempfile.TemporaryDirectory(prefix="nss-intake-", dir=chosen.disk) as named,
        refusing_port() as refusing,
    ):
        folder = Path(named)
        launch = starter(port, refusing, folder, peers.Programs(chosen.nss))
        with running(launch, folder) as program:
            program.wait_for_port(port)
            before_secs = program.cpu_secs
            argv = [sys.executable, str(_SENDER), way, str(port), str(data / corpus.RECORDS_FILE)]
            argv += ["--connections", str(connections), "--copies", str(copies)]
            told = _told(argv, chosen.limit_secs)
            cpu_secs, peak_bytes = program.cpu_secs - before_secs, program.peak_bytes
            if is_nss:
                accepted = accepted_records(folder / _SPOOL_FILE)
                if accepted != records:
                    raise RuntimeError(f"{case}: {accepted} of {records} records in the spool")
            disk_bytes = sum(one.stat().st_size for one in folder.iterdir())
    return Intake(
        case, connections, records, told["secs"], told["bytes"], cpu_secs, peak_bytes, disk_bytes
    )


def _told(argv: list[str], limit_secs: float) -> dict[str, Any]:
    try:
        sent = subprocess.run(argv, check=True, stdout=subprocess.PIPE, timeout=limit_secs)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"not all was taken in within {limit_secs:g} s") from None
    told: dict[str, Any] = orjson.loads(sent.stdout)
    return told


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--copies", type=int, default=5, help="how often they come (default 5)")
    parser.add_argument("--connections", type=int, action="append", help="default: 1 and 4")
    parser.add_argument("--only", action="append", choices=CASES, metavar="CASE")
    parser.add_argument("--rounds", type=int, default=3, help="the best counts (default 3)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hostile-share", type=float, default=0.02)
    parser.add_argument("--long-share", type=float, default=0.03)
    parser.add_argument("--limit-secs", type=float, default=120, help="for one run (default 120)")
    parser.add_argument("--disk", type=Path, help="where queues are written (default: /tmp)")
    parser.add_argument("--nss", help="the nss program (default: of this environment)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


def measure_cases(data: Path, chosen: argparse.Namespace) -> tuple[list[Intake], list[str]]:
    """Run the cases in turn, and return the best run of each, and why others have none.

    The run with the least CPU counts, as in `run.py`.
    """
    best: dict[tuple[str, int], Intake] = {}
    without: dict[tuple[str, int], str] = {}
    turns = [(case, number) for case in chosen.only or CASES for number in chosen.connections]
    for turn in turns * chosen.rounds:
        case, connections = turn
        if turn in without:
            continue
        print(f"{case}, {connections} connections ...", file=sys.stderr, flush=True)
        try:
            one = measure_case(case, connections, data, chosen)
        except (peers.Unavailable, RuntimeError) as error:
            without[turn] = f"{case:<14} {connections:>11} none: {error}"
            continue
        if turn not in best or one.cpu_secs < best[turn].cpu_secs:
            best[turn] = one
    return [best[turn] for turn in turns if turn in best], list(without.values())


def main() -> int:
    """Measure and print; return 1 when a case of NSS has no figures."""
    chosen = arguments()
    chosen.connections = chosen.connections or [1, 4]
    found_disk = disk.disk(chosen.disk)
    chosen.disk = found_disk.folder
    with tempfile.TemporaryDirectory(prefix="nss-bench-corpus-") as folder:
        run.write_corpus(Path(folder), chosen)
        measured, without = measure_cases(Path(folder), chosen)
    if chosen.json:
        cases = [asdict(one) for one in measured]
        whole = {"disk": found_disk.as_json(), "cases": cases, "without": without}
        print(orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode())
    else:
        print(f"{chosen.records:,} records, {chosen.copies} times for NSS; {found_disk}")
        print("case           connections   records/s     MB/s  CPU us/rec  peak MiB  MB on disk")
        print("\n".join([*(one.row() for one in measured), *without]))
    return int(any(row.startswith("nss-") for row in without))


if __name__ == "__main__":
    sys.exit(main())
