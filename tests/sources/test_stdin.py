"""Standard input: pipes, terminals and redirected files, and a stop that never waits for a key."""

import asyncio
import contextlib
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nss.errors import SourceError
from nss.sources.stdin import StdinSource
from nss.telemetry import events
from tests.parts import happened, stdin_source

if TYPE_CHECKING:
    from tests.sources.conftest import Accepted

MAX = 1 << 20


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe's reading and writing end."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def source(fd: int) -> StdinSource:
    return stdin_source(max_record_bytes=MAX, fd=fd)


async def test_a_pipe_is_read_to_its_end(accepted: "Accepted") -> None:
    reading, writing = os.pipe()
    os.write(writing, b"one\r\ntwo\n\nthree")
    os.close(writing)
    await source(reading).run(accepted.accept)
    os.close(reading)
    assert accepted.lines == [b"one", b"two", b"three"]
    assert [(b.source, b.records, b.position) for b in accepted.batches] == [
        ("stdin", 2, None),
        ("stdin", 1, None),
    ]


async def test_what_comes_in_pieces_before_the_end_is_joined(accepted: "Accepted") -> None:
    data = b"".join(b"%099d\n" % number for number in range(3000))
    reading, writing = os.pipe()  # which holds a fifth of it

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(data)

    await asyncio.gather(asyncio.to_thread(write), source(reading).run(accepted.accept))
    os.close(reading)
    assert accepted.data == data


async def test_a_redirected_file_is_read_in_batches(tmp_path: Path, accepted: "Accepted") -> None:
    path = tmp_path / "records"
    data = b"".join(b"%099d\n" % number for number in range(30_000))
    path.write_bytes(data)
    with path.open("rb") as file:
        await source(file.fileno()).run(accepted.accept)
    assert accepted.data == data
    assert [batch.records for batch in accepted.batches] == [10_485, 10_486, 9_029]


async def test_what_came_is_handed_on_while_the_pipe_stays_open(accepted: "Accepted") -> None:
    with pipe() as (reading, writing):
        reader = source(reading)
        task = asyncio.create_task(reader.run(accepted.accept))
        os.write(writing, b"one\n")
        await accepted.until(1)
        os.write(writing, b"two\n")
        await accepted.until(2)
        await reader.stop()
        await task
    assert accepted.lines == [b"one", b"two"]


async def test_what_comes_within_200_ms_is_waited_for(
    accepted: "Accepted", monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float | None] = []
    really = select.poll

    class Poll:
        def __init__(self) -> None:
            self._poll = really()
            self.register = self._poll.register

        def poll(self, wait_ms: float | None) -> list[tuple[int, int]]:
            waits.append(wait_ms)
            return self._poll.poll(wait_ms)

    monkeypatch.setattr(select, "poll", Poll)
    with pipe() as (reading, writing):
        reader = source(reading)
        task = asyncio.create_task(reader.run(accepted.accept))
        os.write(writing, b"one\n")
        await accepted.until(1)
        await reader.stop()
        await task
    assert waits[0] is None
    assert waits[1] is not None
    assert 1 < waits[1] <= 200


async def test_stop_does_not_wait_for_a_terminal(accepted: "Accepted") -> None:
    controller, terminal = pty.openpty()
    try:
        reader = source(terminal)
        task = asyncio.create_task(reader.run(accepted.accept))
        os.write(controller, b"typed\n")
        await accepted.until(1)
        await reader.stop()
        await asyncio.wait_for(task, 2)
    finally:
        os.close(controller)
        os.close(terminal)
    assert accepted.lines == [b"typed"]


async def test_stop_hands_on_what_is_whole_and_tells_of_the_rest(
    accepted: "Accepted", caplog: pytest.LogCaptureFixture
) -> None:
    with pipe() as (reading, writing):
        reader = source(reading)
        accepted.open.clear()
        task = asyncio.create_task(reader.run(accepted.accept))
        os.write(writing, b"one\ntwo\nhalf")
        await accepted.until_waiting()
        await reader.stop()
        accepted.open.set()
        await task
    assert accepted.lines == [b"one", b"two"]
    assert events.counters["source_half_records", "stdin"] == 1
    assert happened(caplog) == [
        ("half_record_dropped", {"bytes": 4, "why": "the source was stopped"})
    ]


async def test_a_source_stopped_before_it_runs_reads_nothing(accepted: "Accepted") -> None:
    with pipe() as (reading, writing):
        os.write(writing, b"one\n")
        reader = source(reading)
        await reader.stop()
        await reader.run(accepted.accept)
    assert accepted.batches == []


async def test_a_source_can_be_cancelled_while_it_waits(accepted: "Accepted") -> None:
    with pipe() as (reading, writing):
        task = asyncio.create_task(source(reading).run(accepted.accept))
        os.write(writing, b"one\n")
        await accepted.until(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_nothing_is_read_while_a_batch_waits(accepted: "Accepted") -> None:
    with pipe() as (reading, writing):
        accepted.open.clear()
        reader = source(reading)
        task = asyncio.create_task(reader.run(accepted.accept))
        os.write(writing, b"one\n")
        await accepted.until_waiting()
        os.set_blocking(writing, False)
        held = 0
        with contextlib.suppress(BlockingIOError):
            while held < MAX:
                held += os.write(writing, b"x" * 4095 + b"\n")
        assert held < MAX
        accepted.open.set()
        await accepted.until(1 + held // 4096)
        await reader.stop()
        await task
    assert accepted.records == 1 + held // 4096


async def test_a_descriptor_that_cannot_be_read_is_an_error(
    tmp_path: Path, accepted: "Accepted"
) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(SourceError) as error:
            await source(folder).run(accepted.accept)
    finally:
        os.close(folder)
    assert str(error.value) == (
        f"stdin source: can't read: is a directory (descriptor {folder})\n"
        "Try: redirect a file or a pipe to nss"
    )


async def test_an_error_of_the_spool_ends_the_source(accepted: "Accepted") -> None:
    accepted.failure = RuntimeError("the spool is broken")
    with pipe() as (reading, writing):
        os.write(writing, b"one\n")
        with pytest.raises(RuntimeError, match="the spool is broken"):
            await source(reading).run(accepted.accept)


PROGRAM = """
import asyncio
from nss.config.sources import StdinSourceConfig
from nss.errors import SourceError
from nss.sources.stdin import StdinSource

async def accept(batch):
    print(batch.data.decode(), end="")

try:
    asyncio.run(StdinSource(StdinSourceConfig(name="stdin")).run(accept))
except SourceError as error:
    print(error)
"""


def test_descriptor_zero_is_what_is_read_by_default() -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", PROGRAM], input=b"one\ntwo", capture_output=True, check=True
    )
    assert done.stdout == b"one\ntwo\n"


async def test_closed_standard_input_is_not_read(
    accepted: "Accepted", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SourceError, match=r"closed when the program started \(descriptor 0\)"):
        await source(0).run(accepted.accept)
    with pipe() as (reading, writing):  # which is no matter for any other descriptor
        reader = source(reading)
        task = asyncio.create_task(reader.run(accepted.accept))
        os.write(writing, b"one\n")
        await accepted.until(1)
        await reader.stop()
        await task


def test_closed_standard_input_is_an_error() -> None:
    done = subprocess.run(  # noqa: S603 - our own interpreter, which a shell starts
        ["/bin/sh", "-c", 'exec "$0" -c "$1" <&-', sys.executable, PROGRAM],
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == (
        "stdin source: can't read: it was closed when the program started (descriptor 0)\n"
        "Try: redirect a file or a pipe to nss\n"
    )
