"""Setting a file aside as `NAME.1`, those before it as `NAME.2`, `NAME.3` and so on."""

import os
from collections.abc import Callable
from itertools import count

Rename = Callable[[str, str], None]


def set_aside(path: str, keep: int, rename: Rename = os.rename) -> str:
    """Rename `path` to `path`.1, which is returned, after making way for it; keep `keep` files.

    Numbers above `keep` that follow on it are removed: more were kept once. Raises OSError; then
    each file still has a name, and the next call takes up where this one stopped.
    """
    for number in count(keep + 1):
        if not os.path.lexists(f"{path}.{number}"):
            break
        os.unlink(f"{path}.{number}")  # noqa: PTH108 - a str
    free = next((n for n in range(1, keep) if not os.path.lexists(f"{path}.{n}")), keep)
    for number in range(free, 1, -1):
        rename(f"{path}.{number - 1}", f"{path}.{number}")
    rename(path, f"{path}.1")
    return f"{path}.1"
