"""A whole service that reads from Kafka while its configuration changes."""

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from nss.admin.control.client import ControlClient
from nss.errors import UsageError
from nss.sources.kafka.source import LOOK_SECS
from nss.sources.watching import SeenHeader, SeenMessage
from tests.kafka.mocked import Cluster
from tests.service.conftest import Bench, Running
from tests.sources.kafka.rig import QUICK, Sent, onlooker, sender

pytestmark = pytest.mark.long

WAIT_SECS = 40.0
DURABLE = '[spool]\npath = "spool.db"\nmin_free_bytes = 0\n'
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
    path = bench.folder / "out"
    with (
        sender(cluster.address) as web,
        sender(cluster.address, "dns") as dns,
        onlooker(cluster.address, 1) as group,
    ):
        web.send_values(*_values(1, 2))
        running = await bench.start(DURABLE, FILE, _source(cluster, "web"), FEED)
        await _until(path, [b"h/1", b"h/2"])

        bench.write(DURABLE, FILE, _source(cluster, "dns"), FEED)
        await _reloaded(running)
        await group.until({("web", 0): 2})
        web.send_values(*_values(4))
        dns.send_values(*_values(3))
        await _until(path, [b"h/1", b"h/2", b"h/3"])

        bench.write(DURABLE, FILE, FEED)
        await _reloaded(running)
        bench.write(DURABLE, FILE, _source(cluster, "web"), FEED)
        await _reloaded(running)
        await _until(path, [b"h/1", b"h/2", b"h/3", b"h/4"])
        await group.until({("web", 0): 3})
        running.send_signal(signal.SIGTERM)
        assert await running.ended() == 0, running.raw_log.decode()
    assert bench.lines("out") == [b"h/1", b"h/2", b"h/3", b"h/4"]


@contextmanager
def _tapped(socket: Path, seen: list[SeenMessage]) -> Iterator[None]:
    """Collect the messages of the source `in`, until the service ends."""

    def collect() -> None:
        with closing(ControlClient(socket)) as client:
            seen.extend(client.messages("in", ""))

    viewing = threading.Thread(target=collect)
    viewing.start()
    try:
        yield
    finally:
        viewing.join(WAIT_SECS)
        assert not viewing.is_alive()


def _refusal(socket: Path, source: str) -> str:
    with closing(ControlClient(socket)) as client, pytest.raises(UsageError) as refused:
        next(client.messages(source, ""))
    return f"{refused.value.args[0]}. Try: {refused.value.tip}"


async def test_messages_are_shown_with_their_keys_also_after_a_reload(
    bench: Bench, cluster: Cluster
) -> None:
    cluster.create("web")
    cluster.create("dns")
    socket, seen = bench.folder / "c.sock", list[SeenMessage]()

    def write(topic: str) -> None:
        bench.write(DURABLE, FILE, _source(cluster, topic), FEED)
        text = bench.config.read_text()
        bench.config.write_text(text.replace('control_socket = "off"', 'control_socket = "c.sock"'))

    write("web")
    running = await Running.start(bench.config)
    bench.started.append(running)
    await running.reported("service_started")
    with (
        sender(cluster.address) as web,
        sender(cluster.address, "dns") as dns,
        _tapped(socket, seen),
    ):
        refused = [await asyncio.to_thread(_refusal, socket, name) for name in ("other", "inn")]
        assert refused[0].startswith("source 'other' reads no messages. Try: only sources of the")
        assert refused[1] == "source 'inn' is not known. Try: in"
        await _shown(seen, web, b"first")
        write("dns")
        await _reloaded(running)
        await _shown(seen, dns, b"second")
        running.send_signal(signal.SIGTERM)
        assert await running.ended() == 0, running.raw_log.decode()
    found = [(each.topic, each.key, each.headers, each.value) for each in seen]
    headers = (SeenHeader(b"trace", b"1", 1),)
    assert found == [
        ("web", b"first", headers, b'{"url":"h/1"}'),
        ("dns", b"second", headers, b'{"url":"h/1"}'),
    ]


async def _shown(seen: list[SeenMessage], sent: Sent, key: bytes) -> None:
    """Send a message once the tap sees what comes, and wait until it has seen it."""
    await asyncio.sleep(LOOK_SECS * 5)
    before, deadline = len(seen), time.monotonic() + WAIT_SECS
    sent.send_values(*_values(1), key=key, headers=[("trace", b"1")])
    while len(seen) == before:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
