"""Sample records from the stream: a tap that is closed again after two seconds."""

import asyncio
from dataclasses import dataclass

from nss.admin.operations import Operations
from nss.errors import ServiceError
from nss.feeds.tap import Tap

TAKE_SECS = 2.0
AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Taken:
    """Records, one a line; how many, and how many were left out because they are too long."""

    feed: str
    records: str
    count: int
    too_long: int


class Taker:
    """Takes the next records that pass a feed."""

    def __init__(self, operations: Operations, take_secs: float = TAKE_SECS) -> None:
        self._operations = operations
        self._take_secs = take_secs
        self._taking = 0

    async def take(self, feed: str, count: int) -> Taken:
        """Return up to `count` records, or what passes in two seconds.

        Raises `UsageError` for a feed that is not known, `ServiceError` when too many ask.
        """
        if self._taking >= AT_ONCE:
            raise ServiceError("too many take records right now", tip="wait a moment")
        tap = Tap(feed, "records", max_per_sec=count)
        self._operations.add_tap(tap)
        self._taking += 1
        try:
            return await self._seen(tap, feed, count)
        finally:
            self._taking -= 1
            self._operations.remove_tap(tap)

    async def _seen(self, tap: Tap, feed: str, count: int) -> Taken:
        records: list[bytes] = []
        too_long = 0
        try:
            async with asyncio.timeout(self._take_secs):
                async for seen in tap:
                    if seen.full_bytes > len(seen.data):  # a tap shows the beginning only
                        too_long += 1
                    else:
                        records.append(seen.data)
                    if len(records) >= count:
                        break
        except TimeoutError:
            pass
        text = b"".join(record + b"\n" for record in records).decode("utf-8", "replace")
        return Taken(feed, text, len(records), too_long)
