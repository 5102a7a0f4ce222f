"""Turns the body of one request into batches and hands them on."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from nss.batch import BATCH_MAX_BYTES
from nss.sources.framing.json import DECIDE_BYTES, JsonFramer, spans_lines
from nss.sources.framing.lines import Framer, LineFramer

HOLD_BYTES = 2 << 20
"""How much of a body is held back until its end has come; a longer body is not held back."""

# Framing this much takes at most 20 ms, when all of it is tiny arrays or broken objects.
_LINES_STEP_BYTES = 64 << 10
_JSON_STEP_BYTES = 16 << 10
TURN_SECS = 0.005

HandOn = Callable[[bytes, int], Awaitable[None]]
"""Gets batch data and the number of its records; returns once they are accepted."""


class Turn:
    """Interrupts long work so that the event loop can serve the others.

    Work that shares `queue` resumes one at a time: many at once delay the others no more than one.
    """

    def __init__(self, queue: asyncio.Lock, clock: Callable[[], float] = time.monotonic) -> None:
        self._queue = queue
        self._clock = clock
        self._since = clock()

    async def pause(self) -> None:
        """Let others have their turn if this one has lasted some milliseconds."""
        if self._clock() - self._since < TURN_SECS:
            return
        async with self._queue:
            await asyncio.sleep(0)
        self._since = self._clock()


class BodyBatcher:
    """Cuts a body into batches of about 1 MiB, in order.

    The beginning of each body decides whether it has one record a line or JSON that spans lines.
    """

    def __init__(self, max_record_bytes: int, hand_on: HandOn, turn: Turn) -> None:
        self.records = 0
        """Records found so far."""
        self.accepted = 0
        """How many of them were handed on."""
        self._max_record_bytes = max_record_bytes
        self._hand_on = hand_on
        self._turn = turn
        self._pieces: list[bytes] = []
        self._pieces_bytes = 0
        self._framer: Framer | None = None
        self._held: list[tuple[bytes, int]] = []
        self._held_bytes = 0

    async def add(self, piece: bytes) -> None:
        """Add the next part of the body."""
        self._pieces.append(piece)
        self._pieces_bytes += len(piece)
        if self._pieces_bytes >= BATCH_MAX_BYTES:
            await self._frame(ended=False)

    async def end(self) -> None:
        """Hand on everything that is left; returns once all of the body is accepted."""
        await self._frame(ended=True)
        await self._hand_on_held()

    async def _frame(self, *, ended: bool) -> None:
        block = _concatenated(self._pieces)
        self._pieces.clear()
        self._pieces_bytes = 0
        framer = self._framer = self._framer or self._choose(block, ended=ended)
        framed: list[bytes] = []
        records = 0
        step_bytes = _LINES_STEP_BYTES if isinstance(framer, LineFramer) else _JSON_STEP_BYTES
        for at in range(0, len(block), step_bytes):
            framed.append(framer.feed(block[at : at + step_bytes]))
            records += framer.records
            await self._turn.pause()
        if ended:
            framed.append(framer.flush())
            records += framer.records
        if records:
            await self._hold(_concatenated(framed), records)

    def _choose(self, block: bytes, *, ended: bool) -> Framer:
        whole = ended and len(block) <= DECIDE_BYTES
        if spans_lines(block[:DECIDE_BYTES], ended=whole):
            return JsonFramer(self._max_record_bytes)
        return LineFramer(self._max_record_bytes)

    async def _hold(self, data: bytes, records: int) -> None:
        self.records += records
        self._held.append((data, records))
        self._held_bytes += len(data)
        if self._held_bytes > HOLD_BYTES:
            await self._hand_on_held()

    async def _hand_on_held(self) -> None:
        """Hand on what was held back."""
        held, self._held = self._held, []
        for data, records in held:
            await self._hand_on(data, records)
            self.accepted += records


def _concatenated(parts: list[bytes]) -> bytes:
    parts = [part for part in parts if part]
    return parts[0] if len(parts) == 1 else b"".join(parts)
