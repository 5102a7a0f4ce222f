"""The appliance's network, firewall and console, on whole machines with their own systemd."""

import shutil
import signal
import socket
from collections.abc import Callable, Iterator

import orjson
import pexpect
import pytest

from tests.package.conftest import ROOT
from tests.package.machine import CONFIG, Machine, wait_for

FILES = ROOT / "packaging/appliance/root"
LINK = "host0"
KEPT = "/etc/systemd/network/05-nss.network"
TRIED = "/run/systemd/network/04-nss-trial.network"
OLD, NEW, ROUTER, SERVER = "10.99.0.2/24", "10.99.0.7/24", "10.99.0.1", "10.99.0.53"
UNDO_SECS = 5
"""How long a trial lasts in these tests: what `--confirm-secs` takes at least."""

SETTINGS = """\
[sources.tcp]
kind = "tcp"
listen = "0.0.0.0:{port}"

[feeds.out]
format = "MCAS"
[feeds.out.sink]
kind = "file"
path = "/var/lib/nss/out.log"
"""


@pytest.fixture
def appliance(machine: Machine) -> Machine:
    """A machine whose network has been set up by our command, and whose networkd runs."""
    machine.write("/usr/lib/nss-appliance/release", "VERSION=0\nBUILT=0\n")
    shutil.copytree(FILES, machine.root, dirs_exist_ok=True, symlinks=True)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "enable", "--now", "systemd-networkd")
    configured(machine, OLD, "--confirm")
    return machine


def configured(machine: Machine, address: str, *more: str, code: int = 0) -> str:
    options = ("--address", address, "--gateway", ROUTER, "--nameserver", SERVER)
    ran = machine.run("nss", "configure-network", *options, *more, code=code)
    return ran.stdout + ran.stderr


def addresses(machine: Machine) -> set[str]:
    """The addresses of the service interface that networkd gave it."""
    shown = orjson.loads(machine.run("ip", "-json", "address", "show", "dev", LINK).stdout)
    found = (f"{each['local']}/{each['prefixlen']}" for each in shown[0]["addr_info"])
    return {each for each in found if each in {OLD, NEW}}


def is_back(machine: Machine) -> bool:
    return addresses(machine) == {OLD} and not machine.path(TRIED).exists()


@pytest.fixture
def person(appliance: Machine) -> Iterator[Callable[..., "pexpect.spawn[str]"]]:
    """Run a command at a terminal."""
    started: list[pexpect.spawn[str]] = []

    def start(*command: str) -> "pexpect.spawn[str]":
        started.append(appliance.terminal(*command))
        return started[-1]

    yield start
    for each in started:
        each.close(force=True)


def answer(person: "pexpect.spawn[str]", *answers: str) -> str:
    seen = ""
    for text in answers:
        person.expect(r"\]: $")
        seen += person.before or ""
        person.sendline(text)
    return seen


def asked_to_keep(
    start: Callable[..., "pexpect.spawn[str]"], secs: int = UNDO_SECS
) -> "pexpect.spawn[str]":
    """Answer the questions with another address, up to the one whether it is kept."""
    person = start("nss", "configure-network", "--confirm-secs", str(secs))
    # Nameserver, another, address, gateway, proxy, and whether to apply it.
    answer(person, "", "", NEW, "", "", "y")
    person.expect("Successfully Applied Changes")
    person.expect(r"Keep it\?")
    return person


def test_what_a_person_confirms_is_kept_over_a_boot(
    appliance: Machine, person: Callable[..., "pexpect.spawn[str]"]
) -> None:
    talk = asked_to_keep(person, 60)
    assert addresses(appliance) == {NEW}
    talk.sendline("y")
    talk.expect("Kept: host0 has 10.99.0.7/24")
    talk.expect(pexpect.EOF)
    assert not appliance.path(TRIED).exists()
    timers = appliance.run("systemctl", "list-units", "--all", "nss-network-undo*").stdout
    assert "0 loaded units" in timers
    shown = appliance.run("nss", "dump-config", code=None)
    assert shown.returncode in {0, 78}
    appliance.reboot()
    wait_for(lambda: addresses(appliance) == {NEW}, "the kept address is there after the boot")
    text = appliance.path(KEPT).read_text()
    assert f"Address={NEW}\nGateway={ROUTER}\nDNS={SERVER}\n" in text


def test_what_nobody_confirms_is_taken_back(
    appliance: Machine, person: Callable[..., "pexpect.spawn[str]"]
) -> None:
    talk = asked_to_keep(person)
    assert addresses(appliance) == {NEW}
    talk.expect("The previous network configuration is restored", timeout=30)
    talk.expect(pexpect.EOF)
    talk.close()
    assert talk.exitstatus == 1
    wait_for(lambda: is_back(appliance), "the address of before is back")
    assert OLD in appliance.path(KEPT).read_text()
    late = appliance.run("nss", "confirm-network", code=78)
    assert "no configuration waits for a confirmation" in late.stderr


@pytest.mark.parametrize("way", ["killed", "terminal closed", "interrupted", "refused"])
def test_it_is_taken_back_when_the_command_ends_in_between(
    appliance: Machine, person: Callable[..., "pexpect.spawn[str]"], way: str
) -> None:
    talk = asked_to_keep(person)
    assert addresses(appliance) == {NEW}
    match way:
        case "killed":
            appliance.run("pkill", "-KILL", "-f", "configure-network")
        case "terminal closed":
            talk.close(force=False)
        case "interrupted":
            talk.kill(signal.SIGINT)
            talk.sendintr()
        case _:
            talk.sendline("n")
    wait_for(lambda: is_back(appliance), "the address of before is back")
    assert OLD in appliance.path(KEPT).read_text()


def test_it_is_taken_back_when_the_machine_loses_power(appliance: Machine) -> None:
    said = configured(appliance, NEW, "--confirm-secs", "600")
    assert "restored in 600 seconds, unless: sudo nss confirm-network" in said
    wait_for(lambda: addresses(appliance) == {NEW}, "the address is tried")
    assert "another configuration waits" in configured(appliance, OLD, code=64)
    appliance.power_cut()
    wait_for(lambda: is_back(appliance), "the address of before is there after the boot")


def test_another_session_confirms(appliance: Machine) -> None:
    configured(appliance, NEW)
    assert "Kept: host0 has 10.99.0.7/24" in appliance.run("nss", "confirm-network").stdout
    assert NEW in appliance.path(KEPT).read_text()
    configured(appliance, OLD, "--confirm-secs", "600")
    appliance.run("nss", "confirm-network", "--revert")
    assert addresses(appliance) == {NEW}
    appliance.run("nss", "reset-network", "--confirm-secs", str(UNDO_SECS))
    wait_for(lambda: not addresses(appliance), "DHCP is tried, and nobody answers")
    wait_for(lambda: addresses(appliance) == {NEW}, "the address of before is back")


def test_nothing_is_changed_by_what_is_wrong(appliance: Machine) -> None:
    for options, reason in {
        ("--gateway", "10.98.0.1"): "is not in the network of 10.99.0.2/24",
        ("--address", "10.99.0.2"): "has no netmask",
        ("--nameserver", "dns.example.com"): "is no IP address",
        ("--interface", "eth7"): "there is no interface eth7",
        ("--proxy", "https://proxy"): "must be http://HOST:PORT",
    }.items():
        more = () if options[0] != "--interface" else ("--address", NEW)
        ran = appliance.run("nss", "configure-network", *options, *more, code=64)
        assert reason in ran.stderr
    with appliance.path(KEPT).open("a") as file:
        file.write("\n[Route]\nDestination=192.0.2.0/24\n")
    refused = appliance.run("nss", "configure-network", "--address", NEW, code=64)
    assert "somebody has edited the file" in refused.stderr
    assert is_back(appliance)


def test_the_proxy_is_for_uploads_and_for_apt(appliance: Machine) -> None:
    appliance.configure(SETTINGS.format(port=5514))
    appliance.run("nss", "configure-network", "--proxy", "http://proxy.example.com:3128")
    assert 'proxy = "http://proxy.example.com:3128"' in appliance.path(CONFIG).read_text()
    said = appliance.run("apt-config", "dump", "Acquire::http::Proxy").stdout
    assert said == 'Acquire::http::Proxy "http://proxy.example.com:3128/";\n'
    shown = appliance.run("nss", "dump-config").stdout.splitlines()
    assert {f"# Service IP Address:{OLD}", f"# Default gateway for Service IP:{ROUTER}"} <= set(
        shown
    )
    appliance.run("nss", "configure-network", "--proxy", "none")
    assert "proxy.example.com" not in appliance.path(CONFIG).read_text()
    assert not appliance.path("/etc/apt/apt.conf.d/90nss-proxy").exists()


def answers(port: int) -> bool:
    """Whether something answers at the machine: not even a refusal comes from a closed port."""
    try:
        with socket.create_connection(("198.51.100.2", port), timeout=1):
            return True
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        return False


def test_ports_are_those_of_the_configuration(appliance: Machine) -> None:
    appliance.run("ip", "address", "replace", "198.51.100.2/30", "dev", LINK)
    appliance.run("systemctl", "stop", "nftables.service")
    assert answers(5514)
    appliance.run("systemctl", "start", "nftables.service", "nss-firewall.path")
    assert (answers(22), answers(5514), answers(5515)) == (True, False, False)
    appliance.configure(SETTINGS.format(port=5514))
    wait_for(lambda: answers(5514), "the port of the configuration is open")
    appliance.run("nss", "start")
    with socket.create_connection(("198.51.100.2", 5514), timeout=5):
        pass
    assert not answers(5515)
    appliance.configure(SETTINGS.format(port=5514).replace('"tcp"', '"tpc"'))
    unit = ("systemctl", "show", "--property=Result", "--value", "nss-firewall.service")
    wait_for(lambda: appliance.run(*unit).stdout == "exit-code\n", "the mistake was reported")
    said = appliance.run("journalctl", "--output=cat", "--unit=nss-firewall").stdout
    assert "the firewall keeps the rules that are in force" in said
    assert (answers(5514), answers(5515)) == (True, False)
    appliance.configure(SETTINGS.format(port=5515))
    wait_for(lambda: answers(5515) and not answers(5514), "the port moves")
    appliance.run("systemctl", "reload", "nftables.service")
    wait_for(lambda: answers(5515), "a reload of the base keeps it open")


def test_the_console_says_what_to_do_next(appliance: Machine) -> None:
    def shown() -> str:
        appliance.run("systemctl", "start", "nss-console.service")
        show = appliance.terminal("agetty", "--show-issue")
        show.expect(pexpect.EOF)
        show.close()
        return (show.before or "").replace("\r\n", "\n")

    text = shown()
    assert "Host:    nss-test" in text
    assert f"Address: {OLD}" in text
    assert "State:   not configured\nNext:    sudo nss configure\n" in text
    appliance.configure(SETTINGS.format(port=5514))
    appliance.run("nss", "start")
    text = shown()
    assert "State:   healthy: 0 records/s, 0 pending\nNext:    nss status\n" in text
    appliance.configure(SETTINGS.format(port=5514).replace("MCAS", r"\\e{red}"))
    appliance.run("nss", "stop")
    assert "Next:    sudo nss check\n" in shown()
    appliance.configure(
        SETTINGS.format(port=5514) + '[feeds.up]\nformat = "MCAS"\n[feeds.up.sink]\n'
        'kind = "cloud_discovery"\n'
    )
    assert "Next:    sudo nss configure-mcas2\n" in shown()
    configured(appliance, NEW, "--confirm-secs", "600")
    assert f"Network: {NEW} is on trial" in shown()


def test_configure_asks_for_the_network_before_everything_else(
    appliance: Machine, person: Callable[..., "pexpect.spawn[str]"]
) -> None:
    talk = person("nss", "configure")
    # Changed, twice wrong, then another address and its gateway; a proxy; apply.
    answer(talk, "c", "10.99.0.54", "x", "n", "10.99.0.7", "10.99.0.7/24", "10.98.0.1", ROUTER)
    answer(talk, "proxy.example.com", "3128", "y")
    talk.expect(r"Keep it\?")
    talk.sendline("y")
    # TCP, HTTP, a file, format, zone, MCAS, other places; write it.
    answer(talk, "", "", "", "", "", "none", "file:/var/lib/nss/out.log", "", "")
    talk.expect("Written to /etc/nss/nss.toml")
    talk.expect(pexpect.EOF)
    assert addresses(appliance) == {NEW}
    kept = appliance.path(KEPT).read_text()
    assert kept.endswith(f"Address={NEW}\nGateway={ROUTER}\nDNS=10.99.0.54\n")
    assert 'proxy = "http://proxy.example.com:3128"' in appliance.path(CONFIG).read_text()
    assert "proxy.example.com" in appliance.path("/etc/apt/apt.conf.d/90nss-proxy").read_text()
