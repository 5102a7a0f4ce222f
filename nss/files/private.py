"""Files that hold secrets: written atomically for one user alone, read with a bound."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

MODE = 0o600

EVERYONE = stat.S_IRWXO
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class FileFault(Exception):  # noqa: N818 - named as the sentence reads
    """A file is not read; its text is the rest of a sentence about the file."""


class OpenToOthers(FileFault):
    """A file with a secret may be read or written by those who should not."""


def read_bounded(path: Path, max_bytes: int, *, forbidden: int = 0, pipe: bool = False) -> bytes:
    """Return what a regular file holds. Raises `OSError`, and `FileFault` for another kind.

    Refuses more than `max_bytes`, and a file with one of the `forbidden` bits in its mode. With
    `pipe`, anything readable will do, such as `<(command)` of a shell; otherwise no FIFO is
    waited for.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | (0 if pipe else os.O_NONBLOCK)
    number = os.open(path, flags)
    try:
        mode = os.fstat(number).st_mode
        if not pipe and not stat.S_ISREG(mode):
            raise FileFault("is not a regular file")
        if mode & forbidden:
            raise OpenToOthers("is open to everyone; chmod o= it")
        with open(number, "rb", closefd=False) as file:
            data = file.read(max_bytes + 1)
    finally:
        os.close(number)
    if len(data) > max_bytes:
        raise FileFault(f"has more than {max_bytes} bytes")
    return data


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


def sync_folder(folder: Path, fsync: Callable[[int], None] = os.fsync) -> None:
    """Have the names in a folder on the disk when this returns."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fsync(number)
    finally:
        os.close(number)
