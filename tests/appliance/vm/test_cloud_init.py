"""User data of a NoCloud disk: the network, the admin's key and nss.toml, without a console."""

import socket
import subprocess
from pathlib import Path

from tests.appliance.vm import images
from tests.appliance.vm.cable import PREFIX, Cable
from tests.appliance.vm.emulator import Machine
from tests.appliance.vm.story import BOOT_SECS, say
from tests.package.collector import Collector
from tests.package.machine import HERE, THERE, wait_for
from tests.package.sending import over_tcp

ADDRESS = THERE
SSH_SECS = 90
USERS = {"cloud@example.com"}

MAC = "52:54:00:4e:54:01"
NETWORK = f"""\
version: 2
ethernets:
  eth0:
    match: {{macaddress: "{MAC}"}}
    set-name: eth0
    dhcp4: false
    addresses: [{ADDRESS}/{PREFIX}]
    gateway4: {HERE}
    nameservers: {{addresses: [{HERE}]}}
"""
"""cloud-init's renderer for networkd looks at `macaddress` only, and not at a pattern of names."""

SETTINGS = f"""\
[sources.tcp]
kind = "tcp"
listen = "0.0.0.0:5514"

[feeds.siem]
format = "MCAS"
[feeds.siem.sink]
kind = "syslog_tcp"
destinations = ["{HERE}:{Collector.tcp}"]
"""


def user_data(public_key: str) -> str:
    indented = "".join(f"      {line}\n" for line in SETTINGS.splitlines())
    return f"""\
#cloud-config
hostname: nss-by-data
ssh_authorized_keys:
  - {public_key}
write_files:
  - path: /etc/nss/nss.toml
    owner: root:nss
    permissions: "0640"
    content: |
{indented}runcmd:
  - [nss, enable-autostart]
  - [nss, start]
"""


def test_user_data_sets_it_up(cable: Cable, collector: Collector, tmp_path: Path) -> None:
    key = tmp_path / "key"
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(key)]
    subprocess.run(make, check=True)  # noqa: S603 - ours
    files = {
        "meta-data": "instance-id: nss-1\n",
        "network-config": NETWORK,
        "user-data": user_data(key.with_suffix(".pub").read_text().strip()),
    }
    disk, seed = images.disk("qcow2", tmp_path), images.seed(tmp_path, files)
    with Machine(tmp_path, disk, "bios", cable.plug(), seed, mac=MAC) as machine:
        by_key = ("-i", str(key), "-o", "PasswordAuthentication=no")
        # A greeting is not enough: cloud-init may start the server again when it is done.
        wait_for(lambda: ssh(*by_key, "true").returncode == 0, "SSH takes the key", BOOT_SECS)
        say("SSH takes the key at the address of user data", machine)
        found = ssh(*by_key, "id -un; hostname; sudo -n true || echo no-sudo")
        assert found.stdout.split() == ["admin", "nss-by-data", "no-sudo"], found.stderr
        without = ("-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=0")
        refused = ssh(*without, "true")
        assert refused.returncode != 0
        assert "Permission denied (publickey)" in refused.stderr
        wait_for(lambda: has_port(5514), "the port of nss.toml is open", BOOT_SECS)
        over_tcp(USERS, 5514)
        collector.wait_for_users(USERS, BOOT_SECS)
        say("a record has arrived", machine)


def ssh(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run SSH as admin; the host key is new with every machine."""
    options = (
        *("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes"),
        *("ConnectTimeout=30", "ConnectionAttempts=1"),
    )
    *more, command = arguments
    line = ["ssh", "-F", "none", *(f"-o{option}" for option in options), *more]
    return subprocess.run(  # noqa: S603 - ours
        [*line, f"admin@{ADDRESS}", command],
        capture_output=True,
        text=True,
        timeout=SSH_SECS,
        check=False,
    )


def has_port(port: int) -> bool:
    try:
        with socket.create_connection((ADDRESS, port), timeout=2):
            return True
    except OSError:
        return False
