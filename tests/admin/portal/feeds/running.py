"""A real service with a portal, on a spool on disk, for tests that look at its feeds."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from nss.admin.control.client import ControlClient
from nss.setup.portal_users import Role
from tests.admin.portal.feeds.conftest import Browser
from tests.service.conftest import Bench, Running, file_feed, file_source

SPOOL = '[spool]\npath = "spool.db"\nmin_free_bytes = 0\n'
PORTAL = '[portal]\nlisten = "127.0.0.1:0"\n'
WAIT_SECS = 60.0


@dataclass
class RealService:
    """`nss run` with a source `web` that follows a file, and the feeds `out` and `other`."""

    bench: Bench
    running: Running

    def append(self, data: bytes) -> None:
        """Have records arrive."""
        with (self.bench.folder / "web.log").open("ab") as file:
            file.write(data)

    def lines(self) -> list[bytes]:
        """Return what the feed `out` has delivered."""
        path = self.bench.folder / "out"
        return path.read_bytes().splitlines() if path.exists() else []

    async def link(self, role: Role = "admin") -> str:
        """Return a URL that signs in once."""

        def ask() -> str:
            client = ControlClient(self.bench.folder / "control.sock")
            try:
                return client.sign_in_link(role)
            finally:
                client.close()

        return await asyncio.to_thread(ask)

    @asynccontextmanager
    async def browser(self, role: Role = "admin") -> AsyncIterator[Browser]:
        """Return somebody who has signed in, without scripts."""
        base, _, token = (await self.link(role)).partition("/once?t=")
        async with httpx.AsyncClient(base_url=base, timeout=10, trust_env=False) as http:
            await http.post("/once", data={"t": token}, headers={"origin": base})
            page = (await http.get("/feeds")).text
            csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
            yield Browser(http, self.bench.folder / "state", csrf)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something of another process holds."""
    async with asyncio.timeout(WAIT_SECS):
        while not holds():  # noqa: ASYNC110 - of a process
            await asyncio.sleep(0.05)


@asynccontextmanager
async def real_service(folder: Path) -> AsyncIterator[RealService]:
    """Run one in a folder, whose name leaves room for a socket's."""
    bench = Bench(folder)
    (folder / "state").mkdir(mode=0o700)
    (folder / "web.log").touch()
    feeds = (file_feed("out", 'filter = { not_users = ["robot@*"] }'), file_feed("other"))
    bench.write(SPOOL, PORTAL, file_source("web", follow=True), *feeds, state="state")
    text = bench.config.read_text()
    bench.config.write_text(
        text.replace('control_socket = "off"', 'control_socket = "control.sock"')
    )
    running = await Running.start(bench.config)
    bench.started.append(running)
    try:
        await running.reported("service_started")
        yield RealService(bench, running)
        running.send_signal(signal.SIGTERM)
        await running.ended()
    finally:
        await bench.clear()
