"""A feed that drops its oldest records at its limit is killed meanwhile: every account adds up."""

import asyncio
import base64
import random
import signal
import sys
from collections import Counter
from pathlib import Path

import orjson
import pytest

from nss.lab.generator import RecordGenerator
from nss.lab.ports import free_ports
from tests.crash.collectors import TcpCollector
from tests.crash.conftest import VICTIM
from tests.crash.ledger import _copied
from tests.faults.conftest import Scene, pytest_asyncio_loop_factories, scene, settled, sink, web
from tests.service.conftest import ENV, Running, rendered

__all__ = ["pytest_asyncio_loop_factories", "scene"]

pytestmark = pytest.mark.long

LIMIT = 'max_pending_bytes = "2MiB"\nwhen_pending_full = "drop_oldest"\n'
RECORDS = 200
FATES = [("before commit", 9), ("after commit", 8), ("before commit", 6), ("after commit", 7)]


def large_records(seed: int) -> bytes:
    """Return records of 8 KB that can't be compressed much: about 1.2 MiB of them."""
    noise = random.Random(seed)
    plain = RecordGenerator(seed, flat=True, hostile_share=0)
    records = [
        orjson.dumps(
            orjson.loads(line) | {"eurl": base64.b64encode(noise.randbytes(6_000)).decode()}
        )
        for line in plain.lines(RECORDS)
    ]
    return b"\n".join([*records, b""])


def accounts(path: Path) -> dict[str, tuple[int, int, int]]:
    """Return what was accepted, what it came to, and what is pending, of each feed in a file."""
    with _copied(path) as connection:
        return {
            feed: (
                accepted,
                done,
                connection.execute(
                    "SELECT coalesce(sum(records), 0) FROM batches WHERE sequence > ?", (passed,)
                ).fetchone()[0],
            )
            for feed, passed, accepted, done in connection.execute(
                "SELECT feed, passed, accepted, delivered + filtered + rejected + dropped "
                "- unpacked FROM cursors"
            )
        }


async def test_kills_while_a_feed_drops_lose_and_count_nothing_twice(scene: Scene) -> None:
    (port,) = free_ports(1)
    siem = sink("syslog_tcp", f'destinations = ["127.0.0.1:{port}"]', name="siem")
    siem = siem.replace("[feeds.siem]\n", f"[feeds.siem]\n{LIMIT}")
    out = sink("file", 'path = "lines"')
    scene.write(web(), out, siem)
    log, data = scene.folder / "web.log", b""
    for seed, fate in enumerate(FATES):
        data += (more := large_records(seed))
        with log.open("ab") as stream:
            stream.write(more)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", str(VICTIM), str(scene.config), *map(str, fate)),
            env=ENV,
            cwd=scene.folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        running = Running(process)
        scene._started.append(running)
        assert await running.ended() == -signal.SIGKILL
        for feed, (accepted, done, pending) in accounts(scene.folder / "spool.db").items():
            assert accepted == done + pending, feed

    running = await scene.run()
    await running.reported("service_started")
    total = len(FATES) * RECORDS
    down = await scene.until(
        lambda status: (
            [feed.accepted for feed in status.feeds] == [total, total]
            and status.feeds[0].pending == 0
        )
    )
    collector = TcpCollector()
    await collector.open(port)
    try:
        up = await scene.until(settled)
        assert await scene.stop(running) == 0
        await collector.settle()
        came = Counter(collector.lines)
    finally:
        await collector.close()

    expected = rendered(data, "QRADAR")
    _, dropped = down.feeds
    assert (dropped.dropped > 0, dropped.delivered) == (True, 0)
    assert set(scene.lines()) == set(expected)  # the other feed lost nothing
    last = {feed.name: feed for feed in up.feeds}
    assert (last["out"].accepted, last["out"].dropped) == (total, 0)
    assert last["siem"].delivered + last["siem"].dropped == total
    assert (max(came.values()), len(came)) == (1, last["siem"].delivered)
    assert list(came) == expected[-len(came) :]
