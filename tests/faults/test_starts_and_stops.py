"""Starts that must not be, and stops in every state: a sentence, an exit code, nothing lost."""

import contextlib
import signal
import sqlite3

from nss.lab.generator import RecordGenerator
from nss.lab.ports import free_ports
from tests.faults.conftest import Scene, settled, sink, web
from tests.service.conftest import Collector, rendered

LINES = sink("file", 'path = "lines"')


async def test_a_second_process_on_the_same_spool_is_refused_with_a_sentence(scene: Scene) -> None:
    (scene.folder / "web.log").touch()
    running = await scene.start(web(), LINES)

    exit_code, told = await scene.command("run")

    assert exit_code == 74
    assert f"spool: another process uses the file ({scene.folder / 'spool.db'})" in told
    assert "Try: " in told
    assert "Traceback" not in told
    assert (await scene.status()).health.ok
    assert await scene.stop(running) == 0


async def test_a_spool_of_a_newer_version_is_refused_with_a_sentence_and_left_as_it_is(
    scene: Scene,
) -> None:
    (scene.folder / "web.log").touch()
    running = await scene.start(web(), LINES)
    assert await scene.stop(running) == 0
    (scene.folder / "spool.db.ledger").unlink()  # a newer version writes its own
    with contextlib.closing(sqlite3.connect(scene.folder / "spool.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
        before = list(connection.iterdump())

    exit_code, told = await scene.command("run")

    assert exit_code == 74
    assert "spool: the file has form 99, and this version of NSS knows forms up to" in told
    assert "Traceback" not in told
    with contextlib.closing(sqlite3.connect(scene.folder / "spool.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (99,)
        assert list(connection.iterdump()) == before


async def test_a_stop_delivers_what_is_pending_before_it_ends(
    scene: Scene, collector: Collector
) -> None:
    data = RecordGenerator(1).batch(300)
    (scene.folder / "web.log").write_bytes(data)
    destination = f'destinations = ["127.0.0.1:{collector.port}"]'
    running = await scene.start(
        web(), sink("syslog_udp", destination, "max_messages_per_sec = 600")
    )
    await collector.arrived(1)

    exit_code = await scene.stop(running)
    await collector.arrived(300)

    assert exit_code == 0
    assert collector.messages == rendered(data, "QRADAR")


async def test_a_stop_with_a_dead_collector_ends_in_time_and_the_next_start_delivers(
    scene: Scene,
) -> None:
    (port,) = free_ports(1)
    data = RecordGenerator(1).batch(300)
    (scene.folder / "web.log").write_bytes(data)
    dead = sink("syslog_tcp", f'destinations = ["127.0.0.1:{port}"]')
    running = await scene.start(web(), dead, drain_secs=0.3)
    await running.reported("sink_failed")
    assert await scene.stop(running) == 75
    assert running.events[-1]["pending"] == 300

    again = await scene.start(web(), LINES)
    await scene.until(settled)
    assert await scene.stop(again) == 0

    assert scene.lines() == rendered(data, "QRADAR")


async def test_a_second_signal_ends_it_at_once_and_the_next_start_delivers(scene: Scene) -> None:
    (port,) = free_ports(1)
    data = RecordGenerator(1).batch(300)
    (scene.folder / "web.log").write_bytes(data)
    dead = sink("syslog_tcp", f'destinations = ["127.0.0.1:{port}"]')
    running = await scene.start(web(), dead, drain_secs=3600)
    await running.reported("sink_failed")
    running.send_signal(signal.SIGTERM)
    await running.reported("service_stopping")

    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 128 + signal.SIGTERM
    assert running.events[-1]["pending"] == 300

    again = await scene.start(web(), LINES)
    await scene.until(settled)
    assert await scene.stop(again) == 0

    assert scene.lines() == rendered(data, "QRADAR")
