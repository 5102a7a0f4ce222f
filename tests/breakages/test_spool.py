"""Breakages of the spool: its disk, its room, and feeds that the configuration takes away."""

import shutil
import subprocess
from pathlib import Path

import pytest

from nss.lab.generator import RecordGenerator
from nss.lab.ports import free_ports
from tests.breakages.conftest import Breakages
from tests.faults.conftest import sink, web
from tests.faults.test_disk import fill
from tests.faults.test_full_spool import large_records

pytestmark = pytest.mark.long

RECORDS = 2_500
"""They take about 15 MiB in the spool."""
OUT = sink("file", 'path = "lines"')
SIZES = {r"[0-9.]+ [KM]iB free": "3.2 MiB free"}
NUMBERS = {
    r"127\.0\.0\.1:[0-9]+": "siem.example.com:514",
    r"127\.0\.0\.1 \(TCP port [0-9]+\)": "siem.example.com (TCP port 514)",
    r"[0-9.]+ (MiB|KiB), [0-9,]+ records": "14.2 MiB, 2,345 records",
    r"[0-9,]+ records wait": "2,345 records wait",
    r"[0-9,]+ records dropped": "1,234 records dropped",
    r"; [0-9,]+ were dropped": "; 1,234 were dropped",
    r"oldest for [0-9a-z ]+ \(": "oldest for 4 min (",
    r"tries it again in [0-9.]+ s": "tries it again in 5 s",
}
TIMES = {r"20[0-9]{2}-[-0-9]+T[0-9:]+[+-][0-9:]+": "2026-11-26T02:58:00+01:00"}


def some_records() -> bytes:
    """Return half of the large records."""
    return b"".join(large_records().splitlines(keepends=True)[:RECORDS])


def dead(port: int, *settings: str) -> str:
    """Return a feed whose collector is not there."""
    feed = sink("syslog_tcp", f'destinations = ["127.0.0.1:{port}"]', name="siem")
    return "\n".join([feed.split("\n")[0], *settings, *feed.split("\n")[1:]])


async def test_a_full_disk(breakages: Breakages, small_disk: Path) -> None:
    log = breakages.folder / "web.log"
    log.touch()
    await breakages.start(web(), OUT, path="disk/spool.db", min_free_bytes=8 << 20)
    fill(small_disk / "hog", leave_bytes=4 << 20)
    log.write_bytes(RecordGenerator(1).batch(100))

    status = await breakages.shows("disk-full", SIZES)

    assert not status.spool.full  # it is not its own limit that is reached
    exit_code, told = await breakages.command("troubleshoot", "feeds")
    assert (exit_code, "Spool: no record is accepted" in told) == (1, True)
    assert ", full" not in (await breakages.command("status"))[1].split("\nspool")[1]
    (small_disk / "hog").unlink()
    await breakages.until(lambda status: status.health.ok and status.feeds[0].delivered == 100)


async def test_a_disk_without_any_space(breakages: Breakages, small_disk: Path) -> None:
    log = breakages.folder / "web.log"
    log.touch()
    await breakages.start(web(), OUT, path="disk/spool.db", min_free_bytes=0)
    fill(small_disk / "hog", leave_bytes=256 << 10)
    log.write_bytes(RecordGenerator(1).batch(20_000))

    await breakages.shows("disk-without-space", SIZES)


@pytest.fixture
def failing_writes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that lets writes fail; skips where none can be made."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: no write can be made to fail")
    library = tmp_path_factory.mktemp("writes") / "failing_writes.so"
    source = Path(__file__).with_name("failing_writes.c")
    words = (compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(library), str(source))
    subprocess.run([*words, "-ldl"], check=True)  # noqa: S603 - ours
    return library


async def test_a_disk_that_fails(breakages: Breakages, failing_writes: Path) -> None:
    mark = breakages.folder / "bad"
    breakages.wrapper = ("env", f"LD_PRELOAD={failing_writes}", f"NSS_TEST_BAD_DISK={mark}")
    log = breakages.folder / "web.log"
    log.touch()
    await breakages.start(web(), OUT)
    mark.touch()
    log.write_bytes(RecordGenerator(1).batch(100))

    await breakages.shows("disk-fails")

    mark.unlink()
    await breakages.until(lambda status: status.health.ok and status.feeds[0].delivered == 100)


async def test_the_folder_of_the_spool_is_gone(breakages: Breakages) -> None:
    (breakages.folder / "web.log").write_bytes(RecordGenerator(1).batch(10))
    folder = breakages.folder / "state"
    folder.mkdir()
    await breakages.start(web(), OUT, path="state/spool.db")
    await breakages.until(lambda status: status.feeds[0].delivered == 10)
    shutil.rmtree(folder)

    await breakages.shows("spool-folder-gone")

    folder.mkdir()
    await breakages.until(lambda status: status.health.ok)


async def test_a_full_spool(breakages: Breakages) -> None:
    (port,) = free_ports(1)
    (breakages.folder / "web.log").write_bytes(large_records())
    await breakages.start(web(), OUT, dead(port), max_bytes=16 << 20)

    await breakages.shows("spool-full", NUMBERS)


async def test_a_feed_at_its_limit_makes_its_sources_wait(breakages: Breakages) -> None:
    (port,) = free_ports(1)
    (breakages.folder / "web.log").write_bytes(some_records())
    feed = dead(port, 'max_pending_bytes = "8MiB"')
    await breakages.start(web(), OUT, feed, max_bytes=64 << 20)

    status = await breakages.shows("feed-limit-wait", NUMBERS)
    _, told = await breakages.command("troubleshoot", "feeds")
    assert "    Its sources wait: as much is pending as it may have, 8.0 MiB (max_pend" in told

    siem = status.feeds[1]
    assert 6 << 20 < siem.pending_bytes <= 8 << 20
    assert not status.spool.full


async def test_a_feed_at_its_limit_drops_its_oldest(breakages: Breakages) -> None:
    (port,) = free_ports(1)
    (breakages.folder / "web.log").write_bytes(some_records())
    limit = ('max_pending_bytes = "8MiB"', 'when_pending_full = "drop_oldest"')
    running = await breakages.start(web(), OUT, dead(port, *limit), max_bytes=64 << 20)
    await breakages.until(lambda status: status.feeds[0].delivered == RECORDS)

    status = await breakages.shows("feed-limit-drop", NUMBERS)

    out, siem = status.feeds
    assert (out.delivered, out.dropped) == (RECORDS, 0)
    assert (siem.dropped + siem.pending, siem.unaccounted) == (RECORDS, 0)
    assert siem.pending_bytes <= 8 << 20
    names = [event["event"] for event in running.events if event["component"] == "siem"]
    assert names.count("feed_drops_oldest") == 1
    exit_code, told = await breakages.command("troubleshoot", "feeds")
    dropped = f"It drops its oldest records, {siem.dropped:,} of them so far: as much is pending as"
    assert (exit_code, f"    {dropped} it may have, 8.0 MiB.\n" in told) == (1, True), told


async def test_a_feed_that_a_reload_takes_away(breakages: Breakages) -> None:
    (port,) = free_ports(1)
    (breakages.folder / "web.log").write_bytes(RecordGenerator(1).batch(30))
    running = await breakages.start(web(), OUT, dead(port), drain_secs=0.2, replay_minutes=60)
    await running.reported("sink_failed")
    await breakages.until(lambda status: status.feeds[1].pending == 30)
    breakages.write(web(), OUT, drain_secs=0.2, replay_minutes=60)
    await breakages.command("reload")

    await breakages.shows("feed-removed", TIMES)


async def test_a_file_that_is_newer_than_what_runs(breakages: Breakages) -> None:
    (breakages.folder / "web.log").touch()
    await breakages.start(web(), OUT)
    breakages.write(web(), OUT.replace("QRADAR", "MCAS"))

    await breakages.shows("newer-file")


async def test_a_format_that_is_newer_than_what_runs(breakages: Breakages) -> None:
    (breakages.folder / "web.log").touch()
    form = breakages.folder / "own.fof"
    form.write_text("%s{login}\n")
    await breakages.start(web(), OUT.replace('"QRADAR"', '"own.fof"'))
    form.write_text("%s{login} %s{url}\n")

    await breakages.shows("newer-format")


async def test_a_newer_file_that_only_a_restart_puts_in_force(breakages: Breakages) -> None:
    (breakages.folder / "web.log").touch()
    await breakages.start(web(), OUT, replay_minutes=60)
    breakages.write(web(), OUT, replay_minutes=120)

    await breakages.shows("newer-file-restart")
