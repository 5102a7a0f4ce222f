"""A restart under an open page: who was signed in still is; who no longer may be is not."""

import asyncio
import contextlib
from pathlib import Path

import httpx
import orjson
import pytest

from nss.admin.portal.handover import FILE_NAME, KEPT_SECS, leave, take
from nss.admin.portal.sessions import Sessions
from nss.setup.portal_users import PortalUsers
from tests.admin.conftest import Clock, FakeOperations
from tests.admin.portal.parts import CHEAP, add_user, browser, served, sign_in, token_of
from tests.admin.portal.test_server import browser as browser_of
from tests.admin.portal.test_server import listening


def sessions(clock: Clock) -> Sessions:
    return Sessions(1800, 3600, clock=clock)


async def test_who_was_signed_in_still_is_after_a_restart(tmp_path: Path) -> None:
    add_user(tmp_path)
    async with served(tmp_path, FakeOperations()) as app, browser(app) as client:
        await sign_in(client)
        cookies, token = client.cookies, await token_of(client)
    text = (tmp_path / FILE_NAME).read_text()
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert not any(value in text for value in cookies.values())

    async with served(tmp_path, FakeOperations()) as app, browser(app) as client:
        assert not (tmp_path / FILE_NAME).exists()
        client.cookies = cookies
        assert (await client.get("/")).status_code == 200
        assert (await client.post("/sign-out", data={"csrf": token})).status_code == 303


async def test_who_was_removed_meanwhile_is_not(tmp_path: Path) -> None:
    add_user(tmp_path)
    async with served(tmp_path, FakeOperations()) as app, browser(app) as client:
        await sign_in(client)
        cookies = client.cookies
    PortalUsers(tmp_path, cost=CHEAP).remove("alice")

    async with served(tmp_path, FakeOperations()) as app, browser(app) as client:
        client.cookies = cookies
        assert (await client.get("/")).status_code == 303


async def test_who_signs_out_while_the_service_ends_has_signed_out(tmp_path: Path) -> None:
    async with listening(tmp_path) as server:
        async with browser_of(server) as client:
            await client.post("/once", data={"t": httpx.URL(server.new("admin")).params["t"]})
            form = f"csrf={await token_of(client)}".encode()
            cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        place = server.address.removeprefix("http://")
        head = (
            f"POST /sign-out HTTP/1.1\r\nhost: {place}\r\norigin: http://{place}\r\n"
            f"cookie: {cookie}\r\ncontent-type: application/x-www-form-urlencoded\r\n"
            f"content-length: {len(form)}\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", server.bound_port)
        with contextlib.closing(writer):
            writer.write(head.encode() + form[:5])
            await asyncio.sleep(0.2)
            closing = asyncio.create_task(server.close())
            await asyncio.sleep(0.2)
            writer.write(form[5:])
            async with asyncio.timeout(30):
                answer = await reader.read()
                await closing

    assert answer.startswith(b"HTTP/1.1 303")
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize(
    ("away_secs", "goes_on"), [(0, True), (KEPT_SECS, True), (KEPT_SECS + 1, False), (-1, False)]
)
def test_a_restart_may_take_two_minutes(tmp_path: Path, away_secs: float, goes_on: bool) -> None:  # noqa: FBT001
    clock = Clock()
    before, after = sessions(clock), sessions(Clock(5.0))
    token, _ = before.begin("alice", "admin", "stamp")
    leave(tmp_path, before, now=lambda: 1000.0)
    take(tmp_path, after, now=lambda: 1000.0 + away_secs)

    found = after.find(token)
    assert (found is not None) == goes_on
    assert not (tmp_path / FILE_NAME).exists()


def test_time_away_counts_as_idle_and_as_age(tmp_path: Path) -> None:
    clock, then = Clock(), Clock(50.0)
    before, after = sessions(clock), sessions(then)
    idle, _ = before.begin("alice", "admin")
    clock.secs += 1790
    used, _ = before.begin("bob", "viewer")
    leave(tmp_path, before, now=lambda: 0.0)
    take(tmp_path, after, now=lambda: 11.0)

    assert after.find(idle) is None
    assert after.find(used) is not None
    then.secs += 1800
    assert after.find(used) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b"[]",
        b'{"form":2,"saved_at":1000,"sessions":[]}',
        orjson.dumps({"form": 1, "saved_at": 1000, "sessions": [{"key": "zz"}]}),
        orjson.dumps(
            {
                "form": 1,
                "saved_at": 1000,
                "sessions": [
                    {"key": "no hex", "user": "eve", "role": "admin", "stamp": "", "csrf": ""}
                    | {"age_secs": 0, "idle_secs": 0}
                ],
            }
        ),
        b"x" * (2 << 20),
    ],
)
def test_a_file_that_makes_no_sense_signs_nobody_in(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    (tmp_path / FILE_NAME).chmod(0o600)
    found = sessions(Clock())
    take(tmp_path, found, now=lambda: 1000.0)

    assert len(found) == 0
    assert not (tmp_path / FILE_NAME).exists()


def test_a_file_that_others_could_write_signs_nobody_in(tmp_path: Path) -> None:
    before = sessions(Clock())
    token, _ = before.begin("alice", "admin")
    leave(tmp_path, before, now=lambda: 0.0)
    (tmp_path / FILE_NAME).chmod(0o660)
    found = sessions(Clock())
    take(tmp_path, found, now=lambda: 0.0)

    assert found.find(token) is None


def test_nothing_is_written_where_nobody_is_signed_in_or_nothing_can_be(tmp_path: Path) -> None:
    leave(tmp_path, sessions(Clock()))
    signed_in = sessions(Clock())
    signed_in.begin("alice", "admin")
    leave(tmp_path / "missing", signed_in)
    take(tmp_path / "missing", signed_in)

    assert list(tmp_path.iterdir()) == []
    assert len(signed_in) == 1
