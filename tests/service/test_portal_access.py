"""Who can sign in at the portal is looked at when the service starts."""

import asyncio
import signal
from pathlib import Path

import pytest

from nss.admin.control.client import ControlClient
from nss.errors import UsageError
from nss.setup.password_hashes import Cost
from nss.setup.portal_users import FILE_NAME, PortalUsers
from tests.service.conftest import Bench, Running, file_feed

pytestmark = pytest.mark.long

STDIN = '[sources.web]\nkind = "stdin"\n'
PORTAL = '[portal]\nlisten = "127.0.0.1:0"\n'


@pytest.fixture
def state(bench: Bench) -> Path:
    folder = bench.folder / "state"
    folder.mkdir()
    return folder


async def reported(bench: Bench, portal: str) -> list[tuple[object, object]]:
    """Return what a start reports of the portal, with the reason."""
    running = await bench.start(STDIN, file_feed("out"), portal, state="state")
    await stop(running)
    return [
        (event["event"], event.get("why"))
        for event in running.events
        if event["component"] == "portal"
    ]


async def stop(running: Running) -> None:
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 0


async def test_while_nobody_can_sign_in_a_start_says_how(bench: Bench, state: Path) -> None:
    running = await bench.start(STDIN, file_feed("out"), PORTAL, state="state")
    (event,) = (each for each in running.events if each["event"] == "portal_without_users")
    assert event["message"] == (
        "Nobody can sign in at the portal yet; run: sudo nss portal set-password."
    )
    await stop(running)
    users = PortalUsers(state, cost=Cost(1, 8, 1))
    users.set_password("alice", "correct horse battery")
    assert await reported(bench, PORTAL) == []


async def test_users_that_can_t_be_read_are_reported(bench: Bench, state: Path) -> None:
    (state / FILE_NAME).write_text("{")
    (state / FILE_NAME).chmod(0o600)
    ((event, why),) = await reported(bench, PORTAL)
    assert event == "portal_users_unusable"
    assert "users of the portal: the file is damaged" in str(why)


async def test_a_portal_that_is_off_needs_nobody(bench: Bench, state: Path) -> None:
    assert state
    assert await reported(bench, "") == []


async def test_a_portal_that_is_off_gives_no_link(bench: Bench, state: Path) -> None:
    bench.write(STDIN, file_feed("out"), state="state")
    text = bench.config.read_text().replace('control_socket = "off"', 'control_socket = "c.sock"')
    bench.config.write_text(text)
    running = await Running.start(bench.config)
    bench.started.append(running)
    await running.reported("service_started")

    def ask() -> None:
        client = ControlClient(bench.folder / "c.sock")
        try:
            client.sign_in_link("admin")
        finally:
            client.close()

    with pytest.raises(UsageError, match="the portal is off") as caught:
        await asyncio.to_thread(ask)
    assert "sudo nss restart" in str(caught.value.tip)
    assert '"action":"portal-sign-in-link","outcome":"failed"' in (state / "audit.log").read_text()
    await stop(running)


async def test_a_changed_portal_needs_a_restart(bench: Bench, state: Path) -> None:
    assert state
    running = await bench.start(STDIN, file_feed("out"), PORTAL, state="state")
    bench.write(STDIN, file_feed("out"), f"{PORTAL}idle_minutes = 5\n", state="state")
    running.send_signal(signal.SIGHUP)
    event = await running.reported("reload_refused")
    assert event["why"] == "reload: a changed portal needs a restart"
    await stop(running)
