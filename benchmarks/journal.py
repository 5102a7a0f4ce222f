"""The journal of uploads with many small batches: what it takes on the disk, and how long.

Batches of a few lines each are collected, divided into files and noted before and after each
finalize, as uploads do; nothing is uploaded. Then they are collected once more, as by the next
process after a kill, which must leave all of them out.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import disk

from formats.lines import Lines
from nss.config.sinks import CloudDiscoverySinkConfig
from nss.secret import Secret
from nss.sinks.cloud_discovery.collection import Collection
from nss.sinks.cloud_discovery.incoming import Incoming
from nss.sinks.cloud_discovery.journal import UploadJournal

_URL = Secret("https://storage.example/uploads/file?sig=0123456789")
_LINE = (
    b"LEEF:1.0|Zscaler|NSS|4.1|Allowed|cat=Allowed\tusrName=user%d\turl=example.com/" + b"x" * 500
)


@dataclass(slots=True)
class Result:
    """What was written, and how long it took."""

    collect_secs: float = 0.0
    recognise_secs: float = 0.0
    files: int = 0
    pieces: int = 0
    most_bytes: int = 0
    write_ms: list[float] = field(default_factory=list)


def batches(chosen: argparse.Namespace) -> Iterator[tuple[tuple[int, float], Lines]]:
    """Yield batches as they come from pushes, a millisecond apart."""
    for number in range(chosen.batches):
        lines = [_LINE % (number + at) for at in range(chosen.lines)]
        yield (number + 1, 1764000000.0 + number / 1000), Lines.of(lines)


def incoming(folder: Path, settings: CloudDiscoverySinkConfig) -> tuple[Incoming, UploadJournal]:
    """Return what a process begins with."""
    journal = UploadJournal(folder / "feed.json")
    journal.load()
    new_collection = partial(Collection, folder, settings)
    return Incoming(journal, new_collection, settings.max_secs, time.monotonic), journal


def note_uploads(folder: Path, taken: Collection, journal: UploadJournal, result: Result) -> None:
    """Note all files of a collection as uploads do."""
    while taken.files:
        file = taken.files[0]
        result.files += 1
        result.pieces = max(result.pieces, len(file.pieces))
        for write in (partial(journal.begin, _URL, file.batches, file.pieces), journal.finish):
            began = time.perf_counter()
            write()
            result.write_ms.append((time.perf_counter() - began) * 1e3)
            result.most_bytes = max(result.most_bytes, (folder / "feed.json").stat().st_size)
        taken.drop_first()
    taken.close()


def run(folder: Path, chosen: argparse.Namespace) -> Result:
    """Collect, note, and collect again. Raises `RuntimeError` when a line would be repeated."""
    settings = CloudDiscoverySinkConfig(max_records=chosen.max_records, max_bytes=5 * 10**9)
    result = Result()
    coming, journal = incoming(folder, settings)
    for batch, lines in batches(chosen):
        began = time.perf_counter()
        coming.begin(batch)
        coming.take(lines)
        coming.collect()
        is_due = coming.due_secs() == 0
        result.collect_secs += time.perf_counter() - began
        if is_due and (taken := coming.hand_over()):
            note_uploads(folder, taken, journal, result)
    if taken := coming.hand_over():
        note_uploads(folder, taken, journal, result)
    coming, _ = incoming(folder, settings)
    began = time.perf_counter()
    for batch, lines in batches(chosen):
        coming.begin(batch)
        coming.take(lines)
        coming.collect()
    result.recognise_secs = time.perf_counter() - began
    if coming.records:
        raise RuntimeError(f"{coming.records} lines would be uploaded twice")
    return result


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=1_000_000)
    parser.add_argument("--lines", type=int, default=1, help="of a batch (default 1)")
    parser.add_argument("--max-records", type=int, default=100_000, help="of a file")
    parser.add_argument("--disk", type=Path, help="where files are written (default: /tmp)")
    chosen = parser.parse_args()
    found_disk = disk.disk(chosen.disk)
    with tempfile.TemporaryDirectory(prefix="nss-journal-", dir=found_disk.folder) as folder:
        result = run(Path(folder), chosen)
    median_ms, longest_ms = statistics.median(result.write_ms), max(result.write_ms)
    print(f"{chosen.batches:,} batches, files of {chosen.max_records:,} records; {found_disk}")
    print(f"files, pieces of a file     {result.files:,}, {result.pieces:,}")
    print(f"the journal, at most        {result.most_bytes / 1024:,.1f} KiB")
    print(f"a write of it               {median_ms:.2f} ms, at most {longest_ms:.2f}")
    print(f"to collect a batch          {result.collect_secs * 1e6 / chosen.batches:.2f} us")
    print(f"to recognise it again       {result.recognise_secs * 1e6 / chosen.batches:.2f} us")
    return 0


if __name__ == "__main__":
    sys.exit(main())
