"""The file sink: rotation, full disks, pipes and standard output."""

import asyncio
import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from formats.lines import Lines
from nss.errors import SinkError
from nss.sinks import Delivered, RetryAfter
from nss.telemetry.events import counters
from tests.parts import file_sink

LINES = [b"first", b"second", b"third"]


class FullDisk:
    """Writes until a number of bytes is used up, then fails until there is room again."""

    def __init__(self, room_bytes: int, number: int = errno.ENOSPC) -> None:
        self.room_bytes = room_bytes
        self.number = number

    def __call__(self, fd: int, data: memoryview) -> int:
        if not self.room_bytes:
            raise OSError(self.number, os.strerror(self.number))
        written = os.write(fd, data[: self.room_bytes])
        self.room_bytes -= written
        return written


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError as error:
            assert error.errno == errno.EBADF  # noqa: PT017 - the test closed it itself


async def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_bytes(b"before\n")
    sink = file_sink(path)
    outcome = await sink.send(Lines.of(LINES))
    await sink.close()
    assert (outcome, path.read_bytes()) == (Delivered(), b"before\nfirst\nsecond\nthird\n")


async def test_a_new_file_is_not_for_everybody(tmp_path: Path) -> None:
    sink = file_sink(tmp_path / "web.log")
    umask = os.umask(0)
    try:
        await sink.open()
    finally:
        os.umask(umask)
    await sink.close()
    assert stat.filemode((tmp_path / "web.log").stat().st_mode) == "-rw-r-----"


@pytest.mark.parametrize("rotate", [Path.unlink, lambda path: path.rename(f"{path}.1")])
async def test_a_file_that_was_moved_away_is_opened_anew(
    rotate: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "web.log"
    sink = file_sink(path)
    await sink.send(Lines.of(LINES[:1]))
    rotate(path)
    outcome = await sink.send(Lines.of(LINES[1:]))
    await sink.close()
    assert (outcome, path.read_bytes(), counters["sink_file_reopens", "feed"]) == (
        Delivered(),
        b"second\nthird\n",
        1,
    )


async def test_a_truncated_file_continues_at_its_start(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    sink = file_sink(path)
    await sink.send(Lines.of(LINES))
    os.truncate(path, 0)
    await sink.send(Lines.of(LINES[:1]))
    await sink.close()
    assert path.read_bytes() == b"first\n"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("room_bytes", range(19))
async def test_a_full_disk_holds_whole_lines_only(
    room_bytes: int, number: int, tmp_path: Path
) -> None:
    path = tmp_path / "web.log"
    disk = FullDisk(room_bytes, number)
    sink = file_sink(path, write=disk)
    outcome = await sink.send(Lines.of(LINES))
    whole = (room_bytes >= 6) + (room_bytes >= 13)
    assert isinstance(outcome, RetryAfter)
    assert outcome.sent == whole
    words = os.strerror(number).lower()
    full = f"no space is left for {path} ({words})"
    assert outcome.reason == (full if number != errno.EIO else f"writing failed: {words} ({path})")
    assert path.read_bytes() == b"".join(line + b"\n" for line in LINES[:whole])
    disk.room_bytes = 1000
    rest = await sink.send(Lines.of(LINES[whole:]))
    await sink.close()
    assert (rest, path.read_bytes(), sink.last_error) == (
        Delivered(),
        b"first\nsecond\nthird\n",
        None,
    )


async def test_what_another_writer_added_is_never_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    disk = FullDisk(8)

    def write(fd: int, data: memoryview) -> int:
        try:
            return disk(fd, data)
        except OSError:
            if not path.read_bytes().endswith(b"|other|"):
                with path.open("ab") as other:
                    other.write(b"|other|")
            raise

    sink = file_sink(path, write=write)
    outcomes = [await sink.send(Lines.of(LINES))]
    outcomes.append(await sink.send(Lines.of(LINES[1:])))
    disk.room_bytes = 1000
    outcomes.append(await sink.send(Lines.of(LINES[1:])))
    await sink.close()
    assert [type(outcome) for outcome in outcomes] == [RetryAfter, RetryAfter, Delivered]
    assert path.read_bytes() == b"first\nse|other|cond\nthird\n"


async def test_a_line_torn_twice_keeps_what_another_writer_added(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    disk = FullDisk(8)
    added = False

    def write(fd: int, data: memoryview) -> int:
        nonlocal added
        try:
            return disk(fd, data)
        except OSError:
            if not added:
                added = True
                with path.open("ab") as other:
                    other.write(b"|other|")
            raise

    sink = file_sink(path, write=write)
    await sink.send(Lines.of(LINES))
    disk.room_bytes = 1
    await sink.send(Lines.of(LINES[1:]))
    torn_twice = path.read_bytes()
    disk.room_bytes = 1000
    await sink.send(Lines.of(LINES[1:]))
    await sink.close()
    assert (torn_twice, path.read_bytes()) == (
        b"first\nse|other|",
        b"first\nse|other|cond\nthird\n",
    )


async def test_a_torn_line_that_cannot_be_cut_off_is_continued() -> None:
    memory = os.memfd_create("lines", os.MFD_ALLOW_SEALING)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    path = Path(f"/proc/self/fd/{memory}")
    for lines in (LINES, LINES[1:]):
        disk = FullDisk(9)
        sink = file_sink(path, write=disk)
        await sink.open()
        torn = await sink.send(Lines.of(lines))
        assert isinstance(torn, RetryAfter)
        assert "no space" in torn.reason.lower()
        disk.room_bytes = 100
        rest = await sink.send(Lines.of(lines[torn.sent :]))
        await sink.close()
        assert rest == Delivered()
    written = os.pread(memory, 100, 0)
    assert written == b"first\nsecond\nthird\nsecond\nthird\n"
    os.close(memory)


async def test_behind_a_line_that_was_continued_the_next_is_not_left_torn(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    disk = FullDisk(8)
    added = False

    def write(fd: int, data: memoryview) -> int:
        nonlocal added
        try:
            return disk(fd, data)
        except OSError:
            if not added:
                added = True
                with path.open("ab") as other:
                    other.write(b"|other|")
            raise

    sink = file_sink(path, write=write)
    await sink.send(Lines.of(LINES))
    disk.room_bytes = len(b"cond\nth")
    outcome = await sink.send(Lines.of(LINES[1:]))
    await sink.close()
    assert isinstance(outcome, RetryAfter)
    assert (outcome.sent, path.read_bytes()) == (1, b"first\nse|other|cond\n")


async def test_what_is_wrong_is_known_from_the_opening_until_it_is_over(
    tmp_path: Path, happened: Callable[[], list[tuple[str, dict[str, object]]]]
) -> None:
    path = tmp_path / "logs" / "web.log"
    sink = file_sink(path)
    await sink.open()
    errors = [sink.last_error]
    await sink.send(Lines.of(LINES))
    errors.append(sink.last_error)
    path.parent.mkdir()
    await sink.send(Lines.of(LINES))
    errors.append(sink.last_error)
    reported = happened()
    await sink.send(Lines.of(LINES))
    await sink.close()
    reason = f"the folder of {path} is not there (no such file or directory)"
    assert errors == [reason, reason, None]
    about = {"destination": str(path)}
    assert (
        happened()
        == reported
        == [
            ("sink_failed", {**about, "why": reason}),
            ("sink_recovered", about),
        ]
    )


async def test_a_pipe_that_another_writer_filled_is_waited_for(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    is_full = True

    def write(fd: int, data: memoryview) -> int:
        nonlocal is_full
        if is_full:
            is_full = False
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return os.write(fd, data)

    sink = file_sink(None, stdout_fd=writer, write=write)
    outcome = await sink.send(Lines.of(LINES))
    await sink.close()
    assert (outcome, os.read(reader, 100)) == (Delivered(), b"first\nsecond\nthird\n")


async def test_a_line_torn_in_a_pipe_is_continued(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    disk = FullDisk(8, errno.EIO)
    sink = file_sink(None, stdout_fd=writer, write=disk)
    torn = await sink.send(Lines.of(LINES))
    disk.room_bytes = 3
    torn_again = await sink.send(Lines.of(LINES[1:]))
    disk.room_bytes = 1000
    rest = await sink.send(Lines.of(LINES[1:]))
    await sink.close()
    assert isinstance(torn, RetryAfter)
    assert isinstance(torn_again, RetryAfter)
    assert (torn.sent, torn_again.sent, rest) == (1, 0, Delivered())
    assert os.read(reader, 100) == b"first\nsecond\nthird\n"


async def test_a_torn_line_that_does_not_come_again_is_ended(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    disk = FullDisk(8, errno.EIO)
    sink = file_sink(None, stdout_fd=writer, write=disk)
    await sink.send(Lines.of(LINES))
    disk.room_bytes = 1000
    outcome = await sink.send(Lines.of([b"another"]))
    await sink.close()
    assert (outcome, os.read(reader, 100)) == (Delivered(), b"first\nse\nanother\n")


async def test_standard_output_is_left_open(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    sink = file_sink(None, stdout_fd=writer)
    await sink.open()
    await sink.send(Lines.of(LINES))
    await sink.close()
    os.write(writer, b"still open")
    assert os.read(reader, 100) == b"first\nsecond\nthird\nstill open"


async def test_a_reader_of_standard_output_that_went_away_ends_the_sink(
    pipe: tuple[int, int],
) -> None:
    reader, writer = pipe
    os.close(reader)
    sink = file_sink(None, stdout_fd=writer)
    with pytest.raises(SinkError) as caught:
        await sink.send(Lines.of(LINES))
    await sink.close()
    assert str(caught.value) == (
        "writing failed: broken pipe (standard output)\n"
        "Try: keep the reader running, or write to a file"
    )


async def test_more_than_a_pipe_holds_waits_for_its_reader(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    lines = [b"%06d" % number + b"x" * 1000 for number in range(1000)]
    sink = file_sink(None, stdout_fd=writer)
    sending = asyncio.create_task(sink.send(Lines.of(lines)))
    expected = b"\n".join(lines) + b"\n"
    received = b""
    while len(received) < len(expected):
        received += await asyncio.to_thread(os.read, reader, 65_536)
    outcome = await sending
    await sink.close()
    assert (outcome, received == expected) == (Delivered(), True)


async def test_closing_gives_up_on_a_pipe_that_nobody_reads(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    sink = file_sink(None, stdout_fd=writer)
    sending = asyncio.create_task(sink.send(Lines.of([b"x" * 999] * 1000)))
    await asyncio.to_thread(os.read, reader, 1)
    await sink.close()
    outcome = await sending
    assert isinstance(outcome, RetryAfter)
    assert outcome.reason == "writing failed: nobody reads it (standard output)"
    assert 0 < outcome.sent < 1000


async def test_a_cancelled_send_never_overlaps_the_next(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    sink = file_sink(path)
    lines = [b"a" * 1000] * 1000
    sending = asyncio.create_task(sink.send(Lines.of(lines)))
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    outcome = await sink.send(Lines.of([b"after"]))
    await sink.close()
    written = path.read_bytes().split(b"\n")[:-1]
    assert outcome == Delivered()
    assert written in ([*lines, b"after"], [b"after"])


async def test_a_send_waits_for_a_cancelled_one_that_still_writes(tmp_path: Path) -> None:
    entered, released = threading.Event(), threading.Event()
    written: list[bytes] = []

    def write(fd: int, data: memoryview) -> int:
        entered.set()
        released.wait(10)
        written.append(bytes(data))
        return os.write(fd, data)

    sink = file_sink(tmp_path / "web.log", write=write)
    sending = asyncio.create_task(sink.send(Lines.of([b"cancelled"])))
    await asyncio.to_thread(entered.wait)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    entered.clear()
    following = asyncio.create_task(sink.send(Lines.of([b"after"])))
    await asyncio.sleep(0.05)
    has_begun = entered.is_set()
    released.set()
    await following
    await sink.close()
    assert (has_begun, written) == (False, [b"cancelled\n", b"after\n"])


async def test_half_a_line_that_a_killed_process_left_is_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "web.log"
    path.write_bytes(b"before\nfir")
    sink = file_sink(path)
    await sink.open()
    outcome = await sink.send(Lines.of(LINES[:1]))
    await sink.close()
    assert (outcome, path.read_bytes()) == (Delivered(), b"before\nfir\nfirst\n")
    assert [record.message for record in caplog.records] == [
        "The file ended within a line: the next one begins on a line of its own."
    ]


async def test_half_a_line_is_ended_once_the_disk_has_space(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_bytes(b"fir")
    disk = FullDisk(0)
    sink = file_sink(path, write=disk)
    await sink.open()
    before = await sink.send(Lines.of(LINES[:1]))
    disk.room_bytes = 100
    after = await sink.send(Lines.of(LINES[:1]))
    await sink.close()
    assert isinstance(before, RetryAfter)
    assert (after, path.read_bytes()) == (Delivered(), b"fir\nfirst\n")
