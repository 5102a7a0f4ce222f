"""A collector behind a network that swallows packets: no reset, no end, nothing."""

import asyncio
import ctypes
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from formats.lines import Lines
from nss.sinks import Delivered
from tests.parts import tcp_sink

if TYPE_CHECKING:
    from tests.sinks.conftest import TcpCollector

NewCollector = Callable[..., "TcpCollector"]
LINES = [b"line %d" % number for number in range(30)]

NETWORK_NAMESPACE = 0x40000000
"""CLONE_NEWNET of sched.h, which `os` has from Python 3.12 on."""


@dataclass(frozen=True)
class Far:
    """A collector in a network namespace of its own."""

    collector: "TcpCollector"
    cut: Callable[[], None]
    repair: Callable[[], None]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)  # noqa: S603, S607 - ours


@pytest.fixture
def far(new_tcp_collector: NewCollector) -> Iterator[Far]:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("a network namespace needs root and the command ip")
    name = f"nss-{os.getpid()}"
    here, there = f"a{os.getpid()}", f"b{os.getpid()}"
    # Four of those set aside for tests (RFC 2544), others than a killed process may have left.
    number = secrets.randbelow(1 << 15) * 4
    address = f"198.{18 + (number >> 16)}.{number >> 8 & 255}"
    first = number & 255
    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespace can be made: {error.stderr.decode().strip()}")
    try:
        ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
    except subprocess.CalledProcessError as error:
        ip("netns", "del", name)
        pytest.skip(f"no virtual network can be made: {error.stderr.decode().strip()}")
    try:
        ip("addr", "add", f"{address}.{first + 1}/30", "dev", here)
        ip("link", "set", here, "up")
        ip("-n", name, "addr", "add", f"{address}.{first + 2}/30", "dev", there)
        ip("-n", name, "link", "set", there, "up")
        made = within(name, lambda: new_tcp_collector(f"{address}.{first + 2}"))
        yield Far(
            made,
            # What is not addressed to the machine is dropped there silently.
            lambda: ip("-n", name, "addr", "del", f"{address}.{first + 2}/30", "dev", there),
            lambda: ip("-n", name, "addr", "add", f"{address}.{first + 2}/30", "dev", there),
        )
    finally:
        # The namespace itself lives on until the collector's sockets are closed.
        ip("link", "del", here)
        ip("netns", "del", name)


def within(namespace: str, make: Callable[[], "TcpCollector"]) -> "TcpCollector":
    """Return what `make` returns inside of a network namespace."""
    made: list[TcpCollector] = []

    def work() -> None:
        with Path("/run/netns", namespace).open() as handle:
            libc = ctypes.CDLL(None, use_errno=True)
            assert libc.setns(handle.fileno(), NETWORK_NAMESPACE) == 0, ctypes.get_errno()
        made.append(make())

    thread = threading.Thread(target=work)  # the namespace ends with it
    thread.start()
    thread.join()
    return made[0]


async def arrived(collector: "TcpCollector", count: int) -> list[bytes]:
    """Return what a collector gets, once it is `count` messages."""
    messages: list[bytes] = []
    async with asyncio.timeout(40):
        while len(messages) < count:
            messages += collector.received()
            await asyncio.sleep(0.001)
    return messages


async def test_the_next_destination_gets_what_the_silent_one_did_not(
    far: Far, tcp_collector: "TcpCollector"
) -> None:
    near = tcp_collector
    addresses = [far.collector.address, near.address]
    sink = tcp_sink(addresses, stall_secs=0.5, finish_secs=0.05)
    outcomes = [await sink.send(Lines.of(LINES[:10]))]
    received = await arrived(far.collector, 10)
    far.cut()
    # Taken by the kernel of this machine, and by no other.
    outcomes += [await sink.send(Lines.of(LINES[10:20])), await sink.send(Lines.of(LINES[20:]))]
    resent = await arrived(near, 20)
    await sink.close()
    assert (outcomes, received, resent) == ([Delivered()] * 3, LINES[:10], LINES[10:])


async def test_a_silence_shorter_than_the_limit_loses_and_repeats_nothing(far: Far) -> None:
    sink = tcp_sink([far.collector.address], stall_secs=10, finish_secs=0.05)
    outcomes = [await sink.send(Lines.of(LINES[:10]))]
    far.cut()
    outcomes.append(await sink.send(Lines.of(LINES[10:])))
    far.repair()
    received = await arrived(far.collector, 30)
    await sink.close()
    assert (outcomes, received) == ([Delivered()] * 2, LINES)
