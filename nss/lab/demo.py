"""The demonstration: record generator, the service as it ships, and collector, on loopback.

A TCP source, one MCAS feed, one UDP collector. A few of the generated records are made to be
rejected, to show what becomes of them.
"""

import asyncio
import contextlib
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from nss.config.sources import FileSourceConfig
from nss.lab.collector import Collector
from nss.lab.demo_service import DemoService, folder_of_demo
from nss.lab.discovery import Discovery
from nss.lab.generator import RecordGenerator
from nss.sources.file.whole import WholeFile
from nss.spool import ReasonCount

TICK_SECS = 0.02
LOOK_SECS = 0.25
SAMPLES = 3

BAD_RECORDS = (
    b'{"time":"Fri Feb 30 09:05:08 2026","login":"ana@example.com","eurl":"example.com/"}',
    b'{"time":"Fri Oct  9 09:05:08 2026","login":"ana@example.com","reqsize":"a lot"}',
    b'{"login":"ana@example.com","eurl":"example.com/"}',
)
"""Records that no feed can deliver: an impossible time, a size that is no number, no time."""

FIRST_BAD, BAD_EVERY = 20, 2_500


@dataclass(slots=True)
class Progress:
    """How far a demonstration has come. Rates are records a second."""

    sent: int = 0
    bad: int = 0
    """Records sent that were made to be rejected."""
    accepted: int = 0
    """Records that the source has accepted, when the service was asked last."""
    pending: int = 0
    delivered: int = 0
    received: int = 0
    malformed: int = 0
    rejected: int = 0
    shortened: int = 0
    elapsed_secs: float = 0.0
    finished: bool = False
    sent_per_sec: float = 0.0
    accepted_per_sec: float = 0.0
    delivered_per_sec: float = 0.0
    received_per_sec: float = 0.0
    reasons: list[ReasonCount] = field(default_factory=list)
    samples: deque[bytes] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    """Lines as the collector received them, the newest last."""

    @property
    def lost(self) -> int:
        """Records sent that neither arrived nor were rejected; certain once finished."""
        return self.sent - self.received - self.rejected

    @property
    def unexpected(self) -> int:
        """Records rejected beyond those made for it."""
        return self.rejected - self.bad


class Demo:
    """One demonstration run: `async for progress in demo.run()`.

    The records are `sample`'s, or generated ones and, of those, a few bad ones.
    """

    def __init__(
        self, seconds: float, records_per_sec: int, *, seed: int = 1, sample: Path | None = None
    ) -> None:
        self.progress = Progress()
        self.discovery = Discovery()
        self.malformed_examples: list[tuple[bytes, str]] = []
        self.seconds = seconds
        self.sample = sample
        self._records_per_sec = records_per_sec
        generator = RecordGenerator(
            seed, records_per_sec=records_per_sec, start_epoch=int(time.time())
        )
        self._lines = (
            _sample_lines(sample)
            if sample is not None
            else _with_bad_ones(generator.lines(sys.maxsize))
        )
        self._seen: deque[tuple[float, int, int]] = deque(maxlen=8)

    @property
    def is_good(self) -> bool:
        """Whether all arrived, well-formed, but for what was made to be rejected."""
        progress = self.progress
        is_expected = self.sample is not None or not progress.unexpected
        is_whole = progress.finished and not progress.lost and not progress.malformed
        return is_whole and is_expected and progress.received > 0

    @property
    def is_useless(self) -> bool:
        """Whether no record of the sample could be delivered: there are none, or all are bad."""
        progress = self.progress
        is_whole = progress.finished and not progress.lost
        return self.sample is not None and is_whole and not progress.received

    async def run(self) -> AsyncIterator[Progress]:
        """Run it, yielding the progress a few times a second and once when all is done."""
        async with Collector() as collector:
            self.discovery = collector.discovery
            self.malformed_examples = collector.malformed_examples
            with folder_of_demo() as folder:
                async with DemoService(Path(folder), collector.port) as service:
                    began = time.monotonic()
                    sending = asyncio.create_task(self._send(service, began))
                    try:
                        while not sending.done():
                            await asyncio.wait({sending}, timeout=LOOK_SECS)
                            await self._ask(service)
                            self._look(collector, began)
                            yield self.progress
                        await sending
                    finally:
                        sending.cancel()
                    await service.stop()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(1):
                            await collector.arrived(service.delivered)
                    self._add_up(service, collector)
        self.progress.finished = True
        yield self.progress

    def _add_up(self, service: DemoService, collector: Collector) -> None:
        """Take the last numbers; rates are those over all of it."""
        progress = self.progress
        progress.received, progress.malformed = collector.messages, collector.malformed
        progress.accepted, progress.delivered = service.accepted, service.delivered
        progress.rejected, progress.shortened = service.rejected, service.shortened
        progress.pending = service.accepted - service.delivered - service.rejected
        progress.reasons = service.reasons
        secs = progress.elapsed_secs or 1.0
        progress.sent_per_sec = progress.sent / secs
        progress.accepted_per_sec = progress.accepted / secs
        progress.delivered_per_sec = progress.delivered / secs
        progress.received_per_sec = progress.received / secs

    async def _ask(self, service: DemoService) -> None:
        status = await service.status()
        if status is None:
            return
        (source,), (feed,) = status.sources, status.feeds
        self.progress.accepted = source.records
        self.progress.accepted_per_sec = source.records_per_sec
        self.progress.pending = feed.pending
        self.progress.delivered = feed.delivered
        self.progress.rejected = feed.rejected
        self.progress.shortened = feed.shortened
        self.progress.delivered_per_sec = feed.records_per_sec

    def _look(self, collector: Collector, began: float) -> None:
        progress = self.progress
        progress.received = collector.messages
        progress.malformed = collector.malformed
        progress.elapsed_secs = time.monotonic() - began
        if collector.last and collector.last not in progress.samples:
            progress.samples.append(collector.last)
        self._seen.append((progress.elapsed_secs, progress.sent, progress.received))
        before, sent, received = self._seen[0]
        if (secs := progress.elapsed_secs - before) > 0:
            progress.sent_per_sec = (progress.sent - sent) / secs
            progress.received_per_sec = (progress.received - received) / secs

    async def _send(self, service: DemoService, began: float) -> None:
        """Send records at the chosen rate until the time is up or the records have run out."""
        while (elapsed := time.monotonic() - began) < self.seconds:
            due = int((elapsed + TICK_SECS) * self._records_per_sec) - self.progress.sent
            block = list(islice(self._lines, max(due, 0)))
            if block:
                await service.send(b"\n".join(block) + b"\n")
                self.progress.sent += len(block)
                if self.sample is None:
                    self.progress.bad += sum(line in BAD_RECORDS for line in block)
            await asyncio.sleep(TICK_SECS)
            if len(block) < due:
                return  # the records have run out


def _with_bad_ones(records: Iterator[bytes]) -> Iterator[bytes]:
    """Yield records, with each bad one soon after the start, and then one from time to time."""
    soon = {FIRST_BAD * (1 + index): bad for index, bad in enumerate(BAD_RECORDS)}
    for number, record in enumerate(records):
        if number in soon:
            yield soon[number]
        elif number and number % BAD_EVERY == 0:
            yield BAD_RECORDS[number // BAD_EVERY % len(BAD_RECORDS)]
        yield record


def _sample_lines(path: Path) -> Iterator[bytes]:
    """Yield the records of a file, one a line, whatever its layout."""
    file = WholeFile(FileSourceConfig(name="sample", path=path, follow=False))
    try:
        while (batch := file.read()) is not None:
            yield from batch.data.removesuffix(b"\n").split(b"\n")
    finally:
        file.close()
