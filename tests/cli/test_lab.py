"""`nss lab`: the settings that it prints are good, and it shows what arrives."""

import signal
import stat
import subprocess
import textwrap
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.cli.conftest import COMMAND, ENV, Nss


@contextmanager
def lab(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Start `nss lab`; it is interrupted at the end, as by Ctrl-C."""
    process = subprocess.Popen(  # noqa: S603 - ours
        [*COMMAND, "lab", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENV,
        text=True,
        # Whoever runs tests in the background may ignore it, which is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
    )
    try:
        yield process
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, "")
    finally:
        process.kill()
        process.communicate()


def run(command: list[str]) -> str:
    """Run a command that was printed, which has to succeed; returns what it prints."""
    assert command[0] == "nss"
    ran = subprocess.run(  # noqa: S603 - ours
        [*COMMAND, *command[1:]],
        capture_output=True,
        text=True,
        env=ENV,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_sigterm_ends_what_a_script_started_in_the_background(tmp_path: Path) -> None:
    process = subprocess.Popen(  # noqa: S603 - ours
        [*COMMAND, "lab", "--folder", str(tmp_path)],
        stdout=subprocess.PIPE,
        env=ENV,
        text=True,
        # As a shell without job control does it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # noqa: PLW1509 - no threads
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.long
def test_with_the_printed_settings_uploads_categories_and_lines_arrive(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    with lab("--json", "--rate", "100", "--folder", str(folder)) as process:
        assert process.stdout is not None
        ready: dict[str, Any] = orjson.loads(process.stdout.readline())
        sign_in, sign_in_zia, service = ready["commands"]
        assert "Stored in" in run(sign_in)
        assert "Stored in" in run(sign_in_zia)
        running = subprocess.Popen(  # noqa: S603 - ours
            [*COMMAND, *service[1:]], stderr=subprocess.DEVNULL, env=ENV
        )
        try:
            seen: dict[str, dict[str, Any]] = {}
            while {"udp", "tcp", "records", "category", "rule"} - seen.keys():
                event = orjson.loads(process.stdout.readline())
                keys = {"records", "category", "rule"} & event.keys()
                seen |= dict.fromkeys(keys | {event.get("way", "")}, event)
            run(["nss", "verify-mcas2", "--config", ready["config"]])
        finally:
            running.kill()
            running.wait()
    assert seen["udp"]["last"].count("LEEF:1.0|Zscaler|NSS") == 1
    assert seen["tcp"]["last"].startswith("{")
    assert (seen["records"]["records"] > 0, seen["records"]["unusable"]) == (True, 0)
    assert seen["category"]["added"] > 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("client-secret", "zia-secret"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_people_are_told_that_these_are_stand_ins_and_a_pipe_gets_no_secret(tmp_path: Path) -> None:
    with lab("--folder", str(tmp_path)) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not (lines and lines[-1].startswith("Make things go wrong")):
            lines.append(process.stdout.readline())
        secret = (tmp_path / "client-secret").read_text()
        zia_secret = (tmp_path / "zia-secret").read_text()
    shown = "".join(lines)
    assert shown.startswith("Stand-ins for Microsoft's and Zscaler's services")
    assert f"Client Secret       in {tmp_path / 'client-secret'}" in shown
    assert f"Client Secret       in {tmp_path / 'zia-secret'}" in shown
    assert secret not in shown
    assert zia_secret not in shown
    own = shown.partition("Or in a configuration of your own:\n")[2].partition("\n\n")[0]
    sections = tomllib.loads(textwrap.dedent(own))
    assert sections["feeds"]["lab-upload"] == {
        "format": "MCAS",
        "sink": {"kind": "cloud_discovery"},
    }
    assert sections["feeds"]["lab-collector"]["format"] == "MCAS"
    assert sections["zia"]["ca_file"] == sections["mcas"]["ca_file"]
    assert f'ca_file = "{tmp_path / "lab" / "ca.pem"}"' in shown


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--listen", "0.0.0.0"), b"is every address"),  # noqa: S104 - refused
        (("--listen", "example.com"), b"no IP address"),
        (("--records-to", "a b"), b"--records-to"),
        (("--folder", "."), b"it is not empty"),
    ],
)
def test_what_makes_no_sense_is_refused(
    nss: Nss, tmp_path: Path, options: tuple[str, ...], reason: bytes
) -> None:
    (tmp_path / "mine").touch()
    ran = nss("lab", *options)
    assert ran.returncode == 64
    assert reason in ran.stderr


def test_an_address_that_others_reach_is_warned_of(nss: Nss) -> None:
    ran = nss("lab", "--listen", "192.0.2.1")  # which is not this machine's
    assert b"warning: whoever reaches 192.0.2.1 can use the stand-ins" in ran.stderr
    assert b"nss: lab: can't start: " in ran.stderr
    assert ran.returncode == 70
