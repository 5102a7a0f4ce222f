"""What is kept in memory of a spool: how much of it is behind a sequence."""

import random

from nss.batch import Batch
from nss.spool import Entry
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
