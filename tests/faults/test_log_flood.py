"""What fails thousands of times is told a few times, with how often it was."""

from nss.lab.generator import RecordGenerator
from nss.lab.ports import free_ports
from tests.faults.conftest import Scene, sink, web
from tests.service.conftest import Running

BROKEN = 5_000


def told_of(running: Running, event: str, component: str) -> int:
    """Return how many events the log has told of, those held back included."""
    number = 0
    for one in running.events:
        if one["component"] != component:
            continue
        if one["event"] == event:
            number += 1 + int(str(one.get("held_back", 0)))
        if one["event"] == "held_back" and one["of"] == event:
            number += int(str(one["held_back"]))
    return number


async def test_a_dead_collector_and_thousands_of_bad_records_give_few_lines_that_count_them_all(
    scene: Scene,
) -> None:
    (port,) = free_ports(1)
    good = RecordGenerator(1).batch(100)
    (scene.folder / "web.log").write_bytes(b"no record at all\n" * BROKEN + good)
    running = await scene.start(
        web(),
        sink("file", 'path = "lines"'),
        sink("syslog_udp", f'destinations = ["127.0.0.1:{port}"]', name="dead"),
        drain_secs=0.2,
    )

    await scene.until(lambda status: status.feeds[0].delivered == 100)
    await running.reported("sink_failed")
    assert await scene.stop(running) == 75

    assert told_of(running, "record_rejected", "out") == BROKEN
    assert len(running.events) < 30
