"""Files that somebody removes while the spool uses them: written again, or told what is wrong."""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from nss.config.model import DurableSpoolConfig
from nss.spool.durable import files, schema
from nss.spool.durable.files import Files
from nss.spool.durable.opening import open_file
from nss.spool.durable.store import Store
from nss.telemetry.events import counters
from tests.spool.durable.committing import happened, log_of

EVENTS = ("spool_files_lost", "spool_files_restored")


class Kept:
    """An open store and its files."""

    def __init__(self, path: Path) -> None:
        settings = DurableSpoolConfig(path=path, min_free_bytes=0, replay_minutes=0)
        self.store = Store(settings, now=lambda: 0.0, free_bytes=lambda _: 0, overhead_bytes=0)
        self.lock = open_file(self.store, lambda _point: None, 0.0)
        self.files = Files(self.store)
        self.note(1)

    def note(self, number: int) -> None:
        values = (f"web{number}",)
        self.store.connection.execute("INSERT INTO sources VALUES (?, '', 0, 0)", values)

    @property
    def notes(self) -> int:
        (count,) = self.store.connection.execute("SELECT count(*) FROM sources").fetchone()
        return int(count)

    def close(self) -> None:
        self.store.connection.close()
        self.store.ledger.close()
        self.files.close()
        self.lock.close()


@pytest.fixture
def kept(path: Path) -> Iterator[Kept]:
    made = Kept(path)
    yield made
    made.close()


def lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Keep the write-ahead log in use."""
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sources").fetchone()
        yield


def is_free(lock_path: Path) -> bool:
    """Return whether another process could lock the spool."""
    with files.open_lock(lock_path) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def put_another(path: Path) -> None:
    """Put another file in the place of one."""
    other = path.with_name("other")
    shutil.copy(path, other)
    other.rename(path)


def test_files_in_use_are_in_place(kept: Kept) -> None:
    assert kept.files.are_in_place()
    kept.note(2)
    assert kept.files.are_in_place()
    assert kept.files.problem is None


@pytest.mark.parametrize("suffixes", [[""], ["-wal"], [".lock"], ["", "-wal", "-shm", ".lock"]])
def test_what_was_removed_is_put_back(
    kept: Kept, path: Path, caplog: pytest.LogCaptureFixture, suffixes: list[str]
) -> None:
    for suffix in suffixes:
        path.with_name(path.name + suffix).unlink()
    assert not kept.files.are_in_place()

    assert kept.files.restore() is True

    assert kept.files.problem is None
    assert kept.files.are_in_place()
    assert happened(caplog, *EVENTS) == [("spool_files_restored", {"path": str(path)})]
    kept.note(2)
    assert kept.files.are_in_place()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sources").fetchone() == (2,)
    assert not is_free(lock_of(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert not list(path.parent.glob("*restoring*"))
    assert not list(path.parent.glob("*salvaged*"))


def test_what_is_removed_twice_is_put_back_twice(kept: Kept, path: Path) -> None:
    for number in (2, 3):
        for removed in (path, lock_of(path), log_of(path)):
            removed.unlink(missing_ok=True)
        assert not kept.files.are_in_place()
        assert kept.files.restore()
        kept.note(number)

    assert kept.files.are_in_place()
    assert kept.notes == 3
    assert not is_free(lock_of(path))
    assert counters["spool_files_lost", "spool"] == 2


def test_a_lock_that_was_taken_again_is_given_back(kept: Kept, path: Path) -> None:
    lock_of(path).unlink()
    assert kept.files.restore()
    assert not is_free(lock_of(path))

    kept.close()

    assert is_free(lock_of(path))


def test_a_spool_without_its_folder_says_so_once_and_goes_on_when_it_is_back(
    kept: Kept, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = path.parent.with_name(f"{path.parent.name}-elsewhere")
    path.parent.rename(elsewhere)
    for _ in range(2):
        assert not kept.files.are_in_place()
        assert kept.files.restore() is False
        assert kept.files.problem == "the folder of its files is gone"
    elsewhere.rename(path.parent)

    assert kept.files.are_in_place()

    assert kept.files.problem is None
    assert happened(caplog, *EVENTS) == [
        ("spool_files_lost", {"path": str(path), "why": "the folder of its files is gone"})
    ]
    assert counters["spool_files_lost", "spool"] == 1


def test_a_file_in_the_place_of_the_spool_s_own_is_left_alone(
    kept: Kept, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put_another(path)
    before = path.read_bytes()

    assert not kept.files.are_in_place()
    assert kept.files.restore() is False

    problem = "another file has taken the place of its own"
    assert kept.files.problem == problem
    assert path.read_bytes() == before
    assert happened(caplog, *EVENTS) == [("spool_files_lost", {"path": str(path), "why": problem})]
    path.unlink()
    assert not kept.files.are_in_place()
    assert kept.files.restore() is True
    assert kept.files.are_in_place()


def test_another_process_that_begins_is_not_disturbed(kept: Kept, path: Path) -> None:
    path.unlink()
    lock_of(path).unlink()
    with files.open_lock(lock_of(path)) as other:
        fcntl.flock(other, fcntl.LOCK_EX)

        assert kept.files.restore() is False

        assert kept.files.problem == (
            "its files were removed, and another process uses the new ones"
        )
        assert not path.exists()
    assert kept.files.restore() is True
    assert kept.files.are_in_place()


def test_a_log_that_a_reader_uses_is_not_given_up(
    kept: Kept, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept.store.connection.execute("PRAGMA busy_timeout = 0")
    problem = "its write-ahead log was removed, and a reader keeps it in use"
    with reading(path):
        kept.note(2)
        log_of(path).unlink()

        assert kept.files.restore() is False

        assert kept.files.problem == problem
        assert not kept.files.are_in_place()
        assert kept.notes == 2
    assert kept.files.restore() is True
    assert happened(caplog, *EVENTS) == [
        ("spool_files_lost", {"path": str(path), "why": problem}),
        ("spool_files_restored", {"path": str(path)}),
    ]
    assert kept.notes == 2


def test_a_new_connection_that_fails_is_tried_again_and_nothing_is_copied_twice(
    kept: Kept, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_path: Path) -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    path.unlink()
    lock_of(path).unlink()
    with monkeypatch.context() as patched:
        patched.setattr(schema, "connect", fails)
        for _ in range(2):
            assert kept.files.restore() is False
            assert kept.files.problem == (
                "its files were removed and can't be written again: unable to open database file"
            )
    copied = path.stat().st_ino

    assert kept.files.restore() is True

    assert path.stat().st_ino == copied
    assert kept.files.are_in_place()
    assert kept.notes == 1
    path.unlink()
    assert kept.files.restore() is True  # the new connection can be copied too
    assert kept.notes == 1


def test_a_copy_that_can_not_be_written_is_told_with_the_reason(
    kept: Kept, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    path.unlink()
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        assert kept.files.restore() is False

    assert kept.files.problem == (
        "its files were removed and can't be written again: no space left on device"
    )
    assert not path.exists()
    assert kept.files.restore() is True
    assert kept.notes == 1


def test_a_folder_that_can_not_be_looked_at_says_nothing(
    kept: Kept, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_path: Path) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "lstat", unknown)
    assert kept.files.are_in_place()
    kept.files.problem = "it was lost before"

    assert not kept.files.are_in_place()

    monkeypatch.undo()
    assert kept.files.are_in_place()
    assert path.exists()


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    link = tmp_path / "lock"
    link.symlink_to(tmp_path / "other")

    with pytest.raises(OSError, match="symbolic link"):
        files.open_lock(link)

    assert not (tmp_path / "other").exists()


def test_a_lock_is_made_for_this_user_alone_and_closed_in_children(tmp_path: Path) -> None:
    with files.open_lock(tmp_path / "lock") as lock:
        assert not os.get_inheritable(lock.fileno())

    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
