"""A committer without a spool around it, and a disk that refuses when a test says so."""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from nss.batch import Batch
from nss.config.model import DurableSpoolConfig
from nss.spool.durable.committer import Committer
from nss.spool.durable.opening import open_file
from nss.spool.durable.requests import Append, CommitReport, Work
from nss.spool.durable.store import Store

TOLD_SECS = 40.0
"""How long a busy machine may need for what takes milliseconds."""

_TEXTS = {
    sqlite3.SQLITE_IOERR: "disk I/O error",
    sqlite3.SQLITE_FULL: "database or disk is full",
    sqlite3.SQLITE_CORRUPT: "database disk image is malformed",
    sqlite3.SQLITE_READONLY: "attempt to write a readonly database",
}


def refusal(code: int | None) -> sqlite3.Error:
    """Return an error as SQLite raises it; without a code it is about a closed connection."""
    if code is None:
        return sqlite3.ProgrammingError("Cannot operate on a closed database.")
    error = sqlite3.DatabaseError(_TEXTS.get(code & 0xFF, "it failed"))
    error.sqlite_errorcode = code
    return error


class Disk:
    """Refuses commits, each with the next of some codes, and notes when they were tried."""

    def __init__(self) -> None:
        self.tried_at: list[float] = []
        self.points: list[str] = []
        self._codes: Iterator[int | None] = iter(())

    def refuse(self, codes: Iterable[int | None]) -> None:
        self._codes = iter(codes)

    def refuse_all(self, code: int | None) -> None:
        self.refuse(repeat(code))

    def take(self) -> None:
        self.refuse(())

    def __call__(self, point: str) -> None:
        self.points.append(point)
        if point == "before commit":
            self.tried_at.append(time.monotonic())
            for code in self._codes:
                raise refusal(code)


class Committing:
    """What a committer was asked for by name, and what became of it."""

    def __init__(
        self,
        path: Path,
        again_secs: float = 0.0005,
        free_bytes: Callable[[Path], int] = lambda _folder: 1 << 40,
        **settings: Any,  # noqa: ANN401 - the configuration's own
    ) -> None:
        chosen = {"min_free_bytes": 0, "replay_minutes": 0, **settings}
        self.store = Store(
            DurableSpoolConfig(path=path, **chosen),
            now=time.time,
            free_bytes=free_bytes,
            overhead_bytes=0,
        )
        self.lock = open_file(self.store, lambda _point: None, 0.0)
        self.disk = Disk()
        self.reports: list[CommitReport] = []
        self.tries = 0
        """How often a commit had been tried when something was last told."""
        self.told = queue.SimpleQueue[tuple[str, str, object]]()
        self.committer = Committer(self.store, self._report, self.disk, again_secs)

    def _report(self, report: CommitReport) -> None:
        self.reports.append(report)
        if report.callbacks:
            self.tries = len(self.disk.tried_at)
        for callback in report.callbacks:
            callback()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Have the committer see all at once that is asked for meanwhile."""
        with self.committer._changed:
            yield

    def work(
        self,
        name: str,
        run: Callable[[Store], object] = lambda _store: None,
        *,
        writes: bool = True,
    ) -> None:
        done, failed = self._tellers(name)
        self.committer.ask(Work(run, done, failed, writes))

    def append(
        self,
        name: str,
        batch: Batch | None = None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        done, failed = self._tellers(name)
        wanted = Batch("web", b"a\n", 1) if batch is None else batch
        self.committer.ask(Append(wanted, done, failed, is_cancelled))

    def _tellers(
        self, name: str
    ) -> tuple[Callable[[object], None], Callable[[BaseException], None]]:
        return (
            lambda result: self.told.put((name, "done", result)),
            lambda error: self.told.put((name, "failed", error)),
        )

    def next(self) -> tuple[str, str, object]:
        """Return what was told next: of what, whether it was done or failed, and its result."""
        return self.told.get(timeout=TOLD_SECS)

    def error_of(self, name: str) -> BaseException:
        """Return the error of what is told next, which has this name."""
        told, how, error = self.next()
        assert (told, how) == (name, "failed")
        assert isinstance(error, BaseException)
        return error

    def settle(self) -> CommitReport:
        """Wait until what was asked for is done; return the report of that."""
        done = threading.Event()
        self.committer.ask(Work(lambda _: None, lambda _: done.set(), lambda _: done.set()))
        assert done.wait(TOLD_SECS)
        return self.reports[-1]

    def stop(self) -> None:
        self.committer.stop()
        self.lock.close()


@contextmanager
def committing(
    path: Path,
    again_secs: float = 0.0005,
    **settings: Any,  # noqa: ANN401 - of `Committing`
) -> Iterator[Committing]:
    """Yield a committer of a new spool; it is stopped at the end."""
    made = Committing(path, again_secs, **settings)
    try:
        yield made
    finally:
        made.stop()


def happened(caplog: pytest.LogCaptureFixture, *names: str) -> list[tuple[str, dict[str, object]]]:
    """Return the events with these names, each with its facts."""
    seen = [vars(record) for record in caplog.records]
    return [(each["event"], each["facts"]) for each in seen if each.get("event") in names]


def log_of(path: Path) -> Path:
    """Return the write-ahead log of a spool."""
    return path.with_name(f"{path.name}-wal")


def names_beside(path: Path, known: Collection[str] = ()) -> set[str]:
    """Return the endings of the files that a spool has, but for the known ones."""
    found = {each.name.removeprefix(path.name) for each in path.parent.iterdir()}
    return found - set(known)
