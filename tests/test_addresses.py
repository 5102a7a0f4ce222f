"""Addresses as people write them, and listening."""

import socket

import pytest

from nss.addresses import address_family, host_port, listener, one_peer


@pytest.mark.parametrize(
    ("host", "text"),
    [("::1", "[::1]:514"), ("10.0.0.1", "10.0.0.1:514"), ("siem.example", "siem.example:514")],
)
def test_an_ipv6_address_has_brackets(host: str, text: str) -> None:
    assert host_port(host, 514) == text


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("127.0.0.2", "127.0.0.2"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::2%eth0", "fe80::2"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_one_peer_is_an_address_or_the_network_that_is_all_his(host: str, peer: str) -> None:
    assert one_peer(host) == peer


def test_the_family_is_that_of_the_address() -> None:
    assert address_family("::1") == socket.AF_INET6
    assert address_family("127.0.0.1") == socket.AF_INET


def test_a_port_that_is_taken_is_an_error_in_the_words_of_the_system() -> None:
    with listener("127.0.0.1", 0, 1) as taken, pytest.raises(OSError) as error:  # noqa: PT011 - below
        listener("127.0.0.1", taken.getsockname()[1], 1)
    assert error.value.strerror == "Address already in use"
