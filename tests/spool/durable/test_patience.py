"""How often a batch is looked at before it is lost, and what is said meanwhile."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Collection, Iterator, Sequence
from pathlib import Path

import pytest

from nss.batch import Batch
from nss.errors import NssError
from nss.spool import Entry, SpoolError
from nss.spool.durable import patient_reader, suspicion
from nss.spool.durable.patient_reader import DAMAGED_LOOKS, UNREADABLE_LOOKS, PatientReader
from nss.spool.durable.reader import Lost
from nss.telemetry.events import counters
from tests.spool.durable.committing import happened, refusal

Found = list[Entry | Lost]
Given = Sequence[Entry | Lost] | sqlite3.Error

EMPTY = Batch("web", b"", 2)
ENTRY = Entry(1, Batch("web", b"a\nb\n", 2))
WRONG = Lost(1, EMPTY, 0.0, "its records are missing", is_read_error=False)
UNREAD = Lost(1, EMPTY, 0.0, "disk I/O error", is_read_error=True)
LED_ASTRAY = Lost(1, EMPTY, 0.0, "malformed", is_read_error=False, is_malformed=True)
CORRUPT, IOERR = sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR


class File:
    """Stands for `BatchReader`: returns or raises what a test says, and notes what is asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[tuple[int, int, str, Collection[str]]] = []
        self.closed: list[int] = []
        """How often it had been read whenever it was closed."""
        self.threads = set[str]()
        self.gives: Iterator[Given] = iter(())

    def read(self, after: int, upto: int, feed: str, sources: Collection[str]) -> tuple[Found, int]:
        self.asked.append((after, upto, feed, sources))
        self.threads.add(threading.current_thread().name)
        given = next(self.gives, [ENTRY])
        if isinstance(given, sqlite3.Error):
            raise given
        return list(given), upto

    def close(self) -> None:
        self.threads.add(threading.current_thread().name)
        self.closed.append(len(self.asked))


@pytest.fixture
def file(path: Path, monkeypatch: pytest.MonkeyPatch) -> File:
    """Return the file that the next `PatientReader` reads."""
    made = File(path)
    monkeypatch.setattr(patient_reader, "BatchReader", lambda _path: made)
    return made


async def read(reader: PatientReader) -> tuple[Found, int]:
    return await asyncio.wait_for(reader.read(0, 5, "mcas", ["web"]), 40)


async def test_what_is_found_is_returned_at_once_and_read_in_a_thread_of_its_own(
    file: File, path: Path
) -> None:
    reader = PatientReader(path, 30)

    assert await read(reader) == ([ENTRY], 5)

    assert file.asked == [(0, 5, "mcas", ["web"])]
    assert file.threads == {"spool-read_0"}
    assert file.closed == []
    await reader.close(lambda: None)


@pytest.mark.parametrize(
    ("lost", "looks"),
    [(WRONG, DAMAGED_LOOKS), (UNREAD, UNREADABLE_LOOKS), (LED_ASTRAY, DAMAGED_LOOKS)],
)
async def test_a_batch_is_lost_after_some_looks_each_at_a_file_opened_again(
    file: File, path: Path, caplog: pytest.LogCaptureFixture, lost: Lost, looks: int
) -> None:
    file.gives = iter([[lost]] * 20)
    reader = PatientReader(path, 0.00001)

    assert await read(reader) == ([lost], 5)

    assert len(file.asked) == looks
    assert file.closed == list(range(1, looks))
    assert counters["spool_read_failures", "mcas"] == looks - 1
    assert happened(caplog, "spool_cannot_read") == [
        ("spool_cannot_read", {"why": f"batch 1: {lost.reason}"})
    ]
    assert suspicion.is_suspect(path) is lost.is_malformed
    await reader.close(lambda: None)


async def test_a_batch_that_can_be_read_in_the_end_is_not_lost(file: File, path: Path) -> None:
    file.gives = iter([[WRONG]] * (DAMAGED_LOOKS - 1))
    reader = PatientReader(path, 0.00001)

    assert await read(reader) == ([ENTRY], 5)

    assert len(file.asked) == DAMAGED_LOOKS
    assert file.threads == {"spool-read_0"}
    await reader.close(lambda: None)


async def test_where_sqlite_is_led_astray_once_the_next_batches_are_not_waited_for(
    file: File, path: Path
) -> None:
    file.gives = iter([[LED_ASTRAY]] * 40)
    reader = PatientReader(path, 0.00001)
    await read(reader)
    file.asked.clear()

    await read(reader)
    await read(reader)

    assert len(file.asked) == 2
    await reader.close(lambda: None)


@pytest.mark.parametrize(
    ("between", "looks"),
    [
        (ENTRY, DAMAGED_LOOKS),  # it found its way
        (WRONG, DAMAGED_LOOKS),
        (UNREAD, DAMAGED_LOOKS),
        (LED_ASTRAY, 1),
    ],
)
async def test_they_are_waited_for_again_once_a_batch_was_found(
    file: File, path: Path, between: Entry | Lost, looks: int
) -> None:
    reader = PatientReader(path, 0.00001)
    for given in (LED_ASTRAY, between, LED_ASTRAY):
        file.asked.clear()
        file.gives = iter([[given]] * 20)
        assert await read(reader) == ([given], 5)

    assert len(file.asked) == looks
    await reader.close(lambda: None)


@pytest.mark.parametrize("lost", [WRONG, UNREAD])
async def test_other_batches_are_waited_for_although_sqlite_was_led_astray(
    file: File, path: Path, lost: Lost
) -> None:
    reader = PatientReader(path, 0.00001)
    file.gives = iter([[LED_ASTRAY]] * DAMAGED_LOOKS + [[lost]])
    await read(reader)

    assert await read(reader) == ([ENTRY], 5)

    await reader.close(lambda: None)


async def test_a_new_reader_waits_for_what_leads_sqlite_astray(file: File, path: Path) -> None:
    reader = PatientReader(path, 0.00001)
    file.gives = iter([[LED_ASTRAY]])

    assert await read(reader) == ([ENTRY], 5)

    await reader.close(lambda: None)


async def test_a_file_of_which_no_rows_can_be_read_is_given_up(
    file: File, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.gives = iter([refusal(CORRUPT)] * 20)
    reader = PatientReader(path, 0.00001)

    with pytest.raises(SpoolError) as raised:
        await read(reader)

    assert str(raised.value) == (
        f"spool: can't be read: database disk image is malformed ({path})\n"
        "Try: start NSS again: it saves what is readable"
    )
    assert isinstance(raised.value.__cause__, sqlite3.DatabaseError)
    assert len(file.asked) == DAMAGED_LOOKS
    assert suspicion.is_suspect(path)
    assert happened(caplog, "spool_cannot_read") == [
        ("spool_cannot_read", {"why": "database disk image is malformed"})
    ]
    await reader.close(lambda: None)


@pytest.mark.parametrize(("code", "looks"), [(IOERR, 15), (CORRUPT, DAMAGED_LOOKS - 1)])
async def test_rows_that_can_not_be_read_for_a_while_are_waited_for(
    file: File, path: Path, code: int, looks: int
) -> None:
    file.gives = iter([refusal(code)] * looks)
    reader = PatientReader(path, 0.00001)

    assert await read(reader) == ([ENTRY], 5)

    assert file.closed == list(range(1, looks + 1))
    assert not suspicion.is_suspect(path)
    await reader.close(lambda: None)


async def test_the_pauses_become_longer_up_to_a_limit(
    file: File, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def waited(waiting: Awaitable[object], secs: float) -> None:
        pauses.append(secs)
        asyncio.ensure_future(waiting).cancel()
        await asyncio.sleep(0)
        raise TimeoutError

    file.gives = iter([refusal(IOERR)] * 7)
    reader = PatientReader(path, 0.5)
    with monkeypatch.context() as patched:
        patched.setattr(asyncio, "wait_for", waited)
        assert await reader.read(0, 5, "mcas", ["web"]) == ([ENTRY], 5)

    assert pauses == [0.5, 1, 2, 4, 8, 8, 8]
    await reader.close(lambda: None)


@pytest.mark.parametrize("given", [refusal(CORRUPT), refusal(IOERR), [UNREAD]])
async def test_who_waits_for_a_batch_is_told_of_the_close(
    file: File, path: Path, given: Given
) -> None:
    file.gives = iter([given] * 20)
    reader = PatientReader(path, 30)
    reading = asyncio.ensure_future(reader.read(0, 5, "mcas", ["web"]))
    async with asyncio.timeout(40):
        while not counters["spool_read_failures", "mcas"]:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.001)
    done: list[str] = []

    await reader.close(lambda: done.append(threading.current_thread().name))

    with pytest.raises(NssError) as raised:
        await asyncio.wait_for(reading, 10)
    assert str(raised.value) == f"spool: it is closed ({path})"
    assert done == ["spool-read_0"]
    assert len(file.asked) == 1
    assert not suspicion.is_suspect(path)


async def test_damage_found_while_it_is_closed_is_not_believed(file: File, path: Path) -> None:
    reader = PatientReader(path, 0.00001)

    def close() -> Iterator[sqlite3.Error]:
        for look in range(1, 20):
            if look == DAMAGED_LOOKS:
                reader._loop.call_soon_threadsafe(reader._closed.set)
                # The loop takes the close before the result of this look.
            yield refusal(CORRUPT)

    file.gives = close()

    with pytest.raises(SpoolError) as raised:
        await read(reader)

    assert str(raised.value) == f"spool: it is closed ({path})"
    assert not suspicion.is_suspect(path)
    await reader.close(lambda: None)


async def test_a_closed_reader_reads_nothing(file: File, path: Path) -> None:
    reader = PatientReader(path, 0.00001)
    await reader.close(lambda: None)

    with pytest.raises(SpoolError) as raised:
        await read(reader)

    assert str(raised.value) == f"spool: it is closed ({path})"
    assert file.asked == []
    assert file.closed == [0]


async def test_a_file_of_the_same_name_is_opened_again(file: File, path: Path) -> None:
    reader = PatientReader(path, 0.00001)
    await read(reader)

    reader.reopen()
    await read(reader)

    assert file.closed == [1]
    await reader.close(lambda: None)
