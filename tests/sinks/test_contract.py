"""What every sink does, whatever it writes to: the same assertions over all of them."""

import os
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from nss.sinks import Delivered, RetryAfter, Sink
from nss.sinks.file import FileSink
from nss.sinks.syslog_udp import SyslogUdpSink

if TYPE_CHECKING:
    from tests.sinks.conftest import Collector

LINES = [b"LEEF:1.0|Zscaler|NSS|4.1|%d|cat=Allowed" % number for number in range(50)]
KEYS = [f"user{number % 7}" for number in range(50)]
STAMP = datetime(2026, 1, 2, 3, 4, 5, 678_900, UTC)


@dataclass(frozen=True)
class Rig:
    """A sink, and the hands on what it writes to."""

    sink: Sink
    received: Callable[[], list[bytes]]
    break_down: Callable[[], None]
    mend: Callable[[], None]

    async def send(self, lines: list[bytes]) -> Any:  # noqa: ANN401 - an outcome, compared whole
        return await self.sink.send(lines, KEYS[: len(lines)] if self.sink.wants_keys else None)


def udp(
    new_collector: Callable[..., "Collector"],
    _folder: Path,
    *,
    host: str = "127.0.0.1",
    header: bytes = b"",
    **options: Any,  # noqa: ANN401 - the sink's own
) -> Rig:
    collector = new_collector(host)
    sink = SyslogUdpSink("feed", [collector.address], now=lambda: STAMP, probe_secs=0, **options)

    def received() -> list[bytes]:
        messages = collector.received()
        assert all(message.startswith(header) for message in messages)
        return [message[len(header) :] for message in messages]

    return Rig(sink, received, collector.stop, collector.start)


def file(_new_collector: Callable[..., "Collector"], folder: Path) -> Rig:
    path = folder / "logs" / "web.log"
    path.parent.mkdir()
    return Rig(
        FileSink("feed", path),
        lambda: path.read_bytes().split(b"\n")[:-1],
        lambda: shutil.rmtree(path.parent),
        path.parent.mkdir,
    )


def pipe(_new_collector: Callable[..., "Collector"], folder: Path) -> Rig:
    path = folder / "pipe"
    os.mkfifo(path)
    readers = [os.open(path, os.O_RDONLY | os.O_NONBLOCK)]

    def received() -> list[bytes]:
        try:
            return os.read(readers[-1], 65_536).split(b"\n")[:-1]
        except BlockingIOError:
            return []

    return Rig(
        FileSink("feed", path),
        received,
        lambda: os.close(readers.pop()),
        lambda: readers.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK)),
    )


RIGS: dict[str, Callable[[Callable[..., "Collector"], Path], Rig]] = {
    "udp": udp,
    "udp-ipv6": partial(udp, host="::1"),
    "udp-pri": partial(udp, pri=13, header=b"<13>"),
    "udp-rfc5424": partial(
        udp,
        rfc5424=True,
        hostname="nss1",
        header=b"<134>1 2026-01-02T03:04:05.678Z nss1 zscaler-nss - - - ",
    ),
    "udp-paced": partial(udp, max_messages_per_sec=20_000),
    "udp-ports": partial(udp, source_ports=4),
    "file": file,
    "pipe": pipe,
}


@pytest_asyncio.fixture(params=RIGS)
async def unopened(
    request: pytest.FixtureRequest, new_collector: Callable[..., "Collector"], tmp_path: Path
) -> AsyncIterator[Rig]:
    made = RIGS[request.param](new_collector, tmp_path)
    yield made
    await made.sink.close()


@pytest_asyncio.fixture
async def rig(unopened: Rig) -> Rig:
    await unopened.sink.open()
    return unopened


async def test_all_lines_arrive_in_order(rig: Rig) -> None:
    assert (await rig.send(LINES), rig.received()) == (Delivered(), LINES)


async def test_sends_follow_one_another(rig: Rig) -> None:
    outcomes = [await rig.send(LINES[start : start + 10]) for start in range(0, 50, 10)]
    assert (outcomes, rig.received()) == ([Delivered()] * 5, LINES)


async def test_nothing_to_send_is_delivered(rig: Rig) -> None:
    assert (await rig.send([]), rig.received()) == (Delivered(), [])


async def test_bytes_arrive_as_they_are(rig: Rig) -> None:
    lines = ["usrName=Müller\turl=例え.jp/✓".encode(), bytes(set(range(256)) - {10}), b" ", b"\xff"]
    assert (await rig.send(lines), rig.received()) == (Delivered(), lines)


async def test_lines_wait_for_a_destination_that_is_away(rig: Rig) -> None:
    rig.break_down()
    away = await rig.send(LINES)
    rig.mend()
    assert isinstance(away, RetryAfter)
    assert (away.sent, 0 < away.delay_secs <= 0.25, len(away.reason) > 0) == (0, True, True)
    assert (await rig.send(LINES[away.sent :]), rig.received()) == (Delivered(), LINES)


async def test_delays_grow_while_a_destination_stays_away(rig: Rig) -> None:
    rig.break_down()
    delays = [(await rig.send(LINES)).delay_secs for _ in range(12)]
    rig.mend()
    assert delays[0] < delays[2] < delays[4] < delays[6]
    assert max(delays) <= 30


async def test_a_destination_may_come_back_and_go_again(rig: Rig) -> None:
    rig.break_down()
    outcomes = [type(await rig.send(LINES))]
    rig.mend()
    outcomes.append(type(await rig.send(LINES)))
    rig.break_down()
    outcomes.append(type(await rig.send(LINES)))
    rig.mend()
    assert outcomes == [RetryAfter, Delivered, RetryAfter]


async def test_a_destination_that_is_away_when_opened_is_no_error(unopened: Rig) -> None:
    unopened.break_down()
    await unopened.sink.open()
    unopened.mend()
    assert (await unopened.send(LINES), unopened.received()) == (Delivered(), LINES)


async def test_closing_twice_is_fine(rig: Rig) -> None:
    await rig.send(LINES[:1])
    await rig.sink.close()
    await rig.sink.close()
