"""What the engine works from: a file of root's, written before it starts.

/var/lib/nss-update     root's, 0755
plan.json     this
journal.json  how far the last update came (`nss.updates.journal`)
lock          held by the engine while it works
log           what it prints
engine/       the copy that it runs from
apt/          apt's own folders, and copies of keys and certificates
packages/     the package to install, and the one before
swapping      there while the service must not start: the unit looks at it
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path("/var/lib/nss-update")
PACKAGE = "nss-streamer"
SWAPPING = "swapping"
"""The name of the file that keeps the service from being started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An update to make."""

    number: str
    """Its name, which no other update has."""
    repository: str
    suite: str
    timeout_secs: float
    verify_secs: float
    config: str
    """The configuration file of the service."""
    spool: str | None
    """The spool's file; `None`: it is in memory."""
    spool_reserve: int
    """Bytes of the spool's file system that stay free."""
    user: str
    """Whom the spool belongs to."""
    force: bool
    """Whether the newest version is installed though it is installed already."""


def write(plan: Plan, folder: Path = FOLDER) -> None:
    """Write the plan. Raises `OSError`."""
    put(folder / "plan.json", json.dumps(asdict(plan)))


def read(folder: Path = FOLDER) -> Plan:
    """Return the plan that was written. Raises `OSError`, and `ValueError` when it is none."""
    try:
        return Plan(**json.loads((folder / "plan.json").read_text(encoding="utf-8")))
    except TypeError as error:
        raise ValueError(str(error)) from None


def put(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file in a folder of root's, on the disk when this returns. Raises `OSError`."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(number)
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk when this returns."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
