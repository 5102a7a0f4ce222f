"""A whole service: what is saved on the page is used at once, and commands show on the page."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from nss.lab.cloud import CloudLab
from nss.lab.generator import RecordGenerator
from nss.lab.ports import free_port
from nss.sync.state import SyncStore
from tests.admin.portal.integrations.conftest import hidden_of, until
from tests.admin.portal.parts import add_user, sign_in
from tests.service.conftest import COMMAND, ENV, Bench, file_source
from tests.service.conftest import bench as bench  # noqa: PLC0414 - a fixture

pytestmark = pytest.mark.long

SHOWN_SECS = 2.0
"""How soon a change made elsewhere is on an open page."""

SECTIONS = """
[portal]
listen = "127.0.0.1:{port}"
[mcas]
ca_file = "{ca}"
[zia]
ca_file = "{ca}"
[spool]
path = "spool.db"
[feeds.up]
format = "MCAS"
[feeds.up.sink]
kind = "cloud_discovery"
max_secs = 1
"""


async def run(bench: Bench, name: str, *arguments: str, secret: str = "") -> None:
    """Run a command, as an administrator does beside the page."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, name, "--config", str(bench.config), *arguments),
        env=ENV | {"NSS_MCAS_CLIENT_SECRET": secret},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


class Stream:
    """What an open page gets."""

    def __init__(self) -> None:
        self.text = ""

    async def shows(self, text: str, since: float) -> None:
        """Wait until a text has come; that must be soon after `since`."""
        await until(lambda: text in self.text)
        assert time.monotonic() - since < SHOWN_SECS


@asynccontextmanager
async def watching(client: httpx.AsyncClient) -> AsyncIterator[Stream]:
    found = Stream()

    async def read() -> None:
        async with client.stream("GET", "/integrations/live", timeout=30) as answer:
            async for text in answer.aiter_text():
                found.text += text

    task = asyncio.create_task(read())
    try:
        await until(lambda: found.text)
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_is_saved_is_used_at_once_and_commands_show(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "lab").mkdir()
    state = tmp_path / "state"
    state.mkdir()
    add_user(state)
    (tmp_path / "web.log").write_bytes(RecordGenerator(1, start_epoch=int(time.time())).batch(50))
    port = free_port()
    with CloudLab(tmp_path / "lab", requests_per_minute=1000) as lab:
        lab.mcas.unsanctioned.apps = {"App": [".a.example", "b.example"]}
        sections = SECTIONS.format(port=port, ca=lab.ca_file)
        parts = (file_source("web", follow=True),)
        running = await bench.start(sections, *parts, drain_secs=1, state=str(state))
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, headers={"origin": url}) as client:
            await sign_in(client)
            async with watching(client) as stream:
                assert "Nothing is stored yet" in stream.text
                values = hidden_of((await client.get("/integrations")).text) | {
                    "do": "save",
                    "method": "secret",
                    "client_id": lab.client_id,
                    "client_secret": lab.client_secret,
                    "authentication_url": lab.authentication_url,
                    "api_url": lab.api_url,
                }
                answer = await client.post("/integrations/mcas/submit", data=values)
                since = time.monotonic()
                assert answer.status_code == 303, answer.text
                await stream.shows(lab.client_id, since)
                # The service uploads, and syncs, with what was saved just now.
                await until(lambda: lab.parser.records == 50)
                await until(lambda: SyncStore(state).history().urls == 2)
                await until(lambda: "MCAS confirms uploads" in stream.text)

                stream.text = ""
                lab.mcas.unsanctioned.apps["More"] = [".c.example"]
                await run(bench, "sync-unsanctioned")
                await stream.shows("1 added", time.monotonic())
                await run(bench, "clear-mcas2", "--yes")
                await stream.shows("Nothing is stored yet", time.monotonic())
        running.send_signal(signal.SIGTERM)
        assert await running.ended() == 0
        assert lab.client_secret.encode() not in running.raw_log
        assert lab.complaints == []
