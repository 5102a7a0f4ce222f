"""What can't run is found before anything is stopped, with the rights and limits of the unit."""

import shutil
from pathlib import Path

from tests.package.conftest import Collector, configuration
from tests.package.machine import UNIT, Machine, wait_for
from tests.package.sending import over_tcp
from tests.package.test_package import started
from tests.package.versions import other_version

ARCHIVE = """
[feeds.archive]
format = "MCAS"
[feeds.archive.sink]
kind = "file"
path = "/srv/archive/web.log"
"""
LISTENS = "import socket, time; s = socket.create_server(('0.0.0.0', 515)); time.sleep(600)"


def refused(machine: Machine, *command: str) -> str:
    """Return the reasons of a command that ends with 78."""
    return machine.run(*command, code=78).stderr


def test_a_wrong_configuration_is_told_and_not_tried_again(machine: Machine) -> None:
    machine.configure("[sources.a]\nkind = 'tcp'\n")
    said = refused(machine, "nss", "start")
    assert said.startswith("nss: start: refused, nothing was started: configuration: ")
    assert "sources.a.listen" in said
    assert machine.facts("ActiveState") == {"ActiveState": "inactive"}

    machine.run("systemctl", "start", UNIT, code=1)
    facts = machine.facts("ActiveState", "NRestarts")
    assert facts == {"ActiveState": "failed", "NRestarts": "0"}
    lines = machine.run("nss", "status", code=69).stderr.splitlines()
    assert lines[0] == (
        "nss: the service is not running: its configuration is wrong, or does not fit this "
        "machine (exit code 78)"
    )
    assert lines[1].startswith("  it ended 2")
    assert lines[2:4] == ["  systemd does not start it again by itself", "  it said:"]
    assert [line for line in lines if "sources.a.listen" in line]
    assert lines[-1] == "Try: sudo nss check; correct what it names; then: sudo nss start"


def test_a_restart_that_would_fail_leaves_the_service_at_work(
    machine: Machine, collector: Collector
) -> None:
    text = configuration(collector=collector)
    pid = started(machine, text)
    for wrong in ("nonsense", text.replace("listen", "lisen")):
        machine.configure(wrong)
        said = refused(machine, "nss", "restart")
        assert (
            "nss: restart: refused, the service continues with the old configuration "
            f"(pid {pid}): configuration: "
        ) in said
    machine.path("/etc/nss/nss.toml").unlink()
    missing = machine.run("nss", "restart", code=66).stderr
    assert f"continues with the old configuration (pid {pid})" in missing
    machine.write("/etc/nss/nss.toml", "nonsense", mode=0o644)
    assert machine.pid() == pid
    assert machine.status()["pid"] == pid  # also while the file is no TOML
    over_tcp(["ana@example.com"])
    collector.wait_for_users({"ana@example.com"})
    machine.configure(text)
    machine.run("nss", "restart")
    assert machine.pid() not in {0, pid}


def test_what_only_root_may_is_found_before_the_start(
    machine: Machine, collector: Collector
) -> None:
    text = configuration(collector=collector)
    machine.configure(text)
    machine.write("/etc/nss/push.token", "a-token-of-roots-alone-0123456789", mode=0o600)
    for command in ("check", "start"):
        said = refused(machine, "nss", command)
        assert 'sources.push.token_file = "/etc/nss/push.token": permission denied' in said
    pid = started(machine, text)
    good = machine.run("nss", "check")  # its own ports are no problem
    assert "is good: sources tcp, push; feeds mcas." in good.stdout
    assert f"Checked as the user nss, within the limits of {UNIT}." in good.stdout
    assert good.stderr == ""

    machine.configure(text + ARCHIVE)
    machine.run("install", "-d", "-o", "nss", "/srv/archive")
    said = refused(machine, "nss", "check")
    assert "feeds.archive.sink.path" in said
    assert "ReadWritePaths=/srv/archive" in said
    drop_in = "[Service]\nReadWritePaths=/srv/archive\n"
    machine.write(f"/etc/systemd/system/{UNIT}.d/archive.conf", drop_in)
    machine.run("systemctl", "daemon-reload")
    machine.run("nss", "check")

    machine.configure(text.replace("0.0.0.0:514", "0.0.0.0:515"))
    machine.run("sh", "-c", f'python3 -c "{LISTENS}" >/dev/null 2>&1 &')
    wait_for(lambda: ":515 " in machine.run("ss", "-lnt").stdout, "the port is taken")
    for command in ("check", "restart"):
        assert "another program listens there" in refused(machine, "nss", command)
    assert machine.pid() == pid
    units = machine.run(
        "systemctl", "list-units", "--all", "--plain", "--no-legend", "nss-streamer*"
    )
    assert [line.split()[0] for line in units.stdout.splitlines()] == [UNIT]
    left = machine.run("sh", "-c", "ls -d /run/nss-check-* /run/systemd/system/nss-*", code=2)
    assert left.stdout == ""


def test_limits_that_systemd_can_not_set_up_are_found_too(
    machine: Machine, collector: Collector
) -> None:
    pid = started(machine, configuration(collector=collector))
    drop_in = "[Service]\nBindPaths=/no/such/folder\n"
    machine.write(f"/etc/systemd/system/{UNIT}.d/wrong.conf", drop_in)
    machine.run("systemctl", "daemon-reload")
    assert "systemd can't set up what it asks for (exit code 226)" in refused(
        machine, "nss", "check"
    )
    assert f"(pid {pid})" in refused(machine, "nss", "restart")
    assert machine.pid() == pid


def test_a_service_that_is_tried_again_and_again_says_so(
    machine: Machine, collector: Collector
) -> None:
    machine.write("/etc/nss/push.token", "a-token-of-the-gateway-0123456789", mode=0o644)
    machine.run("chown", "root:nss", "/etc/nss/push.token")
    machine.path("/etc/nss/push.token").chmod(0o640)
    machine.configure(configuration(collector=collector).replace("0.0.0.0:514", "0.0.0.0:515"))
    machine.run("sh", "-c", f'python3 -c "{LISTENS}" >/dev/null 2>&1 &')
    wait_for(lambda: ":515 " in machine.run("ss", "-lnt").stdout, "the port is taken")
    machine.run("systemctl", "start", UNIT, code=1)
    lines = machine.run("nss", "status", code=69).stderr.splitlines()
    assert lines[0].endswith("an address, a disk or a file (exit code 74)")
    assert "  systemd starts it again, 5s after each end" in lines
    assert "can't listen at 0.0.0.0:515" in lines[-2]
    assert lines[-1] == "Try: sudo nss check; once the cause is gone it starts by itself"


def test_an_upgrade_after_which_it_can_not_run_says_so(
    machine: Machine, collector: Collector, package: Path, tmp_path: Path
) -> None:
    newer = other_version(package, tmp_path, "99.0")
    shutil.copy(newer, machine.path("/root"))
    text = configuration(collector=collector)
    started(machine, text)
    machine.configure(text.replace("listen", "lisen"))
    said = machine.run("dpkg", "--install", f"/root/{newer.name}", secs=120).stderr
    assert "sources.tcp.lisen" in said
    assert "ran before this upgrade and does NOT run now (exit code 78, reasons above)" in said
    assert "sudo nss start" in said
    machine.configure(text)
    machine.run("nss", "start")
