"""What tests of rendering in threads share: records, sinks that are slow or fail, a held pool."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

import orjson

from formats import filters, language
from formats.lines import Lines
from formats.pipeline import FeedSettings
from formats.reading.json import json_names
from nss.batch import Batch
from nss.feeds.pipelines import Origin
from nss.feeds.pool import RenderPool
from nss.sinks import Delivered, Outcome, Rejected, RetryAfter, TooLong

T = TypeVar("T")

FORMAT = language.parse("%s{time} %s{login} %s{eurl} %d{reqsize}\n")


def origin(**settings: object) -> Origin:
    """Return the origin of JSON records with NSS field names."""
    return Origin(json_names(), FeedSettings(FORMAT, **settings))  # type: ignore[arg-type]


def filtering() -> Origin:
    """Return one that leaves out what `nobody` did."""
    return origin(filter=filters.parse({"not_users": ["nobody"]}))


def record(user: str, url: str = "example.com/", second: int = 0) -> bytes:
    """Return a record, ended by LF."""
    time = f"Thu Jan  1 00:{second // 60 % 60:02}:{second % 60:02} 2026"
    return orjson.dumps({"time": time, "login": user, "eurl": url, "reqsize": second}) + b"\n"


def batch(*records: bytes, connection: str = "", source: str = "web") -> Batch:
    """Return a batch of records."""
    return Batch(source, b"".join(records), len(records), connection=connection)


def batches(count: int, records: int, user: str = "ann", connection: str = "") -> list[Batch]:
    """Return batches whose records all differ, by number."""
    return [
        batch(
            *(record(f"{user}{at * records + number}", second=number) for number in range(records)),
            connection=connection,
        )
        for at in range(count)
    ]


def mixed(chance: random.Random, count: int, connection: str = "") -> Batch:
    """Return a batch of records of all fates, a tenth of them for Python to do."""
    kinds: list[Callable[[str, int], bytes]] = [_ordinary, _array, _hostile, _damaged, _unfit]
    weights = [90, 4, 3, 2, 1]
    found = []
    for number in range(count):
        (user,) = chance.choices(["ann", "bob", "cid", "nobody", "refused"], [30, 30, 30, 9, 1])
        kind = chance.choices(kinds, weights)[0]
        found.append(kind(f"{user}{connection}-{number}", chance.randrange(3000)))
    return batch(*found, connection=connection)


def _ordinary(user: str, second: int) -> bytes:
    return record(user, second=second)


def _array(user: str, second: int) -> bytes:
    return b"[" + record(user, second=second)[:-1] + b"]\n"


def _hostile(user: str, second: int) -> bytes:
    return record(user, 'x"\\\u00e9\u2028|=,\t\u0001' * 5, second)


def _damaged(user: str, second: int) -> bytes:
    return record(user, second=second)[:-9] + b"\n"


def _unfit(user: str, second: int) -> bytes:
    return record(user, "long/" * 300, second)


class Moody:
    """A sink that is slow and fails, as the lines say and a chance of its own.

    What becomes of a line does not depend on how lines are cut into slices.
    """

    def __init__(
        self, chance: random.Random, max_line_bytes: int = 1000, *, wants_keys: bool = False
    ) -> None:
        self.name = self.destination = "moody"
        self.last_error: str | None = None
        self.remedy = ""
        self.advice: str | None = None
        self.max_line_bytes = max_line_bytes
        self.wants_keys = wants_keys
        self.taken: list[bytes] = []
        self.keys: list[int] = []
        self.states: list[str] = []
        self._chance = chance

    async def open(self) -> None:
        self.states.append("open")

    async def send(self, lines: Lines, keys: Sequence[int] | None = None) -> Outcome:
        assert max(map(len, lines)) <= self.max_line_bytes
        await asyncio.sleep(self._chance.choice([0] * 9 + [0.0005]))
        mood = self._chance.random()
        sent = next((at for at, line in enumerate(lines) if b"refused" in line), len(lines))
        if mood < 0.2:
            sent = self._chance.randrange(sent + 1)
            outcome: Outcome = RetryAfter(sent, 0.0001, "busy")
        elif sent < len(lines):
            outcome = Rejected(sent, "not wanted")
        elif mood < 0.3:
            sent = self._chance.randrange(sent + 1)
            outcome = TooLong(sent, self.max_line_bytes)
        else:
            outcome = Delivered()
        self.taken += lines[:sent]
        self.keys += list(keys or ())[:sent]
        return outcome

    async def close(self) -> None:
        self.states.append("closed")


class Gate(Moody):
    """A sink that takes all lines, but none while its gate is closed."""

    def __init__(self, *outcomes: Outcome) -> None:
        super().__init__(random.Random(1))
        self.gate = asyncio.Event()
        self.sends = 0
        self._outcomes = list(outcomes)

    async def send(self, lines: Lines, keys: Sequence[int] | None = None) -> Outcome:  # noqa: ARG002 - the contract's
        self.sends += 1
        await self.gate.wait()
        outcome = self._outcomes.pop(0) if self._outcomes else Delivered()
        self.taken += lines if isinstance(outcome, Delivered) else lines[: outcome.sent]
        return outcome


class HeldPool(RenderPool):
    """A pool whose work is done when the test lets it, on the event loop.

    With `failing`, this is what all work fails with.
    """

    def __init__(self, slice_bytes: int = 4096) -> None:
        super().__init__(1, slice_bytes, 1)
        self.begun = 0
        self.held: list[tuple[asyncio.Future[object], Callable[[], object]]] = []
        self.failing: BaseException | None = None
        self.open = False

    def run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        self.begun += 1
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.held.append((future, work))  # type: ignore[arg-type]
        if self.open:
            self.release()
        return future

    def release(self) -> None:
        """Do what is held."""
        for future, work in self.held:
            if self.failing is not None:
                future.set_exception(self.failing)
            else:
                future.set_result(work())
        self.held.clear()

    def close(self) -> None:
        """End, and hold nothing any more: a test that failed must not wait for ever."""
        self.open = True
        self.release()
        super().close()
