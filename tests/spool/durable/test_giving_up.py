"""How the thread that writes ends: after what nobody planned, and in order."""

import sqlite3
from pathlib import Path

import pytest

from nss.batch import Batch
from nss.errors import NssError
from nss.spool import SpoolError, Trouble
from nss.spool.durable import suspicion
from nss.spool.durable.store import Store
from nss.telemetry.events import counters
from tests.spool.durable.committing import TOLD_SECS, Committing, committing, happened, log_of

ENDINGS = ("spool_gave_up", "spool_stopped_uncommitted", "spool_broken", "spool_cannot_write")
UNSTORABLE = Batch("web", b"a\n", 1, connection="\ud800")


def note(store: Store) -> None:
    store.connection.execute("INSERT INTO sources VALUES ('web', '1', 1, 0)")


def sources(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        (count,) = connection.execute("SELECT count(*) FROM sources").fetchone()
        return int(count)
    finally:
        connection.close()


def surprised(spool: Committing, error: Exception) -> None:
    """Let something happen in the next commit that nobody planned."""

    def raised(point: str) -> None:
        if point == "before commit":
            raise error

    spool.committer._at = raised


def test_what_nobody_planned_is_told_with_the_file_and_without_the_error_s_text(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with committing(path) as spool:
        surprised(spool, KeyError("a secret"))
        with spool.together():
            spool.work("a", note)
            spool.append("b")
            spool.work("c")

        errors = [spool.error_of(name) for name in "acb"]
        spool.committer._thread.join(TOLD_SECS)
        spool.work("d")
        errors.append(spool.error_of("d"))

        assert len({str(error) for error in errors}) == 1
        assert isinstance(errors[0], SpoolError)
        trouble = spool.reports[-1].trouble
        assert trouble is not None
        assert trouble.kind == "gave_up"
        assert trouble.why.startswith("nothing is written any more: unplanned KeyError (")
        assert trouble.why.endswith(f" ({path})")
        assert str(errors[0]) == (
            f"spool: {trouble.why}\nTry: start NSS again, and report this as a bug"
        )
        assert "secret" not in trouble.why
        ((name, facts),) = happened(caplog, *ENDINGS)
        assert (name, facts["path"]) == ("spool_gave_up", str(path))
        assert str(facts["why"]).startswith("unplanned KeyError (")
        assert f"nothing is written any more: {facts['why']} ({path})" == trouble.why

    assert sources(path) == 0
    assert counters["spool_breaks", "spool"] == 1


def test_who_gives_up_forgets_what_was_not_committed(path: Path) -> None:
    with committing(path) as spool:
        surprised(spool, KeyError())
        spool.append("a")
        spool.error_of("a")
        spool.committer._thread.join(TOLD_SECS)

        assert spool.reports[-1].last_sequence == 0
        assert spool.store.state.last_sequence == 0


def test_what_can_not_be_done_fails_alone_and_is_no_fault_of_the_disk(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(store: Store) -> None:
        note(store)
        raise ZeroDivisionError

    with committing(path) as spool:
        with spool.together():
            spool.work("a", wrong)
            spool.append("b", UNSTORABLE)
            spool.work("c", lambda store: store.state.last_sequence)
            spool.append("d")

        told = {name: (how, result) for name, how, result in (spool.next() for _ in "abcd")}

        assert isinstance(told["a"][1], ZeroDivisionError)
        assert isinstance(told["b"][1], UnicodeEncodeError)
        assert told["c"] == ("done", 0)
        assert told["d"][0] == "done"
        assert [report.trouble for report in spool.reports] == [None] * len(spool.reports)
        assert spool.reports[-1].last_sequence == 1

    assert happened(caplog, *ENDINGS) == []
    assert sources(path) == 1


@pytest.mark.parametrize(
    "error", [sqlite3.DataError(), sqlite3.InterfaceError(), sqlite3.ProgrammingError()]
)
def test_a_value_that_sqlite_does_not_store_is_no_fault_of_the_disk(
    path: Path, error: sqlite3.Error
) -> None:
    def refused(_store: Store) -> None:
        raise error

    with committing(path) as spool:
        spool.work("a", refused)

        assert spool.error_of("a") is error
        assert spool.reports[-1].trouble is None


def test_at_the_stop_all_is_done_that_was_asked_for(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with committing(path) as spool:
        with spool.together():
            spool.work("a", note)
            spool.committer._stopping = True
        spool.stop()

        assert spool.next() == ("a", "done", None)
        spool.work("b")
        error = spool.error_of("b")
        assert isinstance(error, NssError)
        assert str(error) == f"spool: it is closed ({path})"

    assert happened(caplog, *ENDINGS) == []
    assert sources(path) == 1
    assert not log_of(path).exists()


def test_a_stop_on_a_refusing_disk_tells_what_was_left(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with committing(path) as spool:
        spool.disk.refuse_all(sqlite3.SQLITE_IOERR)
        spool.work("a")
        spool.append("b")
        spool.committer.stop()

        assert [str(spool.error_of(name)) for name in "ab"] == [f"spool: it is closed ({path})"] * 2
        why = f"the disk of {path.parent} fails: it does not take what is written (disk I/O error)"
        assert spool.reports[-1].trouble == Trouble("disk_fails", why)

    assert happened(caplog, *ENDINGS)[-1] == (
        "spool_stopped_uncommitted",
        {"path": str(path), "why": why},
    )


def test_a_stop_while_batches_alone_are_refused_leaves_nothing_uncommitted(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with committing(path) as spool:
        spool.disk.refuse_all(sqlite3.SQLITE_IOERR)
        spool.append("a")
        spool.committer.stop()
        spool.error_of("a")

    assert happened(caplog, "spool_stopped_uncommitted") == []


@pytest.mark.parametrize("suspect", [True, False])
def test_an_orderly_stop_takes_back_a_suspicion_but_for_a_new_one(
    path: Path, *, suspect: bool
) -> None:
    with committing(path) as spool:
        suspicion.suspect(path)
        suspicion.found_whole(path)
        assert not suspicion.is_suspect(path)
        if suspect:
            suspicion.suspect(path)
        spool.work("a")
        spool.next()

    assert suspicion.is_confirmed(path) is suspect
    assert path.with_name("spool.db.cleared").exists() is suspect


@pytest.mark.parametrize("spent", [True, False])
def test_the_log_stays_where_there_may_be_no_space_for_another(path: Path, *, spent: bool) -> None:
    def run(store: Store) -> None:
        note(store)
        if spent:
            store.reserve.spend()

    with committing(path) as spool:
        spool.work("a", run)
        spool.next()

    assert log_of(path).exists() is spent
    assert sources(path) == 1
