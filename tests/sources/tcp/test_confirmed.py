"""The end of a connection says something: closed in order means that all of it was accepted.

A sender that ends its side and waits for the source to do the same knows by a clean end that its
records are safe. Whatever else happened is a reset.
"""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from nss.batch import Batch
from nss.sources.tcp.source import TcpSource
from nss.telemetry import events
from tests.parts import happened, tcp_source

if TYPE_CHECKING:
    from tests.sources.conftest import Accepted

ROOT = Path(__file__).resolve().parents[3]
QUIET_SECS = 0.3
"""How long nothing must come while a batch waits: an end that comes too early comes at once."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture(params=["plain", "tls"])
def tls(
    request: pytest.FixtureRequest, authority: trustme.CA, server_context: ssl.SSLContext
) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """The context of the source and that of its senders."""
    if request.param == "plain":
        return None, None
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return server_context, context


@contextlib.asynccontextmanager
async def running(
    accepted: "Accepted",
    context: ssl.SSLContext | None,
    framing: str = "auto",
    **settings: Any,  # noqa: ANN401 - passed on as they are
) -> AsyncIterator[tuple[TcpSource, asyncio.Task[None]]]:
    source = tcp_source(ssl_context=context, max_record_bytes=1000, framing=framing, **settings)
    task = asyncio.create_task(source.run(accepted.accept))
    await source.ready.wait()
    try:
        yield source, task
    finally:
        accepted.open.set()
        await source.stop()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await asyncio.wait_for(task, 5)


class Sender:
    """Sends over a blocking socket, in a thread: only so both halves of TLS are in its hands."""

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        if tls is not None:
            self.socket = tls.wrap_socket(
                self.socket, server_hostname="127.0.0.1", suppress_ragged_eofs=False
            )

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def finish(self, *, by_alert: bool = False) -> None:
        """End this side: with a close_notify, or by the FIN that most senders leave it at."""
        if by_alert:
            assert isinstance(self.socket, ssl.SSLSocket)
            self.socket.settimeout(0)
            with contextlib.suppress(ssl.SSLWantReadError):
                self.socket.unwrap()
            self.socket.settimeout(5)
        else:
            socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def end(self, wait_secs: float = 5) -> str:
        """Return how the source ended the connection, `still open` if it has not."""
        self.socket.settimeout(wait_secs)
        try:
            return "in order" if self.socket.recv(1) == b"" else "data"
        except ssl.SSLZeroReturnError:
            return "in order"
        except TimeoutError:
            return "still open"
        except (ConnectionError, ssl.SSLError):
            return "reset"

    def close(self) -> None:
        self.socket.close()


@contextlib.asynccontextmanager
async def sender_to(source: TcpSource, tls: ssl.SSLContext | None) -> AsyncIterator[Sender]:
    assert source.bound_port is not None
    sender = await asyncio.to_thread(Sender, source.bound_port, tls)
    try:
        yield sender
    finally:
        sender.close()


Contexts = tuple[ssl.SSLContext | None, ssl.SSLContext | None]


async def finished(sender: Sender, data: bytes, *, by_alert: bool = False) -> None:
    await asyncio.to_thread(sender.send, data)
    await asyncio.to_thread(sender.finish, by_alert=by_alert)


@pytest.mark.parametrize("by_alert", [False, True])
async def test_the_end_comes_after_the_records_are_accepted(
    accepted: "Accepted", tls: Contexts, *, by_alert: bool
) -> None:
    if by_alert and tls[0] is None:
        pytest.skip("there is no alert without TLS")
    async with running(accepted, tls[0]) as (source, _), sender_to(source, tls[1]) as sender:
        accepted.open.clear()
        await finished(sender, b"one\ntwo\nthree", by_alert=by_alert)
        await accepted.until_waiting()
        assert await asyncio.to_thread(sender.end, QUIET_SECS) == "still open"
        accepted.open.set()
        assert await asyncio.to_thread(sender.end) == "in order"
        assert accepted.lines == [b"one", b"two", b"three"]


async def test_a_stop_waits_for_the_records_before_it_says_the_end(
    accepted: "Accepted", tls: Contexts
) -> None:
    async with running(accepted, tls[0]) as (source, task), sender_to(source, tls[1]) as sender:
        accepted.open.clear()
        await finished(sender, b"one\n")
        await accepted.until_waiting()
        await source.stop()
        assert await asyncio.to_thread(sender.end, QUIET_SECS) == "still open"
        accepted.open.set()
        await asyncio.wait_for(task, 5)
        assert await asyncio.to_thread(sender.end) == "in order"
        assert accepted.lines == [b"one"]


async def test_a_stop_that_is_cut_short_resets_what_was_not_accepted(
    accepted: "Accepted", tls: Contexts
) -> None:
    async with running(accepted, tls[0]) as (source, task), sender_to(source, tls[1]) as sender:
        accepted.open.clear()
        await finished(sender, b"one\n")
        await accepted.until_waiting()
        task.cancel()
        assert await asyncio.to_thread(sender.end) == "reset"
        assert accepted.lines == []


async def test_a_spool_that_breaks_resets_the_connection(
    accepted: "Accepted", tls: Contexts
) -> None:
    async with running(accepted, tls[0]) as (source, _), sender_to(source, tls[1]) as sender:
        accepted.failure = OSError("the spool is broken")
        await finished(sender, b"one\n")
        assert await asyncio.to_thread(sender.end) == "reset"


async def test_a_spool_that_breaks_for_one_connection_lets_the_others_end(tls: Contexts) -> None:
    waiting = asyncio.Queue[Batch]()
    go_on = {b"good\n": asyncio.Event(), b"bad\n": asyncio.Event()}

    async def accept(batch: Batch) -> None:
        await waiting.put(batch)
        await go_on[batch.data].wait()
        if batch.data == b"bad\n":
            raise OSError("the spool is broken")

    source = tcp_source(ssl_context=tls[0])
    task = asyncio.create_task(source.run(accept))
    await source.ready.wait()
    async with sender_to(source, tls[1]) as good, sender_to(source, tls[1]) as bad:
        await finished(good, b"good\n")
        await finished(bad, b"bad\n")
        for _ in range(2):
            await waiting.get()
        await source.stop()
        go_on[b"bad\n"].set()
        assert await asyncio.to_thread(bad.end) == "reset"
        go_on[b"good\n"].set()
        assert await asyncio.to_thread(good.end) == "in order"
    with pytest.raises(OSError, match="the spool is broken"):
        await task


async def test_records_that_could_not_be_told_apart_reset_the_connection(
    accepted: "Accepted", tls: Contexts
) -> None:
    async with (
        running(accepted, tls[0], "octet") as (source, _),
        sender_to(source, tls[1]) as sender,
    ):
        await finished(sender, b"3 onex")
        assert await asyncio.to_thread(sender.end) == "reset"
        assert accepted.lines == [b"one"]


async def test_a_message_that_ends_early_resets_the_connection(
    accepted: "Accepted", tls: Contexts
) -> None:
    async with (
        running(accepted, tls[0], "octet") as (source, _),
        sender_to(source, tls[1]) as sender,
    ):
        await finished(sender, b"3 one9 two")
        assert await asyncio.to_thread(sender.end) == "reset"
        assert accepted.lines == [b"one"]
        assert events.counters["source_half_records", "tcp"] == 1


async def test_a_stop_in_the_middle_of_a_record_resets_the_connection(
    accepted: "Accepted", tls: Contexts
) -> None:
    async with running(accepted, tls[0]) as (source, task), sender_to(source, tls[1]) as sender:
        await asyncio.to_thread(sender.send, b"one\ntw")
        await accepted.until(1)
        await source.stop()
        await asyncio.wait_for(task, 5)
        assert await asyncio.to_thread(sender.end) == "reset"


async def test_a_stop_between_records_ends_the_connection_in_order(
    accepted: "Accepted", tls: Contexts
) -> None:
    async with running(accepted, tls[0]) as (source, task), sender_to(source, tls[1]) as sender:
        await asyncio.to_thread(sender.send, b"one\n")
        await accepted.until(1)
        await source.stop()
        await asyncio.wait_for(task, 5)
        assert await asyncio.to_thread(sender.end) == "in order"


async def test_a_silent_connection_is_reset_so_that_the_next_write_fails(
    accepted: "Accepted", tls: Contexts
) -> None:
    async with (
        running(accepted, tls[0], idle_secs=0.05) as (source, _),
        sender_to(source, tls[1]) as sender,
    ):
        await asyncio.to_thread(sender.send, b"one\n")
        assert await asyncio.to_thread(sender.end) == "reset"
        assert accepted.lines == [b"one"]


async def test_a_connection_that_makes_way_is_reset_so_that_its_first_write_fails(
    accepted: "Accepted", tls: Contexts
) -> None:
    async with (
        running(accepted, tls[0], max_connections=1) as (source, _),
        sender_to(source, tls[1]) as first,
        sender_to(source, tls[1]) as second,
    ):
        assert await asyncio.to_thread(first.end) == "reset"
        await finished(second, b"one\n")
        assert await asyncio.to_thread(second.end) == "in order"
        assert accepted.lines == [b"one"]


async def test_what_is_no_tls_after_the_handshake_breaks_the_connection(
    accepted: "Accepted", tls: Contexts, caplog: pytest.LogCaptureFixture
) -> None:
    if tls[0] is None:
        pytest.skip("there is no such thing without TLS")
    async with running(accepted, tls[0]) as (source, _), sender_to(source, tls[1]) as sender:
        await asyncio.to_thread(sender.send, b"one\n")
        await accepted.until(1)
        socket.socket.send(sender.socket, b"this is no TLS")
        assert await asyncio.to_thread(sender.end) == "reset"
    (why,) = [facts["why"] for name, facts in happened(caplog) if "failed" in name]
    assert "WRONG_VERSION_NUMBER" in why


VICTIM = """
import asyncio, sys
from tests.parts import tcp_source

async def never(batch):
    print("waiting", flush=True)
    await asyncio.Event().wait()

async def main():
    source = tcp_source()
    running = asyncio.create_task(source.run(never))
    await source.ready.wait()
    print(source.bound_port, flush=True)
    await running

if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_process_that_is_killed_resets_what_was_not_accepted(loop: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-c", VICTIM, loop], env=environment, stdout=subprocess.PIPE, cwd=ROOT
    ) as victim:
        try:
            assert victim.stdout is not None
            sender = Sender(int(victim.stdout.readline()), None)
            sender.send(b"one\n")
            sender.finish()
            assert victim.stdout.readline() == b"waiting\n"
            victim.send_signal(signal.SIGKILL)
            assert sender.end() == "reset"
            sender.close()
        finally:
            victim.kill()
