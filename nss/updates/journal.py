"""How far an update is: for who comes after a power cut, and for `nss status`.

A small JSON file that everybody may read; nothing in it is secret.
"""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nss.updates.plan import FOLDER, put

NAME = "journal.json"

DOWNLOADING = "downloading"
KEEPING = "keeping the version before"
STOPPING = "stopping the service"
SWAPPING = "exchanging the packages"
STARTING = "starting the new version"
VERIFYING = "verifying the new version"
RETURNING = "going back to the version before"
ENDED = "ended"

HARMLESS = (DOWNLOADING, KEEPING, STOPPING)
"""Stages in which the package that was there is still there."""

STOPPED = (STOPPING, SWAPPING, STARTING, VERIFYING, RETURNING)
"""Stages in which the service may be stopped because of the update."""

INSTALLED = "installed"
NOTHING_NEW = "nothing newer"
FAILED = "failed"
ROLLED_BACK = "rolled back"
STAYED = "stayed"
"""The new version does not work as it should, and going back would lose records."""

_MAX_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An update, as far as it has come."""

    number: str
    """The plan's."""
    stage: str
    version_before: str = ""
    version_after: str = ""
    began_at: float = 0.0
    """Seconds since the epoch."""
    ended_at: float | None = None
    result: str = ""
    why: str = ""
    """Why it did not end well, as a sentence."""
    remedy: str = ""
    code: int = 0
    """The exit code of `nss update-now`."""
    was_running: bool = False
    """Whether the service ran before."""
    before: dict[str, Any] | None = None
    """What the service was like then."""
    form_before: int | None = None
    """The form of the spool's file, if it is kept beside."""

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return self.stage == ENDED


def read(folder: Path = FOLDER) -> Entry | None:
    """Return the last entry; `None`: there was no update, or nobody can tell."""
    try:
        with (folder / NAME).open("rb") as file:
            found = json.loads(file.read(_MAX_BYTES))
        return Entry(**found)
    except (OSError, ValueError, TypeError):
        return None


class Journal:
    """The entry of the update at work."""

    def __init__(self, entry: Entry, folder: Path = FOLDER) -> None:
        self.entry = entry
        self._folder = folder

    def note(self, **changes: Any) -> None:  # noqa: ANN401 - fields of an entry
        """Change the entry; it is on the disk when this returns. Raises `OSError`."""
        self.entry = replace(self.entry, **changes)
        put(self._folder / NAME, json.dumps(asdict(self.entry)))

    def end(self, result: str, *, why: str = "", remedy: str = "", code: int = 0) -> None:
        """Note how it ended."""
        self.note(
            stage=ENDED, result=result, why=why, remedy=remedy, code=code, ended_at=time.time()
        )
