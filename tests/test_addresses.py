"""Addresses as people write them, and listening."""

import socket

import pytest

from nss.addresses import address_family, host_port, listener


@pytest.mark.parametrize(
    ("host", "text"),
    [("::1", "[::1]:514"), ("10.0.0.1", "10.0.0.1:514"), ("siem.example", "siem.example:514")],
)
def test_an_ipv6_address_has_brackets(host: str, text: str) -> None:
    assert host_port(host, 514) == text


def test_the_family_is_that_of_the_address() -> None:
    assert address_family("::1") == socket.AF_INET6
    assert address_family("127.0.0.1") == socket.AF_INET


def test_a_port_that_is_taken_is_an_error_in_the_words_of_the_system() -> None:
    with listener("127.0.0.1", 0, 1) as taken, pytest.raises(OSError) as error:  # noqa: PT011 - below
        listener("127.0.0.1", taken.getsockname()[1], 1)
    assert error.value.strerror == "Address already in use"
