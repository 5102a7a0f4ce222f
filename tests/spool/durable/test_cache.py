"""What is kept in memory of a spool: how much of it is behind a sequence."""

import random

import pytest

from nss.batch import Batch
from nss.spool import Entry
from nss.spool.durable import cache as caching
from nss.spool.durable.cache import CACHE_BYTES, Cache


def test_bytes_behind_a_sequence_are_those_of_the_entries_behind_it() -> None:
    chance, cache, sequence = random.Random(1), Cache(), 0
    assert cache.bytes_after(5) == 0
    kept: list[Entry] = []
    for _ in range(300):
        gap = chance.random() < 0.02
        sequence += 3 if gap else 1
        kept = [] if gap else kept
        data = bytes(chance.randrange(1, CACHE_BYTES // 20))
        kept.append(Entry(sequence, Batch("web", data, 1), 0.0))
        cache.add(kept[-1])
        while sum(len(entry.batch.data) for entry in kept) > CACHE_BYTES and len(kept) > 1:
            kept.pop(0)
        for after in range(max(0, sequence - 60), sequence + 5):
            expected = sum(len(entry.batch.data) for entry in kept if entry.sequence > after)
            assert cache.bytes_after(after) == expected


def filled(monkeypatch: pytest.MonkeyPatch, *sizes: int) -> Cache:
    """Return what is kept of entries of some sizes, from 5 on, where 100 bytes may be kept."""
    monkeypatch.setattr(caching, "CACHE_BYTES", 100)
    cache = Cache()
    for sequence, size in enumerate(sizes, 5):
        cache.add(Entry(sequence, Batch("web" if sequence % 2 else "dns", bytes(size), 1)))
    return cache


@pytest.mark.parametrize(
    ("sizes", "first"),
    [
        ([50, 50], 5),
        ([50, 51], 6),
        ([40, 40, 20, 1], 6),
        ([10, 10, 10, 100], 8),
        ([10, 10, 200], 7),
        ([200], 5),
        ([200, 0], 6),
        ([200, 200], 6),
        ([200, 50, 50], 6),
    ],
)
def test_the_newest_entries_are_kept_up_to_a_size_and_always_the_last(
    monkeypatch: pytest.MonkeyPatch, sizes: list[int], first: int
) -> None:
    cache = filled(monkeypatch, *sizes)
    assert (cache.first, cache.last) == (first, 4 + len(sizes))
    assert cache.bytes_after(0) == sum(sizes[first - 5 :])


def test_without_entries_nothing_is_found_nor_behind_anything() -> None:
    cache = Cache()
    assert (cache.last, cache.bytes_after(0), cache.bytes_after(7)) == (0, 0, 0)
    assert cache.find(0, lambda _: True) is None
    assert cache.first > 1 << 40


def test_the_first_wanted_entry_behind_a_sequence_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = filled(monkeypatch, *[10] * 12)
    assert (cache.first, cache.last) == (7, 16)
    for after in range(18):
        behind = [sequence for sequence in range(7, 17) if sequence > after]
        found = cache.find(after, lambda _: True)
        assert (found and found.sequence) == next(iter(behind), None)
        web = cache.find(after, lambda batch: batch.source == "web")
        assert (web and web.sequence) == next((each for each in behind if each % 2), None)
    assert cache.find(0, lambda _: False) is None


def test_after_a_gap_only_what_came_then_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = filled(monkeypatch, 10, 20, 30)
    cache.add(Entry(9, Batch("web", bytes(5), 1)))
    assert (cache.first, cache.last, cache.bytes_after(0), cache.bytes_after(8)) == (9, 9, 5, 5)
    cache.add(Entry(10, Batch("web", bytes(7), 1)))
    assert (cache.first, cache.last, cache.bytes_after(0), cache.bytes_after(9)) == (9, 10, 12, 7)
