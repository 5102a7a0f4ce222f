"""What is collected for uploads: when it is due, how it is divided, and what a full disk does."""

import errno
import gzip
import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from formats.lines import Lines
from nss.config.sinks import CloudDiscoverySinkConfig
from nss.sinks.cloud_discovery import upload_file
from nss.sinks.cloud_discovery.collection import Collection
from nss.sinks.cloud_discovery.journal import MAX_DELIVERED
from nss.sinks.cloud_discovery.pieces import Stretch
from nss.sinks.cloud_discovery.upload_file import UploadFile
from tests.sinks.cloud_discovery.bench import room

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


def batch(sequence: int, lines: list[bytes], line: int = 0) -> Stretch:
    return Stretch((sequence, 1.0), line, Lines.of(lines))


def content(found: Collection, *, gzipped: bool = False) -> bytes:
    file, size_bytes = found.packed(gzipped=gzipped)
    file.seek(0)
    return file.read(size_bytes)


def contents(found: Collection, *, gzipped: bool = False) -> list[bytes]:
    """Return all files that are left, as they are uploaded."""
    files = []
    while found.files:
        files.append(content(found, gzipped=gzipped))
        found.drop_first()
    return files


def test_it_is_due_after_its_time_from_the_first_line_on(tmp_path: Path) -> None:
    clock = Clock()
    found = collection(tmp_path, clock)
    due = [found.due_secs()]
    clock.at += 1000
    found.add(batch(1, [LINE]))
    due.append(found.due_secs())
    clock.at += 299
    found.add(batch(1, [LINE]))
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
        found.add(batch(sequence, [LINE] * 10))
        due.append(found.due_secs())
    found.close()
    assert due == [300, 300, 0]


def test_the_largest_batch_is_remembered_for_the_next_file_and_no_longer(tmp_path: Path) -> None:
    settings = CloudDiscoverySinkConfig(max_records=25, max_bytes=10_000)
    largest, due = (0, 0), []
    for batches in ([10, 6], [10, 6], [6, 6, 6], [6, 6, 6]):
        found = Collection(tmp_path, settings, clock=lambda: 1000.0, largest_batch=largest)
        for sequence, records in enumerate(batches):
            found.add(batch(sequence, [LINE] * records))
        due.append(found.due_secs())
        largest = found.largest_batch
        found.close()
    assert due == [0, 0, 0, 300]


@pytest.mark.parametrize(("max_records", "max_bytes"), [(100, 10**6), (10**6, 10_000)])
def test_one_batch_larger_than_a_file_does_not_make_the_next_files_small(
    tmp_path: Path, max_records: int, max_bytes: int
) -> None:
    settings = CloudDiscoverySinkConfig(max_records=max_records, max_bytes=max_bytes)
    largest, sizes = (0, 0), []
    for records in (250, 1, 1):
        found = Collection(tmp_path, settings, clock=lambda: 1000.0, largest_batch=largest)
        sequence = 0
        while found.due_secs() != 0:
            sequence += 1
            found.add(batch(sequence, [LINE] * records))
        sizes.append([file.records for file in found.files])
        largest = found.largest_batch
        found.close()
    assert sizes == [[100, 100, 50], [51], [100]]


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize(("max_records", "max_bytes"), [(4, 10**6), (10**6, 10)])
def test_a_batch_that_does_not_fit_continues_in_another_file(
    tmp_path: Path, max_records: int, max_bytes: int, *, gzipped: bool
) -> None:
    settings = CloudDiscoverySinkConfig(max_records=max_records, max_bytes=max_bytes)
    found = Collection(tmp_path, settings)
    found.add(batch(1, [b"a"]))
    found.add(batch(2, [b"b", b"c", b"d"]))
    found.add(batch(2, [b"e", b"f", b"g", b"h", b"i"], 3))
    found.add(batch(3, [b"j"]))
    seen = [
        (file.batches, file.records, [(piece.sequence, piece.line) for piece in file.pieces])
        for file in found.files
    ]
    files = contents(found, gzipped=gzipped)
    found.close()
    unpacked = [gzip.decompress(file) if gzipped else file for file in files]
    at_a_time = min(max_records, max_bytes // 2)
    letters = [b"%c\n" % letter for letter in b"abcdefghij"]
    assert unpacked == [b"".join(letters[at : at + at_a_time]) for at in range(0, 10, at_a_time)]
    if at_a_time == 4:
        assert seen == [(2, 4, [(1, 0)]), (1, 4, [(2, 3)]), (2, 2, [(2, 7)])]
    assert [records for _, records, _ in seen] == ([4, 4, 2] if at_a_time == 4 else [5, 5])


def test_a_line_longer_than_a_file_is_a_file_alone(tmp_path: Path) -> None:
    settings = CloudDiscoverySinkConfig(max_records=100, max_bytes=10)
    found = Collection(tmp_path, settings)
    found.add(batch(1, [b"a", b"x" * 20, b"y" * 20, b"b", b"c"]))
    files = contents(found)
    found.close()
    assert files == [b"a\n", b"x" * 20 + b"\n", b"y" * 20 + b"\n", b"b\nc\n"]


def test_pieces_are_of_some_thousand_lines_or_a_mebibyte(tmp_path: Path) -> None:
    found = collection(tmp_path, max_records=100_000, max_bytes=10**8)
    for sequence in range(2500):
        found.add(batch(sequence, [b"x"]))
    for line in range(0, 40, 10):
        found.add(batch(2500, [b"x" * (1 << 18)] * 10, line))
    pieces = found.files[0].pieces
    found.close()
    assert [(piece.sequence, piece.line, piece.records) for piece in pieces] == [
        *((0, 0, 1000), (1000, 0, 1000), (2000, 0, 510)),
        *((2500, 10, 10), (2500, 20, 10), (2500, 30, 10)),
    ]


@pytest.mark.parametrize(("max_records", "max_bytes"), [(10**7, 10**8), (10**7, 65_536)])
def test_a_file_has_no_more_pieces_than_the_journal_remembers(
    max_records: int, max_bytes: int
) -> None:
    settings = CloudDiscoverySinkConfig(max_records=max_records, max_bytes=max_bytes)
    file = UploadFile(settings)
    step_bytes = max_bytes // 10_000
    step_records = min(max_records // 10_000, step_bytes)
    lines = [b"x" * (step_bytes // step_records - 1)] * step_records
    for number in range(10_000):
        file.add(batch(number, lines))
    assert len(file.pieces) <= MAX_DELIVERED


def test_it_has_the_lines_and_the_number_of_batches(tmp_path: Path) -> None:
    found = collection(tmp_path)
    found.add(batch(2, [b"a", b"b"]))
    found.add(batch(2, [b"c"], 2))
    found.add(batch(3, [b"d"]))
    (file,) = found.files
    seen = (content(found), file.batches, file.records, file.size_bytes, found.records)
    found.close()
    assert seen == (b"a\nb\nc\nd\n", 2, 4, 8, 4)


def test_it_can_be_had_as_gzip_again_and_again(tmp_path: Path) -> None:
    found = collection(tmp_path)
    found.add(batch(1, [LINE] * 1000))
    packed = []
    for _ in range(2):
        packed.append(content(found, gzipped=True))  # noqa: PERF401 - a second time
    found.close()
    assert packed[0] == packed[1]
    assert gzip.decompress(packed[0]) == (LINE + b"\n") * 1000
    assert len(packed[0]) < 1000
    assert packed[0][:8] == b"\x1f\x8b\x08\0\0\0\0\0"  # neither a name nor a time


@pytest.mark.parametrize("read_bytes", [0, 10])
def test_a_file_that_was_sent_in_part_is_still_all_there(tmp_path: Path, read_bytes: int) -> None:
    found = collection(tmp_path)
    found.add(batch(1, [LINE] * 1000))
    for gzipped in (False, True):
        file, size_bytes = found.packed(gzipped=gzipped)
        file.seek(0)
        file.read(read_bytes)
        again, size_again = found.packed(gzipped=gzipped)
        assert (again, size_again) == (file, size_bytes)
        again.seek(0)
        assert len(again.read()) == size_bytes
    found.close()


def test_nothing_is_nothing_to_send(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^nothing was collected$"):
        collection(tmp_path).packed(gzipped=False)


def test_its_files_are_on_the_disk_of_its_folder(tmp_path: Path) -> None:
    found = collection(tmp_path)
    found.add(batch(1, [LINE]))
    files = [found.packed(gzipped=gzipped)[0] for gzipped in (False, True)]
    places = [str(Path(f"/proc/self/fd/{file.fileno()}").readlink()) for file in files]
    found.close()
    assert [place.startswith(f"{tmp_path}/") for place in places] == [True, True]


def test_no_name_of_it_is_ever_seen(tmp_path: Path) -> None:
    found = collection(tmp_path)
    found.add(batch(1, [LINE]))
    found.packed(gzipped=True)
    names = list(tmp_path.iterdir())
    found.close()
    assert names == []


def full(**_: object) -> IO[bytes]:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


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
    found.add(batch(1, [LINE] * 5))
    with pytest.raises(OSError, match="No space left"):
        found.add(batch(1, [LINE] * 10))
    after = (content(found), found.records, found.files[0].size_bytes)
    found.close()
    assert after == ((LINE + b"\n") * 5, 5, 500)
    assert (tmp_path / "file").stat().st_size == 500


def test_what_a_full_disk_did_not_take_is_divided_when_it_comes_again(tmp_path: Path) -> None:
    settings = CloudDiscoverySinkConfig(max_records=3, max_bytes=100_000)
    found = Collection(tmp_path, settings)
    found.add(batch(1, [LINE] * 2))
    with room(500), pytest.raises(OSError, match="File too large"):
        found.add(batch(2, [LINE] * 5))
    found.add(batch(2, [LINE] * 5))
    files = contents(found)
    found.close()
    assert files == [(LINE + b"\n") * 3, (LINE + b"\n") * 3, LINE + b"\n"]


def test_a_full_disk_is_known_at_once_and_not_when_the_file_is_sent(tmp_path: Path) -> None:
    found = collection(tmp_path)
    with room(1000):
        found.add(batch(1, [LINE] * 5))
        with pytest.raises(OSError, match="File too large"):
            found.add(batch(1, [LINE] * 6))
        found.add(batch(1, [LINE] * 5))
    after = (content(found), found.records, found.files[0].size_bytes)
    found.close()
    assert after == ((LINE + b"\n") * 10, 10, 1000)


@pytest.mark.parametrize(("gzipped", "start"), [(True, 0), (False, 10)])
def test_what_a_full_disk_does_not_take_is_packed_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, gzipped: bool, start: int
) -> None:
    found = collection(tmp_path, max_records=10)
    lines = [b"%d" % number for number in range(20)]
    found.add(batch(1, lines))
    if start:
        found.drop_first()  # what is at the start needs no file of its own
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    packed = content(found, gzipped=gzipped)
    found.close()
    assert (gzip.decompress(packed) if gzipped else packed).split() == lines[start : start + 10]


def test_what_is_too_large_for_the_memory_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = collection(tmp_path)
    found.add(batch(1, [LINE]))
    monkeypatch.setattr(upload_file, "MAX_IN_MEMORY_BYTES", len(LINE))
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(OSError, match="No space left"):
        found.packed(gzipped=True)
    found.close()


def test_a_disk_too_full_for_the_gzip_file_is_tried_again(tmp_path: Path) -> None:
    found = collection(tmp_path)
    found.add(batch(1, [os.urandom(4000).hex().encode() for _ in range(10)]))
    with room(10_000), pytest.raises(OSError, match="File too large"):
        found.packed(gzipped=True)
    unpacked = gzip.decompress(content(found, gzipped=True))
    whole = content(found)
    found.close()
    assert unpacked == whole
