"""What the upload sink reports: its journal, its uploads, and names of files."""

import asyncio
import time

import pytest

from nss.mcas.access import uploads_folder
from nss.sinks import Delivered
from tests.sinks.cloud_discovery.bench import (
    DOWN,
    Bench,
    Happened,
    collect,
    file_of,
    flushed,
    lines,
)


async def test_a_journal_that_makes_no_sense_stops_nothing(
    bench: Bench, happened: Happened
) -> None:
    (uploads_folder(bench.folder) / "mcas.json").write_bytes(b"{")
    sink = await bench.opened()
    await collect(sink, lines(3))
    assert await sink.flush() == Delivered()
    await sink.close()
    reason = "Input data was truncated"
    assert happened()[0] == ("upload_journal_unreadable", {"why": reason})


async def test_a_journal_that_cannot_be_read_is_reported(bench: Bench, happened: Happened) -> None:
    (uploads_folder(bench.folder) / "mcas.json").mkdir()
    sink = await bench.opened()
    await sink.close()
    assert happened() == [("upload_journal_unreadable", {"why": "is not a regular file"})]


async def test_a_journal_that_can_be_read_a_moment_later_is_as_good(
    bench: Bench, happened: Happened
) -> None:
    sink = await bench.opened()
    await collect(sink, lines(3))
    await sink.flush()
    await sink.close()
    path = uploads_folder(bench.folder) / "mcas.json"
    path.rename(path.with_suffix(".elsewhere"))
    path.mkdir()
    opening = asyncio.ensure_future(bench.opened())
    await asyncio.sleep(0.05)
    path.rmdir()
    path.with_suffix(".elsewhere").rename(path)
    sink = await opening
    await collect(sink, lines(3), lines(2, 3))
    await sink.flush()
    await sink.close()
    assert bench.service.received == [file_of(lines(3)), file_of(lines(2, 3))]
    assert [name for name, _ in happened()] == ["upload_done"]


async def test_no_journal_is_nothing_to_report(bench: Bench, happened: Happened) -> None:
    sink = await bench.opened()
    await sink.close()
    assert happened() == []


async def test_an_upload_is_reported_with_its_size_and_time(
    bench: Bench, happened: Happened
) -> None:
    sink = await bench.opened()
    await collect(sink, lines(3))
    bench.service.on_step = lambda: bench.pass_secs(0.4121)
    await sink.flush()
    await sink.close()
    facts = {"records": 3, "size_bytes": len(file_of(lines(3))), "secs": 1.236}
    assert happened() == [("upload_done", facts)]


async def test_a_failure_and_its_end_are_reported_and_a_success_alone_is_no_end(
    bench: Bench, happened: Happened
) -> None:
    sink = await bench.opened()
    await collect(sink, lines(1))
    await flushed(sink, bench)
    without = [name for name, _ in happened()]
    bench.service.fail["put"] = [DOWN]
    await collect(sink, lines(3), first=2)
    await flushed(sink, bench)
    await sink.close()
    reason = "the connection broke off (https://mcas.example)"
    assert without == ["upload_done"]
    assert happened()[1:] == [("upload_failed", {"why": reason}), ("upload_recovered", {})]


async def test_the_name_of_a_file_has_the_time_in_utc(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        sink = await bench.opened()
        await collect(sink, lines(1))
        await sink.flush()
        await sink.close()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert bench.service.names[0][0] == "mcas-20261124T120000-1.log"
