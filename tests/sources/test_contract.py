"""What every source does, wherever it reads from: the same assertions over all of them."""

import asyncio
import contextlib
import os
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import trustme

from nss.batch import BATCH_MAX_BYTES
from nss.sources import Source
from nss.sources.http.source import HttpSource
from nss.sources.tcp.source import TcpSource
from tests.parts import file_source, http_source, stdin_source, tcp_source

if TYPE_CHECKING:
    from tests.sources.conftest import Accepted

MAX_RECORD_BYTES = 200
FEW = b"one\ntwo\nthree\n"
MANY = b"".join(b"%099d\n" % number for number in range(40_000))
"""About 4 MiB: several batches, and more than pipes and socket buffers take."""


class Rig:
    """A source of one kind, and the hands on what it reads from."""

    source: Source
    reads_once = False
    """Whether it reads what is there when it starts, and nothing that comes later."""
    ends = True
    """Whether the input can come to its end."""
    returns = False
    """Whether `run` returns when the input has ended."""
    resumes: Callable[[str], Source] | None = None
    """Returns a source that continues at a position, where the kind has positions."""

    async def feed(self, data: bytes) -> None:
        """Let data come in; returns without waiting until it is read."""
        raise NotImplementedError

    async def end(self) -> None:
        """End the input."""

    async def close(self) -> None:
        """Let go of everything."""


class WholeFile(Rig):
    """A file that is read once."""

    reads_once = returns = True

    def __init__(self, folder: Path, **options: Any) -> None:  # noqa: ANN401 - the source's own
        self.path = folder / "web.log"
        self.path.touch()
        self.options = options
        self.source = self.make(None)
        self.resumes = self.make

    def make(self, position: str | None) -> Source:
        return file_source(
            self.path, max_record_bytes=MAX_RECORD_BYTES, position=position, **self.options
        )

    async def feed(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)


class FollowedFile(WholeFile):
    """A file that grows."""

    reads_once = ends = returns = False


class Stdin(Rig):
    """The reading end of a pipe; threads write, since a pipe takes only so much."""

    returns = True

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self.source = stdin_source(fd=self.reading, max_record_bytes=MAX_RECORD_BYTES)
        self.writers: list[threading.Thread] = []

    async def feed(self, data: bytes) -> None:
        writing = self.writing
        self._write(lambda: _write_all(writing, data))

    async def end(self) -> None:
        writing, self.writing = self.writing, -1
        self._write(lambda: os.close(writing))

    async def close(self) -> None:
        os.close(self.reading)
        for writer in self.writers:
            writer.join()
        if self.writing >= 0:
            os.close(self.writing)

    def _write(self, work: Callable[[], None]) -> None:
        before = self.writers[-1:]

        def in_turn() -> None:
            for writer in before:
                writer.join()
            with contextlib.suppress(BrokenPipeError):
                work()

        self.writers.append(threading.Thread(target=in_turn))
        self.writers[-1].start()


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


class Tcp(Rig):
    """One connection."""

    source: TcpSource | HttpSource

    def __init__(self, server: ssl.SSLContext | None, client: ssl.SSLContext | None) -> None:
        self.source = tcp_source(ssl_context=server, max_record_bytes=MAX_RECORD_BYTES)
        self.client = client
        self.writers: list[asyncio.StreamWriter] = []

    async def feed(self, data: bytes) -> None:
        if not self.writers:
            port = self.source.bound_port
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=self.client)
            self.writers.append(writer)
        self.writers[-1].write(data)

    async def end(self) -> None:
        self.writers[-1].close()

    async def close(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class Http(Tcp):
    """One request for each feed."""

    def __init__(self, server: ssl.SSLContext | None, client: ssl.SSLContext | None) -> None:
        super().__init__(None, client)
        self.source = http_source(ssl_context=server, max_record_bytes=MAX_RECORD_BYTES)

    async def feed(self, data: bytes) -> None:
        head = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(data)
        await super().feed(head + data)

    async def end(self) -> None:
        """Do nothing: a request has its end."""


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return what the source and what its client speak TLS with."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


KINDS = ("file", "file-followed", "stdin", "tcp", "tcp-tls", "http", "http-tls")


@pytest_asyncio.fixture(params=KINDS)
async def rig(
    request: pytest.FixtureRequest, tmp_path: Path, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> AsyncIterator[Rig]:
    kind, _, variant = request.param.partition("-")
    contexts = tls if variant == "tls" else (None, None)
    made: Rig
    match kind:
        case "file" if variant:
            made = FollowedFile(tmp_path, follow=True, poll_secs=0.01)
        case "file":
            made = WholeFile(tmp_path, follow=False)
        case "stdin":
            made = Stdin()
        case "tcp":
            made = Tcp(*contexts)
        case _:
            made = Http(*contexts)
    yield made
    await made.close()


async def started(rig: Rig, accepted: "Accepted", data: bytes = b"") -> "asyncio.Task[None]":
    """Run the source and let data come in."""
    if rig.reads_once:
        await rig.feed(data)
    running = asyncio.create_task(rig.source.run(accepted.accept))
    await asyncio.wait_for(rig.source.ready.wait(), 5)
    if data and not rig.reads_once:
        await rig.feed(data)
    return running


async def stopped(rig: Rig, running: "asyncio.Task[None]") -> None:
    await rig.source.stop()
    await asyncio.wait_for(running, 10)


async def test_records_are_accepted_once_and_in_order(rig: Rig, accepted: "Accepted") -> None:
    running = await started(rig, accepted, MANY)
    await accepted.until(MANY.count(b"\n"))
    await stopped(rig, running)
    assert accepted.data == MANY
    assert {batch.source for batch in accepted.batches} == {rig.source.name}


async def test_batches_have_about_1_mib(rig: Rig, accepted: "Accepted") -> None:
    running = await started(rig, accepted, MANY)
    await accepted.until(MANY.count(b"\n"))
    await stopped(rig, running)
    assert len(accepted.batches) > 1
    assert max(len(batch.data) for batch in accepted.batches) < 1.5 * BATCH_MAX_BYTES


async def test_a_few_records_do_not_wait_for_more(rig: Rig, accepted: "Accepted") -> None:
    running = await started(rig, accepted, FEW)
    await accepted.until(3)
    if not rig.reads_once:
        await rig.feed(b"four\n")
        await accepted.until(4)
    await stopped(rig, running)
    assert accepted.lines[:3] == [b"one", b"two", b"three"]


async def test_a_source_that_waits_for_input_is_well(rig: Rig, accepted: "Accepted") -> None:
    assert not rig.source.ready.is_set()
    running = await started(rig, accepted, FEW)
    await accepted.until(3)
    assert (rig.source.ready.is_set(), rig.source.last_error) == (True, None)
    await stopped(rig, running)
    assert rig.source.last_error is None


async def test_a_line_is_a_record_and_a_blank_one_is_none(rig: Rig, accepted: "Accepted") -> None:
    running = await started(rig, accepted, b"\n\none\r\n\n\r\n \t\n  \r\n two \n\xff\n")
    await accepted.until(3)
    await stopped(rig, running)
    assert accepted.lines == [b"one", b" two ", b"\xff"]


async def test_a_record_too_long_is_cut_and_its_neighbours_are_not(
    rig: Rig, accepted: "Accepted"
) -> None:
    longest, longer = b"y" * MAX_RECORD_BYTES, b"x" * (MAX_RECORD_BYTES + 1)
    running = await started(rig, accepted, b"%b\n%b\nlast\n" % (longest, longer * 5))
    await accepted.until(3)
    await stopped(rig, running)
    assert accepted.lines == [longest, longer, b"last"]


async def test_a_last_record_needs_no_line_feed(rig: Rig, accepted: "Accepted") -> None:
    running = await started(rig, accepted, b"one\ntwo" if rig.ends else b"one\ntwo\n")
    await rig.end()
    await accepted.until(2)
    await stopped(rig, running)
    assert accepted.lines == [b"one", b"two"]


async def test_a_source_returns_at_the_end_of_its_input_or_not_at_all(
    rig: Rig, accepted: "Accepted"
) -> None:
    running = await started(rig, accepted, FEW)
    await rig.end()
    await accepted.until(3)
    if rig.returns:
        await asyncio.wait_for(running, 5)
    else:
        await asyncio.sleep(0.05)
        assert not running.done()
        await stopped(rig, running)


async def test_a_source_waits_while_a_batch_is_not_accepted(rig: Rig, accepted: "Accepted") -> None:
    accepted.open.clear()
    running = await started(rig, accepted, MANY)
    await accepted.until_waiting()
    await asyncio.sleep(0.05)
    assert (accepted.waiting, accepted.batches) == (1, [])
    accepted.open.set()
    await accepted.until(MANY.count(b"\n"))
    await stopped(rig, running)
    assert accepted.data == MANY


async def test_stop_hands_on_what_was_read_whole_and_then_run_returns(
    rig: Rig, accepted: "Accepted"
) -> None:
    accepted.open.clear()
    running = await started(rig, accepted, MANY)
    await accepted.until_waiting()
    await rig.source.stop()
    await asyncio.sleep(0.05)
    assert not running.done()
    accepted.open.set()
    await asyncio.wait_for(running, 10)
    assert accepted.batches
    assert MANY.startswith(accepted.data)


async def test_nothing_is_accepted_after_run_has_returned(rig: Rig, accepted: "Accepted") -> None:
    running = await started(rig, accepted, FEW)
    await accepted.until(3)
    await stopped(rig, running)
    with contextlib.suppress(OSError):
        await rig.feed(b"late\n")
    await asyncio.sleep(0.05)
    assert accepted.lines == [b"one", b"two", b"three"]


async def test_stopping_twice_is_fine(rig: Rig, accepted: "Accepted") -> None:
    running = await started(rig, accepted, FEW)
    await accepted.until(3)
    await stopped(rig, running)
    await rig.source.stop()


async def test_stopping_first_ends_run_at_once(rig: Rig, accepted: "Accepted") -> None:
    await rig.source.stop()
    await asyncio.wait_for(rig.source.run(accepted.accept), 5)
    assert accepted.batches == []


async def test_an_error_of_the_spool_ends_the_source(rig: Rig, accepted: "Accepted") -> None:
    accepted.failure = RuntimeError("the spool is broken")
    running = await started(rig, accepted, FEW)
    with pytest.raises(RuntimeError, match="the spool is broken"):
        await asyncio.wait_for(running, 10)
    assert accepted.batches == []


async def test_a_source_may_be_cancelled_while_it_waits(rig: Rig, accepted: "Accepted") -> None:
    accepted.open.clear()
    running = await started(rig, accepted, MANY)
    await accepted.until_waiting()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 10)
    accepted.open.set()
    await asyncio.sleep(0.05)
    assert accepted.batches == []


async def test_reading_goes_on_behind_the_last_batch_accepted(
    rig: Rig, accepted: "Accepted"
) -> None:
    running = await started(rig, accepted, MANY)
    await accepted.until(MANY.count(b"\n"))
    await stopped(rig, running)
    first = accepted.batches[0]
    assert (first.position is not None) == (rig.resumes is not None)
    if rig.resumes is None or first.position is None:
        return
    accepted.batches = [first]
    rig.source = rig.resumes(first.position)
    running = asyncio.create_task(rig.source.run(accepted.accept))
    await accepted.until(MANY.count(b"\n"))
    await stopped(rig, running)
    assert accepted.data == MANY
