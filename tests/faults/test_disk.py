"""A disk without space: sources wait, it is told, and nothing accepted is lost."""

import os
from pathlib import Path

import httpx
import pytest

from nss.lab.generator import RecordGenerator
from nss.lab.ports import free_ports
from nss.status.summary import Status
from tests.crash.collectors import until
from tests.faults.conftest import Scene, adds_up, settled, sink, web
from tests.service.conftest import rendered

LINES = sink("file", 'path = "lines"')


def push(port: int) -> str:
    return f'[sources.push]\nkind = "http"\nlisten = "127.0.0.1:{port}"\nformat = "json"\n'


def in_trouble(status: Status) -> bool:
    return status.spool.last_error is not None


def fill(path: Path, leave_bytes: int) -> None:
    """Fill a file system up to some bytes."""
    free = os.statvfs(path.parent)
    with path.open("wb") as stream:
        stream.write(bytes(free.f_bavail * free.f_frsize - leave_bytes))


async def post(port: int, data: bytes) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        return await client.post(f"http://127.0.0.1:{port}/", content=data)


async def test_a_full_disk_makes_sources_wait_and_nothing_is_lost_when_it_has_space_again(
    scene: Scene, small_disk: Path
) -> None:
    (port,) = free_ports(1)
    generator, log = RecordGenerator(1), scene.folder / "web.log"
    log.touch()
    running = await scene.start(web(), push(port), LINES, path="disk/spool.db")
    fill(small_disk / "hog", leave_bytes=256 << 10)
    data = generator.batch(20_000)
    log.write_bytes(data)

    down = await scene.until(in_trouble)
    refused = await post(port, generator.batch(1))
    exit_code, told = await scene.command("status")
    logged = await running.reported("spool_cannot_write")
    assert running.process.returncode is None
    (small_disk / "hog").unlink()
    await running.reported("spool_writes_again")
    expected = rendered(data, "QRADAR")
    up = await scene.until(lambda status: settled(status) and status.sources[0].records == 20_000)
    answered = await post(port, fresh := generator.batch(10))
    await scene.until(lambda status: status.feeds[0].delivered == 20_010)

    found = str(down.spool.last_error)
    assert found.startswith(f"the disk of {small_disk} is full: ")
    assert found.endswith(" free, and the spool needs 8.0 MiB to work with")
    assert (logged["level"], logged["why"]) == ("error", "database or disk is full")
    assert (exit_code, told.splitlines()[0].split()[0]) == (1, "degraded")
    assert " is full: " in " ".join(told.split())
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert answered.status_code == 200
    assert up.health.ok
    assert adds_up(up.feeds[0])
    assert scene.lines() == expected + rendered(fresh, "QRADAR")
    assert await scene.stop(running) == 0


async def test_a_full_disk_at_the_stop_loses_nothing_for_the_next_start(
    scene: Scene, small_disk: Path
) -> None:
    data = RecordGenerator(1).batch(20_000)
    log = scene.folder / "web.log"
    log.touch()
    running = await scene.start(web(), LINES, path="disk/spool.db", drain_secs=0.3)
    fill(small_disk / "hog", leave_bytes=256 << 10)
    log.write_bytes(data)
    await running.reported("spool_cannot_write")
    stopped = await scene.stop(running)
    delivered = len(scene.lines())

    (small_disk / "hog").unlink()
    again = await scene.run()
    await again.reported("service_started")
    await scene.until(lambda status: status.sources[0].last_at is not None and settled(status))
    expected = rendered(data, "QRADAR")
    await until(lambda: set(scene.lines()) >= set(expected))

    assert stopped in {0, 75}
    assert delivered < 20_000
    assert list(dict.fromkeys(scene.lines())) == list(dict.fromkeys(expected))
    assert await scene.stop(again) == 0


@pytest.mark.parametrize("has_reserve", [True, False])
async def test_a_start_on_a_full_disk_delivers_what_is_pending_and_continues_with_space(
    scene: Scene, small_disk: Path, *, has_reserve: bool
) -> None:
    (port,) = free_ports(1)
    generator = RecordGenerator(1)
    (scene.folder / "web.log").write_bytes(data := generator.batch(20_000))
    nowhere = sink("syslog_tcp", f'destinations = ["127.0.0.1:{port}"]')
    running = await scene.start(web(), nowhere, path="disk/spool.db", drain_secs=0.3)
    await scene.until(lambda status: status.feeds[0].pending == 20_000)
    await running.kill()
    if not has_reserve:
        (small_disk / "spool.db.reserve").unlink()
    fill(small_disk / "hog", leave_bytes=64 << 10 if has_reserve else 128 << 10)
    with (scene.folder / "web.log").open("ab") as log:
        log.write(more := generator.batch(10))

    again = await scene.start(web(), LINES, path="disk/spool.db", drain_secs=0.3)
    full = await scene.until(lambda status: status.feeds[0].delivered >= 20_000)
    assert full.feeds[0].delivered == 20_000
    assert await scene.until(in_trouble)
    (small_disk / "hog").unlink()
    await scene.until(lambda status: status.feeds[0].delivered == 20_010 and status.health.ok)

    assert scene.lines() == rendered(data + more, "QRADAR")
    assert await scene.stop(again) == 0


async def test_a_stop_on_a_disk_that_takes_nothing_reports_what_is_pending(
    scene: Scene, small_disk: Path
) -> None:
    (port,) = free_ports(1)
    (scene.folder / "web.log").write_bytes(RecordGenerator(1).batch(100))
    nowhere = sink("syslog_tcp", f'destinations = ["127.0.0.1:{port}"]')
    running = await scene.start(web(), nowhere, path="disk/spool.db", drain_secs=0.3)
    await scene.until(lambda status: status.feeds[0].pending == 100)
    assert await scene.stop(running) == 75

    (small_disk / "spool.db.reserve").unlink()
    fill(small_disk / "hog", leave_bytes=48 << 10)
    again = await scene.run()
    await again.reported("spool_cannot_write")
    assert await scene.stop(again) == 75
    stopped = await again.reported("service_stopped")
    assert (stopped["level"], stopped["pending"]) == ("warning", 100)


async def test_nothing_is_accepted_while_less_than_min_free_bytes_is_free(
    scene: Scene, small_disk: Path
) -> None:
    (port,) = free_ports(1)
    generator = RecordGenerator(1)
    log = scene.folder / "web.log"
    log.write_bytes(before := generator.batch(100))
    running = await scene.start(
        web(), push(port), LINES, path="disk/spool.db", min_free_bytes=8 << 20
    )
    await scene.until(lambda status: status.feeds[0].delivered == 100)

    fill(small_disk / "hog", leave_bytes=4 << 20)
    with log.open("ab") as stream:
        stream.write(more := generator.batch(100))
    down = await scene.until(in_trouble)
    refused = await post(port, generator.batch(1))
    (small_disk / "hog").unlink()
    up = await scene.until(lambda status: status.feeds[0].delivered == 200)

    found = str(down.spool.last_error)
    assert found.startswith(f"the disk of {small_disk} is full: ")
    assert found.endswith(" free, less than min_free_bytes (8.0 MiB)")
    assert not down.health.ok
    assert down.feeds[0].accepted == 100
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert up.spool.last_error is None
    assert scene.lines() == rendered(before + more, "QRADAR")
    assert await scene.stop(running) == 0


async def test_a_sink_without_space_keeps_its_records_pending_and_tears_no_line(
    scene: Scene, small_disk: Path
) -> None:
    data = RecordGenerator(1).batch(3_000)
    (scene.folder / "web.log").write_bytes(data)
    fill(small_disk / "hog", leave_bytes=300 << 10)
    running = await scene.start(web(), sink("file", 'path = "disk/lines"'))
    down = await scene.until(lambda status: status.feeds[0].last_error is not None)
    (small_disk / "hog").unlink()
    await scene.until(settled)

    assert "no space left on device" in str(down.feeds[0].last_error)
    assert down.feeds[0].pending > 0
    assert scene.lines("disk/lines") == rendered(data, "QRADAR")
    assert await scene.stop(running) == 0
