"""The unit for several services on one machine is the unit of one, with folders of its own."""

import shutil
import subprocess
from difflib import ndiff
from pathlib import Path

import pytest

from nss.config.load import parse

PACKAGING = Path(__file__).parents[2] / "packaging"
ONE = (PACKAGING / "nss-streamer.service").read_text(encoding="utf-8")
MANY = (PACKAGING / "nss-streamer@.service").read_text(encoding="utf-8")
SCALE = Path(__file__).parents[2] / "docs" / "scale.md"


def test_the_units_differ_in_names_alone() -> None:
    head, _, rest = MANY.partition("[Unit]\n")
    assert all(line.startswith("#") for line in head.splitlines())
    changed = [
        line for line in ndiff(ONE.splitlines(), f"[Unit]\n{rest}".splitlines()) if line[0] in "+-"
    ]
    assert len(changed) == 16
    for line in changed:
        if line.startswith("+"):
            assert "%i" in line
            assert (
                line[2:]
                .replace("/etc/nss/%i.toml", "/etc/nss/nss.toml")
                .replace(" (%i)", "")
                .replace("/%i", "")
                .replace("@%i", "")
                .replace("-%i", "")
                in ONE
            )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    unit = tmp_path / "nss-streamer@.service"
    programs = ("/opt/nss-streamer/bin/nss", "/opt/nss-streamer/bin/python3")
    text = MANY
    for program in programs:
        text = text.replace(program, "/bin/true")  # it is not installed here
    unit.write_text(text, encoding="utf-8")
    verified = subprocess.run(  # noqa: S603 - the same for everybody
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    about_it = [line for line in verified.stderr.splitlines() if "nss-streamer" in line]
    assert about_it == []


def test_the_configuration_of_the_docs_fits_the_unit() -> None:
    page = SCALE.read_text(encoding="utf-8")
    block = page.partition("```toml\n# /etc/nss/one.toml\n")[2].partition("```")[0]
    config = parse(block, Path("/etc/nss"))
    assert config.service.state_directory == Path("/var/lib/nss/one")
    assert config.service.control_socket == Path("/run/nss/one/control.sock")
    assert 'path = "/var/lib/nss/one/' in block
