"""What a disk that refuses to be written does to those who wait, and what is still done."""

import logging
import sqlite3
from contextlib import closing
from itertools import chain, count, repeat
from pathlib import Path

import pytest

from nss.errors import NssError
from nss.spool import SpoolError, Trouble
from nss.spool.durable import committer, suspicion
from nss.spool.durable.committer import BROKEN_LOOKS
from nss.spool.durable.store import Store
from nss.telemetry.events import counters
from tests.spool.durable.committing import committing, happened, refusal

CORRUPT, FULL = sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL
IOERR, READONLY = sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY
IOERR_WRITE = sqlite3.SQLITE_IOERR_WRITE


def count_sources(store: Store) -> object:
    return store.connection.execute("SELECT count(*) FROM sources").fetchone()


# Retries.


@pytest.mark.parametrize("code", [IOERR, IOERR_WRITE, READONLY, CORRUPT, FULL, None])
def test_what_was_refused_a_few_times_is_done_in_its_order(path: Path, code: int | None) -> None:
    with committing(path) as spool:
        spool.disk.refuse([code] * 6)
        with spool.together():
            for name in "abc":
                spool.work(name, count_sources)

        assert [spool.next() for _ in range(3)] == [(name, "done", (0,)) for name in "abc"]
        assert spool.reports[-1].trouble is None
        assert not suspicion.is_suspect(path)


def test_a_refusal_is_reported_with_its_file_and_so_is_its_end(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), committing(path) as spool:
        spool.disk.refuse([IOERR])
        spool.work("a")
        spool.next()

    assert happened(caplog, "spool_cannot_write", "spool_writes_again", "spool_broken") == [
        ("spool_cannot_write", {"path": str(path), "why": "disk I/O error"}),
        ("spool_writes_again", {"path": str(path)}),
    ]


def test_more_work_does_not_have_a_refusing_disk_tried_sooner(path: Path) -> None:
    with committing(path, again_secs=0.05) as spool:
        spool.disk.refuse([IOERR])
        spool.work("a")
        while not spool.reports:
            spool.committer._thread.join(0.001)
        spool.work("b")

        assert [spool.next()[0] for _ in "ab"] == ["a", "b"]

        first, second = spool.disk.tried_at
        assert second - first >= 0.05


def test_once_the_disk_takes_it_again_nobody_waits_longer(path: Path) -> None:
    with committing(path, again_secs=0.001) as spool:
        spool.disk.refuse([IOERR])
        spool.work("a")
        spool.next()
        spool.committer._again_secs = 30

        spool.work("b")

        assert spool.next() == ("b", "done", None)


# A file that looks broken.


def test_a_file_that_looks_broken_for_long_fails_all_who_wait(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with committing(path) as spool:
        spool.disk.refuse_all(CORRUPT)
        with spool.together():
            for name in "ab":
                spool.work(name)
            for name in "cd":
                spool.append(name)

        for name in "abcd":
            error = spool.error_of(name)
            assert isinstance(error, NssError)
            assert str(error) == (
                f"spool: its file is damaged: database disk image is malformed ({path})\n"
                "Try: start NSS again: it saves what is readable"
            )
        assert spool.told.empty()
        assert spool.reports[-1].trouble == Trouble(
            "damaged", f"its file is damaged: database disk image is malformed ({path})"
        )
        assert (path.parent / "spool.db.suspect").read_bytes() == b""

    assert suspicion.is_suspect(path)
    assert counters["spool_breaks", "spool"] == 1
    assert happened(caplog, "spool_broken", "spool_stopped_uncommitted") == [
        ("spool_broken", {"path": str(path), "why": "database disk image is malformed"})
    ]


@pytest.mark.parametrize(
    ("before", "tries"),
    [
        ([], BROKEN_LOOKS),
        ([IOERR], BROKEN_LOOKS + 1),
        ([CORRUPT] * (BROKEN_LOOKS - 1) + [IOERR], 2 * BROKEN_LOOKS),
    ],
)
def test_a_file_is_broken_when_it_looks_so_each_time_in_a_row(
    path: Path, before: list[int], tries: int
) -> None:
    with committing(path) as spool:
        spool.disk.refuse(chain(before, repeat(CORRUPT)))
        spool.work("a")

        spool.error_of("a")

        assert spool.tries == tries


def test_a_disk_that_fails_for_long_fails_nobody(path: Path) -> None:
    with committing(path) as spool:
        spool.disk.refuse([IOERR] * (2 * BROKEN_LOOKS))
        spool.work("a")
        spool.append("b")

        assert [spool.next()[:2] for _ in "ab"] == [("a", "done"), ("b", "done")]
        assert counters["spool_breaks", "spool"] == 0


def test_looks_at_a_file_that_was_well_in_between_are_not_added_up(path: Path) -> None:
    with committing(path) as spool:
        for name in "ab":
            spool.disk.refuse([CORRUPT] * (BROKEN_LOOKS - 1))
            spool.work(name)
            assert spool.next() == (name, "done", None)

        assert counters["spool_breaks", "spool"] == 0
        assert not suspicion.is_suspect(path)


@pytest.mark.parametrize("code", [CORRUPT, READONLY, None])
def test_a_connection_that_can_not_be_used_any_more_is_replaced(
    path: Path, code: int | None
) -> None:
    with committing(path) as spool:
        before = spool.store.connection
        spool.disk.refuse([code])
        spool.work("a", lambda store: store.connection)

        _, _, used = spool.next()

        assert used is spool.store.connection is not before
        with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
            before.execute("SELECT 1")


@pytest.mark.parametrize("code", [IOERR, FULL])
def test_a_connection_is_kept_when_the_disk_is_the_reason(path: Path, code: int) -> None:
    with committing(path) as spool:
        before = spool.store.connection
        spool.disk.refuse([code])
        spool.work("a", lambda store: store.connection)

        assert spool.next() == ("a", "done", before)


# The reserve.


@pytest.mark.parametrize(
    ("code", "spent"),
    [(FULL, True), (IOERR, False), (IOERR_WRITE, False), (CORRUPT, False), (None, False)],
)
def test_the_reserve_is_spent_on_a_full_disk_and_on_nothing_else(
    path: Path, code: int | None, *, spent: bool
) -> None:
    with committing(path) as spool:
        assert not spool.store.reserve.is_spent
        spool.disk.refuse([code])
        spool.work("a", lambda store: store.reserve.is_spent)

        assert spool.next() == ("a", "done", spent)


def test_what_the_reserve_gave_back_is_used_at_once(path: Path) -> None:
    with committing(path, again_secs=30) as spool:
        spool.disk.refuse([FULL])
        spool.work("a")

        assert spool.next() == ("a", "done", None)


def test_feeds_go_on_while_batches_are_refused(path: Path) -> None:
    with committing(path, again_secs=30) as spool:
        spool.disk.refuse([IOERR])
        with spool.together():
            spool.append("batch")
            spool.work("feed")

        assert spool.next() == ("feed", "done", None)
        assert spool.told.empty()


# What writes nothing.


def test_what_writes_nothing_is_done_although_the_disk_takes_nothing(path: Path) -> None:
    with committing(path) as spool:
        spool.disk.refuse_all(IOERR)
        with spool.together():
            spool.work("a", count_sources, writes=False)
            spool.work("b", lambda _: "second", writes=False)
            spool.work("c", lambda _: "third")
            spool.work("d", count_sources, writes=False)

        assert [spool.next() for _ in "ab"] == [("a", "done", (0,)), ("b", "done", "second")]
        assert spool.reports[-1].trouble is not None
        spool.disk.take()
        assert [spool.next() for _ in "cd"] == [("c", "done", "third"), ("d", "done", (0,))]


def test_what_was_to_write_nothing_leaves_nothing_behind(path: Path) -> None:
    def note(store: Store) -> None:
        store.connection.execute("INSERT INTO sources VALUES ('web', '1', 1, 0)")

    with committing(path) as spool:
        spool.disk.refuse([IOERR])
        spool.work("a", note, writes=False)
        spool.next()
        spool.work("b", count_sources)

        assert spool.next() == ("b", "done", (0,))


def test_what_can_not_be_read_now_is_done_later_and_in_its_order(path: Path) -> None:
    readable = iter([True, False, True])

    def read(store: Store) -> int:
        store.state.registrations += 1
        if not next(readable):
            raise sqlite3.OperationalError("disk I/O error")
        return store.state.registrations

    with committing(path) as spool:
        spool.disk.refuse([IOERR])
        with spool.together():
            spool.work("a", read, writes=False)
            spool.work("b", lambda _: "second", writes=False)

        assert [spool.next() for _ in "ab"] == [("a", "done", 1), ("b", "done", "second")]


def test_what_can_not_be_done_fails_alone_while_the_disk_refuses(path: Path) -> None:
    def impossible(_store: Store) -> None:
        raise SpoolError("spool: there is no such feed")

    with committing(path) as spool, closing(sqlite3.connect(path, isolation_level=None)) as other:
        spool.store.connection.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN IMMEDIATE")
        with spool.together():
            spool.work("a", count_sources, writes=False)
            spool.work("b", impossible, writes=False)
            spool.work("c", count_sources, writes=False)
            spool.work("d")

        told = [spool.next() for _ in "abc"]
        assert [(name, how) for name, how, _ in told] == [
            ("a", "done"),
            ("b", "failed"),
            ("c", "done"),
        ]
        assert str(told[1][2]) == "spool: there is no such feed"
        other.execute("ROLLBACK")
        spool.append("e")
        assert [spool.next()[:2] for _ in "de"] == [("d", "done"), ("e", "done")]
        assert spool.reports[-1].trouble is None


def test_what_comes_after_the_file_was_found_broken_is_told_so_as_well(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with committing(path) as spool:
        spool.disk.refuse_all(CORRUPT)
        spool.append("a")
        first = spool.error_of("a")
        spool.append("b")
        assert str(spool.error_of("b")) == str(first)
        spool.work("c")
        assert str(spool.error_of("c")) == str(first)
        assert suspicion.is_suspect(path)

        spool.disk.take()
        spool.append("d")
        assert spool.next()[:2] == ("d", "done")
    assert counters["spool_breaks", "spool"] == 1
    assert [name for name, _ in happened(caplog, "spool_broken")] == ["spool_broken"]


def test_what_was_asked_for_together_with_what_failed_is_done_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impossible(_store: Store) -> None:
        raise SpoolError("spool: there is no such feed")

    monkeypatch.setattr(committer, "FILES_SECS", 3600.0)  # nothing else wakes the thread
    with committing(path) as spool:
        with spool.together():
            spool.work("a", impossible)
            spool.work("b")
            spool.work("c", impossible)
            spool.work("d")
        told = dict(spool.next()[:2] for _ in "abcd")
    assert told == {"a": "failed", "b": "done", "c": "failed", "d": "done"}


def test_a_file_is_broken_for_batches_though_feeds_go_on(path: Path) -> None:
    tried = count(1)

    def refuse_every_other(point: str) -> None:
        if point == "before commit" and next(tried) % 2:
            raise refusal(sqlite3.SQLITE_CORRUPT)

    with committing(path) as spool:
        with spool.together():
            spool.committer._at = refuse_every_other
            spool.work("a")
            spool.append("b")
        assert spool.next()[:2] == ("a", "done")
        assert "malformed" in str(spool.error_of("b"))
    assert next(tried) >= 2 * BROKEN_LOOKS


def test_the_log_is_brought_into_the_file_once_it_is_larger_than_it_should_be(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "FILES_SECS", 3600.0)
    with committing(path) as spool:
        spool.store.log_bytes = 2 * committer.COMMIT_BYTES
        for _ in range(4):
            spool.settle()
        points = [point for point in spool.disk.points if point.startswith("before")]
    assert points[:4] == [*["before commit"] * 3, "before checkpoint"]
