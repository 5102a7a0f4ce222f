"""The machine as the service finds it: disks, memory, cores.

Only files in /proc that belong to this process are read: under systemd's `ProcSubset=pid` there is
no /proc/meminfo. How much memory there is comes from `sysconf`, which asks the kernel.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

RECOMMENDED_BYTES = 8 * 10**9
"""The memory that the vendor recommends for the machine: 8 GB."""

KEPT_SHARE = 0.06
"""How much less counts as well: firmware, the kernel and graphics keep some of what is built in."""

UNIT_SHARE = 0.75
"""How much of the machine's memory the unit of the package may use at most (its `MemoryMax`)."""

_PROC = Path("/proc/self")
_CGROUPS = Path("/sys/fs/cgroup")
_MAX_BYTES = 64 << 10

_NO_LIMIT_BYTES = 1 << 60
"""Where there is no limit, version 1 of cgroups shows one that is larger than this."""


@dataclass(frozen=True, slots=True)
class DiskReading:
    """The file system of a folder."""

    folder: Path
    free_bytes: int
    """What this user may still write."""
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReading:
    """The machine at one moment. What can't be found out is `None`."""

    state: DiskReading | None
    spool: DiskReading | None
    """`None` also for a spool in memory."""
    memory_bytes: int | None
    """The memory of the machine."""
    memory_limit_bytes: int | None
    """What a cgroup leaves of it, the smallest of those above this process; `None` without one."""
    resident_bytes: int | None
    """The memory that this process takes now."""
    cores: int
    """How many processor cores this process may use."""

    @property
    def has_recommended_memory(self) -> bool | None:
        """Whether the machine has the 8 GB that the vendor recommends; `None`: it can't be said.

        `KEPT_SHARE` less is enough. A container counts by its limit, which need not be more than
        the `UNIT_SHARE` that the unit allows itself on a machine of 8 GB.
        """
        if self.memory_bytes is None:
            return None
        least = RECOMMENDED_BYTES * (1 - KEPT_SHARE)
        limit = self.memory_limit_bytes
        return self.memory_bytes >= least and (limit is None or limit >= UNIT_SHARE * least)


def machine(
    state: Path, spool: Path | None = None, *, proc: Path = _PROC, cgroups: Path = _CGROUPS
) -> MachineReading:
    """Return the machine as it is now; `state` and `spool` are folders. Never raises.

    Blocks for as long as their file systems do, so it is to be called off the event loop. `proc` is
    the folder of this process, `cgroups` where control groups are mounted.
    """
    pages = _number("SC_PHYS_PAGES")
    return MachineReading(
        state=_disk(state),
        spool=None if spool is None else _disk(spool),
        memory_bytes=None if pages is None else pages * os.sysconf("SC_PAGE_SIZE"),
        memory_limit_bytes=min(_limits(proc, cgroups), default=None),
        resident_bytes=_resident(proc),
        cores=len(os.sched_getaffinity(0)),
    )


def _disk(folder: Path) -> DiskReading | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return DiskReading(folder, found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)


def _number(name: str) -> int | None:
    with suppress(ValueError, OSError):
        number = os.sysconf(name)
        return number if number > 0 else None
    return None


def _resident(proc: Path) -> int | None:
    fields = _text(proc / "statm").split()  # in pages: all of it, resident, ... (proc(5))
    if len(fields) > 1 and fields[1].isdecimal():
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
    return None


def _limits(proc: Path, cgroups: Path) -> Iterator[int]:
    """Yield the limits of the control groups that this process is in, and of those above."""
    for line in _text(proc / "cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if not controllers:  # version 2
            top, name = cgroups, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = cgroups / "memory", "memory.limit_in_bytes"
        else:
            continue
        # Seen from inside of a container, a group may be above what is mounted there.
        folder = top.joinpath(*(part for part in group.split("/") if part not in ("", "..")))
        while folder.is_relative_to(top):
            text = _text(folder / name).strip()
            if text.isdecimal() and int(text) < _NO_LIMIT_BYTES:
                yield int(text)
            folder = folder.parent


def _text(path: Path) -> str:
    """Return what is in a file of the kernel's, nothing if it can't be read."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(_MAX_BYTES).decode("ascii", "replace")
    return ""
