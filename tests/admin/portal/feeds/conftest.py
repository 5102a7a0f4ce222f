"""The pages of feeds in front of a stand-in for the service, on a real port of loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import orjson
import pytest
import uvloop

from nss.admin.operations import RetriedRejects, UploadedNow
from nss.admin.portal.server import PortalServer
from nss.config.load import parse
from nss.config.model import Config
from nss.setup.portal_users import Role
from nss.spool import KeptReject, ReasonCount, Reject
from nss.status.history import History, Series, Span
from nss.status.readings import UploadReading
from nss.status.summary import FeedStatus
from tests.admin.conftest import FEED, NOW, STATUS, FakeOperations

CONFIG = """
[service]
state_directory = "{folder}"

[portal]
listen = "127.0.0.1:0"

[sources.web]
kind = "tcp"
listen = "127.0.0.1:0"

[sources.other]
kind = "stdin"

[feeds.mcas]
format = "MCAS"
zone = "Europe/Berlin"
sources = ["web"]
filter = {{ not_users = ["healthcheck@example.com"] }}
[feeds.mcas.sink]
kind = "syslog_udp"
destinations = ["collector.example.com:514"]

[feeds.siem]
format_string = '%d{{epochtime}} %s{{elogin}} <b>%s{{eurl}}</b>'
[feeds.siem.sink]
kind = "file"
path = "siem.log"
"""


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run on the loop of the service; what depends on how a loop ends streams, on both."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop}
    if item.path.name == "test_tapping.py":
        loops["asyncio"] = asyncio.SelectorEventLoop
    return loops


UPLOAD = UploadReading(
    state="held",
    last_confirmed_at=NOW - 100,
    next_due_at=NOW + 50,
    held_until=NOW + 500,
    unconfirmed=0,
)


class PortalOperations(FakeOperations):
    """Says what pages of feeds ask for."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.history = History()
        self.range: tuple[float, float] | None = (NOW - 1800, NOW)
        self.replayed = 12_345
        self.retried = RetriedRejects(5, 2, 2, 1, {"too long": 1}, 1, 1, 0)
        self.held = ["mcas"]
        self.feed_error: Exception | None = None
        """Raised by what is asked of a feed; the status is there all the same."""

    def configuration(self) -> Config:
        return self.config

    def series(self, component: str, span: Span) -> Series:
        self.asked.append(("series", component, span))
        self._fail()
        return self.history.series(component, span)

    async def replay_range(self, feed: str) -> tuple[float, float] | None:
        self.asked.append(("replay range", feed))
        self._refuse()
        return self.range

    async def replayable(self, feed: str, since: float, until: float) -> int:
        self.asked.append(("replayable", feed, since, until))
        self._refuse()
        return self.replayed

    async def replay(self, feed: str, since: float, until: float) -> int:
        self._refuse()
        await super().replay(feed, since, until)
        return self.replayed

    async def upload_now(self, feeds: Sequence[str]) -> list[UploadedNow]:
        self._refuse()
        return await super().upload_now(feeds)

    async def retry_rejects(self, feed: str | None, within_secs: float) -> RetriedRejects:
        self._refuse()
        return await super().retry_rejects(feed, within_secs)

    def resume_uploads(self) -> list[str]:
        super().resume_uploads()
        return self.held

    def _refuse(self) -> None:
        if self.feed_error is not None:
            raise self.feed_error

    def show(self, **changes: object) -> None:
        """Have the feed `mcas` be as `changes` say."""
        feed: FeedStatus = replace(self.current.feeds[0], **changes)  # type: ignore[arg-type]
        self.current = replace(self.current, feeds=(feed, *self.current.feeds[1:]))

    def reject(self, reason: str, *data: bytes, connection: str = "192.0.2.1:999") -> None:
        """Have rejects of the feed `mcas` for a reason, as the only ones."""
        self.kept = [
            KeptReject(number, "mcas", NOW - 10, Reject("web", connection, reason, each), len(each))
            for number, each in enumerate(data, 1)
        ]
        self.reasons = [ReasonCount("mcas", reason, len(data), NOW - 10)]


@dataclass
class Browser:
    """Somebody who has signed in, without scripts."""

    http: httpx.AsyncClient
    folder: Path
    csrf: str = field(default="")

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers=headers)

    async def page(self, path: str) -> str:
        """Return a page that is there."""
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form of this session; a redirection is followed."""
        return await self.http.post(
            path,
            data={"csrf": self.csrf, **fields},
            headers={"origin": str(self.http.base_url).rstrip("/")},
            follow_redirects=True,
        )

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[AsyncIterator[str]]:
        """Open an event stream; yields its messages."""
        async with self.http.stream("GET", path, headers={"accept": "text/event-stream"}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield messages(answer.aiter_lines())

    def audited(self) -> list[dict[str, object]]:
        """Return what the audit log has, without sign-ins."""
        entries = map(orjson.loads, (self.folder / "audit.log").read_bytes().splitlines())
        return [entry for entry in entries if "sign-in" not in entry["action"]]


async def messages(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """Yield the data of each message of a stream."""
    data: list[str] = []
    async for line in lines:
        if line.startswith("data: "):
            data.append(line.removeprefix("data: "))
        elif not line and data:
            yield "\n".join(data)
            data = []


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


@dataclass
class Served:
    """The portal at work."""

    server: PortalServer
    operations: PortalOperations
    folder: Path
    config_path: Path
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    async def browser(self, role: Role = "admin") -> Browser:
        """Return somebody of a role who has just signed in."""
        base = self.server.address
        http = httpx.AsyncClient(base_url=base, timeout=10, trust_env=False)
        self.clients.append(http)
        token = self.server.new(role).partition("?t=")[2]
        answer = await http.post("/once", data={"t": token}, headers={"origin": base})
        assert answer.status_code == 303, answer.text
        page = await http.get("/feeds")
        csrf = page.text.partition('name="csrf" value="')[2].partition('"')[0]
        return Browser(http, self.folder, csrf)


@pytest.fixture
async def served(folder: Path) -> AsyncIterator[Served]:
    path = folder / "nss.toml"
    path.write_text(CONFIG.format(folder=folder))
    config = parse(path.read_text(), folder)
    operations = PortalOperations(config)
    feeds = (FEED, replace(STATUS.feeds[1], last_delivered_at=None))
    operations.current = replace(STATUS, feeds=feeds)
    server = PortalServer(config, path, operations)
    await server.start()
    made = Served(server, operations, folder, path)
    yield made
    for client in made.clients:
        await client.aclose()
    await server.close()


@pytest.fixture
async def admin(served: Served) -> Browser:
    return await served.browser()


@pytest.fixture
async def viewer(served: Served) -> Browser:
    return await served.browser("viewer")


@pytest.fixture
async def operations(served: Served) -> PortalOperations:
    return served.operations
