"""Each format of the image boots, until the console asks for the first password.

The qcow2 boots in the other files: by UEFI in test_set_up.py, by BIOS in test_cloud_init.py.
"""

from pathlib import Path

import pytest

from tests.appliance.vm import images
from tests.appliance.vm.cable import Cable
from tests.appliance.vm.emulator import Firmware, Machine
from tests.appliance.vm.story import BOOT_SECS, SET_UP, say


@pytest.mark.parametrize(
    ("kind", "firmware"),
    [
        ("raw", "bios"),
        ("ova", "bios"),
        ("vhd", "bios"),
        ("vhd", "uefi"),
    ],
)
def test_it_boots(kind: images.Format, firmware: Firmware, cable: Cable, tmp_path: Path) -> None:
    disk = images.disk(kind, tmp_path)
    with Machine(tmp_path, disk, firmware, cable.plug()) as machine:
        machine.console.expect(SET_UP, secs=BOOT_SECS)
        say(f"{kind} by {firmware} asks for a password", machine)
        machine.console.expect(r"New password: $")
        address = cable.wait_for_lease(machine.mac, BOOT_SECS)
        assert address.startswith("198.51.100.1")
