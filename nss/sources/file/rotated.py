"""Finds the files that log rotation left next to a log file.

Rotations of `access.log` are uncompressed files whose name adds a number or a date to
it, before or after the suffix: `access.log.1`, `access.log-20231006`, `access-2023-10-06.log`;
and `access.log.old`.
"""

import os
import re
from pathlib import Path

from formats.dataclass import dataclass

_MARK = r"[.\-_](\d[\d.\-_:T+]*)"
_NUMBER = re.compile(r"\d{1,3}")


@dataclass(frozen=True, slots=True)
class Rotation:
    """A file that rotation moved away."""

    path: Path
    inode: tuple[int, int]
    """Its device and inode."""
    size_bytes: int
    mtime_ns: int
    age: tuple[int, ...]
    """Its age by its name: less is older."""


def rotations(path: Path) -> list[Rotation]:
    """Return the rotated files of `path`, oldest first, by when they were last written.

    Of files written in the same tick of the clock a higher number is older (`.2` than `.1`) and
    an earlier date is. Raises OSError when the folder can't be read.
    """
    stem, suffix = re.escape(path.stem), re.escape(path.suffix)
    name = re.compile(rf"{stem}{suffix}(?:{_MARK}|\.old)|{stem}{_MARK}{suffix}")
    found = []
    with os.scandir(path.parent) as entries:
        for entry in entries:
            match = name.fullmatch(entry.name)
            if match and entry.is_file(follow_symlinks=False):
                rotation = _rotation(Path(entry.path), match[1] or match[2] or "1")
                found += [rotation] if rotation is not None else []
    return sorted(found, key=lambda rotation: (rotation.mtime_ns, rotation.age))


def renamed(path: Path, inode: tuple[int, int]) -> Path | None:
    """Return where in its folder a file is now that was at `path`."""
    with os.scandir(path.parent) as entries:
        for entry in entries:
            if entry.inode() == inode[1] and entry.is_file(follow_symlinks=False):
                return Path(entry.path)
    return None


def _rotation(path: Path, mark: str) -> Rotation | None:
    try:
        found = path.stat()
    except FileNotFoundError:  # rotated again meanwhile
        return None
    if _NUMBER.fullmatch(mark):
        age: tuple[int, ...] = (-int(mark),)
    else:
        age = tuple(int(part) for part in re.findall(r"\d+", mark))
    inode = (found.st_dev, found.st_ino)
    return Rotation(path, inode, found.st_size, found.st_mtime_ns, age)
