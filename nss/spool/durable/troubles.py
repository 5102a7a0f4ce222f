"""What keeps the spool from accepting records, in words for people: the disk, its files, damage."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from nss.spool import Trouble
from nss.spool.durable.reserve import WORKING_BYTES
from nss.spool.durable.schema import is_damage, is_read_error
from nss.wording import error_text, size_text


def no_space(folder: Path, free: int, least: int) -> Trouble:
    """Return that the disk of a folder has too little free; `least` is `min_free_bytes`.

    `free` and `least` are bytes.
    """
    is_free = f"{size_text(free)} free"
    keeps = f"min_free_bytes ({size_text(least)})"
    if free < least:
        why = f"the disk of {folder} is full: {is_free}, less than {keeps}"
    else:
        why = (
            f"the disk of {folder} is nearly full: {is_free}, of which the spool's log may need so "
            f"much that less than {keeps} is left"
        )
    return Trouble("disk_full", why)


def no_reserve(folder: Path, free: int, needed: int) -> Trouble:
    """Return that the disk of a folder has not even the space that deleting takes."""
    is_free = f"{size_text(free)} free"
    if free < needed:
        why = f"is full: {is_free}, and the spool needs {size_text(needed)} to work with"
    else:
        why = f"takes no more, though it says that it has {is_free}: is there a quota?"
    return Trouble("disk_full", f"the disk of {folder} {why}")


def unknown_space(folder: Path, error: OSError) -> Trouble:
    """Return that the file system does not say what it has free."""
    reason = f"it does not say how much is free ({error_text(error)})"
    return Trouble("disk_fails", f"the disk of {folder} fails: {reason}")


def files_lost(path: Path, problem: str) -> Trouble:
    """Return that the spool's files are not those in its folder."""
    why = f"{problem} ({path})"
    return Trouble("files_lost" if path.parent.is_dir() else "folder_gone", why)


def of_error(error: sqlite3.Error, path: Path, free_bytes: Callable[[Path], int]) -> Trouble:
    """Return what an error means that SQLite reported when it wrote.

    `free_bytes` returns what the file system of a folder has free.
    """
    folder, code = path.parent, getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        try:
            return no_reserve(folder, free_bytes(folder), WORKING_BYTES)
        except OSError as unknown:
            return unknown_space(folder, unknown)
    if is_read_error(error):
        why = f"the disk of {folder} fails: it does not take what is written ({error})"
        return Trouble("disk_fails", why)
    if is_damage(error):
        return Trouble("damaged", f"its file is damaged: {error} ({path})")
    return Trouble("disk_fails", f"its file can't be written: {error} ({path})")
