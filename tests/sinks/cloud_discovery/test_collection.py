"""What is collected for an upload: when it is due, and what a full disk does to it."""

import errno
import gzip
import io
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from nss.config.sinks import CloudDiscoverySinkConfig
from nss.sinks.cloud_discovery.collection import Collection

LINE = b"x" * 99


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def collection(
    folder: Path,
    clock: Callable[[], float] = lambda: 1000.0,
    *,
    max_records: int = 1000,
    max_bytes: int = 1_000_000,
) -> Collection:
    settings = CloudDiscoverySinkConfig(max_records=max_records, max_bytes=max_bytes)
    return Collection(folder, settings, clock=clock)


def content(found: Collection) -> bytes:
    file, size_bytes = found.plain()
    file.seek(0)
    return file.read(size_bytes)


def test_it_is_due_after_its_time_from_the_first_line_on(tmp_path: Path) -> None:
    clock = Clock()
    found = collection(tmp_path, clock)
    due = [found.due_secs()]
    clock.at += 1000
    found.begin((1, 1.0))
    found.add([LINE])
    due.append(found.due_secs())
    clock.at += 299
    found.add([LINE])
    due.append(found.due_secs())
    clock.at += 5
    due.append(found.due_secs())
    found.close()
    assert due == [None, 300, 1, 0]


@pytest.mark.parametrize(("max_records", "max_bytes"), [(30, 10_000), (1000, 3000)])
def test_it_is_due_before_the_batch_that_might_not_fit(
    tmp_path: Path, max_records: int, max_bytes: int
) -> None:
    found = collection(tmp_path, max_records=max_records, max_bytes=max_bytes)
    due = []
    for sequence in (1, 2, 3):
        found.begin((sequence, 1.0))
        found.add([LINE] * 10)
        due.append(found.due_secs())
    found.close()
    assert due == [300, 300, 0]


def test_the_largest_batch_is_remembered_for_the_next_file(tmp_path: Path) -> None:
    first = collection(tmp_path, max_records=25)
    first.begin((1, 1.0))
    first.add([LINE] * 20)
    settings = CloudDiscoverySinkConfig(max_records=25, max_bytes=10_000)
    second = Collection(tmp_path, settings, largest_batch=first.largest_batch)
    second.begin((2, 1.0))
    second.add([LINE] * 6)
    due = second.due_secs()
    first.close()
    second.close()
    assert due == 0


def test_it_has_the_lines_and_the_batches(tmp_path: Path) -> None:
    found = collection(tmp_path)
    found.begin((1, 1.0))  # nothing of it was wanted
    found.begin((2, 1.5))
    found.add([b"a", b"b"])
    found.begin((3, 2.0))
    found.add([b"c"])
    due = (content(found), list(found.batches), found.records, found.size_bytes)
    found.close()
    assert due == (b"a\nb\nc\n", [(2, 1.5), (3, 2.0)], 3, 6)


def test_it_can_be_had_as_gzip_again_and_again(tmp_path: Path) -> None:
    found = collection(tmp_path)
    found.begin((1, 1.0))
    found.add([LINE] * 1000)
    packed = []
    for _ in range(2):
        file, size_bytes = found.gzipped()
        file.seek(0)
        packed.append(file.read(size_bytes))
    found.close()
    assert packed[0] == packed[1]
    assert gzip.decompress(packed[0]) == (LINE + b"\n") * 1000
    assert len(packed[0]) < 1000
    assert packed[0][:8] == b"\x1f\x8b\x08\0\0\0\0\0"  # neither a name nor a time


@pytest.mark.parametrize("read_bytes", [0, 10])
def test_a_file_that_was_sent_in_part_is_still_all_there(tmp_path: Path, read_bytes: int) -> None:
    found = collection(tmp_path)
    found.begin((1, 1.0))
    found.add([LINE] * 1000)
    for pack in (found.plain, found.gzipped):
        file, size_bytes = pack()
        file.seek(0)
        file.read(read_bytes)
        again, size_again = pack()
        assert (again, size_again) == (file, size_bytes)
        again.seek(0)
        assert len(again.read()) == size_bytes
    found.close()


def test_nothing_is_nothing_to_send(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^nothing was collected$"):
        collection(tmp_path).plain()


def test_its_files_are_on_the_disk_of_its_folder(tmp_path: Path) -> None:
    found = collection(tmp_path)
    found.begin((1, 1.0))
    found.add([LINE])
    files = [pack()[0] for pack in (found.plain, found.gzipped)]
    places = [str(Path(f"/proc/self/fd/{file.fileno()}").readlink()) for file in files]
    found.close()
    assert [place.startswith(f"{tmp_path}/") for place in places] == [True, True]


def test_no_name_of_it_is_ever_seen(tmp_path: Path) -> None:
    found = collection(tmp_path)
    found.begin((1, 1.0))
    found.add([LINE])
    found.gzipped()
    names = list(tmp_path.iterdir())
    found.close()
    assert names == []


class FullDisk(io.FileIO):
    """A file that takes 1000 bytes, the last write in part."""

    def write(self, data: object) -> int:
        room = 1000 - self.tell()
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(memoryview(data)[:room])  # type: ignore[arg-type]


def test_lines_that_find_no_room_are_not_in_it(tmp_path: Path) -> None:
    def new_file(folder: Path) -> IO[bytes]:
        return FullDisk(folder / "file", "w+b")

    settings = CloudDiscoverySinkConfig(max_records=1000, max_bytes=100_000)
    found = Collection(tmp_path, settings, new_file=new_file)
    found.begin((1, 1.0))
    found.add([LINE] * 5)
    with pytest.raises(OSError, match="No space left"):
        found.add([LINE] * 10)
    after = (content(found), found.records, found.size_bytes)
    found.close()
    assert after == ((LINE + b"\n") * 5, 5, 500)
    assert (tmp_path / "file").stat().st_size == 500


@contextmanager
def room(max_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: the system's own kind of full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_known_at_once_and_not_when_the_file_is_sent(tmp_path: Path) -> None:
    found = collection(tmp_path)
    found.begin((1, 1.0))
    with room(1000):
        found.add([LINE] * 5)
        with pytest.raises(OSError, match="File too large"):
            found.add([LINE] * 6)
        found.add([LINE] * 5)
    after = (content(found), found.records, found.size_bytes)
    found.close()
    assert after == ((LINE + b"\n") * 10, 10, 1000)


def test_a_disk_too_full_for_the_gzip_file_is_tried_again(tmp_path: Path) -> None:
    found = collection(tmp_path)
    found.begin((1, 1.0))
    found.add([os.urandom(4000).hex().encode() for _ in range(10)])
    with room(10_000), pytest.raises(OSError, match="File too large"):
        found.gzipped()
    file, size_bytes = found.gzipped()
    file.seek(0)
    unpacked = gzip.decompress(file.read(size_bytes))
    whole = content(found)
    found.close()
    assert unpacked == whole
