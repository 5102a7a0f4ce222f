"""Files that hold secrets: written atomically for one user alone, read with a bound."""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from nss.files import beneath
from nss.files.beneath import NotRegular, open_folder

MODE = 0o600

MAX_PEM_BYTES = 1 << 20
"""Of a file with certificates or a key."""

EVERYONE = stat.S_IRWXO
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class FileFault(Exception):  # noqa: N818 - named as the sentence reads
    """A file is not read; its text is the rest of a sentence about the file."""


class OpenToOthers(FileFault):
    """A file with a secret may be read or written by those who should not."""


def read_bounded(path: Path, max_bytes: int, *, forbidden: int = 0, pipe: bool = False) -> bytes:
    """Return what a regular file holds. Raises `OSError`, and `FileFault` for another kind.

    Refuses more than `max_bytes`, and a file with one of the `forbidden` bits in its mode. Root is
    led nowhere by those who own the file's folder (see `nss.files.beneath`). With `pipe` all that
    does not hold: the path is taken as it is, and anything readable will do, such as `<(command)`
    of a shell; otherwise no FIFO is waited for.
    """
    try:
        number = os.open(path, os.O_RDONLY) if pipe else beneath.open_file(path)
    except NotRegular:
        raise FileFault("is not a regular file") from None
    try:
        mode = os.fstat(number).st_mode
        # What is neither is no secret of somebody: a folder, say, must not be closed to others.
        if mode & forbidden and (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise OpenToOthers("is open to everyone; chmod o= it")
        with open(number, "rb", closefd=False) as file:
            data = file.read(max_bytes + 1)
    finally:
        os.close(number)
    if len(data) > max_bytes:
        raise FileFault(f"has more than {max_bytes} bytes")
    return data


def stamp(path: Path) -> object:
    """Return a value that changes whenever a file is replaced, written or made readable.

    It is `None` for a file that is not there. The file is not opened.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@contextlib.contextmanager
def bounded_copy(path: Path, max_bytes: int, *, forbidden: int = 0) -> Iterator[Path]:
    """Yield the path of a copy in memory of what `read_bounded` reads, and raises.

    For libraries that open files by their paths, follow links, wait for FIFOs and read to the end.
    """
    data = read_bounded(path, max_bytes, forbidden=forbidden)
    number = os.memfd_create("nss-copy", os.MFD_CLOEXEC)
    try:
        os.write(number, data)
        yield Path(f"/proc/self/fd/{number}")
    finally:
        os.close(number)


def write_private(
    path: Path, data: bytes, *, owner: tuple[int, int] | None = None, mode: int = MODE
) -> None:
    """Put `data` in the place of a file, and on the disk when this returns.

    Whoever looks sees the old content or the new. `owner` is (user, group), for root to give the
    file away; by default root gives it to the owner of the folder. Raises `OSError`; then the old
    content is still there.
    """
    with open_folder(path.parent) as folder:
        folder.write(path.name, data, mode, owner)


def remove_file(path: Path) -> None:
    """Remove a file, for good when this returns. Raises `OSError`."""
    with open_folder(path.parent) as folder:
        folder.remove(path.name)


def sync_folder(folder: Path, fsync: Callable[[int], None] = os.fsync) -> None:
    """Have the names in a folder on the disk when this returns."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fsync(number)
    finally:
        os.close(number)
