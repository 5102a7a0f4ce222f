"""Starts of a spool, as often as a test wants, and how its file looks to each."""

import fcntl
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from nss.config.model import DurableSpoolConfig
from nss.spool import SpoolError
from nss.spool.durable import opening
from nss.spool.durable.ledger import LedgerEntry
from nss.spool.durable.opening import open_file
from nss.spool.durable.store import Store

Damage = Callable[[Iterator[str | sqlite3.Error | None]], list[bool]]

USABLE = "see that its folder is there, writable for this user and has space"
IN_USE = {"", "-wal", "-shm", ".lock", ".ledger", ".reserve"}


class Start:
    """A start of the spool at a path, as often as it is called."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.free = 1 << 40
        self.points: list[str] = []
        self.pauses: list[float] = []
        self._stores: list[tuple[Store, IO[bytes]]] = []

    def __call__(self) -> Store:
        settings = DurableSpoolConfig(path=self.path, min_free_bytes=0, replay_minutes=0)
        store = Store(settings, now=lambda: 0.0, free_bytes=lambda _: self.free, overhead_bytes=0)
        lock = open_file(store, self.points.append, 0.5)
        self._stores.append((store, lock))
        return store

    def failed(self) -> SpoolError:
        with pytest.raises(SpoolError) as raised:
            self()
        return raised.value

    def stop(self) -> None:
        for store, lock in self._stores:
            store.connection.close()
            store.ledger.close()
            lock.close()
        self._stores.clear()


@pytest.fixture
def start(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Return what opens the spool, and does not really pause."""
    made = Start(path)
    monkeypatch.setattr(time, "sleep", made.pauses.append)
    yield made
    made.stop()


@pytest.fixture
def damage(monkeypatch: pytest.MonkeyPatch) -> Damage:
    """Return what says how the file looks each time; it returns which looks were thorough."""

    def looks(found: Iterator[str | sqlite3.Error | None]) -> list[bool]:
        thorough_looks: list[bool] = []

        def look(_path: Path, _noted: LedgerEntry | None, *, thorough: bool) -> str | None:
            thorough_looks.append(thorough)
            seen = next(found, None)
            if isinstance(seen, sqlite3.Error):
                raise seen
            return seen

        monkeypatch.setattr(opening, "find_damage", look)
        return thorough_looks

    return looks


def is_locked(path: Path) -> bool:
    with path.with_name(f"{path.name}.lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


def said(path: Path, what: str, tip: str) -> str:
    return f"spool: {what} ({path})\nTry: {tip}"
