"""One batch on its way from the thread of a consumer to the spool, which the event loop owns."""

import asyncio
import threading
from dataclasses import dataclass, field

from nss.batch import Batch
from nss.sources import Accept
from nss.sources.kafka.messages import Framed


@dataclass(eq=False)
class Handing:
    """A batch that is being handed on. `settled` is set once its fate is known."""

    batch: Batch
    framed: Framed
    settled: threading.Event = field(default_factory=threading.Event)
    accepted: bool = False
    sequence: int | None = None
    error: BaseException | None = None
    _task: "asyncio.Task[None] | None" = None
    _given_up: bool = False

    def begin(self, loop: asyncio.AbstractEventLoop, accept: Accept) -> None:
        """Hand it on; from any thread. Raises `RuntimeError` when the loop is closed."""
        loop.call_soon_threadsafe(self._begin, accept)

    def give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have it not accepted, unless its commit has begun; from any thread."""

        def cancel() -> None:
            self._given_up = True
            if self._task is not None:
                self._task.cancel()

        loop.call_soon_threadsafe(cancel)

    def _begin(self, accept: Accept) -> None:
        self._task = asyncio.create_task(self._hand_on(accept))

    async def _hand_on(self, accept: Accept) -> None:
        try:
            self.sequence = await accept(self.batch)
            self.accepted = True
        except asyncio.CancelledError:
            if not self._given_up:
                raise
        except Exception as error:  # noqa: BLE001 - the source raises it
            self.error = error
        finally:
            self.settled.set()
