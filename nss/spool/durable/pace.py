"""Keeps a source that can wait from running away from the feeds.

A file is read ten times as fast as its lines are sent. Whatever is no longer in memory when a feed
gets there is read back and unpacked, which costs as much as packing did, for nothing: the file
would have waited.
"""

import asyncio
from collections.abc import Mapping

from nss.spool.cursors import Signal
from nss.spool.durable.cache import CACHE_BYTES, Cache
from nss.spool.durable.cursor import DurableCursor

AHEAD_BYTES = CACHE_BYTES // 2
"""How far a source may be ahead of the fastest of its feeds: what that feed needs is in memory."""

PACE_SECS = 1.0
"""How long a source waits; then it waits no more until a feed has caught up."""


class Pace:
    """How far sources are ahead of their fastest feeds. `taken`: a feed has taken a batch."""

    def __init__(
        self,
        cache: Cache,
        cursors: Mapping[str, DurableCursor],
        taken: Signal,
        pace_secs: float = PACE_SECS,
    ) -> None:
        self._cache = cache
        self._taken = taken
        self._cursors = cursors
        self._pace_secs = pace_secs
        self._hurried: set[str] = set()
        """Sources whose feeds took too long."""

    async def keep(self, source: str) -> None:
        """Wait while all feeds of a source are far behind, but not for longer than `PACE_SECS`."""
        if not self._is_ahead(source):
            self._hurried.discard(source)
            return
        if source in self._hurried:
            return
        try:
            async with asyncio.timeout(self._pace_secs):
                while self._is_ahead(source):
                    await self._taken.wait()
        except TimeoutError:
            self._hurried.add(source)

    def _is_ahead(self, source: str) -> bool:
        cursors = self._cursors.values()
        searched = [cursor.searched for cursor in cursors if cursor.follows(source)]
        return bool(searched) and self._cache.bytes_after(max(searched)) > AHEAD_BYTES
