"""A spool at its limit: sources wait for the feeds, or the oldest records go and are counted."""

import base64
import random
from collections.abc import AsyncIterator

import orjson
import pytest

from nss.lab.generator import RecordGenerator
from nss.lab.ports import free_ports
from tests.crash.collectors import TcpCollector, until
from tests.faults.conftest import Scene, adds_up, settled, sink, web
from tests.service.conftest import rendered

RECORDS = 5_000
LIMIT_BYTES = 16 << 20


def large_records() -> bytes:
    """Return records of 8 KB that can't be compressed much: about 31 MiB of them in the spool."""
    noise = random.Random(1)
    plain = RecordGenerator(1, flat=True, hostile_share=0)
    records = [
        orjson.dumps(
            orjson.loads(line) | {"eurl": base64.b64encode(noise.randbytes(6_000)).decode()}
        )
        for line in plain.lines(RECORDS)
    ]
    return b"\n".join([*records, b""])


@pytest.fixture
async def collector() -> AsyncIterator[TcpCollector]:
    made = TcpCollector()
    yield made
    await made.close()


async def test_a_full_spool_makes_the_source_wait_until_the_collector_is_back(
    scene: Scene, collector: TcpCollector
) -> None:
    (port,) = free_ports(1)
    data = large_records()
    (scene.folder / "web.log").write_bytes(data)
    out = sink("syslog_tcp", f'destinations = ["127.0.0.1:{port}"]')
    running = await scene.start(web(), out, max_bytes=LIMIT_BYTES)

    full = await scene.until(lambda status: status.spool.full)
    await collector.open(port)
    up = await scene.until(lambda status: settled(status) and status.sources[0].records == RECORDS)
    await until(lambda: len(collector.lines) >= RECORDS)

    assert 0 < full.feeds[0].accepted < RECORDS
    assert LIMIT_BYTES * 3 // 4 < full.spool.used_bytes <= LIMIT_BYTES
    assert full.feeds[0].pending == full.feeds[0].accepted
    assert not up.spool.full
    assert adds_up(up.feeds[0])
    assert collector.lines == rendered(data, "QRADAR")
    assert await scene.stop(running) == 0
    files = [path for path in scene.folder.glob("spool.db*") if path.suffix != ".reserve"]
    taken = sum(path.stat().st_size for path in files)
    assert taken < LIMIT_BYTES * 5 // 4  # with what SQLite needs beside it


async def test_a_full_spool_drops_the_oldest_if_told_to_and_every_record_is_counted(
    scene: Scene, collector: TcpCollector
) -> None:
    (port,) = free_ports(1)
    data = large_records()
    (scene.folder / "web.log").write_bytes(data)
    out = sink("syslog_tcp", f'destinations = ["127.0.0.1:{port}"]')
    running = await scene.start(web(), out, max_bytes=LIMIT_BYTES, when_full="drop_oldest")

    down = await scene.until(lambda status: status.feeds[0].accepted == RECORDS)
    told = await running.reported("records_dropped")
    await collector.open(port)
    up = await scene.until(settled)
    assert await scene.stop(running) == 0
    await collector.settle()

    assert told["level"] == "error"
    assert (down.feeds[0].pending > 0, down.feeds[0].delivered) == (True, 0)
    assert down.spool.used_bytes <= LIMIT_BYTES
    assert adds_up(down.feeds[0])
    assert up.feeds[0].delivered + up.feeds[0].dropped == RECORDS
    assert adds_up(up.feeds[0])
    # The batch that the feed had in its hands when it was dropped may be delivered all the same.
    expected, pending = rendered(data, "QRADAR"), down.feeds[0].pending
    early = collector.lines[:-pending]
    assert collector.lines[-pending:] == expected[-pending:]
    assert early == expected[: len(early)]
    assert up.feeds[0].delivered <= len(collector.lines)
