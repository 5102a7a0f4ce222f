"""The demonstration of the portal starts beside others like it."""

import socket

import pytest

from nss.errors import ServiceError
from nss.lab import portal_demo
from nss.lab.portal_demo import PortalDemo
from nss.lab.ports import HOST, free_port

pytestmark = pytest.mark.long


class Ports:
    """Finds ports free; the first times somebody takes the portal's before it listens."""

    def __init__(self, times: int) -> None:
        self.others = [socket.create_server((HOST, 0)) for _ in range(times)]
        self._taken = [other.getsockname()[1] for other in self.others]
        self._is_portals = True

    def __call__(self, wanted: int | None = None) -> int:
        self._is_portals = wanted is not None or not self._is_portals
        return self._taken.pop() if self._is_portals and self._taken else free_port()


async def start(monkeypatch: pytest.MonkeyPatch, times: int) -> str:
    """Return its address, when the portal's port was taken so many times."""
    ports = Ports(times)
    monkeypatch.setattr(portal_demo, "free_port", ports)
    try:
        async with PortalDemo(1, is_set_up=False) as demo:
            return demo.address
    finally:
        for other in ports.others:
            other.close()


async def test_a_port_that_was_taken_meanwhile_is_another_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = await start(monkeypatch, 1)
    assert address.startswith(f"http://{HOST}:")


async def test_no_port_that_stays_free_is_said_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ServiceError, match="portal: can't listen: address already in use"):
        await start(monkeypatch, portal_demo.STARTS)
