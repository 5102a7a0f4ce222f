"""The file source: whole files, plain and gzip, and what a followed file may go through."""

# ruff: noqa: ASYNC240 - a test writes its files while nothing else is to run

import asyncio
import contextlib
import errno
import gc
import gzip
import logging
import os
import shutil
import threading
import time
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec
import pytest

from nss.batch import Batch
from nss.config.sources import FileSourceConfig
from nss.errors import SourceError
from nss.sources.file.follow import Follower
from nss.sources.file.logfile import Fingerprint, LogFile, Position
from nss.sources.file.rotated import rotations
from nss.sources.file.source import FileSource, _submit
from nss.sources.file.whole import WholeFile
from nss.sources.framing.lines import BOM
from nss.telemetry import events
from tests.parts import file_source, happened

if TYPE_CHECKING:
    from tests.sources.conftest import Accepted

MAX = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "web.log"


def lines(first: int, end: int, width: int = 20) -> bytes:
    return b"".join(b"%0*d\n" % (width, number) for number in range(first, end))


def source(path: Path, *, follow: bool = False, position: str | None = None) -> FileSource:
    return file_source(
        path,
        follow=follow,
        max_record_bytes=MAX,
        poll_secs=0.01,
        settle_secs=0,
        position=position,
    )


def follower(path: Path, position: str | None = None, settle_secs: float = 0) -> Follower:
    settings = FileSourceConfig(name="web", path=path, max_record_bytes=MAX)
    return Follower(settings, position, settle_secs=settle_secs)


def read_all(follower: Follower) -> bytes:
    """Read until the follower finds nothing more, twice."""
    data = b""
    ends = 0
    while ends < 2:
        batch = follower.read_available()
        data += batch.data if batch else b""
        ends = ends + 1 if batch is None and follower.at_end else 0
    return data


def last_position(batches: list[Batch]) -> str:
    position = batches[-1].position
    assert position is not None
    return position


# A file as a whole.


async def test_a_file_is_read_whole_in_batches_of_a_mebibyte(
    path: Path, accepted: "Accepted"
) -> None:
    data = lines(0, 30_000, width=99)
    path.write_bytes(data)
    await source(path).run(accepted.accept)
    assert accepted.data == data
    assert [batch.records for batch in accepted.batches] == [10_485, 10_486, 9_029]
    assert {(batch.source, batch.connection) for batch in accepted.batches} == {("web", "")}


async def test_the_last_line_needs_no_line_feed(path: Path, accepted: "Accepted") -> None:
    path.write_bytes(b"one\r\n\ntwo")
    await source(path).run(accepted.accept)
    assert accepted.lines == [b"one", b"two"]


async def test_an_empty_file_has_no_records(path: Path, accepted: "Accepted") -> None:
    path.touch()
    await source(path).run(accepted.accept)
    assert accepted.batches == []


async def test_pretty_printed_json_comes_one_record_a_line(
    path: Path, accepted: "Accepted"
) -> None:
    path.write_bytes(b'[\n  {\n    "a": 1\n  },\n  {\n    "a": 2\n  }\n]\n')
    await source(path).run(accepted.accept)
    assert accepted.lines == [b'{     "a": 1   }', b'{     "a": 2   }']


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("data", "records"),
    [
        (lines(0, 60_000, width=59), lines(0, 60_000, width=59)),
        (
            b"[%s]\n" % b"\n,".join(b'{"n":"%058d"}' % number for number in range(50_000)),
            b"".join(b'{"n":"%058d"}\n' % number for number in range(50_000)),
        ),
    ],
    ids=["lines", "an-array"],
)
async def test_reading_goes_on_after_any_batch(
    path: Path, data: bytes, records: bytes, *, packed: bool
) -> None:
    path.write_bytes(gzip.compress(data, 1) if packed else data)
    batches: list[Batch] = []

    async def keep(batch: Batch) -> None:
        batches.append(batch)

    await source(path).run(keep)
    assert len(batches) > 2
    for number, batch in enumerate(batches):
        rest: list[Batch] = []

        async def keep_rest(batch: Batch, rest: list[Batch] = rest) -> None:
            rest.append(batch)

        await source(path, position=batch.position).run(keep_rest)
        before = b"".join(batch.data for batch in batches[: number + 1])
        assert before + b"".join(batch.data for batch in rest) == records


async def test_only_what_was_appended_is_read_the_next_time(
    path: Path, accepted: "Accepted"
) -> None:
    path.write_bytes(lines(0, 3))
    await source(path).run(accepted.accept)
    with path.open("ab") as file:
        file.write(lines(3, 5))
    await source(path, position=last_position(accepted.batches)).run(accepted.accept)
    assert accepted.data == lines(0, 5)


async def test_another_file_of_the_name_is_read_from_its_start(
    path: Path, accepted: "Accepted"
) -> None:
    path.write_bytes(lines(0, 3))
    await source(path).run(accepted.accept)
    path.write_bytes(lines(10, 15))
    await source(path, position=last_position(accepted.batches)).run(accepted.accept)
    assert accepted.data == lines(0, 3) + lines(10, 15)
    assert events.counters["source_positions_lost", "web"] == 1


@pytest.mark.parametrize("position", ["", "7", "{}", '{"file": 1}'])
async def test_a_position_that_makes_no_sense_is_told_and_not_used(
    path: Path, accepted: "Accepted", position: str
) -> None:
    path.write_bytes(lines(0, 3))
    await source(path, position=position).run(accepted.accept)
    assert accepted.data == lines(0, 3)
    assert events.counters["source_positions_unreadable", "web"] == 1


async def test_gzip_members_follow_one_another(path: Path, accepted: "Accepted") -> None:
    parts = [lines(0, 50_000), lines(50_000, 50_003), lines(50_003, 120_000)]
    path.write_bytes(b"".join(gzip.compress(part, 1) for part in parts) + b"\0" * 100)
    await source(path).run(accepted.accept)
    assert accepted.data == b"".join(parts)


async def test_a_truncated_gzip_file_gives_what_is_whole_and_then_an_error(
    path: Path, accepted: "Accepted"
) -> None:
    data = os.urandom(200_000).hex().encode()
    data = b"\n".join(data[at : at + 99] for at in range(0, len(data), 99)) + b"\n"
    path.write_bytes(gzip.compress(data)[:-9000])
    with pytest.raises(SourceError) as error:
        await source(path).run(accepted.accept)
    assert str(error.value) == (
        f"file source: can't read: the gzip data ends too early, at byte {path.stat().st_size} "
        f"({path})\nTry: the file is damaged or not complete yet: copy it again"
    )
    there = zlib.decompressobj(31).decompress(path.read_bytes())
    assert accepted.data == there[: there.rfind(b"\n") + 1]


async def test_a_damaged_gzip_file_is_an_error(path: Path, accepted: "Accepted") -> None:
    packed = bytearray(gzip.compress(lines(0, 1000)))
    packed[-6] ^= 1
    path.write_bytes(packed)
    with pytest.raises(SourceError, match="the gzip data is damaged at byte"):
        await source(path).run(accepted.accept)
    assert accepted.data == lines(0, 1000)


async def test_every_whole_record_before_garbage_in_a_gzip_file_is_accepted(
    path: Path, accepted: "Accepted"
) -> None:
    data = lines(0, 60_000) + b"half a rec"
    path.write_bytes(gzip.compress(data, 1) + b"garbage")
    with pytest.raises(SourceError, match=r"what follows at byte \d+ is no gzip data"):
        await source(path).run(accepted.accept)
    assert accepted.data == lines(0, 60_000)


async def test_a_missing_file_is_an_error_with_a_tip(path: Path, accepted: "Accepted") -> None:
    with pytest.raises(SourceError) as error:
        await source(path).run(accepted.accept)
    assert str(error.value) == (
        f"file source: {path} is not there (no such file or directory)\n"
        "Try: check the path, or set follow = true to wait for the file"
    )


@pytest.mark.parametrize(
    ("number", "reason", "tip"),
    [
        (
            errno.EACCES,
            "the service's user may not read {}, or enter its folder (permission denied)",
            "let the user that nss runs as read the file and enter its folders",
        ),
        (
            errno.EIO,
            "the disk does not give back {} (input/output error)",
            "check the disk, then read the file again",
        ),
        (
            errno.ELOOP,
            "{} can't be read (too many levels of symbolic links)",
            "check the disk, then read the file again",
        ),
    ],
)
async def test_an_error_of_the_system_comes_with_what_can_be_done(
    path: Path,
    accepted: "Accepted",
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    reason: str,
    tip: str,
) -> None:
    really: Callable[..., int] = os.open

    def opened(name: Path, *args: int, **at: int) -> int:
        if name == path:
            raise OSError(number, os.strerror(number))
        return really(name, *args, **at)

    monkeypatch.setattr(os, "open", opened)
    with pytest.raises(SourceError) as error:
        await source(path).run(accepted.accept)
    assert str(error.value) == f"file source: {reason.format(path)}\nTry: {tip}"


@pytest.mark.parametrize("follow", [False, True])
async def test_only_regular_files_are_read(
    tmp_path: Path, accepted: "Accepted", *, follow: bool
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(SourceError, match="this is no regular file"):
            await source(path, follow=follow).run(accepted.accept)


async def test_an_error_of_the_spool_ends_the_source(path: Path, accepted: "Accepted") -> None:
    path.write_bytes(lines(0, 100_000))
    accepted.failure = OSError(errno.EIO, "the spool is broken")
    with pytest.raises(OSError, match="the spool is broken"):
        await source(path).run(accepted.accept)


async def test_stop_hands_on_what_was_read(path: Path, accepted: "Accepted") -> None:
    path.write_bytes(lines(0, 200_000, width=99))
    accepted.open.clear()
    reading = source(path)
    task = asyncio.create_task(reading.run(accepted.accept))
    await accepted.until_waiting()
    await reading.stop()
    accepted.open.set()
    await task
    assert [batch.records for batch in accepted.batches] == [10_485, 10_486]
    rest = source(path, position=last_position(accepted.batches))
    await rest.run(accepted.accept)
    assert accepted.data == lines(0, 200_000, width=99)


async def test_a_source_can_be_cancelled_at_any_time(path: Path, accepted: "Accepted") -> None:
    path.write_bytes(lines(0, 100_000))
    accepted.open.clear()
    task = asyncio.create_task(source(path).run(accepted.accept))
    await accepted.until_waiting()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# A followed file.


def trouble(reading: Follower) -> str | None:
    return reading.last_error


@contextlib.asynccontextmanager
async def following(path: Path, accepted: "Accepted") -> AsyncIterator[FileSource]:
    followed = source(path, follow=True)
    task = asyncio.create_task(followed.run(accepted.accept))
    yield followed
    await followed.stop()
    await task


async def test_a_followed_file_is_read_as_it_grows(path: Path, accepted: "Accepted") -> None:
    path.write_bytes(lines(0, 2))
    async with following(path, accepted):
        await accepted.until(2)
        with path.open("ab", buffering=0) as file:
            file.write(b"half")
            file.write(b" whole\n")
            await accepted.until(3)
        path.rename(path.with_name("web.log.1"))
        path.write_bytes(lines(3, 4))
        await accepted.until(4)
    assert accepted.data == lines(0, 2) + b"half whole\n" + lines(3, 4)


async def test_an_error_of_the_spool_ends_a_followed_file(path: Path, accepted: "Accepted") -> None:
    path.write_bytes(lines(0, 3))
    accepted.failure = RuntimeError("the spool is broken")
    with pytest.raises(RuntimeError, match="the spool is broken"):
        await source(path, follow=True).run(accepted.accept)


def test_half_a_line_waits_for_its_end(path: Path) -> None:
    path.write_bytes(b"one\nha")
    reading = follower(path)
    assert read_all(reading) == b"one\n"
    with path.open("ab") as file:
        file.write(b"lf\n")
    assert read_all(reading) == b"half\n"
    reading.close()


def test_half_a_line_at_rotation_is_a_line(path: Path) -> None:
    path.write_bytes(b"one\nhalf")
    reading = follower(path)
    assert read_all(reading) == b"one\n"
    path.rename(path.with_name("web.log.1"))
    path.write_bytes(b"two\n")
    assert read_all(reading) == b"half\ntwo\n"
    reading.close()


def test_half_a_line_is_read_again_after_a_restart(path: Path) -> None:
    path.write_bytes(b"one\nha")
    reading = follower(path)
    batch = reading.read_available()
    reading.close()
    assert batch is not None
    with path.open("ab") as file:
        file.write(b"lf\n")
    again = follower(path, batch.position)
    assert read_all(again) == b"half\n"
    again.close()


def test_a_rotated_file_is_read_until_it_is_left_alone(path: Path) -> None:
    path.write_bytes(b"one\n")
    reading = follower(path, settle_secs=0.2)
    assert read_all(reading) == b"one\n"
    rotated = path.rename(path.with_name("web.log.1"))
    path.write_bytes(b"after\n")
    with rotated.open("ab") as file:
        file.write(b"late\n")
    assert read_all(reading) == b"late\n"
    with rotated.open("ab") as file:
        file.write(b"later\n")
    assert read_all(reading) == b"later\n"
    an_hour_ago = time.time() - 3600
    os.utime(rotated, (an_hour_ago, an_hour_ago))
    assert read_all(reading) == b"after\n"
    reading.close()


@pytest.mark.parametrize(
    "names",
    [
        ["web.log.1", "web.log.2", "web.log.3"],
        ["web.log-20231008", "web.log-20231007", "web.log-20231006"],
        ["web-2023-10-06_12.log", "web-2023-10-06_11.log", "web-2023-10-06_10.log"],
        ["web.log.2023-10-08.10", "web.log.2023-10-08.9", "web.log.2023-10-07"],
    ],
)
@pytest.mark.parametrize("running", [False, True])
def test_several_rotations_between_two_looks_lose_nothing(
    path: Path, names: list[str], *, running: bool
) -> None:
    path.write_bytes(b"one\n")
    reading = follower(path)
    batch = reading.read_available()
    assert batch is not None
    if not running:
        reading.close()
    with path.open("ab") as file:
        file.write(b"two\n")
    for number, name in enumerate(reversed(names)):
        rotated = path.rename(path.with_name(name))
        os.utime(rotated, (1e9, 1e9))  # all in the same tick: their names give the order
        path.write_bytes(b"in file %d\n" % number)
    path.with_name("web.log.9.gz").write_bytes(gzip.compress(b"not again\n"))
    path.with_name("webmail.log.1").write_bytes(b"another log\n")
    path.with_name("web.log.tmp").write_bytes(b"no rotation\n")
    if not running:
        reading = follower(path, batch.position)
    assert read_all(reading) == b"two\nin file 0\nin file 1\nin file 2\n"
    reading.close()


def test_a_file_that_is_gone_is_waited_for(path: Path) -> None:
    path.write_bytes(b"one\n")
    reading = follower(path)
    assert read_all(reading) == b"one\n"
    path.unlink()
    assert read_all(reading) == b""
    assert trouble(reading) == f"file source: the file is gone ({path})"
    path.write_bytes(b"two\n")
    assert read_all(reading) == b"two\n"
    assert trouble(reading) is None
    reading.close()


def test_a_truncated_file_is_read_from_its_start(path: Path) -> None:
    path.write_bytes(lines(0, 10))
    reading = follower(path)
    assert read_all(reading) == lines(0, 10)
    path.write_bytes(lines(10, 12))
    assert read_all(reading) == lines(10, 12)
    path.write_bytes(lines(20, 200))  # larger than before when it is checked
    assert read_all(reading) == lines(20, 200)
    assert events.counters["source_truncations", "web"] == 2
    reading.close()


@pytest.mark.parametrize("running", [False, True])
def test_the_copy_that_copytruncate_leaves_is_read_to_its_end(path: Path, *, running: bool) -> None:
    path.write_bytes(lines(0, 10))
    reading = follower(path)
    batch = reading.read_available()
    assert batch is not None
    if not running:
        reading.close()
    with path.open("ab") as file:
        file.write(lines(10, 20))
    shutil.copyfile(path, path.with_name("web.log.1"))
    path.write_bytes(lines(20, 25))
    if not running:
        reading = follower(path, batch.position)
    assert read_all(reading) == lines(10, 25)
    assert events.counters["source_truncations", "web"] == 0
    reading.close()


def test_json_over_many_lines_goes_on_in_the_copy_that_copytruncate_leaves(path: Path) -> None:
    path.write_bytes(b'[{"n":1}\n')
    reading = follower(path)
    batch = reading.read_available()
    assert batch is not None
    with path.open("ab") as file:
        file.write(b',{"n":2}\n,{"n":3}]\n')
    shutil.copyfile(path, path.with_name("web.log.1"))
    path.write_bytes(b'[{"n":4}\n,{"n":5}]\n')
    records = batch.data + read_all(reading)
    assert records == b"".join(b'{"n":%d}\n' % number for number in range(1, 6))
    reading.close()


def test_a_byte_order_mark_after_a_restart_is_not_at_the_start(path: Path) -> None:
    path.write_bytes(lines(0, 2))
    reading = follower(path)
    batch = reading.read_available()
    reading.close()
    assert batch is not None
    with path.open("ab") as file:
        file.write(BOM + lines(2, 4))
    again = follower(path, batch.position)
    assert read_all(again) == BOM + lines(2, 4)
    again.close()


def test_what_happens_to_a_file_is_reported_with_its_path(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "nss")
    path.write_bytes(lines(0, 2))
    reading = follower(path)
    batch = reading.read_available()
    assert batch is not None
    path.write_bytes(b"other\n")
    read_all(reading)
    reading.close()
    other = path.with_name("other.log")
    other.write_bytes(b"")
    follower(other, batch.position)
    assert happened(caplog) == [
        ("file_opened", {"path": str(path), "offset": 0}),
        ("file_truncated", {"path": str(path)}),
        ("path_changed", {"before": str(path), "path": str(other)}),
    ]


async def test_an_error_of_a_read_ahead_that_nobody_waits_for_is_not_logged() -> None:
    logged: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))

    def fail() -> None:
        raise OSError("nobody waits for this")

    with ThreadPoolExecutor(1) as thread:
        await asyncio.wait([_submit(thread, fail)])
    gc.collect()
    await asyncio.sleep(0)
    assert logged == []


def test_a_followed_link_is_read_on_after_a_restart(path: Path) -> None:
    (path.parent / "elsewhere").mkdir()
    real = path.parent / "elsewhere" / "real.log"
    real.write_bytes(lines(0, 2))
    path.symlink_to(real)
    reading = follower(path)
    batch = reading.read_available()
    reading.close()
    assert batch is not None
    with real.open("ab") as file:
        file.write(lines(2, 4))
    again = follower(path, batch.position)
    assert read_all(again) == lines(2, 4)
    assert events.counters["source_positions_lost", "web"] == 0
    again.close()


@pytest.mark.parametrize("half", [b"", b"half"])
def test_half_a_line_before_a_truncation_is_a_line(path: Path, half: bytes) -> None:
    path.write_bytes(lines(0, 1))
    reading = follower(path)
    assert read_all(reading) == lines(0, 1)
    path.rename(path.with_name("web.log.1"))
    path.write_bytes(lines(1, 3) + half)
    assert read_all(reading) == lines(1, 3)
    path.write_bytes(b"new\n")
    batch = reading.read_available()
    assert not reading.at_end
    if half:
        assert batch is not None
        assert (batch.data, batch.records) == (b"half\n", 1)
        position = Position.parsed(batch.position)
        assert position is not None
        assert (position.offset, len(position.finished)) == (0, 1)
    else:
        assert batch is None
    assert read_all(reading) == b"new\n"
    reading.close()


def test_what_was_written_until_the_next_file_was_seen_is_read(path: Path) -> None:
    path.write_bytes(lines(0, 1))
    reading = follower(path)
    assert read_all(reading) == lines(0, 1)
    rotated = path.rename(path.with_name("web.log.1"))
    path.write_bytes(lines(2, 3))
    assert reading.read_available() is None
    with rotated.open("ab") as file:
        file.write(lines(1, 2))
    assert read_all(reading) == lines(1, 3)
    reading.close()


def test_a_rotated_file_that_was_read_is_not_read_again_though_the_next_is_gone(path: Path) -> None:
    path.write_bytes(lines(0, 1))
    reading = follower(path)
    read_all(reading)
    rotated = path.rename(path.with_name("web.log.1"))
    path.write_bytes(lines(1, 2))
    for each in (rotated, path):
        os.utime(each, (1_700_000_000, 1_700_000_000))  # both in one tick of the clock
    batches = [batch for batch in (reading.read_available() for _ in range(4)) if batch]
    assert batches[-1].data == lines(1, 2)
    reading.close()
    path.rename(path.with_name("kept for the inode"))
    (path.with_name("kept for the inode")).write_bytes(b"other")
    path.write_bytes(lines(2, 3))
    again = follower(path, batches[-1].position)
    assert read_all(again) == lines(2, 3)
    again.close()


def test_a_file_that_was_moved_on_to_is_found_again_after_an_error(path: Path) -> None:
    path.write_bytes(lines(0, 1))
    reading = follower(path)
    assert read_all(reading) == lines(0, 1)
    path.rename(path.with_name("web.log.1"))
    path.write_bytes(lines(1, 2))
    for _ in range(2):
        assert reading.read_available() is None  # the second moves on
    reading.close()  # as after an error
    path.with_name("web.log.1").rename(path.with_name("web.log.2"))
    path.rename(path.with_name("web.log.1"))
    path.write_bytes(lines(2, 3))
    assert read_all(reading) == lines(1, 3)
    reading.close()


def test_a_link_is_no_rotated_file(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"other\n")
    path.with_name("web.log.2").symlink_to(other)
    path.write_bytes(lines(0, 1))
    reading = follower(path)
    assert read_all(reading) == lines(0, 1)
    path.rename(path.with_name("web.log.1"))
    path.write_bytes(lines(1, 2))
    assert [rotation.path.name for rotation in rotations(path)] == ["web.log.1"]
    assert read_all(reading) == lines(1, 2)
    reading.close()


@pytest.mark.parametrize("names", [["web.log"], ["web.log.1", "web.log"]])
def test_half_a_line_waits_for_its_end_while_what_follows_is_empty(
    path: Path, names: list[str]
) -> None:
    path.write_bytes(lines(0, 1) + b"half")
    reading = follower(path)
    assert read_all(reading) == lines(0, 1)
    rotated = path.rename(path.with_name("web.log.2"))
    for name in names:
        path.with_name(name).touch()
    assert read_all(reading) == b""
    with rotated.open("ab") as file:
        file.write(b" and half\n")
    assert read_all(reading) == b"half and half\n"
    reading.close()


async def test_another_packed_file_of_the_name_is_read_from_its_start(
    path: Path, accepted: "Accepted"
) -> None:
    path.write_bytes(gzip.compress(lines(0, 3)))
    await source(path).run(accepted.accept)
    path.rename(path.with_name("kept for the inode"))
    path.write_bytes(gzip.compress(lines(3, 9)))
    await source(path, position=last_position(accepted.batches)).run(accepted.accept)
    assert accepted.data == lines(0, 9)


def test_a_file_that_is_closed_twice_closes_nothing_else(path: Path) -> None:
    path.write_bytes(lines(0, 1))
    file = LogFile(path)
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.read(1)
    assert file._fd < 0
    file.close()


async def test_a_position_of_a_version_that_kept_no_path_is_used(
    path: Path, accepted: "Accepted"
) -> None:
    path.write_bytes(lines(0, 2))
    await source(path).run(accepted.accept)
    position = msgspec.json.decode(last_position(accepted.batches))
    del position["path"]
    with path.open("ab") as file:
        file.write(lines(2, 3))
    again = source(path, position=msgspec.json.encode(position).decode())
    await again.run(accepted.accept)
    assert accepted.data == lines(0, 3)


async def test_the_file_is_closed_after_the_read_that_is_under_way(
    path: Path, accepted: "Accepted"
) -> None:
    begun, go_on, closed = threading.Event(), threading.Event(), threading.Event()
    happened: list[str] = []

    class Slow:
        def read(self) -> Batch | None:
            begun.set()
            happened.append(f"read, let go on: {go_on.wait(5)}")
            return None

        def close(self) -> None:
            happened.append("closed")
            closed.set()

    path.touch()
    reading = source(path)
    reading._reader = cast("WholeFile", Slow())
    task = asyncio.create_task(reading.run(accepted.accept))
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await asyncio.to_thread(closed.wait, 0.05)
    go_on.set()
    assert await asyncio.to_thread(closed.wait, 5)
    assert happened == ["read, let go on: True", "closed"]


def test_an_array_is_followed_across_a_restart(path: Path) -> None:
    path.write_bytes(BOM + b'[{"n":1}\n')
    reading = follower(path)
    batch = reading.read_available()
    reading.close()
    assert batch is not None
    assert batch.data == b'{"n":1}\n'
    with path.open("ab") as file:
        file.write(b',{"n":2}\n,{"n":3}]\n')
    again = follower(path, batch.position)
    assert read_all(again) == b'{"n":2}\n{"n":3}\n'
    again.close()


def test_a_byte_order_mark_is_dropped_at_the_start_of_a_followed_file(path: Path) -> None:
    path.write_bytes(BOM + lines(0, 2))
    reading = follower(path)
    assert read_all(reading) == lines(0, 2)
    reading.close()


async def test_a_byte_order_mark_where_reading_goes_on_is_kept(
    path: Path, accepted: "Accepted"
) -> None:
    path.write_bytes(BOM + lines(0, 2))
    await source(path).run(accepted.accept)
    with path.open("ab") as file:
        file.write(BOM + lines(2, 3))
    await source(path, position=last_position(accepted.batches)).run(accepted.accept)
    assert accepted.data == lines(0, 2) + BOM + lines(2, 3)


@pytest.mark.parametrize(
    ("content", "is_it"),
    [
        (b"head" + b"x" * 2000 + b"tail", True),
        (b"head" + b"x" * 2000 + b"tail and more", True),
        (b"HEAD" + b"x" * 2000 + b"tail", False),
        (b"head" + b"x" * 2000 + b"TAIL", False),
    ],
)
def test_a_position_is_in_a_file_with_its_first_bytes_and_those_before_it(
    path: Path, content: bytes, *, is_it: bool
) -> None:
    path.write_bytes(b"head" + b"x" * 2000 + b"tail")
    with contextlib.closing(LogFile(path)) as file:
        file.read(1 << 20)
        position = file.position(0, spans_lines=None)
    path.with_name("other").write_bytes(content)
    with contextlib.closing(LogFile(path.with_name("other"))) as other:
        assert other.resume(position) == is_it


def test_the_checksums_of_kept_positions_stay_what_they_are() -> None:
    assert Fingerprint.of(b"abc") == Fingerprint(3, "cf4ab791c62b8d2b2109c90275287816")


async def test_where_reading_begins_is_reported_with_the_path(
    path: Path, accepted: "Accepted", caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "nss")
    path.write_bytes(lines(0, 2))
    await source(path, position="no position").run(accepted.accept)
    position = last_position(accepted.batches)
    path.rename(path.with_name("kept for the inode"))
    path.write_bytes(b"other\n")
    events.clear()
    await source(path, position=position).run(accepted.accept)
    (path.parent / "elsewhere").mkdir()
    path.rename(path.parent / "elsewhere" / "kept as well")
    path.write_bytes(b"another\n")
    events.clear()
    reading = follower(path, last_position(accepted.batches))
    read_all(reading)
    reading.close()
    opened = ("file_opened", {"path": str(path), "offset": 0})
    assert happened(caplog) == [
        ("position_unreadable", {"path": str(path)}),
        opened,
        ("position_lost", {"path": str(path)}),
        opened,
        ("position_lost", {"path": str(path)}),
        opened,
    ]


def test_an_inode_used_again_is_another_file(path: Path) -> None:
    path.write_bytes(b"header\n" + lines(0, 100))
    inode = path.stat().st_ino
    reading = follower(path)
    batch = reading.read_available()
    reading.close()
    assert batch is not None
    path.write_bytes(b"header\n" + lines(100, 300))
    assert path.stat().st_ino == inode
    again = follower(path, batch.position)
    assert read_all(again) == b"header\n" + lines(100, 300)
    again.close()


def test_a_compressed_rotation_is_not_read_again(path: Path) -> None:
    path.write_bytes(lines(0, 3))
    reading = follower(path)
    batch = reading.read_available()
    reading.close()
    assert batch is not None
    path.with_name("web.log.1.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.with_name("web.log.2").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    path.write_bytes(lines(3, 4))
    again = follower(path, batch.position)
    assert read_all(again) == lines(3, 4)
    again.close()


def test_a_compressed_file_is_not_followed(path: Path) -> None:
    path.write_bytes(gzip.compress(b"one\n"))
    with pytest.raises(SourceError) as error:
        follower(path).read_available()
    assert str(error.value) == (
        f"file source: a compressed file can't be followed ({path})\n"
        "Try: set follow = false to read it once as a whole"
    )


def test_json_over_many_lines_is_followed_across_a_restart(path: Path) -> None:
    path.write_bytes(b'{\n  "a": 1\n}\n{\n  "a":')
    reading = follower(path)
    batch = reading.read_available()
    reading.close()
    assert batch is not None
    assert batch.data == b'{   "a": 1 }\n'
    with path.open("ab") as file:
        file.write(b" 2\n}\n")
    again = follower(path, batch.position)
    assert read_all(again) == b'{   "a": 2 }\n'
    again.close()


def test_a_long_line_is_cut_and_does_not_end_the_following(path: Path) -> None:
    path.write_bytes(b"x" * (3 * MAX) + b"\nnext\n")
    reading = follower(path)
    assert read_all(reading) == b"x" * (MAX + 1) + b"\nnext\n"
    reading.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_tried_again(path: Path) -> None:
    path.write_bytes(b"one\n")
    path.chmod(0)
    reading = follower(path)
    assert read_all(reading) == b""
    assert trouble(reading) == (
        f"file source: the service's user may not read {path}, or enter its folder "
        "(permission denied)"
    )
    path.chmod(0o600)
    assert read_all(reading) == b"one\n"
    reading.close()


def test_a_file_that_is_not_there_yet_is_waited_for(path: Path) -> None:
    reading = follower(path)
    assert read_all(reading) == b""
    assert trouble(reading) == f"file source: {path} is not there (no such file or directory)"
    path.write_bytes(b"one\n")
    assert read_all(reading) == b"one\n"
    assert trouble(reading) is None
    assert events.counters["source_recoveries", "web"] == 1
    reading.close()


def test_a_path_through_a_file_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.write_bytes(b"")
    reading = follower(folder / "web.log")
    assert read_all(reading) == b""
    assert trouble(reading) == (
        f"file source: a file is in the place of a folder of {folder}/web.log (not a directory)"
    )
    folder.unlink()
    folder.mkdir()
    (folder / "web.log").write_bytes(b"one\n")
    assert read_all(reading) == b"one\n"
    assert trouble(reading) is None
    reading.close()


def test_a_position_stays_small_however_often_the_file_was_rotated(path: Path) -> None:
    path.write_bytes(b"start\n")
    reading = follower(path)
    position = ""
    for number in range(20):
        with path.open("ab") as file:
            file.write(lines(number, number + 1))
        while (batch := reading.read_available()) is None or not batch.data.endswith(
            lines(number, number + 1)
        ):
            pass
        position = batch.position or ""
        path.rename(path.with_name(f"web.log-{20231000 + number}"))
    reading.close()
    parsed = Position.parsed(position)
    assert parsed is not None
    assert len(parsed.finished) == 4
    assert len(position) < 600
