"""What members of the service's group may ask for at the control socket, and can't hold up."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from nss.admin.control import server as control_server
from nss.admin.control.client import ControlClient
from nss.admin.control.server import ControlServer
from tests.admin.conftest import FEED, STATUS, FakeOperations

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes other users"),
    pytest.mark.asyncio,
]

MEMBER = 12345

BECOME = """
import json, os, socket, sys
_, user, group, path, asked = sys.argv
os.setgroups([])
os.setgid(int(group))
os.setuid(int(user))
"""
"""In the process itself: the others may not even run this Python, if it is in root's home."""

ASK = """
requests = json.loads(asked)
for request in requests:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(path)
        head = f"{request} HTTP/1.1\\r\\nHost: nss\\r\\nConnection: close\\r\\n\\r\\n"
        connection.sendall(head.encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        head, _, body = answer.partition(b"\\r\\n\\r\\n")
        print(json.dumps([int(head.split()[1]), json.loads(body)]))
"""

HOLD = """
held = []
for _ in range(int(asked)):
    connection = socket.socket(socket.AF_UNIX)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    try:
        connection.connect(path)
        connection.sendall(b"GET /status HTTP/1.1\\r\\nHost: nss\\r\\n\\r\\n" * 50)
    except OSError:
        continue
    held.append(connection)
print(len(held), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def open_folder(folder: Path) -> Path:
    """A folder that the service's group may enter."""
    folder.chmod(0o755)
    return folder


@pytest.fixture
async def shared(open_folder: Path, operations: FakeOperations) -> AsyncIterator[Path]:
    """The socket of a service."""
    path = open_folder / "control.sock"
    server = ControlServer(path, operations)
    await server.start()
    yield path
    await server.close()


def as_another(script: str, path: Path, asked: str, group: int = 0) -> list[str]:
    """Return the command that runs a script as somebody who is neither root nor the service."""
    who = (str(MEMBER), str(group))
    return [sys.executable, "-I", "-c", BECOME + script, *who, str(path), asked]


async def ask(path: Path, *requests: str, group: int = 0) -> list[tuple[int, object]]:
    """Return the answers to such a user's requests."""
    ran = await asyncio.to_thread(
        subprocess.run,
        as_another(ASK, path, json.dumps(requests), group),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if ran.returncode:
        raise PermissionError(ran.stderr)
    return [(status, answer) for status, answer in map(json.loads, ran.stdout.splitlines())]


async def test_a_member_of_the_group_may_ask_for_the_status_and_nothing_else(
    shared: Path, operations: FakeOperations
) -> None:
    status, *others = await ask(
        shared,
        "GET /status",
        "POST /status",
        "POST /reload",
        "GET /rejects",
        "GET /rejects/reasons",
        "POST /rejects/retry",
        "POST /rejects/discard?upto=1",
        "GET /replay?feed=mcas&since=1&until=2",
        "POST /replay?feed=mcas&since=1&until=2",
        "POST /uploads/now",
        "POST /uploads/resume",
        "POST /portal/link?role=admin",
        "GET /tap",
        "GET /messages?source=in",
        "GET /nothing",
    )

    assert status[0] == 200
    assert {code for code, _ in others} == {403}
    assert all("this user may ask for the status only" in str(answer) for _, answer in others)
    assert operations.asked == []


async def test_somebody_outside_of_the_group_may_ask_for_nothing(shared: Path) -> None:
    with pytest.raises(PermissionError, match="Permission denied"):
        await ask(shared, "GET /status", group=MEMBER)


async def test_members_who_do_not_read_leave_places_to_root(
    shared: Path, operations: FakeOperations
) -> None:
    feeds = tuple(replace(FEED, name=f"feed-{number}") for number in range(500))
    operations.current = replace(STATUS, feeds=feeds)
    process = await asyncio.create_subprocess_exec(
        *as_another(HOLD, shared, str(control_server.MAX_CONNECTIONS)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    client = ControlClient(shared)
    try:
        async with asyncio.timeout(30):
            assert int(await process.stdout.readline()) > 0
            for _ in range(3):
                assert len((await asyncio.to_thread(client.status)).feeds) == 500
    finally:
        client.close()
        process.kill()
        await process.communicate()
