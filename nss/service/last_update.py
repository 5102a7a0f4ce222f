"""What became of the last update of NSS, which root notes beside the folders of the service."""

from pathlib import Path

from nss.status.readings import UpdateReading
from nss.updates import journal
from nss.updates.plan import FOLDER
from nss.wording import harmless

LATE_SECS = 3600.0
"""An update that has not ended by then was cut off, and nothing has brought it to its end."""


def look(now: float, folder: Path = FOLDER) -> UpdateReading | None:
    """Return that the last update did not end well, `None` otherwise. Reads one small file."""
    entry = journal.read(folder)
    if entry is None:
        return None
    what = f"the update to {entry.version_after or 'the newest version'}"
    if not entry.is_over:
        if now - entry.began_at < LATE_SECS:
            return None
        return UpdateReading(
            why=harmless(f"{what} was cut off while {entry.stage}"),
            at=entry.began_at,
            remedy="bring it to its end: sudo nss update-now",
        )
    if not entry.code:
        return None
    return UpdateReading(
        why=harmless(f"{what} {_ENDINGS.get(entry.result, 'failed')}: {entry.why}"),
        at=entry.ended_at or entry.began_at,
        remedy=harmless(entry.remedy),
    )


_ENDINGS = {
    journal.ROLLED_BACK: "was taken back",
    journal.STAYED: "stays, and does not work as the version before",
}
