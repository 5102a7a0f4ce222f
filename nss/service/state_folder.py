"""Whether the service may write into its state directory, which it may lose while it runs."""

import os
import time
from pathlib import Path

from nss.status.readings import UnwritableReading


def look(folder: Path, before: UnwritableReading | None) -> UnwritableReading | None:
    """Return that a folder that is there can't be written; `before` is what the last look found.

    Writes nothing. Blocks for as long as its file system does.
    """
    try:
        flags = os.statvfs(folder).f_flag
    except OSError:
        return None  # without one nothing is kept, and each part reports that itself
    if os.access(folder, os.W_OK | os.X_OK):
        return None
    return UnwritableReading(
        path=str(folder.absolute()),
        read_only=bool(flags & os.ST_RDONLY),
        since=time.time() if before is None else before.since,
    )
