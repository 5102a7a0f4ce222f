"""Breakages of the service itself: its configuration, its ports, what it may read and write."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from nss.lab.generator import RecordGenerator
from nss.lab.ports import free_port
from nss.status.summary import Status
from tests.breakages.conftest import Breakages
from tests.faults.conftest import sink, web

pytestmark = pytest.mark.long

RECORDS = 10
OUT = sink("file", 'path = "lines"')
TCP = '[sources.syslog]\nkind = "tcp"\nlisten = "127.0.0.1:{port}"\n'

WITHOUT_PRIVILEGES = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Root is refused what its files' modes refuse."""


@pytest.fixture
def ordinary(breakages: Breakages) -> Breakages:
    """A scene whose service has no privileges."""
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is not installed")
        breakages.wrapper = WITHOUT_PRIVILEGES
    return breakages


def delivered(status: Status) -> bool:
    """Return whether the first records have gone all the way."""
    return status.feeds[0].delivered == RECORDS


def records(folder: Path) -> None:
    (folder / "web.log").write_bytes(RecordGenerator(1).batch(RECORDS))


async def test_a_typo_then_a_reload(breakages: Breakages) -> None:
    records(breakages.folder)
    await breakages.start(web(), OUT)
    await breakages.until(delivered)
    good = breakages.config.read_text()
    breakages.config.write_text(good.replace("format =", "fromat =").replace("kind =", "kid ="))
    assert (await breakages.command("reload"))[0] != 0
    await breakages.shows("typo-then-reload")

    breakages.config.write_text(good)
    assert (await breakages.command("reload"))[0] == 0
    assert (await breakages.status()).health.reasons == ()


async def test_a_typo_that_nobody_has_tried_to_put_in_force(breakages: Breakages) -> None:
    records(breakages.folder)
    await breakages.start(web(), OUT)
    await breakages.until(delivered)
    text = breakages.config.read_text()
    breakages.config.write_text(text.replace("format =", "fromat =").replace("kind =", "kid ="))

    await breakages.shows("newer-file-broken")


async def test_a_reload_that_needs_a_restart(breakages: Breakages) -> None:
    records(breakages.folder)
    await breakages.start(web(), OUT)
    await breakages.until(delivered)
    text = breakages.config.read_text()
    breakages.config.write_text(text.replace('"spool.db"', '"another.db"'))
    assert (await breakages.command("reload"))[0] != 0
    await breakages.shows("reload-needs-restart")


async def test_a_port_is_taken_when_a_source_is_added(breakages: Breakages) -> None:
    records(breakages.folder)
    await breakages.start(web(), OUT)
    await breakages.until(delivered)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        text = breakages.config.read_text()
        breakages.config.write_text(f"{text}\n{TCP.format(port=port)}")
        assert (await breakages.command("reload"))[0] != 0
        await breakages.shows("port-taken-reload", {f":{port}": ":6514"})


async def test_a_port_is_taken_at_the_start(breakages: Breakages) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        breakages.write(web(), TCP.format(port=port), OUT)
        exit_code, told = await breakages.command("run")
    assert exit_code == 74
    assert told == (
        f"nss: source syslog: can't listen at 127.0.0.1:{port}: address already in use\n"
        f"Try: see who has the port: sudo ss -ltnp 'sport = :{port}'\n"
    )


async def test_the_next_file_of_a_source_may_not_be_read(ordinary: Breakages) -> None:
    records(ordinary.folder)
    await ordinary.start(web(), OUT)
    await ordinary.until(delivered)
    following = ordinary.folder / "following"  # there at once as it is, or it might be read before
    following.mkdir()
    records(following)
    (following / "web.log").chmod(0)
    (ordinary.folder / "web.log").rename(ordinary.folder / "web.log.1")
    (following / "web.log").rename(ordinary.folder / "web.log")
    await ordinary.shows("permission-source")


async def test_the_file_of_a_sink_may_not_be_written(ordinary: Breakages) -> None:
    records(ordinary.folder)
    await ordinary.start(web(), OUT)
    await ordinary.until(delivered)
    (ordinary.folder / "lines").rename(ordinary.folder / "lines.1")
    (ordinary.folder / "lines").touch(0)
    with (ordinary.folder / "web.log").open("ab") as log:
        log.write(RecordGenerator(2).batch(5))
    await ordinary.shows("permission-sink")


async def test_the_token_may_not_be_read_any_more(ordinary: Breakages) -> None:
    records(ordinary.folder)
    token, port = ordinary.folder / "push.token", free_port()
    token.touch(0o600)
    token.write_text("right-token-of-sixteen\n")
    push = f'[sources.push]\nkind = "http"\nlisten = "127.0.0.1:{port}"\ntoken_file = "push.token"'
    await ordinary.start(web(), f"{push}\n", OUT)
    token.chmod(0)
    ordinary_reload = await ordinary.command("reload")
    assert ordinary_reload[0] != 0
    await ordinary.shows("permission-token", {'"[^"]*\\.\\.\\.': '"/etc/nss/push.token"'})


async def test_the_state_directory_may_not_be_written(ordinary: Breakages) -> None:
    records(ordinary.folder)
    state = ordinary.folder / "state"
    state.mkdir()
    ordinary.write(web(), OUT)
    text = ordinary.config.read_text()
    ordinary.config.write_text(text.replace("[service]", '[service]\nstate_directory = "state"'))
    running = await ordinary.run()
    await running.reported("service_started")
    await ordinary.until(delivered)
    state.chmod(0o500)
    try:
        await ordinary.shows("permission-state")
    finally:
        state.chmod(0o700)
    await ordinary.until(lambda status: not status.health.reasons)
