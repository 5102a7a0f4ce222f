"""What systemd hears, on a real datagram socket."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from nss.admin.systemd import Notifier
from nss.telemetry import events
from tests.admin.conftest import Clock


class Systemd:
    """The socket of a service manager, at a path or, with `@`, in the abstract namespace."""

    def __init__(self, name: str) -> None:
        self.environ = {"NOTIFY_SOCKET": name}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(b"\0" + name[1:].encode() if name.startswith("@") else name)
        self._socket.settimeout(5)

    def heard(self) -> str:
        return self._socket.recv(4096).decode()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, folder: Path) -> Iterator[Systemd]:
    name = str(folder / "notify") if request.param == "path" else f"@nss-test-{os.getpid()}"
    made = Systemd(name)
    yield made
    made.close()


def test_each_step_of_a_life_is_reported(systemd: Systemd) -> None:
    notify = Notifier(systemd.environ, clock=Clock(12.345678))
    notify.ready()
    notify.status("healthy:\n 3 records/s")
    notify.reloading()
    notify.stopping()
    notify.close()
    assert [systemd.heard() for _ in range(4)] == [
        "READY=1",
        "STATUS=healthy: 3 records/s",
        "RELOADING=1\nMONOTONIC_USEC=12345678",
        "STOPPING=1",
    ]


async def test_the_watchdog_is_fed_while_the_service_is_alive(systemd: Systemd) -> None:
    notify = Notifier(systemd.environ | {"WATCHDOG_USEC": "30000"})
    looks = iter([True, True, False])
    withheld = asyncio.Event()

    def alive() -> bool:
        look = next(looks, None)
        if look is None:
            withheld.set()
        return bool(look)

    feeding = asyncio.create_task(notify.feed_watchdog(alive))
    await withheld.wait()
    feeding.cancel()
    await asyncio.wait([feeding])
    notify.stopping()
    notify.close()
    heard = [systemd.heard() for _ in range(3)]
    assert heard == ["WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]
    assert events.counters["watchdog_withheld", "service"] >= 1


@pytest.mark.parametrize(
    ("environ", "secs"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
        ({"WATCHDOG_USEC": "1500000"}, 1.5),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_a_watchdog_counts_only_when_it_is_meant_for_us(
    environ: dict[str, str], secs: float | None
) -> None:
    assert Notifier(environ).watchdog_secs == secs


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "nonsense"}])
async def test_without_a_service_manager_nothing_happens(environ: dict[str, str]) -> None:
    notify = Notifier(environ | {"WATCHDOG_USEC": "1000"})
    notify.ready()
    notify.reloading()
    notify.status("x")
    notify.stopping()
    await notify.feed_watchdog(lambda: True)
    notify.close()
    assert not events.counters


def test_a_service_manager_that_is_gone_is_counted_and_hurts_nothing(folder: Path) -> None:
    notify = Notifier({"NOTIFY_SOCKET": str(folder / "gone")})
    notify.ready()
    notify.close()
    assert events.counters["notify_failures", "service"] == 1
