"""What people ask for at the control socket is in the audit log, with who asked."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from nss.admin.control.client import ControlClient
from nss.admin.control.server import ControlServer
from nss.admin.operations import RetriedRejects
from nss.errors import ConfigError, NssError, UsageError
from nss.spool import SpoolError
from nss.telemetry.audit import AuditLog, acting_as, user_name
from tests.admin.conftest import FakeOperations

ME = user_name(os.getuid())


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "audit.log"


@pytest.fixture
async def control(
    socket_path: Path, operations: FakeOperations, path: Path
) -> AsyncIterator[ControlServer]:
    server = ControlServer(socket_path, operations, AuditLog(path, environ={}))
    await server.start()
    yield server
    await server.close()


def entries(path: Path) -> list[dict[str, object]]:
    found = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    for entry in found:
        assert entry.pop("uid") == entry.pop("peer_uid") == os.getuid()
        assert entry.pop("at")
    return found


def raw(path: Path, person: str) -> None:
    """Ask for a reload as a person, as bytes."""

    async def ask() -> bytes:
        reader, writer = await asyncio.open_unix_connection(path)
        head = f"POST /reload HTTP/1.1\r\nHost: nss\r\nConnection: close\r\n{person}\r\n"
        writer.write(head.encode("latin-1"))
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    assert b" 200 " in asyncio.run(ask())


async def test_everything_that_is_asked_for_is_written_down(
    client: ControlClient, path: Path
) -> None:
    def ask() -> None:
        client.reload()
        client.replay("mcas", 1000.0, 2000.5)
        client.retry_rejects(None)
        client.discard_rejects("mcas", "x" * 300, 7)
        client.upload_now(["mcas", "siem"])
        client.upload_now([])
        assert client.sign_in_link("viewer") == "http://127.0.0.1:9633/link/token"
        client.status()
        client.rejects(None, 5)
        client.resume_uploads()

    await asyncio.to_thread(ask)
    done = {"who": ME, "outcome": "ok", "reason": ""}
    assert entries(path) == [
        done | {"action": "reload"},
        done
        | {"action": "replay", "feed": "mcas", "since": 1000.0, "until": 2000.5, "records": 12_345},
        done
        | {"action": "rejects-retry", "records": 5, "delivered": 2, "rejected": 1, "waiting": 1},
        done
        | {"action": "rejects-discard", "feed": "mcas", "for_reason": "x" * 200, "records": 1234},
        done | {"action": "upload-now", "feeds": "mcas, siem", "records": 1234},
        done | {"action": "upload-now", "records": 1234},
        done | {"action": "portal-sign-in-link", "role": "viewer"},
    ]
    assert "token" not in str(entries(path))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConfigError("3 problems\n  a: wrong", tip="look"), "3 problems"),
        (SpoolError("the spool is full"), "the spool is full"),
        (UsageError("no such feed"), "no such feed"),
    ],
)
async def test_what_failed_is_written_down_with_the_reason(
    client: ControlClient, operations: FakeOperations, path: Path, error: NssError, reason: str
) -> None:
    operations.error = error
    with pytest.raises(NssError):
        await asyncio.to_thread(client.reload)
    assert entries(path) == [{"who": ME, "action": "reload", "outcome": "failed", "reason": reason}]


async def test_what_nobody_planned_is_no_success(
    client: ControlClient, operations: FakeOperations, path: Path
) -> None:
    operations.error = ValueError("a secret in a text")
    with pytest.raises(NssError):
        await asyncio.to_thread(client.reload)
    (entry,) = entries(path)
    assert entry["outcome"] == "failed"
    assert str(entry["reason"]).startswith("unplanned ValueError (")
    assert "secret" not in str(entry["reason"])


@pytest.mark.parametrize("name", ["alice", "Zoë (portal)", "a,b; c", "\u65e5\u672c"])
async def test_whoever_a_client_acts_for_is_named(
    socket_path: Path, control: ControlServer, path: Path, name: str
) -> None:
    assert control

    def ask() -> None:
        with acting_as(name):
            client = ControlClient(socket_path)
        client.reload()
        client.close()

    await asyncio.to_thread(ask)
    assert [entry["who"] for entry in entries(path)] == [name]


@pytest.mark.parametrize(
    ("header", "who"),
    [
        ("", ME),
        ("x-nss-person:\r\n", ME),
        ("x-nss-person: %20%20\r\n", ME),
        ("x-nss-person: a%0Ab\r\n", ME),
        ("x-nss-person: %1b[2J\r\n", ME),
        ("x-nss-person: %ff%fe\r\n", "\ufffd\ufffd"),
        (f"x-nss-person: {'x' * 5000}\r\n", "x" * 100),
    ],
)
async def test_without_a_name_it_is_the_user_at_the_other_end(
    socket_path: Path, control: ControlServer, path: Path, header: str, who: str
) -> None:
    assert control
    await asyncio.to_thread(raw, socket_path, header)
    assert [entry["who"] for entry in entries(path)] == [who]


async def test_what_an_operation_writes_itself_names_the_same_person(
    socket_path: Path, path: Path
) -> None:
    class Writing(FakeOperations):
        async def retry_rejects(self, feed: str | None, within_secs: float) -> RetriedRejects:
            await asyncio.to_thread(AuditLog(path).write, "inside", "ok", peer_uid=os.getuid())
            return await super().retry_rejects(feed, within_secs)

    server = ControlServer(socket_path, Writing(), AuditLog(path))
    await server.start()

    def ask() -> None:
        with acting_as("alice"):
            client = ControlClient(socket_path)
        client.retry_rejects("mcas")
        client.close()

    await asyncio.to_thread(ask)
    await server.close()
    assert [(entry["action"], entry["who"]) for entry in entries(path)] == [
        ("inside", "alice"),
        ("rejects-retry", "alice"),
    ]


async def test_without_a_state_directory_nothing_is_written_and_nobody_complains(
    socket_path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = folder / "gone" / "audit.log"
    server = ControlServer(socket_path, FakeOperations(), AuditLog(gone))
    await server.start()
    client = ControlClient(socket_path)
    with caplog.at_level(logging.INFO, "nss"):
        await asyncio.to_thread(client.reload)
    client.close()
    await server.close()
    assert caplog.messages == []
    assert not gone.parent.exists()


async def test_a_link_of_no_role_is_refused(client: ControlClient, path: Path) -> None:
    with pytest.raises(UsageError, match="portal/link"):
        await asyncio.to_thread(client.sign_in_link, "owner")  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        entries(path)
