"""The pages of a spool's file as its bytes have them, with its write-ahead log."""

import os
import shutil
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from nss.spool.durable.leaves import INDEX, TABLE, _value, rows
from nss.spool.durable.pages import Pages, has_commits, has_log, log_path
from nss.spool.durable.schema import PAGE_BYTES

FRAME_BYTES = 24 + PAGE_BYTES


@pytest.fixture
def logged(tmp_path: Path) -> Path:
    """Return the path of a file whose log has one transaction of many pages."""
    made, copy = tmp_path / "made.db", tmp_path / "copy.db"
    with closing(sqlite3.connect(made, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE t (b BLOB)")
        connection.execute("INSERT INTO t VALUES (zeroblob(200000))")
        connection.execute("COMMIT")
        shutil.copy(made, copy)
        shutil.copy(log_path(made), log_path(copy))
    return copy


def frame(number: int) -> int:
    """Return where a frame of the log begins."""
    return 32 + number * FRAME_BYTES


def other_salts(log: bytearray, frames: range) -> None:
    for number in frames:
        log[frame(number) + 8 : frame(number) + 16] = b"damaged!"


def other_head(log: bytearray) -> None:
    log[16] ^= 1


def nothing(log: bytearray) -> None:
    del log


@pytest.mark.parametrize(
    ("head", "frames", "found"),
    [
        (nothing, range(0), True),
        (nothing, range(2), True),  # the head of the log says which salts are the right ones
        (other_head, range(0), True),  # most of the first frames do
        (other_head, range(1), True),
        (other_head, range(2), False),
    ],
)
def test_commits_are_found_by_the_salts_of_the_log(
    logged: Path, head: Callable[[bytearray], None], frames: range, *, found: bool
) -> None:
    log = bytearray(log_path(logged).read_bytes())
    assert len(log) > frame(6)
    head(log)
    other_salts(log, frames)
    log_path(logged).write_bytes(log)
    assert has_log(logged)
    assert has_commits(logged) == found


def test_without_a_log_there_are_no_commits_in_it(logged: Path) -> None:
    log_path(logged).unlink()
    assert not has_log(logged)
    assert not has_commits(logged)


def test_a_log_of_a_header_alone_has_nothing(logged: Path) -> None:
    log = log_path(logged)
    with log.open("r+b") as file:
        file.truncate(33)
        assert has_log(logged)
        file.truncate(32)
        assert not has_log(logged)
    log.unlink()
    assert not has_log(logged)


def test_the_log_alone_has_all_pages_of_its_first_commit(logged: Path) -> None:
    frames = (log_path(logged).stat().st_size - 32) // FRAME_BYTES
    logged.unlink()
    # Each page is there once; a log that says there are more is not believed.
    for said, found in ((frames, frames), (frames + 1, 0)):
        with log_path(logged).open("r+b") as log:
            log.seek(frame(frames - 1) + 4)
            log.write(said.to_bytes(4, "big"))
        with Pages(logged) as pages:
            assert pages.count == found


def test_what_the_file_does_not_have_is_zeros(tmp_path: Path) -> None:
    path = tmp_path / "short.db"
    path.write_bytes(b"a" * PAGE_BYTES + b"b" * 5)
    with Pages(path) as pages:
        assert pages.count == 1
        assert pages.read(1) == b"a" * PAGE_BYTES
        assert pages.read(2) == b"bbbbb".ljust(PAGE_BYTES, b"\0")
        assert pages.read(3) == bytes(PAGE_BYTES)
    path.unlink()
    with Pages(path) as pages:
        assert (pages.count, pages.read(1)) == (0, bytes(PAGE_BYTES))


@pytest.mark.parametrize(("cut", "found"), [(0, True), (1, False), (FRAME_BYTES, False)])
def test_a_frame_that_is_not_whole_is_none(logged: Path, cut: int, *, found: bool) -> None:
    log = log_path(logged)
    size = log.stat().st_size
    with log.open("r+b") as file:
        file.truncate(size - cut)
    assert has_commits(logged) == found


def with_free_list(path: Path, first: int, trunks: dict[int, tuple[int, ...]]) -> set[int]:
    """Write five pages with a list of free ones; return those that are found."""
    data = bytearray(5 * PAGE_BYTES)
    struct.pack_into(">I", data, 32, first)
    for number, (following, *leaves) in trunks.items():
        words = (following, len(leaves), *leaves, 4)  # behind them is what was there before
        struct.pack_into(f">{len(words)}I", data, (number - 1) * PAGE_BYTES, *words)
    path.write_bytes(data)
    with Pages(path) as pages:
        return pages.free()


def test_free_pages_are_followed_from_trunk_to_trunk_and_never_round(tmp_path: Path) -> None:
    path = tmp_path / "free.db"
    assert with_free_list(path, 0, {}) == set()
    assert with_free_list(path, 1, {1: (0, 3)}) == set()
    assert with_free_list(path, 2, {2: (0,)}) == {2}
    assert with_free_list(path, 5, {5: (0, 3)}) == {5, 3}
    assert with_free_list(path, 6, {}) == set()
    assert with_free_list(path, 2, {2: (5, 3), 5: (2,)}) == {2, 3, 5}


def test_what_the_disk_does_not_give_is_zeros(
    logged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_file: int, _size: int, _offset: int) -> bytes:
        raise OSError(5, "Input/output error")

    with Pages(logged) as pages:
        monkeypatch.setattr(os, "pread", fails)
        assert pages.read(1) == bytes(PAGE_BYTES)


def test_a_named_pipe_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    with Pages(path) as pages:
        assert pages.count == 0


def head_of_a_large_endian_machine(log: bytearray) -> None:
    log[3] |= 1
    words = struct.unpack(">6I", log[:24])
    first = second = 0
    for left, right in zip(words[::2], words[1::2], strict=True):
        first = (first + left + second) % 2**32
        second = (second + right + first) % 2**32
    log[24:32] = struct.pack(">2I", first, second)


def test_a_log_of_a_machine_of_the_other_byte_order_has_a_head_as_well(logged: Path) -> None:
    log = bytearray(log_path(logged).read_bytes())
    other_salts(log, range(3))
    head_of_a_large_endian_machine(log)
    log_path(logged).write_bytes(log)
    assert has_commits(logged)
    log[25] ^= 1
    log_path(logged).write_bytes(log)
    assert not has_commits(logged)


def test_text_that_is_damaged_is_read_with_what_is_left_of_it() -> None:
    assert _value(13 + 2 * 3, b"a\xffb") == "a\ufffdb"
    assert _value(12 + 2 * 3, b"a\xffb") == b"a\xffb"


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (TABLE, "t (number INTEGER, value BLOB)"),
        (INDEX, "t (number INTEGER PRIMARY KEY, value BLOB) WITHOUT ROWID"),
    ],
)
def test_rows_of_any_size_are_read_as_sqlite_has_them(
    tmp_path: Path, kind: int, table: str
) -> None:
    # Around each size from which on a row has overflow pages (fileformat2 of SQLite, 1.6).
    around = [(PAGE_BYTES - 12) * share // 255 - 23 for share in (32, 64)]
    around += [PAGE_BYTES - 35, 2 * PAGE_BYTES]
    sizes = [0, 1, *(size for middle in around for size in range(middle - 60, middle + 61, 4))]
    values = [bytes([size % 251]) * size for size in sizes]
    path = tmp_path / "made.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute(f"CREATE TABLE {table}")
        connection.executemany("INSERT INTO t VALUES (?, ?)", enumerate(values))
    with Pages(path) as pages:
        found = sorted(row.values for row in rows(pages, lambda of, *_: of == kind))
    assert found == list(enumerate(values))
