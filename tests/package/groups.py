"""A control group of its own for each container, whoever else runs containers on this machine.

systemd-nspawn makes the group `payload` beside that of its caller. Two callers in one group would
have one `payload`, and the systemd that ends would take the processes of the other with it.
"""

import contextlib
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

_MOUNTS = Path("/sys/fs/cgroup")
_NUMBERS = count(1)
_ENTER = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"'


@contextlib.contextmanager
def own_group() -> Iterator[list[str]]:
    """Yield the command that runs another in a new control group, which is then removed."""
    name = f"nss-test-{os.getpid()}-{next(_NUMBERS)}"
    groups = [group / name for group in _groups_of_caller()]
    for group in groups:
        group.mkdir()
    try:
        yield ["sh", "-c", _ENTER, "sh", *map(str, groups), "--"]
    finally:
        for group in groups:
            _remove(group)


def _groups_of_caller() -> Iterator[Path]:
    """Yield the groups of this process in the hierarchies that systemd-nspawn looks at."""
    for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "name=systemd":
            mounts = [_MOUNTS / "systemd"]
        elif not controllers:
            mounts = [_MOUNTS / "unified", _MOUNTS]
        else:
            continue
        found = (mount / path.lstrip("/") for mount in mounts)
        yield from [group for group in found if (group / "cgroup.procs").exists()][:1]


def _remove(group: Path) -> None:
    """Remove a group and those in it; what still has a process stays."""
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
