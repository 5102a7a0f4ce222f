"""Ports for what listens later: what can't be listened at is said, and not tried for ever."""

import socket

import pytest

from nss.errors import ServiceError
from nss.lab import ports
from nss.lab.ports import HOST, free_port, free_ports


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_that_somebody_has_is_another(kind: socket.SocketKind) -> None:
    (wanted,) = free_ports(1)
    assert free_port(wanted) == wanted
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind((HOST, wanted))
        assert free_port(wanted) != wanted


@pytest.mark.parametrize("host", [HOST, "::1"])
def test_they_differ_and_the_kernel_gives_them_to_nobody(host: str) -> None:
    found = free_ports(50, host=host)
    assert len(set(found)) == 50
    assert all(20_000 <= port < 32_000 for port in found)


def test_an_address_that_is_not_here_is_said() -> None:
    with pytest.raises(ServiceError, match=r"can't listen: .* \(192\.0\.2\.1\)$"):
        free_port(host="192.0.2.1")


def test_no_port_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "TRIES", 2)
    with pytest.raises(ServiceError, match=r"no port is free \(127\.0\.0\.1\)$"):
        free_ports(3)
