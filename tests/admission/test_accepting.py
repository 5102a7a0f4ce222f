"""The accept loop: no error of one connection or of the process ends it, or makes it spin."""

import asyncio
import contextlib
import errno
import os
import resource
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

import pytest

from nss.admission import descriptors
from nss.admission.accepting import AcceptLoop, Address, Host
from nss.admission.places import NoPlaceError, Place, Places
from tests.descriptors import at_most, free_descriptor


class Guests:
    """Keeps what the loop accepts."""

    def __init__(self) -> None:
        self.accepted: list[socket.socket] = []
        self.places: list[Place] = []
        self.refused: list[str] = []
        self.waited: list[str] = []
        self.host = Host(self._welcome, self._turned_away, self.waited.append)

    def _welcome(self, accepted: socket.socket, address: Address, place: Place) -> None:
        assert address[0] == "127.0.0.1"
        place.make_way = partial(self._part_with, accepted, place)
        self.accepted.append(accepted)
        self.places.append(place)

    def _part_with(self, accepted: socket.socket, place: Place) -> None:
        accepted.close()
        place.leave()

    def _turned_away(self, address: Address, refusal: NoPlaceError) -> None:
        assert address[0] == "127.0.0.1"
        self.refused.append(str(refusal))

    async def until(self, found: Callable[[], bool]) -> None:
        async with asyncio.timeout(40):
            while not found():  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.01)


@pytest.fixture
def guests() -> Iterator[Guests]:
    made = Guests()
    yield made
    for accepted in made.accepted:
        accepted.close()


@contextlib.asynccontextmanager
async def accepting(
    guests: Guests, places: Places
) -> AsyncIterator[tuple[AcceptLoop, tuple[str, int]]]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        listening.settimeout(0)
        loop = AcceptLoop(listening, places, guests.host)
        running = asyncio.create_task(loop.run())
        yield loop, listening.getsockname()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@contextlib.contextmanager
def sockets(number: int) -> Iterator[list[socket.socket]]:
    """So many sockets, closed in the end."""
    made = [socket.socket() for _ in range(number)]
    try:
        yield made
    finally:
        for each in made:
            each.close()


def ends(connection: socket.socket) -> str:
    connection.settimeout(5)
    try:
        return "data" if connection.recv(1) else "in order"
    except ConnectionResetError:
        return "reset"


async def test_a_connection_without_a_place_is_reset(guests: Guests) -> None:
    places = Places(1, 1)
    places.take("somebody").keep()
    async with accepting(guests, places) as (_, address):
        with socket.create_connection(address) as client:
            assert await asyncio.to_thread(ends, client) == "reset"
    assert guests.refused == ["there are as many as allowed"]


class Few(descriptors.Allowance):
    """An allowance of a few descriptors."""

    most = 40


async def test_connections_of_all_listeners_keep_to_what_they_may_have_together(
    guests: Guests,
) -> None:
    shared = Few()
    first, second = Places(100, 100, 100, shared), Places(100, 100, 100, shared)
    async with (
        accepting(guests, first) as (loop, address),
        accepting(guests, second) as (other_loop, other_address),
    ):
        with sockets(300) as clients:
            for number, client in enumerate(clients):
                # In a thread: where none is taken meanwhile, the kernel lets the next one wait.
                await asyncio.to_thread(client.connect, other_address if number % 2 else address)
            await guests.until(lambda: len(guests.accepted) == len(clients))
        assert (loop.trouble, other_loop.trouble) == (None, None)
    assert shared.taken == Few.most
    assert len([each for each in guests.accepted if each.fileno() >= 0]) == Few.most


async def test_without_any_descriptor_the_loop_waits_for_one(guests: Guests) -> None:
    async with accepting(guests, Places(100, 100)) as (loop, address):
        with sockets(1) as (client,), at_most(free_descriptor()):
            client.connect(address)
            await guests.until(lambda: loop.trouble is not None)
            assert loop.trouble == "too many open files"
            await asyncio.sleep(0.5)  # longer than the loop waits: it must not report again
            assert len(guests.waited) == 1
        await guests.until(lambda: len(guests.accepted) == 1)
        assert loop.trouble is None


class Failing(socket.socket):
    """A listening socket at which some connections have failed before they are accepted."""

    failures: list[int]

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            number = self.failures.pop()
            raise OSError(number, os.strerror(number))
        return super().accept()


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EPROTO, errno.EPERM])
async def test_a_connection_that_failed_before_is_no_trouble(guests: Guests, number: int) -> None:
    with Failing() as listening:
        listening.failures = [number]
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0)
        loop = AcceptLoop(listening, Places(9, 9), guests.host)
        running = asyncio.create_task(loop.run())
        with socket.create_connection(listening.getsockname()):
            await guests.until(lambda: len(guests.accepted) == 1)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    assert (guests.waited, loop.trouble) == ([], None)


async def test_others_get_their_turn_while_many_connect(guests: Guests) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    with sockets(50) as clients, socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        listening.settimeout(0)
        for client in clients:
            client.connect(listening.getsockname())
        loop = AcceptLoop(listening, Places(100, 100), guests.host)
        tasks = [asyncio.create_task(loop.run()), asyncio.create_task(others())]
        await guests.until(lambda: len(guests.accepted) == len(clients))
        assert turns >= len(clients) - 1
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_connections_that_are_reset_at_once_harm_nobody(guests: Guests) -> None:
    async with accepting(guests, Places(100, 100)) as (loop, address):
        for _ in range(100):
            with socket.create_connection(address) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with socket.create_connection(address):
            await guests.until(lambda: len(guests.accepted) == 101)
        assert loop.trouble is None


def test_the_limit_is_raised_as_far_as_the_process_may() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 200), hard))
        assert descriptors.limit() == min(soft, 200)
        assert descriptors.reserved() == min(soft, 200) // 2
        assert descriptors.Allowance().most == min(soft, 200) - min(soft, 200) // 2
        assert descriptors.raise_limit() == hard
        assert descriptors.limit() == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
