"""The mark that a spool's file may be broken, left by the process that could not use it any more.

The next start then checks the whole file. If it finds nothing, the disk may have failed for a
moment only, and the file stays; if the file can't be used once more, it is salvaged unchecked.
"""

from contextlib import suppress
from pathlib import Path

from nss.files.private import FileFault, read_bounded, write_private

CONFIRMED = b"salvage\n"


def mark_path(path: Path) -> Path:
    """Return the file that marks a spool as perhaps broken."""
    return path.with_name(f"{path.name}.suspect")


def _cleared_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.cleared")


def suspect(path: Path) -> None:
    """Leave a mark for the next start."""
    with suppress(OSError):
        write_private(mark_path(path), CONFIRMED if _cleared_path(path).exists() else b"")


def is_suspect(path: Path) -> bool:
    """Return whether there is a mark, or may be one."""
    try:
        return mark_path(path).exists()
    except OSError:
        return True


def is_confirmed(path: Path) -> bool:
    """Return whether a file that was found whole under suspicion could not be used again."""
    try:
        return read_bounded(mark_path(path), len(CONFIRMED)) == CONFIRMED
    except (OSError, FileFault):
        return False


def found_whole(path: Path) -> None:
    """Note that a file is in use again although it was under suspicion."""
    with suppress(OSError):
        mark_path(path).rename(_cleared_path(path))


def forget(path: Path) -> None:
    """Remove all marks: the file was salvaged, or has been used to an orderly end."""
    for mark in (mark_path(path), _cleared_path(path)):
        with suppress(OSError):  # a file system that takes nothing says so of any name
            mark.unlink()
