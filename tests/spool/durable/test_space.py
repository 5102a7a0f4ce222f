"""How much the file system must have free before anything is written, to the byte."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nss.spool.durable import feed_rows
from nss.spool.durable.schema import PAGE_BYTES
from nss.spool.durable.store import Store
from tests.spool.durable.stores import append, clock, pages_of, stores

__all__ = ["clock", "stores"]

LEAST = 50_000_000
"""What is to stay free."""


def wal_bytes(store: Store) -> int:
    return store.path.with_name(f"{store.path.name}-wal").stat().st_size


def set_free(store: Store, free: int) -> None:
    store.settings = replace(store.settings, min_free_bytes=LEAST)
    store.free_bytes = lambda _folder: free


def wait_for_it(store: Store) -> None:
    """Have a feed wait for all that comes."""
    feed_rows.register(store, "mcas", ["web"], None)


def save(store: Store) -> None:
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def free_inside(store: Store) -> int:
    free, _ = pages_of(store)
    return free * PAGE_BYTES


def file_grows(store: Store) -> int:
    """Return by how much the file grows once it has what is only in its log."""
    _, pages = pages_of(store)
    return pages * PAGE_BYTES - store.path.stat().st_size


def assert_least(store: Store, incoming: int, needed: int) -> None:
    """Check that this much is needed beside what is to stay free, and not a byte more."""
    set_free(store, LEAST + needed)
    assert store.lacks_space(incoming) is None
    set_free(store, LEAST + needed - 1)
    trouble = store.lacks_space(incoming)
    assert trouble is not None
    assert trouble.kind == "disk_full"
    assert not store.shrinking


@pytest.mark.parametrize("incoming", [0, 1, 1000])
@pytest.mark.parametrize("grows", [0, 1, 5000])
def test_the_log_may_grow_to_its_size_and_what_comes_goes_into_both(
    stores: Callable[..., Store], incoming: int, grows: int
) -> None:
    store = stores()
    wait_for_it(store)
    append(store)
    save(store)
    append(store)
    assert wal_bytes(store) > 0
    grown = file_grows(store)
    store.log_bytes = wal_bytes(store) + grows
    assert_least(store, incoming, grows + grown + 2 * incoming)
    # A log that is larger than it should be gives nothing back.
    store.log_bytes = 1
    assert_least(store, incoming, grown + 2 * incoming)


def test_the_file_grows_by_the_pages_that_only_the_log_has(stores: Callable[..., Store]) -> None:
    store = stores()
    wait_for_it(store)
    save(store)
    store.log_bytes = 1
    for _ in range(20):
        append(store, size=PAGE_BYTES)
    grown = file_grows(store)
    assert grown >= 20 * PAGE_BYTES
    assert_least(store, 7, grown + 14)
    save(store)
    store.log_bytes = 300
    assert_least(store, 7, 300 + 14)


def test_a_file_that_is_longer_than_its_pages_gives_nothing_back(
    stores: Callable[..., Store],
) -> None:
    store = stores()
    wait_for_it(store)
    append(store)
    save(store)
    store.log_bytes = 300
    with store.path.open("ab") as file:
        file.write(bytes(PAGE_BYTES))
    assert_least(store, 7, 300 + 14)


def with_free_pages(store: Store) -> int:
    """Have pages that nothing is on; return the bytes of all."""
    for _ in range(4):
        append(store, size=3 * PAGE_BYTES)
    while store._delete_oldest():
        pass
    wait_for_it(store)
    save(store)
    assert store.state.used_bytes == 0
    inside = free_inside(store)
    assert inside >= 10 * PAGE_BYTES
    return inside


def test_free_pages_are_space_for_what_comes(stores: Callable[..., Store]) -> None:
    store = stores()
    inside = with_free_pages(store)
    store.log_bytes = 0
    set_free(store, LEAST - inside)
    assert store.lacks_space(0) is None
    assert not store.shrinking
    assert free_inside(store) == inside
    set_free(store, LEAST - inside - 1)
    assert store.lacks_space(0) is not None


def test_free_pages_are_given_back_for_the_log(stores: Callable[..., Store]) -> None:
    store = stores()
    inside = with_free_pages(store)
    store.log_bytes = 300
    set_free(store, LEAST + 300)
    assert store.lacks_space(0) is None
    set_free(store, LEAST + 299)
    trouble = store.lacks_space(0)
    assert trouble is not None
    assert "of which the spool's log may need so much" in trouble.why
    assert store.shrinking
    assert free_inside(store) < inside
    set_free(store, LEAST + (1 << 30))
    assert store.lacks_space(0) is None
    assert not store.shrinking


def batches(store: Store) -> int:
    (count,) = store.connection.execute("SELECT count(*) FROM batches").fetchone()
    return int(count)


def test_what_no_feed_waits_for_is_deleted_if_that_is_enough(stores: Callable[..., Store]) -> None:
    store = stores()
    for _ in range(4):
        append(store, size=3 * PAGE_BYTES)
    wait_for_it(store)
    append(store, size=3 * PAGE_BYTES)
    save(store)
    store.log_bytes = 0
    set_free(store, LEAST - store.state.used_bytes - 1)
    trouble = store.lacks_space(0)
    assert trouble is not None, "others fill the disk"
    assert "is full" in trouble.why
    assert batches(store) == 5

    set_free(store, LEAST - 1)  # a page is enough: the oldest alone has more
    assert store.lacks_space(0) is None
    assert batches(store) == 4

    set_free(store, LEAST - store.state.used_bytes - free_inside(store))
    assert store.lacks_space(0) is not None
    assert batches(store) == 1, "all that may be deleted, as all of it together could be enough"


def test_what_feeds_wait_for_is_dropped_if_it_may_be(stores: Callable[..., Store]) -> None:
    store = stores(when_full="drop_oldest")
    wait_for_it(store)
    for _ in range(4):
        append(store, size=3 * PAGE_BYTES)
    save(store)
    store.log_bytes = 0
    set_free(store, LEAST - 5 * PAGE_BYTES)
    assert store.lacks_space(0) is None
    assert batches(store) == 2
    while store._drop_oldest():
        pass
    assert batches(store) == 0
    set_free(store, LEAST - free_inside(store) - 1)
    assert store.lacks_space(0) is not None


def test_without_its_reserve_nothing_is_written(stores: Callable[..., Store], path: Path) -> None:
    store = stores()
    store.reserve._free_bytes = lambda _folder: 0
    set_free(store, LEAST + (1 << 40))
    trouble = store.lacks_space(0)
    assert trouble is not None
    assert trouble.why.startswith(f"the disk of {path.parent} takes no more")

    store.settings = replace(store.settings, min_free_bytes=0)
    store.free_bytes = lambda _folder: 5
    trouble = store.lacks_space(0)
    assert trouble is not None
    assert trouble.why.startswith(f"the disk of {path.parent} is full: 5 ")
    store.reserve._free_bytes = lambda _folder: 1 << 40
    assert store.lacks_space(1 << 50) is None, "without a limit, only the reserve counts"


def test_a_file_system_that_does_not_say_what_is_free_takes_nothing(
    stores: Callable[..., Store],
) -> None:
    def fail(_folder: Path) -> int:
        raise OSError(5, "Input/output error")

    store = stores()
    set_free(store, 0)
    store.free_bytes = fail
    trouble = store.lacks_space(0)
    assert trouble is not None
    assert trouble.kind == "disk_fails"


def test_lost_feeds_are_looked_for_until_something_is_accepted(
    stores: Callable[..., Store],
) -> None:
    store = stores()
    store.state.cursors_lost, store.state.unclaimed = True, 1
    append(store)
    assert not store.state.cursors_lost
    assert store.state.unclaimed is None
