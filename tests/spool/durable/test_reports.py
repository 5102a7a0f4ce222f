"""What is reported of each commit, and when the write-ahead log is brought into the file."""

import sqlite3
import threading
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from nss.batch import Account, Batch
from nss.spool import PendingLimit, Reject, Trouble
from nss.spool.durable import committer, feed_rows, ledger
from nss.spool.durable.feed_rows import Move
from nss.spool.durable.packing import Packed
from nss.spool.durable.reserve import WORKING_BYTES
from nss.spool.durable.store import Appended, Store
from nss.telemetry.events import counters
from tests.spool.durable.committing import Committing, committing, happened, log_of

CHECKPOINT = ["before checkpoint", "after checkpoint"]
COMMIT = ["before commit", "after commit"]


def batch(letters: str, source: str = "web") -> Batch:
    """Return a batch of which each letter takes two bytes."""
    return Batch(source, "".join(f"{letter}\n" for letter in letters).encode(), len(letters))


def follow(spool: Committing, feed: str, *sources: str, limit: PendingLimit | None = None) -> None:
    spool.work(feed, partial(feed_rows.register, feed=feed, sources=sources, limit=limit))
    assert spool.next()[:2] == (feed, "done")


def passes(spool: Committing, feed: str, sequence: int, *rejects: Reject) -> None:
    """Move a feed past one batch of one record."""
    registration = spool.store.state.feeds[feed].registration
    done = Account(rejected=1) if rejects else Account(delivered=1)
    move = Move(feed, registration, sequence, [(sequence, 1)], done, rejects)
    spool.work(feed, partial(feed_rows.advance, move=move))
    assert spool.next() == (feed, "done", 0)


# What is reported.


def test_a_report_says_what_the_spool_has(path: Path) -> None:
    with committing(path) as spool:
        follow(spool, "mcas", "web")
        follow(spool, "siem", "web", "dns")
        appended = list[object]()
        for letters, source in (("a", "web"), ("bcd", "dns")):
            spool.append(letters, batch(letters, source))
            name, how, result = spool.next()
            assert (name, how) == (letters, "done")
            appended.append(result)
        first, second = appended
        assert isinstance(first, Appended)
        assert isinstance(second, Appended)
        assert (first.entry.sequence, first.feeds) == (1, ["mcas", "siem"])
        assert (second.entry.sequence, second.feeds) == (2, ["siem"])
        passes(spool, "mcas", 1, Reject("web", "", "bad", b"a"))

        report = spool.settle()

        assert (report.last_sequence, report.used_bytes, report.rejects) == (2, 8, 1)
        assert report.pending == {"mcas": (0, 0), "siem": (4, 8)}
        assert (report.waiting, report.held, report.dropped, report.passed) == (0, {}, {}, {})
        assert (report.trouble, report.reopened) == (None, False)


def test_what_waits_for_room_is_told_apart_from_what_waits_for_feeds(path: Path) -> None:
    with committing(path, max_bytes=6) as spool:
        follow(spool, "mcas", "web", limit=PendingLimit(2))
        follow(spool, "siem", "dns")
        for name, letters, source in (("1", "a", "web"), ("2", "b", "dns")):
            spool.append(name, batch(letters, source))
            spool.next()
        with spool.together():
            for name, letters, source in (("3", "c", "web"), ("4", "d", "web"), ("5", "ef", "dns")):
                spool.append(name, batch(letters, source))

        report = spool.settle()

        assert report.waiting == 1
        assert report.held == {"web": frozenset({"mcas"})}
        assert report.trouble is None
        passes(spool, "mcas", 1)
        assert spool.next()[:2] == ("3", "done")


def test_what_is_dropped_for_room_is_reported_once(path: Path) -> None:
    with committing(path, max_bytes=4, when_full="drop_oldest") as spool:
        follow(spool, "mcas", "web")
        follow(spool, "siem", "dns")
        spool.append("1", batch("ab"))
        spool.next()
        spool.append("2", batch("c"))
        spool.next()

        report = spool.reports[-1]

        assert (report.dropped, report.dropped_by_limit) == ({"mcas": 2}, {})
        assert report.passed == {"mcas": 1}
        report = spool.settle()
        assert (report.dropped, report.passed) == ({}, {})


def test_what_is_dropped_for_a_limit_is_reported_once(path: Path) -> None:
    with committing(path) as spool:
        follow(spool, "mcas", "web", limit=PendingLimit(4, drops_oldest=True))
        spool.append("1", batch("ab"))
        spool.next()
        spool.append("2", batch("c"))
        spool.next()

        report = spool.reports[-1]

        assert (report.dropped, report.dropped_by_limit) == ({}, {"mcas": 2})
        assert report.passed == {"mcas": 1}
        report = spool.settle()
        assert (report.dropped_by_limit, report.passed) == ({}, {})


def test_what_was_dropped_in_vain_is_reported_when_it_was_committed(path: Path) -> None:
    with committing(path, max_bytes=4, when_full="drop_oldest") as spool:
        follow(spool, "mcas", "web")
        spool.append("1", batch("ab"))
        spool.next()
        spool.disk.refuse([sqlite3.SQLITE_IOERR] * 4)
        spool.append("2", batch("c"))
        spool.next()

        assert [report.dropped for report in spool.reports if report.dropped] == [{"mcas": 2}]


def test_whoever_has_given_up_is_told_nothing(path: Path) -> None:
    with committing(path) as spool:
        with spool.together():
            spool.append("1", is_cancelled=lambda: True)
            spool.append("2")

        assert spool.next()[:2] == ("2", "done")
        assert spool.settle().last_sequence == 1
        assert spool.told.empty()


def test_what_is_done_is_told_in_the_order_works_first(path: Path) -> None:
    with committing(path) as spool:
        with spool.together():
            spool.append("batch")
            for name in "ab":
                spool.work(name)

        assert [spool.next()[0] for _ in range(3)] == ["a", "b", "batch"]


# Too little space.


@pytest.mark.parametrize("free", [0, WORKING_BYTES - 1])
def test_too_little_space_is_reported_until_there_is_some(
    path: Path, caplog: pytest.LogCaptureFixture, free: int
) -> None:
    disk = [free]
    with committing(path, free_bytes=lambda _: disk[0], min_free_bytes=1 << 30) as spool:
        spool.append("1")
        spool.settle()
        report = spool.settle()

        assert report.trouble is not None
        assert report.trouble.kind == "disk_full"
        assert "less than min_free_bytes (1.0 GiB)" in report.trouble.why
        assert report.waiting == 1
        disk[0] = 1 << 40
        assert spool.next()[:2] == ("1", "done")
        report = spool.settle()
        assert (report.trouble, report.waiting) == (None, 0)

    ((name, facts),) = happened(caplog, "spool_cannot_write")
    assert (name, facts["path"]) == ("spool_cannot_write", str(path))
    assert "less than min_free_bytes (1.0 GiB)" in str(facts["why"])


def test_a_file_that_another_process_has_locked_is_waited_for(path: Path) -> None:
    with committing(path) as spool:
        spool.store.connection.execute("PRAGMA busy_timeout = 0")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            spool.append("1")
            while not spool.reports:
                time.sleep(0.001)
            other.execute("ROLLBACK")

        assert spool.next()[:2] == ("1", "done")
        report = spool.reports[0]
        assert (report.waiting, report.held, report.pending) == (1, {}, {})
        assert report.trouble == Trouble(
            "disk_fails", f"its file can't be written: database is locked ({path})"
        )
        assert spool.settle().trouble is None


# Files that are lost.


def test_nothing_is_accepted_while_another_file_is_in_the_spool_s_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "FILES_SECS", 0.0)
    own, other = path.with_name("own"), path.with_name("other")
    with committing(path) as spool:
        other.touch()
        own.hardlink_to(path)
        other.rename(path)
        spool.append("1")
        spool.work("a")

        assert spool.next() == ("a", "done", None)

        spool.settle()
        trouble = Trouble("files_lost", f"another file has taken the place of its own ({path})")
        assert spool.reports[-1].trouble == trouble
        own.rename(path)
        assert spool.next()[:2] == ("1", "done")
        assert spool.settle().trouble is None


def test_files_that_were_written_again_are_reported_to_their_readers(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "FILES_SECS", 0.0)
    with committing(path) as spool:
        spool.settle()
        assert [report.reopened for report in spool.reports] == [False] * len(spool.reports)
        for removed in (path, ledger.ledger_path(path)):
            removed.rename(removed.with_name(f"{removed.name}-moved"))

        spool.append("1")
        spool.next()

        assert [report.reopened for report in spool.reports].count(True) == 1
        assert path.exists()
        assert ledger.read(path) is not None
        assert counters["spool_files_lost", "spool"] == 1


def test_files_are_looked_at_once_in_a_while(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "FILES_SECS", 1000.0)
    with committing(path) as spool:
        spool.committer._files_at = time.monotonic()
        there = ledger.ledger_path(path)
        there.unlink()
        spool.append("1")
        spool.next()
        assert not there.exists()
        spool.committer._files_at -= 1001
        spool.append("2")
        spool.next()

        assert there.exists()
        there.unlink()
        spool.append("3")
        spool.next()
        assert not there.exists()


# The write-ahead log.


def test_the_log_is_left_to_grow_and_brought_into_the_file_at_the_stop(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "FILES_SECS", 1000.0)
    with committing(path) as spool:
        for name in "abc":
            spool.append(name)
            spool.next()
        assert spool.disk.points == COMMIT * 3
        assert log_of(path).stat().st_size > 0

    assert spool.disk.points[-2:] == CHECKPOINT
    assert not log_of(path).exists()


@pytest.mark.parametrize(("records", "commits"), [(1, 3), (30, 2)])
def test_a_log_that_may_have_grown_is_brought_into_the_file_and_counted_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch, records: int, commits: int
) -> None:
    monkeypatch.setattr(committer, "FILES_SECS", 1000.0)
    monkeypatch.setattr(committer, "COMMIT_BYTES", 100)
    monkeypatch.setattr(Store, "pack", packed_as_it_is)
    with committing(path) as spool:
        spool.store.log_bytes = 250
        for number in range(2 * commits):
            spool.append(str(number), batch("a" * records))
            spool.next()
        spool.settle()

    expected = (COMMIT * commits + CHECKPOINT) * 2
    assert spool.disk.points[: len(expected)] == expected


def packed_as_it_is(_store: Store, data: bytes) -> Packed:
    return Packed(0, 0, data)


def test_while_something_is_wrong_the_log_is_kept_empty(path: Path) -> None:
    with committing(path, free_bytes=lambda _: 0, min_free_bytes=1 << 30) as spool:
        spool.append("1")
        spool.settle()
        spool.settle()

        assert log_of(path).stat().st_size == 0


def test_only_one_thread_writes(path: Path) -> None:
    with committing(path) as spool:
        spool.work("a", lambda _store: threading.current_thread())

        _, _, thread = spool.next()

        assert isinstance(thread, threading.Thread)
        assert (thread.name, thread.daemon) == ("spool", True)
    assert not thread.is_alive()
