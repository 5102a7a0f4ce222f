"""One connection of the TCP source without a socket: when it reads, wakes and pauses."""

import asyncio
import socket
from typing import Any

from nss.admission.places import Places
from nss.batch import BATCH_MAX_BYTES
from nss.sources.listening import _set_options
from nss.sources.tcp.connection import End, TcpConnection


class Wire(asyncio.Transport):
    """What the event loop would give; `asked` is what the connection wanted of it."""

    def __init__(self, *, closing: bool = False) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._closing = closing

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self.asked.append("pause")

    def resume_reading(self) -> None:
        self.asked.append("resume")

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - asyncio's
        del name, default
        self.asked.append("socket")
        return self

    def setsockopt(self, *_: object) -> None:
        """Be the socket as well."""


def connected(wire: Wire) -> TcpConnection:
    connection = TcpConnection(Places(1, 1).take("192.0.2.1"))
    connection.connection_made(wire)
    wire.asked.clear()
    return connection


async def test_one_byte_is_no_silence_whether_it_came_before_or_is_waited_for() -> None:
    before, later = connected(Wire()), connected(Wire())
    before.data_received(b"x")
    assert await before.read(0.3) == b"x"
    asyncio.get_running_loop().call_later(0.01, later.data_received, b"x")
    assert await later.read(5) == b"x"
    assert before.end is later.end is None


async def test_silence_is_an_end() -> None:
    connection = connected(Wire())
    assert await connection.read(0.01) == b""
    assert connection.end is End.SILENT


async def test_a_batch_that_is_full_pauses_reading() -> None:
    wire = Wire()
    connection = connected(wire)
    connection.data_received(b"x" * (BATCH_MAX_BYTES - 1))
    assert wire.asked == []
    connection.data_received(b"x")
    assert wire.asked == ["pause"]


async def test_nothing_is_asked_of_a_connection_that_is_not_there_or_closing() -> None:
    TcpConnection(Places(1, 1).take("192.0.2.1")).confirm()
    wire = Wire(closing=True)
    connection = connected(wire)
    connection.confirm()
    connection.data_received(b"x" * BATCH_MAX_BYTES)
    assert await connection.read(0.01) == b"x" * BATCH_MAX_BYTES
    assert await connection.read(0.01) == b""
    assert wire.asked == []


async def test_the_first_end_counts() -> None:
    connection = connected(Wire())
    assert connection.eof_received() is True
    connection.displace()
    connection.connection_lost(OSError("broken"))
    assert (connection.end, connection.reason) == (End.CLOSED, "broken")
    assert connection.lost.is_set()


async def test_a_connection_that_is_closed_is_not_broken() -> None:
    connection = connected(Wire())
    connection.connection_lost(None)
    assert (connection.end, connection.reason) == (End.CLOSED, "")


def test_a_peer_that_has_gone_is_noticed_in_two_minutes() -> None:
    with socket.socket() as accepted:
        _set_options(accepted)
        options = [
            socket.TCP_NODELAY,
            socket.TCP_KEEPIDLE,
            socket.TCP_KEEPINTVL,
            socket.TCP_KEEPCNT,
        ]
        found = [accepted.getsockopt(socket.IPPROTO_TCP, option) for option in options]
        assert found == [1, 60, 10, 6]
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
