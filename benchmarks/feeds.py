"""Measures several feeds of one source: file -> spool -> QRADAR -> one file for each feed.

Every feed renders every record. Records a second are those of the source, from the first line in a
file to the end of the service; lines a second are those of all feeds together. CPU is that of the
service, its start included. Every file must have every line.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import corpus
import disk
import orjson
import peers

_LOOK_SECS = 0.005
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Result:
    """What one case took."""

    feeds: int
    threads: int
    records: int
    secs: float
    cpu_secs: float
    peak_bytes: int

    @property
    def records_per_sec(self) -> float:
        """Records of the source a second, each rendered by all feeds."""
        return self.records / self.secs

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU a record of the source."""
        return self.cpu_secs * 1e6 / self.records

    def row(self) -> str:
        """Return it as a line of a table."""
        return (
            f"{self.feeds:>5} {self.threads:>8} {self.records_per_sec:>10,.0f}"
            f" {self.records_per_sec * self.feeds:>10,.0f} {self.cpu_us:>11.2f}"
            f" {self.cpu_us / self.feeds:>9.2f} {self.peak_bytes / (1 << 20):>9.1f}"
        )


def write_config(folder: Path, records: Path, feeds: int, threads: int, *, memory: bool) -> Path:
    """Write the configuration of a case; return its path."""
    spool = 'kind = "memory"' if memory else f'path = "{folder}/spool.db"'
    text = f"""\
[service]
control_socket = "off"
threads = {threads}

[spool]
{spool}

[sources.web]
kind = "file"
path = "{records}"
follow = false
"""
    for number in range(feeds):
        text += f"""
[feeds.feed{number}]
format = "QRADAR"

[feeds.feed{number}.sink]
kind = "file"
path = "{folder}/lines{number}"
"""
    path = folder / "nss.toml"
    path.write_text(text)
    return path


def measure_case(data: Path, feeds: int, threads: int, chosen: argparse.Namespace) -> Result:
    """Run the service until it ends by itself. Raises `RuntimeError` when lines are missing."""
    folder = data / f"{feeds}-{threads}"
    folder.mkdir()
    records = data / corpus.RECORDS_FILE
    config = write_config(folder, records, feeds, threads, memory=chosen.memory)
    program = peers.nss_program(peers.Programs(chosen.nss))
    outputs = [folder / f"lines{number}" for number in range(feeds)]
    with (folder / "output.txt").open("wb") as log:
        process = subprocess.Popen(
            [program, "run", "-c", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        began, pid = None, 0
        while not pid:
            if began is None and any(map(_has_lines, outputs)):
                began = time.monotonic()
            time.sleep(_LOOK_SECS)
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        ended = time.monotonic()
    process.returncode = os.waitstatus_to_exitcode(status)
    found = [_lines(path) for path in outputs]
    if process.returncode or began is None or found != [chosen.records] * feeds:
        told = (folder / "output.txt").read_text(errors="replace")[-500:]
        raise RuntimeError(f"{feeds} feeds: {found} lines, exit code {process.returncode}: {told}")
    shutil.rmtree(folder)
    cpu_secs = usage.ru_utime + usage.ru_stime
    return Result(feeds, threads, chosen.records, ended - began, cpu_secs, usage.ru_maxrss << 10)


def _has_lines(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size > 0
    return False


def _lines(path: Path) -> int:
    count = 0
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            count += part.count(b"\n")
    return count


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--feeds", type=int, action="append", help="default 1, 2, 4 and 8")
    parser.add_argument("--threads", type=int, action="append", help="default 1 and 2")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest counts (default 3)")
    parser.add_argument("--memory", action="store_true", help="with the spool in memory")
    parser.add_argument("--disk", type=Path, help="where files are written (default: /tmp)")
    parser.add_argument("--nss", help="the nss program (default: of this environment)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


def main() -> int:
    """Measure and print; threads take turns, so that all of them meet the same neighbours."""
    chosen = arguments()
    found_disk = disk.disk(chosen.disk)
    best: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="nss-feeds-", dir=found_disk.folder) as folder:
        data = Path(folder)
        corpus.write(data, chosen.records, chosen.seed, 0.02, 0.03)
        for feeds in chosen.feeds or (1, 2, 4, 8):
            threads = chosen.threads or [1, 2]
            rounds = [
                measure_case(data, feeds, each, chosen)
                for _ in range(chosen.rounds)
                for each in threads
            ]
            for each in threads:
                of_these = [result for result in rounds if result.threads == each]
                best.append(min(of_these, key=lambda result: result.secs))
    if chosen.json:
        print(orjson.dumps([asdict(one) for one in best], option=orjson.OPT_INDENT_2).decode())
    else:
        print(f"{chosen.records:,} records; {found_disk}")
        print("feeds  threads  records/s    lines/s  CPU us/rec  us/line  peak MiB")
        print("\n".join(one.row() for one in best))
    return 0


if __name__ == "__main__":
    sys.exit(main())
