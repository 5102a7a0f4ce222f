"""The configuration edited in the portal of a real service: in force, refused, and by the unit."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import orjson
import pytest

from nss.lab.ports import free_port
from nss.setup.password_hashes import Cost
from nss.setup.portal_users import PortalUsers
from tests.admin.portal.configuration.parts import form_of, shown
from tests.admin.portal.parts import PASSWORD, sign_in, token_of
from tests.service.conftest import Bench, Running, file_feed, file_source

pytestmark = pytest.mark.long


@pytest.fixture
def port(bench: Bench) -> int:
    """A free port, after somebody was let in."""
    (bench.folder / "state").mkdir()
    PortalUsers(bench.folder / "state", cost=Cost(1, 8, 1)).set_password("alice", PASSWORD, "admin")
    return free_port()


async def started(bench: Bench, port: int) -> Running:
    portal = f'[portal]\nlisten = "127.0.0.1:{port}"\n'
    (bench.folder / "web.log").touch()
    source = file_source("web", follow=True)
    return await bench.start(portal, source, file_feed("out"), state="state")


@asynccontextmanager
async def signed_in(port: int) -> AsyncIterator[httpx.AsyncClient]:
    address = f"http://127.0.0.1:{port}"
    headers = {"origin": address, "accept": "text/html"}
    async with httpx.AsyncClient(base_url=address, headers=headers) as client:
        assert (await sign_in(client)).status_code == 303
        yield client


async def put(client: httpx.AsyncClient, before: str, after: str) -> httpx.Response:
    """Replace something in the editor, check it, and put it in force."""
    opened = form_of((await client.get("/configuration/edit")).text)
    assert before in opened["text"]
    fields = {**opened, "text": opened["text"].replace(before, after)}
    token = {"csrf": await token_of(client)}
    checked = await client.post("/configuration/edit", data={**token, **fields, "do": "check"})
    form = form_of(checked.text)
    return await client.post("/configuration/edit", data={**token, **form, "do": "put"})


def content(path: Path) -> bytes:
    return path.read_bytes()


def outcomes(bench: Bench) -> list[tuple[object, object]]:
    lines = (bench.folder / "state" / "audit.log").read_bytes().splitlines()
    entries = [orjson.loads(line) for line in lines]
    assert all(entry["who"] == "alice (portal)" for entry in entries)
    return [(entry["action"], entry["outcome"]) for entry in entries]


async def test_a_feed_that_is_added_starts_and_can_be_undone(bench: Bench, port: int) -> None:
    running = await started(bench, port)
    before = content(bench.config)
    async with signed_in(port) as client:
        answer = await put(client, "[feeds.out]", f"{file_feed('added')}\n[feeds.out]")
        assert answer.status_code == 303, shown(answer.text)
        event = await running.reported("configuration_reloaded")
        assert (event["started"], event["ended"]) == (["feed added"], [])
        assert "Started: feed added." in shown((await client.get("/configuration")).text)
        assert "[feeds.added]" in (await client.get("/configuration")).text

        versions = await client.get("/configuration/versions")
        digest = versions.text.partition('name="digest" value="')[2].partition('"')[0]
        data = {"csrf": await token_of(client), "digest": digest}
        undone = await client.post("/configuration/versions/1", data=data)
        assert undone.status_code == 303
        event = await running.reported("configuration_reloaded")
        assert event["ended"] == ["feed added"]
    assert content(bench.config) == before
    assert outcomes(bench) == [
        ("portal sign-in", "passed"),
        ("configuration change", "put in force"),
        ("configuration undo", "put in force"),
    ]
    await stop(running)


async def test_what_the_service_refuses_is_put_back(bench: Bench, port: int) -> None:
    running = await started(bench, port)
    before = content(bench.config)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        tcp = f'[sources.tcp]\nkind = "tcp"\nlisten = "127.0.0.1:{taken.getsockname()[1]}"\n'
        async with signed_in(port) as client:
            answer = await put(client, "[feeds.out]", f"{tcp}\n[feeds.out]")
            page = shown(answer.text)
            assert answer.status_code == 409
            assert "Not in force: the service has refused it: source tcp: can't listen at" in page
            assert form_of(answer.text)["text"].count("[sources.tcp]") == 1
            settings = shown((await client.get("/configuration")).text)
    assert "something else than what is in force" not in settings
    assert "[sources.tcp]" not in settings
    assert content(bench.config) == before
    await running.reported("reload_refused")
    assert outcomes(bench)[-1] == ("configuration change", "refused")
    running.send_signal(signal.SIGHUP)
    await running.reported("configuration_reloaded")
    await stop(running)


async def test_a_service_killed_while_it_reloads_explains_what_is_in_the_file(
    bench: Bench, port: int
) -> None:
    running = await started(bench, port)
    async with signed_in(port) as client:
        changing = asyncio.create_task(put(client, '"QRADAR"', '"CSV"'))
        kept = bench.folder / "state" / "configurations" / "1.toml"
        async with asyncio.timeout(30):
            while not await asyncio.to_thread(kept.exists):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0)
        running.process.kill()
        await asyncio.gather(changing, return_exceptions=True)
    await running.kill()

    file, version = content(bench.config), content(kept)
    again = await Running.start(bench.config)
    bench.started.append(again)
    await again.reported("service_started")
    async with signed_in(port) as client:
        page = shown((await client.get("/configuration")).text)
        listed = shown((await client.get("/configuration/versions")).text)
    if b'"unfinished"' in version:
        in_file = "its text is in the file" if b'"CSV"' in file else "as it was before"
        assert "The last change, by alice (portal), was cut short: " in page
        assert in_file in page
    assert "Version 1 replaced" in listed
    assert b'"QRADAR"' in version
    await stop(again)


async def stop(running: Running) -> None:
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0
