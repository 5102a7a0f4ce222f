"""A store without a thread, and what must hold of one at any time."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from nss.batch import Batch
from nss.config.model import DurableSpoolConfig
from nss.spool.durable import schema
from nss.spool.durable.accounts import Missing
from nss.spool.durable.packing import RAW, Packed
from nss.spool.durable.store import Store

OVERHEAD = 7


class Clock:
    """Seconds, which only tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def opened(
    path: Path,
    clock: Callable[[], float],
    *,
    max_bytes: int = 1 << 30,
    when_full: Literal["wait", "drop_oldest"] = "wait",
    replay_minutes: int = 0,
) -> Store:
    settings = DurableSpoolConfig(
        path=path,
        max_bytes=max_bytes,
        min_free_bytes=0,
        when_full=when_full,
        replay_minutes=replay_minutes,
    )
    store = Store(settings, now=clock, free_bytes=lambda _: 1 << 40, overhead_bytes=OVERHEAD)
    connection = schema.connect(path)
    connection.execute("PRAGMA synchronous = OFF")  # nobody pulls the plug here
    schema.migrate(connection, path, lambda _point: None)
    store.load(connection, None)
    return store


def packed(size: int) -> Packed:
    return Packed(RAW, 0, b"x" * size)


def append(
    store: Store, source: str = "web", records: int = 1, size: int = 10, feed: str = ""
) -> int:
    batch = Batch(source, b"x\n" * records, records, f"at {store.state.last_sequence}", feed=feed)
    return store.append(batch, packed(size)).entry.sequence


def pages_of(store: Store) -> tuple[int, int]:
    """Return how many pages of the file are free, and how many it has, those in its log too."""
    (free,) = store.connection.execute("PRAGMA freelist_count").fetchone()
    (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
    return int(free), int(pages)


def rows_of(store: Store) -> dict[str, tuple[object, ...]]:
    """Return what is known of each feed."""
    return {
        feed: (
            *(row.passed, row.accepted, row.account.copy()),
            *(row.pending, row.pending_bytes, row.sources),
        )
        for feed, row in store.state.feeds.items()
    }


def assert_as_a_start_finds_it(store: Store) -> None:
    """Compare what the store knows with what the tables say."""
    again = Store(
        store.settings, now=store.now, free_bytes=store.free_bytes, overhead_bytes=OVERHEAD
    )
    again.load(store.connection, None)
    assert again.missing == Missing()
    assert rows_of(again) == rows_of(store)
    assert again.state.last_sequence == store.state.last_sequence
    assert again.state.used_bytes == store.state.used_bytes
    written = [row.written for row in store.state.feeds.values()]
    assert again.state.commits == max(written, default=0) <= store.state.commits
    assert again.rejects.size == store.rejects.size


def assert_rows_are_sound(store: Store) -> None:
    for table in schema.CHECKED_ROWS:
        for row in store.connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a constant
            assert row[-1] == schema.row_crc32(table, *row[:-1])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stores(path: Path, clock: Clock) -> Iterator[Callable[..., Store]]:
    """Return what opens the store; it is closed at the end."""
    made: list[sqlite3.Connection] = []

    def of(**settings: object) -> Store:
        store = opened(path, clock, **settings)  # type: ignore[arg-type]
        made.append(store.connection)
        return store

    yield of
    for connection in made:
        connection.close()
