"""The service on a durable spool: what was accepted outlives the process."""

import signal
import sqlite3
from pathlib import Path

from nss.lab.generator import RecordGenerator
from tests.service.conftest import Bench, Collector, file_feed, file_source, rendered, udp_feed

SPOOL = '[spool]\npath = "spool.db"\nmin_free_bytes = 0\n'


def row(folder: Path, query: str) -> tuple[object, ...]:
    """Return the first row of a query to the spool."""
    connection = sqlite3.connect(folder / "spool.db")
    try:
        found: tuple[object, ...] = connection.execute(query).fetchone()
        return found
    finally:
        connection.close()


async def test_what_a_dead_collector_left_is_delivered_by_the_next_start(
    bench: Bench, dead_port: int, collector: Collector
) -> None:
    data = RecordGenerator(1).batch(200)
    (bench.folder / "web.log").write_bytes(data)
    running = await bench.start(SPOOL, file_source("web"), udp_feed(dead_port), drain_secs=0.3)
    await running.reported("source_finished")
    running.send_signal(signal.SIGTERM)
    stopped = await running.reported("service_stopped")
    assert (await running.ended(), stopped["level"], stopped["pending"]) == (75, "warning", 200)

    again = await bench.start(SPOOL, file_source("web"), udp_feed(collector.port))
    assert await again.ended() == 0
    await collector.arrived(200)

    assert collector.messages == rendered(data, "MCAS")
    assert again.totals()["mcas"]["accepted"] == again.totals()["mcas"]["delivered"] == 200


async def test_a_file_is_not_read_twice_after_a_restart(bench: Bench) -> None:
    generator, log = RecordGenerator(1), bench.folder / "web.log"
    data = generator.batch(50)
    log.write_bytes(data)
    for _ in range(2):
        running = await bench.start(SPOOL, file_source("web"), file_feed("out"))
        assert await running.ended() == 0
        with log.open("ab") as more:
            data += (added := generator.batch(25))
            more.write(added)
    running = await bench.start(SPOOL, file_source("web"), file_feed("out"))
    assert await running.ended() == 0

    assert bench.lines("out") == rendered(data, "QRADAR")
    assert row(bench.folder, "SELECT accepted FROM sources") == (100,)


async def test_a_feed_that_is_gone_at_the_start_is_reported_and_its_records_stay_for_a_replay(
    bench: Bench, dead_port: int
) -> None:
    (bench.folder / "web.log").write_bytes(RecordGenerator(1).batch(20))
    running = await bench.start(SPOOL, file_source("web"), udp_feed(dead_port), drain_secs=0.1)
    await running.reported("source_finished")
    running.send_signal(signal.SIGTERM)
    assert await running.ended() == 75

    again = await bench.start(SPOOL, file_source("web", follow=True), file_feed("out"))
    logged = [event for event in again.events if event["event"] == "records_left_behind"]
    again.send_signal(signal.SIGTERM)
    assert await again.ended() == 0

    assert [(event["component"], event["pending"]) for event in logged] == [("mcas", 20)]
    assert row(bench.folder, "SELECT sum(records), count(passed_at) FROM batches") == (20, 1)
    assert row(bench.folder, "SELECT feed FROM cursors") == ("out",)


async def test_rejected_records_are_kept_as_they_came(bench: Bench) -> None:
    good = RecordGenerator(1).batch(2)
    (bench.folder / "web.log").write_bytes(good + b'{"time": 7\n' + good)
    section = file_source("web") + 'format = "json"\n'
    running = await bench.start(SPOOL, section, file_feed("out"))
    assert await running.ended() == 0

    found = row(bench.folder, "SELECT feed, source, data, record_bytes FROM rejects")
    assert found == ("out", "web", b'{"time": 7', 10)
    assert bench.lines("out") == 2 * rendered(good, "QRADAR")
