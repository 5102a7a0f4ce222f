"""What is asked of the machine, and where the appliance's commands refuse to work."""

from pathlib import Path

import pytest

from nss.appliance import is_appliance
from nss.appliance.machine import ran, service_link, uses_dhcp
from nss.errors import ServiceError, UsageError


def links(folder: Path, **kinds: str) -> Path:
    for name, kind in kinds.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "type").write_text(f"{kind}\n")
        (folder / name / "ifindex").write_text("2\n")
    return folder


def test_the_service_interface_is_the_first_of_ethernet(tmp_path: Path) -> None:
    found = links(tmp_path, lo="772", br0="1", ens4="1", ens3="1", wg0="65534")
    assert service_link(None, found) == "ens3"
    assert service_link("br0", found) == "br0"
    with pytest.raises(UsageError, match="there is no interface wg0"):
        service_link("wg0", found)


def test_a_machine_without_an_interface_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no network interface"):
        service_link(None, links(tmp_path, lo="772"))


@pytest.mark.parametrize(
    ("text", "said"),
    [("[Network]\nDHCP=ipv4\n", True), ("[Network]\nDHCP=no\n", False), ("[Network]\n", False)],
)
def test_the_file_of_networkd_says_whether_it_is_dhcp(
    tmp_path: Path, text: str, *, said: bool
) -> None:
    file = tmp_path / "10-cloud-init-ens3.network"
    file.write_text(text)
    states = tmp_path / "states"
    states.mkdir()
    (states / "2").write_text(f"# private\nNETWORK_FILE={file}\n")
    found = links(tmp_path / "links", ens3="1")
    assert uses_dhcp("ens3", found, states) is said
    assert uses_dhcp("ens4", found, states) is True


def test_a_program_that_fails_is_quoted_harmlessly() -> None:
    with pytest.raises(ServiceError, match=r"^sh: a\\x1bb"):
        ran("sh", "-c", r"printf 'a\033b' >&2; exit 3")
    with pytest.raises(ServiceError, match="can't be run"):
        ran("/nowhere/at/all")


def test_a_marker_makes_an_appliance(tmp_path: Path) -> None:
    marker = tmp_path / "release"
    assert not is_appliance(marker)
    marker.write_text("VERSION=1\n")
    assert is_appliance(marker)
