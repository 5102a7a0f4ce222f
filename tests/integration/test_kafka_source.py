"""A whole service that reads from Kafka while its configuration changes."""

import asyncio
import signal
import time
from pathlib import Path

import pytest

from tests.kafka.mocked import Cluster
from tests.service.conftest import Bench, Running
from tests.sources.kafka.rig import QUICK, onlooker, sender

pytestmark = pytest.mark.long

WAIT_SECS = 40.0
FILE = '[sources.other]\nkind = "stdin"\n'
FEED = """
[feeds.out]
format_string = '%s{url}'
[feeds.out.sink]
kind = "file"
path = "out"
"""


def _source(cluster: Cluster, topic: str) -> str:
    own = "\n".join(f'"{key}" = {value}' for key, value in QUICK.items())
    return (
        f'[sources.in]\nkind = "kafka"\nbrokers = ["{cluster.address}"]\ntopics = ["{topic}"]\n'
        f'group = "test"\nformat = "json"\n[sources.in.kafka]\n{own}\n'
    )


def _values(*numbers: int) -> list[bytes]:
    return [b'{"url":"h/%d"}' % number for number in numbers]


async def _until(path: Path, lines: list[bytes]) -> None:
    """Wait until a file has just these lines."""

    def wait() -> None:
        deadline, found = time.monotonic() + WAIT_SECS, None
        while found != lines:
            assert time.monotonic() < deadline, f"{found}, not {lines}"
            time.sleep(0.05)
            found = path.read_bytes().splitlines() if path.exists() else []

    await asyncio.to_thread(wait)


async def _reloaded(running: Running) -> None:
    running.send_signal(signal.SIGHUP)
    await running.reported("configuration_reloaded")


async def test_a_reload_changes_takes_away_and_adds_a_source(
    bench: Bench, cluster: Cluster
) -> None:
    cluster.create("web")
    cluster.create("dns")
    durable = '[spool]\npath = "spool.db"\nmin_free_bytes = 0\n'
    path = bench.folder / "out"
    with (
        sender(cluster.address) as web,
        sender(cluster.address, "dns") as dns,
        onlooker(cluster.address, 1) as group,
    ):
        web.send_values(*_values(1, 2))
        running = await bench.start(durable, FILE, _source(cluster, "web"), FEED)
        await _until(path, [b"h/1", b"h/2"])

        bench.write(durable, FILE, _source(cluster, "dns"), FEED)
        await _reloaded(running)
        await group.until({("web", 0): 2})
        web.send_values(*_values(4))
        dns.send_values(*_values(3))
        await _until(path, [b"h/1", b"h/2", b"h/3"])

        bench.write(durable, FILE, FEED)
        await _reloaded(running)
        bench.write(durable, FILE, _source(cluster, "web"), FEED)
        await _reloaded(running)
        await _until(path, [b"h/1", b"h/2", b"h/3", b"h/4"])
        await group.until({("web", 0): 3})
        running.send_signal(signal.SIGTERM)
        assert await running.ended() == 0, running.raw_log.decode()
    assert bench.lines("out") == [b"h/1", b"h/2", b"h/3", b"h/4"]
