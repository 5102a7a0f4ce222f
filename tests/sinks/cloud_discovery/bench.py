"""A service written down by hand, the upload sink that talks to it, and the clock of both."""

import resource
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import orjson

from formats.lines import Lines
from nss.config.model import McasConfig
from nss.errors import NssError
from nss.https.limiter import Limiter
from nss.mcas import (
    RequestRefused,
    Unreachable,
    api_errors,
)
from nss.mcas.api import Stream
from nss.secret import Secret
from nss.sinks import Delivered, Outcome
from nss.sinks.backoff import Backoff
from nss.sinks.cloud_discovery.sink import CloudDiscoverySink
from nss.telemetry.audit import AuditLog
from tests.parts import cloud_discovery_sink

Happened = Callable[[], list[tuple[str, dict[str, object]]]]
"""Returns the events so far, each with its facts."""

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
STEPS = ("initiate", "put", "finalize")
DOWN = Unreachable("the connection broke off (https://mcas.example)")
GONE = RequestRefused("MCAS refuses the request: HTTP 400", status=400)
NO_ROLE = RequestRefused(
    "MCAS does not permit it: HTTP 403", status=403, field="role", tip="consent"
)
NO_SOURCE = RequestRefused(
    "MCAS knows no data source of that name",
    status=400,
    field="data_source",
    code=api_errors.NO_DATA_SOURCE,
)


def lines(count: int, start: int = 0, at: datetime = NOW) -> list[bytes]:
    return [
        f"LEEF:1.0|Z|N|1|{number}|cat=Allowed\tdevTime={at:%b %d %Y %H:%M:%S} GMT".encode()
        for number in range(start, start + count)
    ]


@dataclass
class Service:
    """What MCAS and its storage have; `fail` is raised by the next calls of a step."""

    asked: list[str] = field(default_factory=list)
    received_at: list[str | None] = field(default_factory=lambda: [None])
    """When the data source received data last, as each look sees it; the last stays."""
    put_at: dict[str, bytes] = field(default_factory=dict)
    finalized: dict[str, str] = field(default_factory=dict)
    names: list[tuple[str, str]] = field(default_factory=list)
    fail: dict[str, list[NssError | OSError]] = field(default_factory=dict)
    fail_after: dict[str, list[NssError]] = field(default_factory=dict)
    """As `fail`, after the step was carried out."""
    on_step: Callable[[], None] = lambda: None

    @property
    def received(self) -> list[bytes]:
        """The files that were finalized, in order."""
        return [self.put_at[url] for url in self.finalized]

    def signed_in_again(self) -> "Service":
        """The same service, as other credentials see it."""
        return replace(self)

    def _fails(self, step: str) -> None:
        self.asked.append(step)
        self.on_step()
        if self.fail.get(step):
            raise self.fail[step].pop(0)

    def _fails_after(self, step: str) -> None:
        if self.fail_after.get(step):
            raise self.fail_after[step].pop(0)

    async def initiate(self, filename: str, source_type: str) -> Secret:
        self._fails("initiate")
        self.names.append((filename, source_type))
        self._fails_after("initiate")
        return Secret(f"https://storage.example/{len(self.names)}?sig=private")

    async def put(self, url: Secret, file: IO[bytes], size_bytes: int) -> None:
        self._fails("put")
        file.seek(0)
        self.put_at[url.reveal()] = file.read(size_bytes)
        self._fails_after("put")

    async def finalize(self, url: Secret, data_source: str) -> None:
        self._fails("finalize")
        assert url.reveal() in self.put_at
        self.finalized[url.reveal()] = data_source
        self._fails_after("finalize")

    async def streams(self) -> list[Stream]:
        self._fails("streams")
        at = self.received_at[0] if len(self.received_at) == 1 else self.received_at.pop(0)
        return [Stream("NSS", at, 0, 170, "syslog udp")]


class HeldLimiter(Limiter):
    """Notes how long to hold."""

    def __init__(self, held: list[float], clock: Callable[[], float]) -> None:
        super().__init__(1000, clock=clock)
        self.held = held

    def hold(self, secs: float) -> None:
        self.held.append(secs)
        super().hold(secs)


@dataclass
class Bench:
    """A sink, the service it talks to, and the clock of both."""

    folder: Path
    service: Service = field(default_factory=Service)
    mcas: McasConfig = field(default_factory=McasConfig)
    credentials: int = 0
    signed_in_with: int = 0
    uses_token: bool = False
    at: float = 1000.0
    options: dict[str, object] = field(default_factory=dict)
    held: list[float] = field(default_factory=list)
    audit: AuditLog = field(init=False)
    limiter: Limiter = field(init=False)

    def __post_init__(self) -> None:
        self.audit = AuditLog(self.folder / "audit.log")
        self.limiter = HeldLimiter(self.held, lambda: self.at)

    # The session.

    async def api(self) -> Service:
        if self.credentials != self.signed_in_with:
            self.signed_in_with = self.credentials
            self.limiter.release()
        return self.service

    def stamp(self) -> object:
        return self.credentials

    def pass_secs(self, secs: float) -> None:
        self.at += secs

    def sink(self) -> CloudDiscoverySink:
        options = {"max_records": 1000, "max_bytes": 1_000_000, "max_secs": 300.0, "gzip": False}
        return cloud_discovery_sink(
            self,
            self.folder,
            mcas=self.mcas,
            clock=lambda: self.at,
            now=NOW.timestamp,
            backoff=Backoff(lambda: 0.0),
            **(options | self.options),
        )

    async def opened(self) -> CloudDiscoverySink:
        sink = self.sink()
        await sink.open()
        return sink

    def audited(self) -> list[dict[str, str]]:
        """Return what is in the audit log, but for who it was and when."""
        text = self.audit.path.read_bytes() if self.audit.path.exists() else b""
        found = [orjson.loads(line) for line in text.splitlines()]
        kept = ("action", "outcome", "reason", "feed", "code")
        return [{name: entry[name] for name in kept if name in entry} for entry in found]


async def collect(sink: CloudDiscoverySink, *batches: list[bytes], first: int = 1) -> None:
    for sequence, batch in enumerate(batches, first):
        sink.begin(sequence, 0.5)
        assert await sink.send(Lines.of(batch)) == Delivered()


def file_of(*batches: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for batch in batches for line in batch)


async def flushed(sink: CloudDiscoverySink, bench: Bench) -> list[Outcome]:
    """Flush as a feed does until it is delivered, and return all outcomes."""
    outcomes: list[Outcome] = []
    for _ in range(20):
        outcome = await sink.flush()
        outcomes.append(outcome)
        if isinstance(outcome, Delivered):
            return outcomes
        bench.at += outcome.delay_secs
    raise AssertionError(outcomes)


@contextmanager
def room(max_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: the system's own kind of full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@dataclass
class Batch:
    """A batch as the spool has it."""

    sequence: int
    lines: Sequence[bytes]
    accepted_at: float = 0.5


def batches(*sizes: int, first: int = 1, start: int = 0) -> list[Batch]:
    found = []
    for sequence, size in enumerate(sizes, first):
        found.append(Batch(sequence, lines(size, start)))
        start += size
    return found


async def collect_batches(sink: CloudDiscoverySink, *found: Batch, slice_lines: int = 120) -> None:
    for batch in found:
        sink.begin(batch.sequence, batch.accepted_at)
        for at in range(0, len(batch.lines), slice_lines):
            assert await sink.send(Lines.of(batch.lines[at : at + slice_lines])) == Delivered()


def times(bench: Bench) -> Counter[bytes]:
    return Counter(line for file in bench.service.received for line in file.splitlines())


def once(*found: Batch) -> Counter[bytes]:
    return Counter(line for batch in found for line in batch.lines)
