"""Files that hold secrets: for one user alone, and whole or not there at all."""

import contextlib
import os
import tempfile
from pathlib import Path

MODE = 0o600


def write_private(path: Path, data: bytes, *, owner: tuple[int, int] | None = None) -> None:
    """Put `data` in the place of a file, with mode 0600, and on the disk when this returns.

    Whoever looks sees the old content or the new. `owner` is (user, group), for root to give the
    file away. Raises `OSError`; then the old content is still there.
    """
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(number, "wb") as file:  # noqa: PTH123 - a descriptor
            os.fchmod(number, MODE)
            if owner is not None:
                os.fchown(number, *owner)
            file.write(data)
            file.flush()
            os.fsync(number)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk when this returns."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
