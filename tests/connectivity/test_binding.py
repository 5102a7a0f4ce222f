"""Addresses that the service could listen at: free ones, its own, those of others, and none."""

import os
import socket
from pathlib import Path

import pytest

from nss.config.load import parse
from nss.config.model import Config
from nss.connectivity.binding import address_problems
from nss.connectivity.sockets import listening_inodes
from nss.lab.ports import free_port

NOBODY = frozenset[str]()


def listening_at(place: str) -> Config:
    return parse(
        f"""
        [sources.web]
        kind = "tcp"
        listen = "{place}"
        [feeds.out]
        format = "JSON"
        [feeds.out.sink]
        kind = "file"
        path = "out.jsonl"
        """,
        Path("/"),
    )


def reasons(place: str, own: frozenset[str] | None = NOBODY) -> list[tuple[str, str]]:
    return [
        (problem.key, problem.reason.partition("\n")[0])
        for problem in address_problems(listening_at(place), own)
    ]


def test_a_free_address_is_no_problem_and_stays_free() -> None:
    place = f"127.0.0.1:{free_port()}"
    assert reasons(place) == []
    assert reasons(place) == []


@pytest.mark.parametrize("listens", ["127.0.0.1", ""])
@pytest.mark.parametrize("wanted", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - of tests
def test_what_another_program_has_is_a_problem(listens: str, wanted: str) -> None:
    with socket.create_server((listens, 0)) as other:
        place = f"{wanted}:{other.getsockname()[1]}"
        assert reasons(place) == [("sources.web.listen", "another program listens there")]
        assert reasons(place, frozenset({"1"})) != []


@pytest.mark.parametrize("listens", ["127.0.0.1", ""])
@pytest.mark.parametrize("wanted", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - of tests
def test_what_the_service_has_itself_is_none(listens: str, wanted: str) -> None:
    with socket.create_server((listens, 0)) as own:
        place = f"{wanted}:{own.getsockname()[1]}"
        assert reasons(place, listening_inodes(os.getpid())) == []


def test_its_own_address_and_one_of_another_on_the_same_port_are_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as own:
        inode = str(os.fstat(own.fileno()).st_ino)
        port = own.getsockname()[1]
        with socket.create_server(("127.0.0.2", port)):
            assert reasons(f"127.0.0.1:{port}", frozenset({inode})) == []
            assert reasons(f"127.0.0.2:{port}", frozenset({inode})) != []
            assert reasons(f"0.0.0.0:{port}", frozenset({inode})) != []


def test_nothing_is_said_of_addresses_in_use_when_sockets_can_not_be_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert reasons(f"127.0.0.1:{other.getsockname()[1]}", None) == []


def test_an_address_that_the_machine_does_not_have() -> None:
    assert reasons(f"198.51.100.77:{free_port()}") == [
        ("sources.web.listen", "this machine does not have the address")
    ]
