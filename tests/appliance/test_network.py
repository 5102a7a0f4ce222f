"""Addresses of the service interface, and its file for systemd-networkd."""

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nss.appliance.network import (
    Network,
    check_link,
    file_of,
    read_address,
    read_file,
    read_ip,
    read_nameservers,
)
from nss.errors import UsageError


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10.0.0.4/24", "10.0.0.4/24"),
        (" 10.0.0.4/255.255.255.0 ", "10.0.0.4/24"),
        ("10.0.0.4/31", "10.0.0.4/31"),
        ("10.0.0.4/32", "10.0.0.4/32"),
        ("2001:db8::4/64", "2001:db8::4/64"),
        ("dhcp", None),
        ("DHCP", None),
    ],
)
def test_an_address_has_a_netmask_in_either_form(text: str, meant: str | None) -> None:
    found = read_address(text)
    assert (None if found is None else str(found)) == meant


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10.0.0.4", "has no netmask"),
        ("", "has no netmask"),
        ("10.0.0.4/", "no address with a netmask"),
        ("10.0.0.4/33", "no address with a netmask"),
        ("10.0.0.4/255.0.255.0", "no address with a netmask"),
        ("10.0.0.4/0.0.0.255", "this is no netmask: 0.0.0.255"),
        ("10.0.0.256/24", "no address with a netmask"),
        ("010.0.0.4/24", "no address with a netmask"),
        ("host/24", "no address with a netmask"),
        ("10.0.0.0/24", "no address that a machine can have"),
        ("10.0.0.255/24", "no address that a machine can have"),
        ("10.0.0.4/0", "no address that a machine can have"),
        ("127.0.0.1/8", "no address that a machine can have"),
        ("224.0.0.1/24", "no address that a machine can have"),
        ("0.0.0.4/24", "no address that a machine can have"),
        ("::1/64", "no address that a machine can have"),
        ("fe80::1%eth0/64", "no address with a netmask"),
        ("10.0.0.4/24\n[Network]", "no address with a netmask"),
    ],
)
def test_what_no_machine_can_have_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason.replace(".", r"\.")):
        read_address(text)


@pytest.mark.parametrize(
    ("address", "gateway", "reason"),
    [
        ("10.0.0.4/24", "10.0.1.1", "is not in the network of 10.0.0.4/24, 10.0.0.0/24"),
        ("10.0.0.4/24", "10.0.0.4", "the machine's own address"),
        ("10.0.0.4/24", "10.0.0.255", "no machine's address in 10.0.0.0/24"),
        ("10.0.0.4/24", "2001:db8::1", "is not in the network"),
        ("dhcp", "10.0.0.1", "with DHCP there is no gateway to choose"),
    ],
)
def test_the_gateway_is_another_machine_of_the_network(
    address: str, gateway: str, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        Network(read_address(address), read_ip(gateway, "gateway")).check()


def test_nameservers_keep_their_order_and_are_few() -> None:
    found = read_nameservers(["10.0.0.53", "2001:db8::53", "10.0.0.53"])
    assert [str(each) for each in found] == ["10.0.0.53", "2001:db8::53"]
    with pytest.raises(UsageError, match="at most 3"):
        read_nameservers([f"10.0.0.{number}" for number in range(1, 5)])
    with pytest.raises(UsageError, match="the nameserver is no IP address: dns"):
        read_nameservers(["dns"])


def test_the_file_of_an_address() -> None:
    network = Network(
        read_address("10.0.0.4/24"), read_ip("10.0.0.1", "gateway"), read_nameservers(["10.0.0.53"])
    )
    assert file_of(network, "ens3") == (
        "# Written by nss configure and nss configure-network.\n"
        "[Match]\nName=ens3\n\n"
        "[Network]\nDHCP=no\nAddress=10.0.0.4/24\nGateway=10.0.0.1\nDNS=10.0.0.53\n"
    )


def test_the_file_of_dhcp_with_nameservers_of_ones_own() -> None:
    text = file_of(Network(nameservers=read_nameservers(["10.0.0.53"])), "ens3")
    assert text.endswith(
        "[Network]\nDHCP=yes\nDNS=10.0.0.53\n\n[DHCPv4]\nUseDNS=no\n\n[DHCPv6]\nUseDNS=no\n"
    )


IPS = st.ip_addresses().map(str)


@given(
    st.ip_addresses(),
    st.integers(1, 32),
    st.lists(IPS, max_size=3),
    st.none() | st.ip_addresses(),
)
def test_what_is_written_is_read_back(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    length: int,
    servers: list[str],
    gateway: ipaddress.IPv4Address | ipaddress.IPv6Address | None,
) -> None:
    try:
        network = Network(read_address(f"{address}/{length}"), None, read_nameservers(servers))
        if gateway is not None:
            network = replace(network, gateway=read_ip(str(gateway), "gateway"))
    except UsageError:
        return
    assert read_file(file_of(network, "ens3")) == ("ens3", network)


@given(st.text())
def test_no_name_of_an_interface_adds_to_the_file(name: str) -> None:
    try:
        assert check_link(name) == name
    except UsageError:
        return
    assert file_of(Network(), name).count("\n") == 6


@pytest.mark.parametrize("more", ["[Route]\n", "Address=10.0.0.5/24\n", "# mine\n"])
def test_a_file_with_more_than_is_asked_for_is_refused(more: str) -> None:
    text = file_of(Network(read_address("10.0.0.4/24")), "ens3")
    with pytest.raises(UsageError, match="somebody has edited the file"):
        read_file(text + more)
