"""The file of the ledger: two slots, and whatever stands in its place."""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from nss.batch import Account
from nss.spool.durable.bookkeeping import FeedRow, State
from nss.spool.durable.ledger import (
    SLOT_BYTES,
    Ledger,
    LedgerEntry,
    ledger_path,
    read,
)

ACCOUNT = Account(5, 4, 3, 2, 1, 6)
ROW = FeedRow.of(7, 20, ACCOUNT, ("dns", "web"), 3)


def state(last: int, commits: int = 3) -> State:
    return State(last_sequence=last, commits=commits, feeds={"mcas": ROW})


def entry(number: int, last: int, commits: int = 3) -> LedgerEntry:
    return LedgerEntry(number, 2, last, commits, {"mcas": ROW})


@pytest.fixture
def kept(path: Path) -> Iterator[Ledger]:
    """Return an open ledger of a file of form 2."""
    made = Ledger(path, 2)
    made.open()
    yield made
    made.close()


def test_the_last_entry_is_read_back_whole(kept: Ledger, path: Path) -> None:
    for last in range(1, 6):
        kept.write(state(last))
        assert read(path) == entry(last, last)
    assert ledger_path(path).name == "spool.db.ledger"
    assert ledger_path(path).stat().st_mode & 0o777 == 0o600
    assert ledger_path(path).stat().st_size < 2 * SLOT_BYTES


def test_what_is_pending_follows_from_what_was_done(kept: Ledger, path: Path) -> None:
    kept.write(state(1))
    found = read(path)
    assert found is not None
    row = found.feeds["mcas"]
    assert (row.pending, row.account, row.sources) == (ROW.pending, ACCOUNT, ("dns", "web"))


def test_nothing_new_is_not_written_again(kept: Ledger, path: Path) -> None:
    kept.write(state(1))
    kept.write(state(1))
    assert read(path) == entry(1, 1)
    kept.write(state(1, commits=4))
    assert read(path) == entry(2, 1, 4)


def test_one_damaged_slot_leaves_the_other(kept: Ledger, path: Path) -> None:
    for last in (1, 2, 3):
        kept.write(state(last))
    data = ledger_path(path).read_bytes()
    newest = SLOT_BYTES * (3 % 2)
    older = SLOT_BYTES - newest
    for at, left in ((newest, entry(2, 2)), (older, entry(3, 3))):
        for place in (0, 15, 16, 40):
            damaged = bytearray(data)
            damaged[at + place] ^= 1
            ledger_path(path).write_bytes(damaged)
            assert read(path) == left
    ledger_path(path).write_bytes(data[: SLOT_BYTES + 20])
    assert read(path) == entry(2, 2)
    ledger_path(path).write_bytes(b"x" * len(data))
    assert read(path) is None


def test_a_size_is_all_of_its_digits(kept: Ledger, path: Path) -> None:
    for last in (1, 2, 3, 4):
        kept.write(state(last))
    damaged = bytearray(ledger_path(path).read_bytes())
    damaged[8:9] = b"1"
    ledger_path(path).write_bytes(damaged)
    assert read(path) == entry(3, 3)


def slot_of(body: bytes) -> bytes:
    return b"%08x%08x" % (zlib.crc32(body), len(body)) + body


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'{"number":1}', b"\xff", b'{"number":"1"}', b"[" * 9999]
)
def test_what_holds_something_else_is_no_entry(path: Path, body: bytes) -> None:
    ledger_path(path).write_bytes(slot_of(body))
    assert read(path) is None


def test_an_entry_is_read_whatever_stands_behind_it(kept: Ledger, path: Path) -> None:
    kept.write(state(2))
    kept.write(state(3))
    file = ledger_path(path)
    file.write_bytes(file.read_bytes().ljust(16 * SLOT_BYTES, b"x"))
    assert read(path) == entry(2, 3)
    file.write_bytes(file.read_bytes() + b"x")
    assert read(path) is None, "it is far too long"


def test_without_a_file_there_is_no_entry(path: Path) -> None:
    assert read(path) is None
    ledger_path(path).mkdir()
    assert read(path) is None


def test_entries_are_numbered_on_when_it_is_opened_again(kept: Ledger, path: Path) -> None:
    for last in (1, 2, 3):
        kept.write(state(last))
    again = Ledger(path, 2)
    again.open()
    again.write(state(3))
    assert read(path) == entry(4, 3)
    again.close()


def test_very_many_feeds_leave_the_numbers(kept: Ledger, path: Path) -> None:
    kept.write(state(1))
    large = state(2)
    large.feeds = {f"feed{number:04}": ROW for number in range(2000)}
    kept.write(large)
    assert read(path) == LedgerEntry(2, 2, 2, 3, {})
    kept.write(state(3))
    assert read(path) == entry(3, 3)


def _size_with(feeds: int, name: str) -> int:
    row = (7, 20, (5, 4, 3, 2, 1, 6), ("dns", "web"), 3)
    named = {f"feed{number:04}": row for number in range(feeds)} | {name: row}
    slot = {"number": 1, "form": 2, "last_sequence": 1, "commits": 3, "feeds": named}
    return len(msgspec.json.encode(slot)) + 16


@pytest.mark.parametrize(("more", "kept_feeds"), [(0, True), (1, False)])
def test_a_slot_is_filled_to_its_last_byte(
    kept: Ledger, path: Path, more: int, *, kept_feeds: bool
) -> None:
    feeds = next(n for n in range(2000) if _size_with(n + 1, "") > SLOT_BYTES)
    name = "n" * (SLOT_BYTES - _size_with(feeds, "") + more)
    assert _size_with(feeds, name) == SLOT_BYTES + more
    large = state(1)
    large.feeds = {f"feed{number:04}": ROW for number in range(feeds)} | {name: ROW}
    kept.write(large)
    found = read(path)
    assert found is not None
    assert bool(found.feeds) is kept_feeds


def test_a_file_that_was_removed_or_replaced_is_made_again(kept: Ledger, path: Path) -> None:
    kept.write(state(1))
    kept.keep()
    kept.write(state(2))
    assert read(path) == entry(2, 2), "it was in its place"
    ledger_path(path).unlink()
    kept.write(state(3))
    assert read(path) is None
    kept.keep()
    kept.write(state(3))
    assert read(path) == entry(1, 3)
    ledger_path(path).rename(path)
    ledger_path(path).write_bytes(path.read_bytes())
    kept.keep()
    kept.write(state(3))
    assert read(path) == entry(2, 3)
    assert path.stat().st_ino != ledger_path(path).stat().st_ino


def test_one_that_could_not_be_made_is_made_later(path: Path) -> None:
    ledger_path(path).mkdir()
    kept = Ledger(path, 2)
    kept.open()
    kept.write(state(1))
    ledger_path(path).rmdir()
    kept.keep()
    kept.write(state(1))
    assert read(path) == entry(1, 1)
    kept.close()
    kept.close()


@pytest.mark.parametrize("what", ["link", "pipe"])
def test_what_somebody_put_there_is_neither_followed_nor_waited_for(path: Path, what: str) -> None:
    target = path.parent / "target"
    target.write_bytes(b"theirs")
    if what == "link":
        ledger_path(path).symlink_to(target)
    else:
        os.mkfifo(ledger_path(path))
    kept = Ledger(path, 2)
    kept.open()
    kept.write(state(1))
    kept.close()
    assert read(path) == entry(1, 1)
    assert target.read_bytes() == b"theirs"


def test_an_entry_that_can_not_be_written_is_missing_until_the_next(
    kept: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.write(state(1))

    def full(_file: int, _data: bytes, _offset: int) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        kept.write(state(2))
    assert read(path) == entry(1, 1)
    kept.write(state(2))
    assert read(path) == entry(2, 2)


@pytest.mark.parametrize(
    ("last", "written", "is_newer"),
    [
        (4, {"mcas": 3}, True),
        (5, {"mcas": 3}, False),
        (6, {"mcas": 3}, False),
        (5, {"mcas": 2}, True),
        (5, {"mcas": 4}, False),
        (5, {"other": 1}, False),
        (5, {}, False),
    ],
)
def test_it_is_newer_than_a_file_that_lacks_commits(
    last: int, written: dict[str, int], *, is_newer: bool
) -> None:
    assert entry(1, 5).is_newer(last, written) is is_newer


def test_what_is_put_there_in_the_moment_before_it_is_opened_is_not_followed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    real = os.open

    def noted(name: Path, flags: int, mode: int = 0, **where: int | None) -> int:
        opened.append(flags)
        return real(name, flags, mode, **where)

    monkeypatch.setattr(os, "open", noted)
    ledger = Ledger(path, 2)
    ledger.open()
    ledger.close()
    wanted = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    assert opened[-1] & wanted == wanted
