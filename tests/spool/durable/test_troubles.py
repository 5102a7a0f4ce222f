"""What people are told about a spool that accepts nothing, and what errors of SQLite mean."""

import sqlite3
from pathlib import Path

import pytest

from nss.spool import Trouble
from nss.spool.durable import schema, troubles
from nss.spool.durable.reserve import WORKING_BYTES
from tests.spool.durable.committing import refusal

FOLDER = Path("/srv/nss")
FILE = FOLDER / "spool.db"
MIB = 1 << 20

NOT_THE_FILE: list[int | None] = [
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM),
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR),
    *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_AUTH),
    *(sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_BUSY_SNAPSHOT, sqlite3.SQLITE_READONLY_ROLLBACK),
    None,
]
THE_FILE: list[int | None] = [
    *(sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_TOOBIG),
    *(sqlite3.SQLITE_CORRUPT_VTAB, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH),
]
SILENT = sqlite3.Error("nobody knows")
"""An error of which SQLite did not say the code."""

LOG_GROWS = (
    "of which the spool's log may need so much that less than min_free_bytes (5.0 MiB) is left"
)


def free(folder: Path) -> int:
    assert folder == FOLDER
    return 3 * MIB


def unknown(_folder: Path) -> int:
    raise OSError(5, "Input/output error")


# What SQLite's errors say.


@pytest.mark.parametrize("code", NOT_THE_FILE)
def test_what_the_system_or_another_process_can_cause_is_no_damage(code: int | None) -> None:
    assert not schema.is_damage(refusal(code))
    assert not schema.is_damage(SILENT)


@pytest.mark.parametrize("code", THE_FILE)
def test_what_neither_can_cause_is_damage(code: int | None) -> None:
    assert schema.is_damage(refusal(code))


@pytest.mark.parametrize("code", NOT_THE_FILE + THE_FILE)
def test_another_connection_is_for_one_that_is_closed_or_only_reads(code: int | None) -> None:
    helps = code in {None, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_READONLY_ROLLBACK}

    assert schema.is_of_connection(refusal(code)) is helps
    assert not schema.is_of_connection(SILENT)


@pytest.mark.parametrize("code", NOT_THE_FILE + THE_FILE)
def test_a_disk_that_does_not_read_says_so(code: int | None) -> None:
    fails = code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_IOERR_READ}

    assert schema.is_read_error(refusal(code)) is fails
    assert not schema.is_read_error(SILENT)


# What is said about them.


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_IOERR_WRITE])
def test_a_disk_that_does_not_write_is_named_by_its_folder(code: int) -> None:
    assert troubles.of_error(refusal(code), FILE, free) == Trouble(
        "disk_fails",
        "the disk of /srv/nss fails: it does not take what is written (disk I/O error)",
    )


def test_a_full_disk_is_told_with_what_it_has_free() -> None:
    assert troubles.of_error(refusal(sqlite3.SQLITE_FULL), FILE, free) == Trouble(
        "disk_full",
        "the disk of /srv/nss is full: 3.0 MiB free, and the spool needs 8.0 MiB to work with",
    )


def test_a_disk_that_is_full_and_does_not_say_how_much_is_free_fails() -> None:
    assert troubles.of_error(refusal(sqlite3.SQLITE_FULL), FILE, unknown) == Trouble(
        "disk_fails",
        "the disk of /srv/nss fails: it does not say how much is free (input/output error)",
    )


def test_a_damaged_file_is_told_with_what_is_wrong() -> None:
    assert troubles.of_error(refusal(sqlite3.SQLITE_CORRUPT), FILE, unknown) == Trouble(
        "damaged", "its file is damaged: database disk image is malformed (/srv/nss/spool.db)"
    )


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (refusal(None), "Cannot operate on a closed database."),
        (refusal(sqlite3.SQLITE_READONLY), "attempt to write a readonly database"),
        (refusal(sqlite3.SQLITE_BUSY), "it failed"),
        (SILENT, "nobody knows"),
    ],
)
def test_anything_else_is_told_as_sqlite_says_it(error: sqlite3.Error, why: str) -> None:
    assert troubles.of_error(error, FILE, unknown) == Trouble(
        "disk_fails", f"its file can't be written: {why} (/srv/nss/spool.db)"
    )


# What is said about the disk and the files.


@pytest.mark.parametrize(
    ("free_bytes", "why"),
    [
        (5 * MIB - 1, "is full: 5.0 MiB free, less than min_free_bytes (5.0 MiB)"),
        (0, "is full: 0 B free, less than min_free_bytes (5.0 MiB)"),
        (5 * MIB, f"is nearly full: 5.0 MiB free, {LOG_GROWS}"),
        (9 * MIB, f"is nearly full: 9.0 MiB free, {LOG_GROWS}"),
    ],
)
def test_a_disk_with_less_free_than_wanted_is_full_and_else_nearly(
    free_bytes: int, why: str
) -> None:
    assert troubles.no_space(FOLDER, free_bytes, 5 * MIB) == Trouble(
        "disk_full", f"the disk of /srv/nss {why}"
    )


@pytest.mark.parametrize(
    ("free_bytes", "why"),
    [
        (0, "is full: 0 B free, and the spool needs 8.0 MiB to work with"),
        (WORKING_BYTES - 1, "is full: 8.0 MiB free, and the spool needs 8.0 MiB to work with"),
        (
            WORKING_BYTES,
            "takes no more, though it says that it has 8.0 MiB free: is there a quota?",
        ),
    ],
)
def test_a_disk_that_takes_no_more_although_it_has_space_may_have_a_quota(
    free_bytes: int, why: str
) -> None:
    assert troubles.no_reserve(FOLDER, free_bytes, WORKING_BYTES) == Trouble(
        "disk_full", f"the disk of /srv/nss {why}"
    )


def test_lost_files_are_another_trouble_than_a_lost_folder(tmp_path: Path) -> None:
    there, gone = tmp_path / "spool.db", tmp_path / "gone" / "spool.db"

    assert troubles.files_lost(there, "somebody took them") == Trouble(
        "files_lost", f"somebody took them ({there})"
    )
    assert troubles.files_lost(gone, "somebody took them") == Trouble(
        "folder_gone", f"somebody took them ({gone})"
    )
