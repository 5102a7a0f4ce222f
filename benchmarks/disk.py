"""The folder that queues are written to, which must be on a disk, and what fsync costs there.

In memory (tmpfs) fsync does nothing, and a durable queue would look as fast as one that isn't.
"""

import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

_NO_DISK = {"tmpfs", "ramfs", "devtmpfs"}
_BLOCK_BYTES = 80 << 10  # what a batch of 1 MiB shrinks to
_SYNCS = 50


@dataclass(frozen=True, slots=True)
class Disk:
    """A folder, its file system, and how long it takes to append 80 KiB and sync it (median)."""

    folder: Path
    file_system: str
    sync_ms: float
    free_bytes: int

    def __str__(self) -> str:
        free = f"{self.free_bytes / 1e9:.0f} GB free"
        return f"{self.file_system}, {self.sync_ms:.2f} ms an fdatasync, {free} ({self.folder})"

    def as_json(self) -> dict[str, object]:
        """Return the facts for a machine."""
        return {**asdict(self), "folder": str(self.folder)}


def disk(named: Path | None) -> Disk:
    """Return a folder on a disk: the one named, or one for temporary files.

    Ends the program if that is not on a disk.
    """
    folders = [named] if named is not None else [Path(tempfile.gettempdir()), Path("/var/tmp")]  # noqa: S108 - a folder of that name is made in it
    for folder in folders:
        kind = _file_system(folder)
        if kind not in _NO_DISK:
            found = os.statvfs(folder)
            return Disk(folder, kind, _sync_ms(folder), found.f_bavail * found.f_frsize)
    sys.exit(f"{folders[-1]} is not on a disk, so fsync would cost nothing: name one by --disk")


def _file_system(folder: Path) -> str:
    """Return the kind of the file system that a folder is on, as /proc/self/mountinfo has it."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for row in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        words = row.split()
        if words[2] == number:
            return words[words.index("-") + 1]
    return "unknown"


def _sync_ms(folder: Path) -> float:
    took: list[float] = []
    with tempfile.NamedTemporaryFile(dir=folder, prefix="nss-bench-", buffering=0) as file:
        for _ in range(_SYNCS):
            file.write(os.urandom(_BLOCK_BYTES))
            before = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - before)
    return round(statistics.median(took) * 1e3, 3)
