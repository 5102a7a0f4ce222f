"""How much may wait for the committer, and whose turn it is to give it more."""

import asyncio
from collections import Counter
from collections.abc import Mapping

from nss.batch import Batch
from nss.spool.cursors import Signal

INFLIGHT_BYTES = 16 << 20
"""How many bytes of records may wait for the committer; beyond, `append` waits before it asks."""


class InFlight:
    """Lets batches in, in their order, while there is room for them.

    What waits for the limit of a feed takes no room: no other source waits for that feed.
    """

    def __init__(self) -> None:
        self.held: Mapping[str, frozenset[str]] = {}
        """Sources whose batches wait for the limits of feeds, each with these feeds."""
        self._bytes = Counter[str]()
        """What is in flight of each source."""
        self._turn = asyncio.Lock()
        self._changed = Signal()

    async def enter(self, batch: Batch) -> None:
        """Wait until there is room for a batch, and count it as in flight."""
        while True:
            while batch.source in self.held:
                await self._changed.wait()
            async with self._turn:
                while not self._has_room(batch) and batch.source not in self.held:
                    await self._changed.wait()
                if batch.source not in self.held:  # otherwise the turn is that of others
                    self._bytes[batch.source] += len(batch.data)
                    return

    def leave(self, batch: Batch) -> None:
        """Note that a batch is no longer in flight."""
        self._bytes[batch.source] -= len(batch.data)
        if not self._bytes[batch.source]:
            del self._bytes[batch.source]
        self._changed.notify()

    def note_held(self, held: Mapping[str, frozenset[str]]) -> None:
        """Note which sources wait for the limits of feeds from now on."""
        before, self.held = self.held, held
        if before != held:
            self._changed.notify()

    def _has_room(self, batch: Batch) -> bool:
        taken = sum(size for source, size in self._bytes.items() if source not in self.held)
        return not taken or taken + len(batch.data) <= INFLIGHT_BYTES
