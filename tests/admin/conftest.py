"""Stand-ins for a running service: parts, clock and operations moved by hand, on both loops."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pytest
import uvloop

import nss
from nss.admin.control.client import ControlClient
from nss.admin.control.server import ControlServer
from nss.admin.operations import (
    Reloaded,
    RetriedRejects,
    UploadedNow,
    unknown_feed,
    unwatchable,
)
from nss.batch import Account
from nss.config.load import parse
from nss.config.model import Config, FeedConfig
from nss.config.sources import SourceConfig
from nss.feeds.tap import Tap
from nss.setup.portal_users import Role
from nss.sources.watching import MessageTap
from nss.spool import KeptReject, ReasonCount, Reject
from nss.status.history import History, Series, Span
from nss.status.readings import (
    FeedReading,
    GapsReading,
    ParseFailureReading,
    ParsingReading,
    SourceReading,
    SpoolReading,
)
from nss.status.summary import (
    FeedStatus,
    Health,
    Reason,
    SourceStatus,
    SpoolStatus,
    Status,
    SyncStatus,
)
from nss.status.sync_readings import BlockingReading, SyncRun
from nss.telemetry import events

ENV = os.environ | {"PYTHONPATH": str(Path(nss.__file__).parent.parent)}

TOML = """
[sources.web]
kind = "stdin"

[feeds.mcas]
format = "MCAS"
[feeds.mcas.sink]
kind = "syslog_udp"
destinations = ["collector.example.com:514"]

[feeds.siem]
format = "QRADAR"
[feeds.siem.sink]
kind = "syslog_tcp"
destinations = ["siem.example.com:6514"]
stall_secs = 100
"""

NOW = 1_790_000_000.0


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


class Clock:
    """Seconds that pass only when somebody says so."""

    def __init__(self, secs: float = 1000.0) -> None:
        self.secs = secs

    def __call__(self) -> float:
        return self.secs


@dataclass
class FakeCounts:
    records: int = 0
    data_bytes: int = 0
    last_at: float | None = None


@dataclass
class FakePart:
    last_error: str | None = None
    advice: str | None = None


@dataclass
class FakeSource:
    settings: SourceConfig
    task: asyncio.Task[None]
    part: FakePart = field(default_factory=FakePart)
    counts: FakeCounts = field(default_factory=FakeCounts)

    def reading(self) -> SourceReading:
        return SourceReading(
            name=self.settings.name,
            kind=self.settings.kind,
            records=self.counts.records,
            data_bytes=self.counts.data_bytes,
            last_at=self.counts.last_at,
            ended=self.task.done(),
            last_error=self.part.last_error,
            advice=self.part.advice,
        )


@dataclass
class FakeSink:
    destination: str = "collector.example.com:514"


@dataclass
class FakeCursor:
    account: Account = field(default_factory=Account)
    pending_records: int = 0
    lag_secs: float = 0.0


@dataclass
class FakeFeedPart:
    sink: FakeSink = field(default_factory=FakeSink)
    cursor: FakeCursor = field(default_factory=FakeCursor)
    last_error: str | None = None
    handed_over: int = 0
    patience_secs: float = 0.0
    advice: str | None = None
    sending: bool = False
    accepted_records: int = 0

    def accept(self, records: int) -> None:
        self.accepted_records += records
        self.cursor.pending_records += records

    def deliver(self, records: int) -> None:
        self.cursor.account.delivered += records
        self.cursor.pending_records -= records


@dataclass
class FakeFeed:
    settings: FeedConfig
    part: FakeFeedPart = field(default_factory=FakeFeedPart)

    def reading(self) -> FeedReading:
        part, cursor = self.part, self.part.cursor
        return FeedReading(
            name=self.settings.name,
            kind=self.settings.sink.kind,
            destination=part.sink.destination,
            account=cursor.account.copy(),
            accepted=part.accepted_records,
            pending=cursor.pending_records,
            lag_secs=cursor.lag_secs,
            handed_over=part.handed_over,
            patience_secs=part.patience_secs,
            sending=part.sending,
            last_error=part.last_error,
            advice=part.advice,
        )


GAPS = GapsReading(
    source="web",
    form="json",
    unmapped={"colour": 1234, "shape\u202e": 1, "...": 7},
    missing=("an address (cip, cintip)", "a user (login)"),
)


@dataclass
class FakeSpool:
    durable: bool = True
    max_bytes: int = 1000
    used_bytes: int = 0
    full: bool = False
    last_error: str | None = None
    kept_rejects: int = 0

    def reading(self) -> SpoolReading:
        return SpoolReading(**asdict(self))


SOURCE = SourceStatus(
    name="web",
    kind="tcp",
    state="reading",
    records=1234,
    data_bytes=2048,
    records_per_sec=100.0,
    bytes_per_sec=1024.0,
    last_at=NOW - 5,
    last_error=None,
    failing_secs=0.0,
)
FEED = FeedStatus(
    name="mcas",
    kind="syslog_udp",
    destination="collector.example.com:514",
    state="moving",
    accepted=1234,
    delivered=1200,
    filtered=20,
    rejected=3,
    dropped=1,
    pending=10,
    shortened=2,
    records_per_sec=99.5,
    rejected_lately=0,
    lag_secs=1.5,
    lag_growth_secs=0.0,
    still_secs=0.0,
    patience_secs=0.0,
    sending=False,
    last_error=None,
    failing_secs=0.0,
    last_delivered_at=NOW - 3,
)
SPOOL = SpoolStatus(
    durable=True,
    used_bytes=1024,
    max_bytes=4096,
    full=False,
    full_secs=0.0,
    last_error=None,
    failing_secs=0.0,
    kept_rejects=3,
)
HOUR = 3600.0

SYNC_RUN = SyncRun(outcome="synced", target="zia", destination="X", at=NOW - HOUR, secs=3.0, urls=5)

SYNC = SyncStatus(
    target="zia",
    destination="X",
    ready=True,
    running=False,
    last=SYNC_RUN,
    last_success_at=NOW - HOUR,
    urls=5,
    failures=0,
    failing_since=None,
    next_at=NOW + HOUR,
    patience_secs=6 * HOUR,
    last_error=None,
    state="synced",
)

OPENS = BlockingReading(
    destination="X",
    at=NOW - 60,
    since=NOW - HOUR,
    blocked=False,
    code="no_rule",
    reason="no rule \x1bblocks it",
    remedy="add one",
    portal="Policy",
    experience_center="Policies",
)
"""A verdict on the category, with what no terminal should get."""

STATUS = Status(
    version="1.2.3",
    pid=77,
    started_at=NOW - 3700,
    at=NOW,
    config="/etc/nss/nss.toml",
    health=Health(ok=True, alive=True),
    sources=(SOURCE,),
    feeds=(
        FEED,
        replace(
            FEED,
            name="siem",
            kind="file",
            destination="/srv/siem.log",
            confirmation="written",
            last_delivered_at=None,
        ),
    ),
    spool=SPOOL,
)
PARSE_FAILURE = ParseFailureReading(
    at=NOW - 7200,
    text="Unsupported file type",
    remedy="set gzip = false for the sink",
    file="up-20260921T121320-5.log",
    feed="up",
)
PARSING = ParsingReading(
    data_source="NSS",
    read_at=NOW - 300,
    unreadable=None,
    parsed=12,
    failed=1,
    pending=3,
    overdue=0,
    last_parsed_at=NOW - 9000,
    last_failure=PARSE_FAILURE,
    standing=(PARSE_FAILURE,),
)
DEGRADED = replace(
    STATUS,
    health=Health(
        ok=False,
        alive=True,
        reasons=(
            Reason(component="feed mcas", why="10 records wait", since=NOW - 60),
            Reason(component="spool", why="in memory", degrades=False),
        ),
    ),
)
REJECT = KeptReject(
    number=7,
    feed="mcas",
    rejected_at=NOW - 10,
    reject=Reject("web", "192.0.2.1:999", "no JSON: '\x1b[2J'", b"\x1b[2Jbad \xff\xc3\xa9 record"),
    record_bytes=70_000,
)


class FakeOperations:
    """Says what it was made to say, and remembers what it was asked."""

    def __init__(self) -> None:
        self.current = STATUS
        self.error: Exception | None = None
        self.reloaded = Reloaded(ended=["feed old"], started=["feed mcas", "source web"])
        self.asked: list[tuple[object, ...]] = []
        self.taps: list[Tap] = []
        self.message_taps: list[MessageTap] = []
        self.tapped = asyncio.Event()
        self.untapped = asyncio.Event()
        self.kept = [REJECT]
        self.reasons = [ReasonCount("mcas", "no JSON: '\x1b[2J'", 1234, NOW - 10, REJECT)]
        self.retried = RetriedRejects(5, 2, 2, 1, {"no JSON: '\x1b[2J'": 1}, 1, 1, 0)
        self.discarded = 1234
        self.uploaded = [UploadedNow("mcas", 1234, 5, None)]

    def status(self) -> Status:
        self._fail()
        return self.current

    async def reload(self) -> Reloaded:
        self.asked.append(("reload",))
        self._fail()
        return self.reloaded

    async def replay(self, feed: str, since: float, until: float) -> int:
        self.asked.append(("replay", feed, since, until))
        self._fail()
        return 12_345

    def configuration(self) -> Config:
        return parse(TOML, Path("/etc/nss"))

    def series(self, component: str, span: Span) -> Series:
        self.asked.append(("series", component, span))
        self._fail()
        return History().series(component, span)

    async def replayable(self, feed: str, since: float, until: float) -> int:
        self.asked.append(("replayable", feed, since, until))
        self._fail()
        return 12_345

    async def replay_range(self, feed: str) -> tuple[float, float] | None:
        self.asked.append(("replay range", feed))
        self._fail()
        return NOW - HOUR, NOW

    async def rejects(self, feed: str | None, limit: int) -> list[KeptReject]:
        self.asked.append(("rejects", feed, limit))
        self._fail()
        return self.kept

    async def reject_reasons(self, feed: str | None) -> list[ReasonCount]:
        self.asked.append(("reasons", feed))
        self._fail()
        return self.reasons

    async def retry_rejects(self, feed: str | None, within_secs: float) -> RetriedRejects:
        self.asked.append(("retry", feed, within_secs))
        self._fail()
        return self.retried

    async def discard_rejects(self, feed: str | None, reason: str | None, upto: int) -> int:
        self.asked.append(("discard", feed, reason, upto))
        self._fail()
        return self.discarded

    async def upload_now(self, feeds: Sequence[str]) -> list[UploadedNow]:
        self.asked.append(("upload now", *feeds))
        self._fail()
        return self.uploaded

    def resume_uploads(self) -> list[str]:
        self.asked.append(("resume uploads",))
        self._fail()
        return ["mcas"]

    def sign_in_link(self, role: Role) -> str:
        self.asked.append(("sign-in link", role))
        self._fail()
        return "http://127.0.0.1:9633/link/token"

    def add_tap(self, tap: Tap) -> None:
        known = [feed.name for feed in self.current.feeds]
        if tap.feed is not None and tap.feed not in known:
            raise unknown_feed(tap.feed, known)
        self.taps.append(tap)
        self.tapped.set()

    def remove_tap(self, tap: Tap) -> None:
        self.taps.remove(tap)
        self.untapped.set()

    def add_message_tap(self, tap: MessageTap) -> None:
        if tap.source != "in":
            raise unwatchable(tap.source, [each.name for each in self.current.sources], ["in"])
        self.message_taps.append(tap)
        self.tapped.set()

    def remove_message_tap(self, tap: MessageTap) -> None:
        self.message_taps.remove(tap)
        self.untapped.set()

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture(autouse=True)
def _fresh_telemetry() -> None:
    events.clear()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose name leaves room for a socket's, which pytest's own does not."""
    made = Path(tempfile.mkdtemp(prefix="nss-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def socket_path(folder: Path) -> Path:
    return folder / "control.sock"


@pytest.fixture
async def operations() -> FakeOperations:
    return FakeOperations()


@pytest.fixture
async def control(socket_path: Path, operations: FakeOperations) -> AsyncIterator[ControlServer]:
    server = ControlServer(socket_path, operations)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def client(control: ControlServer, socket_path: Path) -> AsyncIterator[ControlClient]:
    """A client of a running server; it blocks, so ask in a thread."""
    assert control
    asking = ControlClient(socket_path)
    yield asking
    asking.close()


@pytest.fixture
def settings() -> tuple[SourceConfig, FeedConfig, FeedConfig]:
    """A source, a feed over UDP and one over TCP."""
    config = parse(TOML, Path("/etc/nss"))
    udp, tcp = config.feeds
    return config.sources[0], udp, tcp
