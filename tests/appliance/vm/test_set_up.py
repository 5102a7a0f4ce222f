"""A machine from the image that a person has set up at its console."""

import asyncio

import pytest

from tests.appliance.vm.cable import PREFIX
from tests.appliance.vm.story import BOOT_SECS, COMMAND_SECS, HTTP_PORT, TCP_PORT, Appliance, say
from tests.package.machine import THERE, wait_for
from tests.package.sending import Load, over_http, over_tcp

pytestmark = pytest.mark.leaves(
    "descriptors", reason="the machine keeps connections with the lab, which all tests share"
)

ANSWER_SECS = 120
UNDO_SECS = 45
ENOUGH = 1000
SCAN_SECS = 10.0
AT_ONCE = 400
"""Connections: fewer than the descriptors that a process may have."""

WELL_KNOWN = range(1, 1025)
USERS = {f"person{number}@example.com" for number in range(50)}


def test_records_over_tcp_arrive_at_rsyslog_and_in_mcas(appliance: Appliance) -> None:
    over_tcp(USERS, TCP_PORT)
    appliance.collector.wait_for_users(USERS, ANSWER_SECS)
    lines = [line for line in appliance.collector.lines() if "person1@example.com" in line]
    assert "LEEF:1.0|Zscaler|NSS|" in lines[0]
    wait_for(lambda: uploaded(appliance), "the upload is parsed", COMMAND_SECS)
    assert appliance.lab.complaints == []


def uploaded(appliance: Appliance) -> bool:
    """Ask for an upload now, and say whether MCAS has seen all users."""
    appliance.shell.run("sudo nss upload-now", code=None, secs=COMMAND_SECS)
    return {user for user, _ in appliance.lab.discovery.top_users(1_000_000)} >= USERS


def test_the_spool_has_grown_with_the_disk(appliance: Appliance) -> None:
    printed = appliance.shell.run("df --block-size=1M --output=source,size /var/lib/nss /")
    (spool, spool_mib), (root, root_mib) = (line.split() for line in printed.splitlines()[1:])
    assert spool != root
    assert int(spool_mib) > 7000, printed  # 12 GiB less the root of 4 GiB; the image's has 4
    assert int(root_mib) < 5000, printed


def test_only_configured_ports_are_open(appliance: Appliance) -> None:
    listed = appliance.shell.run("sudo ss -Hltn").splitlines()
    listening = {int(line.split()[3].rpartition(":")[2]) for line in listed}
    assert {TCP_PORT, HTTP_PORT} <= listening
    assert asyncio.run(open_ports({*WELL_KNOWN, *listening})) == {TCP_PORT, HTTP_PORT}


async def open_ports(ports: set[int]) -> set[int]:
    """Return those of the ports that take a connection."""

    free = asyncio.Semaphore(AT_ONCE)

    async def is_open(port: int) -> bool:
        async with free:
            try:
                async with asyncio.timeout(SCAN_SECS):
                    _, writer = await asyncio.open_connection(THERE, port)
            except OSError:  # a time-out as well
                return False
            writer.close()
            await writer.wait_closed()
            return True

    order = sorted(ports)
    answers = await asyncio.gather(*map(is_open, order))
    return {port for port, answer in zip(order, answers, strict=True) if answer}


def test_a_wrong_address_is_taken_back_by_itself(appliance: Appliance) -> None:
    wrong = f"--address 203.0.113.9/{PREFIX} --gateway 203.0.113.1 --no-input"
    appliance.shell.run(
        f"sudo nss configure-network {wrong} --confirm-secs {UNDO_SECS}", secs=COMMAND_SECS
    )
    shown = appliance.shell.run("ip -brief address")
    assert "203.0.113.9" in shown
    assert THERE not in shown
    with pytest.raises(OSError, match=r"."):
        over_tcp(["lost@example.com"], TCP_PORT)
    wait_for(lambda: THERE in appliance.shell.run("ip -brief address"), "it is back", COMMAND_SECS)
    wait_for(lambda: is_reachable(appliance), "it is reachable", ANSWER_SECS)
    assert "Address=198.51.100.2/24" in appliance.shell.run(
        "cat /etc/systemd/network/05-nss.network"
    )


def is_reachable(appliance: Appliance) -> bool:
    assert appliance
    try:
        return over_http(["back@example.com"]) == 200
    except OSError:
        return False


@pytest.mark.leaves(
    "processes", "descriptors", reason="the machine that all tests share is started again"
)
def test_nothing_that_was_answered_for_is_lost_when_the_power_is_cut(appliance: Appliance) -> None:
    with Load() as load:
        wait_for(lambda: len(load.accepted) > ENOUGH, "the machine takes records", COMMAND_SECS)
        appliance.machine.cut_power()
        accepted = set(load.accepted)
        took = appliance.boot_again()
        say(
            f"power cut with {len(accepted)} records answered for, {took:.0f} s to boot",
            appliance.machine,
        )
        wait_for(lambda: len(load.accepted) > len(accepted), "it takes records again", BOOT_SECS)
    accepted = set(load.accepted)
    appliance.collector.wait_for_users(accepted, BOOT_SECS)
    status = appliance.wait_until_healthy()
    assert status["feeds"], status
