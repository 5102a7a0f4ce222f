"""Setting a file aside as `NAME.1`, those before it as `NAME.2`, `NAME.3` and so on."""

import os
from collections.abc import Callable

Rename = Callable[[str, str], None]

_MAX_REMOVED = 1000
"""In one call: somebody who makes such files all the time does not keep it busy for ever."""


def set_aside(
    path: str, keep: int, rename: Rename = os.rename, *, folder: int | None = None
) -> str:
    """Rename `path` to `path`.1, which is returned, after making way for it; keep `keep` files.

    Numbers above `keep` that follow on it are removed: more were kept once. Raises OSError; then
    each file still has a name, and the next call takes up where this one stopped. With `folder`, a
    descriptor, `path` is a name in it, and `rename` renames there.
    """
    for number in range(keep + 1, keep + 1 + _MAX_REMOVED):
        if not _is_there(f"{path}.{number}", folder):
            break
        os.unlink(f"{path}.{number}", dir_fd=folder)
    free = next((n for n in range(1, keep) if not _is_there(f"{path}.{n}", folder)), keep)
    for number in range(free, 1, -1):
        rename(f"{path}.{number - 1}", f"{path}.{number}")
    rename(path, f"{path}.1")
    return f"{path}.1"


def _is_there(path: str, folder: int | None) -> bool:
    try:
        os.stat(path, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
