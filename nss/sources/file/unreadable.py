"""Why a file can't be read, in plain words that name it, with the system's own in brackets."""

import errno
from pathlib import Path

from nss.wording import error_text


def why_unreadable(error: OSError, path: Path) -> str:
    """Return half a sentence, as `/var/log/web.log is not there (no such file or directory)`."""
    words = error_text(error)
    match error.errno:
        case errno.ENOENT:
            return f"{path} is not there ({words})"
        case errno.EACCES | errno.EPERM:
            return f"the service's user may not read {path}, or enter its folder ({words})"
        case errno.ENOTDIR:
            return f"a file is in the place of a folder of {path} ({words})"
        case errno.EIO:
            return f"the disk does not give back {path} ({words})"
    return f"{path} can't be read ({words})"
