"""The commands of the appliance on a machine that is none."""

import pytest

from nss.appliance import is_appliance
from tests.cli.conftest import Nss


@pytest.mark.skipif(is_appliance(), reason="this machine is an appliance")
@pytest.mark.parametrize("command", ["configure-network", "confirm-network", "reset-network"])
def test_no_other_machine_is_touched(nss: Nss, command: str) -> None:
    refused = nss(command)
    assert refused.returncode == 70
    assert b"it is no appliance of NSS" in refused.stderr
